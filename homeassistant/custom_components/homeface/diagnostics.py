"""Diagnostics for a bug report: figures and states, no faces, no names of people, no address, no token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homeassistant.const import CONF_URL
from homeassistant.core import HomeAssistant
from yarl import URL

from .const import CONF_AUTHORITY, CONF_FINGERPRINT

if TYPE_CHECKING:
    from . import HomefaceConfigEntry


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant, entry: HomefaceConfigEntry
) -> dict[str, Any]:
    """What is known of one homeface. People and rooms are numbered, not named."""
    coordinator = entry.runtime_data
    house, info, url = coordinator.data, coordinator.info, URL(entry.data[CONF_URL])
    numbers = {person: f"person {number}" for number, person in enumerate(house.people, 1)}
    rooms = {room: f"room {number}" for number, room in enumerate(house.rooms, 1)}
    return {
        "connection": {
            "connected": coordinator.connected,
            "last_update_success": coordinator.last_update_success,
            "scheme": url.scheme,
            "certificate_confirmed": bool({CONF_AUTHORITY, CONF_FINGERPRINT} & set(entry.data)),
        },
        "version": info.version if info is not None else None,
        "model_id": info.model_id if info is not None else None,
        "rooms": {
            rooms[room.id]: {
                "occupied": room.occupied,
                "available": room.available,
                "paused": room.paused,
                "people": len(room.people),
                "unknown": room.unknown_count,
            }
            for room in house.rooms.values()
        },
        "people": {
            numbers[person.id]: {
                "home": person.home,
                "available": person.available,
                "room": rooms.get(person.room or ""),
            }
            for person in house.people.values()
        },
        "cameras": [
            {"room": rooms.get(camera.room), "available": camera.available, "paused": camera.paused}
            for camera in house.cameras.values()
        ],
        "findings": sorted(finding.key for person in coordinator.people for finding in person.findings),
        "unknown_visits": len(coordinator.unknown_visits),
    }
