"""Events: what happened, for the room's and the person's event entity. Never retained."""

from __future__ import annotations

from homeface.adapters.homeassistant.text import clean, iso, rounded, to_json
from homeface.adapters.homeassistant.topics import device_base
from homeface.adapters.homeassistant.views import HouseView
from homeface.core.presence import PresenceEvent


def event_topics(view: HouseView, event: PresenceEvent) -> list[str]:
    """Where an event is told: at its room and, when it is about somebody enrolled, at that person."""
    topics = []
    if view.room(event.room) is not None:
        topics.append(f"{device_base(view, 'room', event.room)}/event")
    if event.subject_id is not None and view.person(event.subject_id) is not None:
        topics.append(f"{device_base(view, 'person', event.subject_id)}/event")
    return topics


def render_event(view: HouseView, event: PresenceEvent, now: float) -> str:
    """The event as JSON, with its age at ``now``: call it right before sending."""
    room, person = view.room(event.room), view.person(event.subject_id)
    return to_json(
        {
            "event_type": event.kind.value,
            "room": event.room,
            "room_name": clean(room.name) if room is not None else None,
            "person": clean(person.name) if person is not None else None,
            "person_id": event.subject_id,
            "captured_at": iso(event.captured_at),
            "age_seconds": rounded(max(0.0, now - event.captured_at), 3),
            "last_seen": iso(event.last_seen),
            "track": event.visit_id,
            "score": rounded(event.score, 4),
            "margin": rounded(event.margin, 4),
            "votes": event.votes,
            "reasons": list(event.reasons),
            "camera": event.camera,
        }
    )


def event_messages(view: HouseView, event: PresenceEvent, now: float) -> list[tuple[str, str]]:
    """Topic and payload for each place where the event is told."""
    payload = render_event(view, event, now)
    return [(topic, payload) for topic in event_topics(view, event)]
