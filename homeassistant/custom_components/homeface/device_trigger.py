"""Device triggers: somebody comes into or leaves a room, comes home, or is not known.

Each hears ``homeface_event``, fired once when it happens: none of them fires because a state is restored.
"""

from __future__ import annotations

from typing import Any

import voluptuous as vol
from homeassistant.components.device_automation import DEVICE_TRIGGER_BASE_SCHEMA
from homeassistant.components.device_automation.exceptions import InvalidDeviceAutomationConfig
from homeassistant.components.homeassistant.triggers import event as event_trigger
from homeassistant.const import CONF_DEVICE_ID, CONF_DOMAIN, CONF_EVENT_DATA, CONF_PLATFORM, CONF_TYPE
from homeassistant.core import CALLBACK_TYPE, HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.trigger import TriggerActionType, TriggerInfo
from homeassistant.helpers.typing import ConfigType

from .const import ARRIVED, CAME_HOME, DOMAIN, EVENT_HOMEFACE, LEFT, LEFT_HOME, SEEN_AGAIN, UNKNOWN
from .devices import Thing, thing_of

CONF_ROOM = "room"
CONF_PERSON = "person"

_OF_PERSON = (ARRIVED, LEFT, SEEN_AGAIN, CAME_HOME, LEFT_HOME)
_IN_A_ROOM = (ARRIVED, LEFT, SEEN_AGAIN)
_OF_ROOM = {
    "person_arrived": ARRIVED,
    "person_left": LEFT,
    "person_seen_again": SEEN_AGAIN,
    "unknown_person": UNKNOWN,
}

TRIGGER_SCHEMA = DEVICE_TRIGGER_BASE_SCHEMA.extend(
    {
        vol.Required(CONF_TYPE): vol.In((*_OF_PERSON, *_OF_ROOM)),
        vol.Optional(CONF_ROOM): cv.string,
        vol.Optional(CONF_PERSON): cv.string,
    }
)


async def async_get_triggers(hass: HomeAssistant, device_id: str) -> list[dict[str, str]]:
    """What this device can trigger."""
    thing = thing_of(hass, device_id)
    base = {CONF_PLATFORM: "device", CONF_DOMAIN: DOMAIN, CONF_DEVICE_ID: device_id}
    return [{**base, CONF_TYPE: kind} for kind in _types(thing)]


def _types(thing: Thing | None) -> tuple[str, ...]:
    if thing is None or thing.kind not in {"person", "room"}:
        return ()
    return _OF_PERSON if thing.kind == "person" else tuple(_OF_ROOM)


async def async_get_trigger_capabilities(hass: HomeAssistant, config: ConfigType) -> dict[str, vol.Schema]:
    """A person's trigger may name a room, a room's a person."""
    thing = thing_of(hass, config[CONF_DEVICE_ID])
    if thing is None or thing.coordinator is None:
        return {}
    house = thing.coordinator.data
    if thing.kind == "person" and config[CONF_TYPE] in _IN_A_ROOM:
        rooms = {room.id: room.name for room in house.rooms.values()}
        return {"extra_fields": vol.Schema({vol.Optional(CONF_ROOM): vol.In(rooms)})}
    if thing.kind == "room" and config[CONF_TYPE] != "unknown_person":
        people = {person.id: person.name for person in house.people.values()}
        return {"extra_fields": vol.Schema({vol.Optional(CONF_PERSON): vol.In(people)})}
    return {}


async def async_attach_trigger(
    hass: HomeAssistant, config: ConfigType, action: TriggerActionType, trigger_info: TriggerInfo
) -> CALLBACK_TYPE:
    """Run ``action`` at each such event."""
    thing = thing_of(hass, config[CONF_DEVICE_ID])
    if config[CONF_TYPE] not in _types(thing) or thing is None:
        raise InvalidDeviceAutomationConfig("this device is no person or room of homeface (any more)")
    wanted: dict[str, Any] = {"config_entry_id": thing.entry.entry_id}
    if thing.kind == "person":
        wanted |= {"type": config[CONF_TYPE], "person_id": thing.item}
        wanted |= {"room": config[CONF_ROOM]} if CONF_ROOM in config else {}
    else:
        wanted |= {"type": _OF_ROOM[config[CONF_TYPE]], "room": thing.item}
        wanted |= {"person_id": config[CONF_PERSON]} if CONF_PERSON in config else {}
    event_config = event_trigger.TRIGGER_SCHEMA(
        {
            CONF_PLATFORM: "event",
            event_trigger.CONF_EVENT_TYPE: EVENT_HOMEFACE,
            CONF_EVENT_DATA: wanted,
        }
    )
    return await event_trigger.async_attach_trigger(
        hass, event_config, action, trigger_info, platform_type="device"
    )
