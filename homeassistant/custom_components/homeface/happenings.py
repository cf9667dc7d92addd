"""Things that happen, told once on Home Assistant's event bus as ``homeface_event``."""

from __future__ import annotations

import datetime as dt
import logging
from typing import TYPE_CHECKING

from homeassistant.core import callback
from homeassistant.util import dt as dt_util

from . import devices
from .const import (
    ARRIVED,
    CAME_HOME,
    EVENT_HOMEFACE,
    LEFT,
    LEFT_HOME,
    MAX_EVENT_AGE_SECONDS,
    SEEN_AGAIN,
    UNKNOWN,
)
from .models import Decision, House, Person

if TYPE_CHECKING:
    from .coordinator import HomefaceCoordinator

_LOGGER = logging.getLogger(__name__)
_TOLD = (ARRIVED, LEFT, SEEN_AGAIN, UNKNOWN)


def iso(seconds: float | None) -> str | None:
    """Seconds since the epoch as ISO 8601 in UTC."""
    return None if seconds is None else dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat()


@callback
def tell_decision(coordinator: HomefaceCoordinator, decision: Decision) -> None:
    """Tell what presence decided, unless it is too old or no news."""
    if decision.kind not in _TOLD:
        return
    age = max(0.0, dt_util.utcnow().timestamp() - decision.at)
    if age > MAX_EVENT_AGE_SECONDS:
        _LOGGER.debug("Not telling %s in %s: it is %.0f s old", decision.kind, decision.room, age)
        return
    person_id = decision.person_id or _id_of(coordinator, decision.name)
    room = coordinator.data.rooms.get(decision.room)
    about = ("room", decision.room) if person_id is None else ("person", person_id)
    coordinator.hass.bus.async_fire(
        EVENT_HOMEFACE,
        {
            "type": decision.kind,
            "config_entry_id": coordinator.config_entry.entry_id,
            "node_id": coordinator.node_id,
            "room": decision.room,
            "room_name": room.name if room is not None else decision.room,
            "person": decision.name if decision.kind != UNKNOWN else None,
            "person_id": person_id if decision.kind != UNKNOWN else None,
            "camera": decision.camera,
            "visit_id": decision.visit_id,
            "score": decision.score,
            "reasons": list(decision.reasons),
            "captured_at": iso(decision.at),
            "age_seconds": round(age, 3),
            "device_id": devices.device_id(coordinator, *about),
        },
    )


@callback
def tell_homecomings(coordinator: HomefaceCoordinator, before: House, now: House) -> None:
    """Tell who came home or left it between two states of one unbroken connection."""
    for person in now.people.values():
        old = before.people.get(person.id)
        if old is None or not (old.available and person.available) or old.home == person.home:
            continue
        _tell_homecoming(coordinator, person)


@callback
def _tell_homecoming(coordinator: HomefaceCoordinator, person: Person) -> None:
    room = coordinator.data.rooms.get(person.room or "")
    coordinator.hass.bus.async_fire(
        EVENT_HOMEFACE,
        {
            "type": CAME_HOME if person.home else LEFT_HOME,
            "config_entry_id": coordinator.config_entry.entry_id,
            "node_id": coordinator.node_id,
            "room": person.room if person.home else None,
            "room_name": room.name if room is not None and person.home else None,
            "person": person.name,
            "person_id": person.id,
            "captured_at": iso(person.last_seen),
            "age_seconds": 0.0,
            "device_id": devices.device_id(coordinator, "person", person.id),
        },
    )


def _id_of(coordinator: HomefaceCoordinator, name: str | None) -> str | None:
    """The only person of this name; two of one name cannot be told apart by it."""
    found = [person.id for person in coordinator.data.people.values() if person.name == name]
    return found[0] if len(found) == 1 else None
