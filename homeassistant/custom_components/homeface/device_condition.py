"""Device conditions. What is not known now is never fulfilled: neither "is home" nor "is not home"."""

from __future__ import annotations

from collections.abc import Callable

import voluptuous as vol
from homeassistant.const import CONF_CONDITION, CONF_DEVICE_ID, CONF_DOMAIN, CONF_TYPE
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.condition import ConditionCheckerType
from homeassistant.helpers.config_validation import DEVICE_CONDITION_BASE_SCHEMA
from homeassistant.helpers.typing import ConfigType, TemplateVarsType

from .const import DOMAIN
from .devices import thing_of
from .models import House, Person, Room

CONF_ROOM = "room"
CONF_PERSON = "person"

_PERSON: dict[str, Callable[[Person, ConfigType], bool]] = {
    "is_home": lambda person, _: person.home,
    "is_not_home": lambda person, _: not person.home,
    "is_in_room": lambda person, config: person.home and person.room == config.get(CONF_ROOM),
}
_ROOM: dict[str, Callable[[Room, ConfigType], bool]] = {
    "is_occupied": lambda room, _: room.occupied,
    "is_empty": lambda room, _: not room.occupied,
    "has_known_person": lambda room, config: any(
        CONF_PERSON not in config or person.id == config[CONF_PERSON] for person in room.people
    ),
    "has_unknown_person": lambda room, _: room.unknown_count > 0,
}

CONDITION_SCHEMA = DEVICE_CONDITION_BASE_SCHEMA.extend(
    {
        vol.Required(CONF_TYPE): vol.In((*_PERSON, *_ROOM)),
        vol.Optional(CONF_ROOM): cv.string,
        vol.Optional(CONF_PERSON): cv.string,
    }
)


async def async_get_conditions(hass: HomeAssistant, device_id: str) -> list[dict[str, str]]:
    """What can be asked of this device."""
    thing = thing_of(hass, device_id)
    kinds = {"person": tuple(_PERSON), "room": tuple(_ROOM)}.get(thing.kind if thing else "", ())
    base = {CONF_CONDITION: "device", CONF_DOMAIN: DOMAIN, CONF_DEVICE_ID: device_id}
    return [{**base, CONF_TYPE: kind} for kind in kinds]


async def async_get_condition_capabilities(hass: HomeAssistant, config: ConfigType) -> dict[str, vol.Schema]:
    """``is_in_room`` wants a room; ``has_known_person`` may name a person."""
    thing = thing_of(hass, config[CONF_DEVICE_ID])
    if thing is None or thing.coordinator is None:
        return {}
    house = thing.coordinator.data
    if config[CONF_TYPE] == "is_in_room":
        rooms = {room.id: room.name for room in house.rooms.values()}
        return {"extra_fields": vol.Schema({vol.Required(CONF_ROOM): vol.In(rooms)})}
    if config[CONF_TYPE] == "has_known_person":
        people = {person.id: person.name for person in house.people.values()}
        return {"extra_fields": vol.Schema({vol.Optional(CONF_PERSON): vol.In(people)})}
    return {}


@callback
def async_condition_from_config(hass: HomeAssistant, config: ConfigType) -> ConditionCheckerType:
    """What tests the condition; the device is looked up each time, since it may come back."""

    @callback
    def test(_hass: HomeAssistant, _variables: TemplateVarsType = None) -> bool:
        thing = thing_of(hass, config[CONF_DEVICE_ID])
        if thing is None or thing.coordinator is None:
            return False
        return _holds(thing.coordinator.data, thing.kind, thing.item, config)

    return test


def _holds(house: House, kind: str, item: str, config: ConfigType) -> bool:
    if kind == "person":
        person, asked = house.people.get(item), _PERSON.get(config[CONF_TYPE])
        return person is not None and asked is not None and person.available and asked(person, config)
    room, about = house.rooms.get(item), _ROOM.get(config[CONF_TYPE])
    return room is not None and about is not None and room.available and about(room, config)
