"""The table of entities: what each device has, and how each state is told. Everything here is pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from homeface.adapters.homeassistant.text import clean, iso, join_names, rounded, state_text
from homeface.adapters.homeassistant.topics import topic_id
from homeface.adapters.homeassistant.views import HouseView, Moment
from homeface.core.presence import EventKind, PersonState, RoomState

HOME = "home"
"""State of a person's room sensor: at home, but in no known room."""
NOT_HOME = "not_home"
NOBODY, NOBODY_KNOWN = "nobody", "nobody known"
RESERVED_ROOM_IDS = frozenset({HOME, NOT_HOME, "unknown", "unavailable", "none"})
"""A room with such an id could not be told from a state of another meaning."""

LAST_SEEN_STEP_SECONDS = 60.0
"""While somebody is in sight, ``last_seen`` is told in steps: each change is a row in somebody's database."""

DIAGNOSTIC = {"entity_category": "diagnostic"}


@dataclass(frozen=True, slots=True)
class Entity:
    """One component of a device. ``value_fn`` gets the moment and the item's id, and returns the payload.

    ``needs_device``: unavailable while the device itself is (camera dead, room blind), not only while the
    daemon is. ``always_available``: events, for which becoming available again would look like news.
    """

    key: str
    platform: str
    name: str | None
    value_fn: Callable[[Moment, str], str] | None
    options: Mapping[str, object] = field(default_factory=dict)
    options_fn: Callable[[HouseView], Mapping[str, object]] | None = None
    attributes_fn: Callable[[Moment, str], Mapping[str, object]] | None = None
    needs_device: bool = False
    always_available: bool = False
    commanded: bool = False


def room_state(moment: Moment, room_id: str) -> RoomState:
    """The room's state; unavailable while nothing is known."""
    nothing = RoomState(room_id, False, False, 0, (), 0, math.nan, None)
    return moment.state.rooms.get(room_id, nothing)


def person_state(moment: Moment, subject_id: str) -> PersonState:
    """The person's state; not home while nothing is known."""
    return moment.state.people.get(subject_id) or PersonState(subject_id, None, False, math.nan)


def room_option(room_id: str) -> str:
    """A room as a state of a person's room sensor."""
    option = topic_id(room_id)
    return f"room_{option}" if option.lower() in RESERVED_ROOM_IDS else option


def _stepped(seen: float | None, since: float, at: float) -> float | None:
    """``last_seen`` in steps while it moves, exact as soon as it rests."""
    if seen is None or at - seen >= LAST_SEEN_STEP_SECONDS:
        return seen
    return max(min(since, seen), seen // LAST_SEEN_STEP_SECONDS * LAST_SEEN_STEP_SECONDS)


def _person_room(moment: Moment, subject_id: str) -> str:
    person = person_state(moment, subject_id)
    if not person.home:
        return NOT_HOME
    return HOME if moment.view.room(person.room) is None or person.room is None else room_option(person.room)


def _person_attributes(moment: Moment, subject_id: str) -> Mapping[str, object]:
    person = person_state(moment, subject_id)
    room, last_room = moment.view.room(person.room), moment.view.room(person.last_room)
    return {
        "person_id": subject_id,
        "room_name": clean(room.name) if room is not None else None,
        "since": iso(person.since),
        "last_seen": iso(_stepped(person.last_seen, person.since, moment.state.at)),
        "last_room": last_room.room_id if last_room is not None else None,
        "score": rounded(person.score),
        "margin": rounded(person.margin),
        "votes": person.votes,
        "camera": person.camera,
    }


def _person_zones(moment: Moment, subject_id: str) -> Mapping[str, object]:
    # Home Assistant 2026.7 and later read the place from in_zones, and from 2027.1 only from there
    person = person_state(moment, subject_id)
    return {"in_zones": ["zone.home"] if person.home else [], "person_id": subject_id}


def _room_options(view: HouseView) -> Mapping[str, object]:
    rooms = dict.fromkeys(room_option(room.room_id) for room in view.rooms)
    return {"options": [*rooms, HOME, NOT_HOME]}


def _names(moment: Moment, room_id: str) -> list[str]:
    people = [moment.view.person(subject_id) for subject_id in room_state(moment, room_id).names]
    return sorted(clean(person.name) for person in people if person is not None)


def _room_names(moment: Moment, room_id: str) -> str:
    names = _names(moment, room_id)
    if names:
        told = join_names(names)
        return f'"{told}"' if told.casefold() in (NOBODY, NOBODY_KNOWN) else told  # somebody's nickname
    return NOBODY_KNOWN if room_state(moment, room_id).occupied else NOBODY


def _room_attributes(moment: Moment, room_id: str) -> Mapping[str, object]:
    room = room_state(moment, room_id)
    return {
        "names": _names(moment, room_id),
        "person_ids": list(room.names),
        "since": iso(room.since),
        "last_seen": iso(_stepped(room.last_seen, room.since, moment.state.at)),
    }


def _on_off(value: bool) -> str:
    return "ON" if value else "OFF"


EVENT_TYPES = [kind.value for kind in EventKind]
PERSON_EVENT_TYPES = [kind.value for kind in EventKind if kind is not EventKind.UNKNOWN]

PERSON_ENTITIES = (
    Entity(
        "room",
        "sensor",
        "Room",
        _person_room,
        {"device_class": "enum", "icon": "mdi:map-marker-account"},
        options_fn=_room_options,
        attributes_fn=_person_attributes,
        needs_device=True,
    ),
    Entity(
        "presence",
        "device_tracker",
        None,
        lambda moment, item: HOME if person_state(moment, item).home else NOT_HOME,
        {"source_type": "router", "payload_home": HOME, "payload_not_home": NOT_HOME},
        attributes_fn=_person_zones,
        needs_device=True,
    ),
    Entity("event", "event", "Event", None, {"event_types": PERSON_EVENT_TYPES}, always_available=True),
)

ROOM_ENTITIES = (
    Entity(
        "occupancy",
        "binary_sensor",
        "Occupancy",
        lambda moment, item: _on_off(room_state(moment, item).occupied),
        {"device_class": "occupancy"},
        needs_device=True,
    ),
    Entity(
        "people",
        "sensor",
        "People",
        lambda moment, item: str(room_state(moment, item).count),
        {"state_class": "measurement", "icon": "mdi:account-multiple"},
        needs_device=True,
    ),
    Entity(
        "names",
        "sensor",
        "Names",
        _room_names,
        {"icon": "mdi:account-details"},
        attributes_fn=_room_attributes,
        needs_device=True,
    ),
    Entity(
        "unknown",
        "sensor",
        "Unknown people",
        lambda moment, item: str(room_state(moment, item).unknown_count),
        {"state_class": "measurement", "icon": "mdi:account-question"},
        needs_device=True,
    ),
    Entity("event", "event", "Event", None, {"event_types": EVENT_TYPES}, always_available=True),
)

CAMERA_ENTITIES = (
    Entity(
        "connectivity",
        "binary_sensor",
        "Connectivity",
        lambda moment, item: _on_off(moment.figures(item).online),
        {"device_class": "connectivity", **DIAGNOSTIC},
    ),
    Entity(
        "recognition",
        "switch",
        "Recognition",
        lambda moment, item: _on_off(moment.figures(item).recognition),
        {"icon": "mdi:face-recognition"},
        commanded=True,
    ),
    Entity(
        "fps",
        "sensor",
        "Analysed frames per second",
        lambda moment, item: f"{rounded(moment.figures(item).analysed_fps, 1) or 0.0}",
        {
            "state_class": "measurement",
            "unit_of_measurement": "fps",
            "enabled_by_default": False,
            **DIAGNOSTIC,
        },
        needs_device=True,
    ),
    Entity(
        "dropped",
        "sensor",
        "Dropped frames",
        lambda moment, item: str(moment.figures(item).dropped),
        {"state_class": "total_increasing", "enabled_by_default": False, **DIAGNOSTIC},
        needs_device=True,
    ),
    Entity(
        "last_error",
        "sensor",
        "Last error",
        lambda moment, item: state_text(moment.figures(item).last_error or "no error"),
        {"icon": "mdi:alert-circle-outline", **DIAGNOSTIC},
    ),
)

HUB_ENTITIES = (
    Entity(
        "recognition",
        "switch",
        "Recognition",
        lambda moment, _: _on_off(moment.hub.recognition),
        {"icon": "mdi:face-recognition"},
        commanded=True,
    ),
    Entity(
        "guest_mode",
        "switch",
        "Guest mode",
        lambda moment, _: _on_off(moment.hub.guest_mode),
        {"icon": "mdi:account-group"},
        commanded=True,
    ),
    Entity(
        "cameras",
        "sensor",
        "Cameras",
        lambda moment, _: str(len(moment.view.cameras)),
        {"icon": "mdi:cctv", **DIAGNOSTIC},
    ),
    Entity(
        "cameras_online",
        "sensor",
        "Cameras online",
        lambda moment, _: str(sum(moment.figures(camera.camera_id).online for camera in moment.view.cameras)),
        {"icon": "mdi:cctv", "state_class": "measurement", **DIAGNOSTIC},
    ),
    Entity(
        "dropped_events",
        "sensor",
        "Dropped events",
        lambda moment, _: str(moment.hub.dropped_events),
        {"icon": "mdi:timer-off-outline", "state_class": "total_increasing", **DIAGNOSTIC},
    ),
    Entity(
        "dropped_faces",
        "sensor",
        "Dropped faces",
        lambda moment, _: str(moment.hub.dropped_faces),
        {"icon": "mdi:face-recognition", "state_class": "total_increasing", **DIAGNOSTIC},
    ),
)
