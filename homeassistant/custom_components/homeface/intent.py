"""Assist: "who is in the kitchen?", "where is Anna?". The sentences lie in ``custom_sentences/``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

import voluptuous as vol
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import intent

from .const import DOMAIN
from .models import Person, Room, name_key
from .phrases import listed, room_words, say

if TYPE_CHECKING:
    from .coordinator import HomefaceCoordinator

WHO_IS_IN = "HomefaceWhoIsIn"
WHERE_IS = "HomefaceWhereIs"
_NOISE = re.compile(r"^(?:the|my|our|der|die|das|dem|den|im|in)\s+", re.IGNORECASE)


async def async_setup_intents(hass: HomeAssistant) -> None:
    """Register what we answer."""
    intent.async_register(hass, WhoIsIn())
    intent.async_register(hass, WhereIs())


class _Question(intent.IntentHandler):
    """A question about who is where; the answer is one or two sentences."""

    slot: ClassVar[str]

    async def async_handle(self, intent_obj: intent.Intent) -> intent.IntentResponse:
        """Answer in the language of the question."""
        wanted = str(self.async_validate_slots(intent_obj.slots)[self.slot]["value"])
        response = intent_obj.create_response()
        response.response_type = intent.IntentResponseType.QUERY_ANSWER
        response.async_set_speech(self.answer(intent_obj.hass, intent_obj.language, wanted))
        return response

    def answer(self, hass: HomeAssistant, language: str, wanted: str) -> str:
        """The answer as text."""
        raise NotImplementedError


class WhoIsIn(_Question):
    """Who is in a room."""

    intent_type = WHO_IS_IN
    description = "Says who is in a room, as homeface sees it"
    slot = "room"
    slot_schema = {vol.Required("room"): cv.string}  # noqa: RUF012 - Home Assistant's own form

    def answer(self, hass: HomeAssistant, language: str, wanted: str) -> str:
        """Who is in the room of this name; with several homefaces each house that has one is named."""
        found = _connected(hass)
        told = [
            (one, _describe_room(language, room))
            for one in found
            for room in one.data.rooms.values()
            if _same(wanted, room.name, room.id)
        ]
        nobody_knows = say(language, "no_such_room", room=_NOISE.sub("", wanted.strip()))
        return _answer(hass, language, found, told, nobody_knows)


class WhereIs(_Question):
    """Where a person is."""

    intent_type = WHERE_IS
    description = "Says in which room a person is, as homeface sees it"
    slot = "person"
    slot_schema = {vol.Required("person"): cv.string}  # noqa: RUF012 - Home Assistant's own form

    def answer(self, hass: HomeAssistant, language: str, wanted: str) -> str:
        """Where the person of this name (or alias) is, in each house that knows one."""
        found = _connected(hass)
        told = []
        for one in found:
            named = [p for p in one.data.people.values() if _same(wanted, *_names(one, p))]
            if len(named) == 1:
                told.append((one, _describe_person(language, one, named[0])))
            elif named:
                told.append((one, say(language, "several_people", person=wanted.strip())))
        return _answer(hass, language, found, told, say(language, "no_such_person", person=wanted.strip()))


def _connected(hass: HomeAssistant) -> list[HomefaceCoordinator]:
    found = [entry.runtime_data for entry in hass.config_entries.async_loaded_entries(DOMAIN)]
    return [one for one in found if one.connected]


def _answer(
    hass: HomeAssistant,
    language: str,
    connected: list[HomefaceCoordinator],
    told: list[tuple[HomefaceCoordinator, str]],
    nobody_knows: str,
) -> str:
    """One sentence; or one for each house, since two houses may have an Anna and a kitchen each.

    A house that cannot be asked is said to be one: "nobody is in the kitchen" is no answer for it.
    """
    silent = [
        entry.title
        for entry in hass.config_entries.async_entries(DOMAIN, include_ignore=False, include_disabled=False)
        if entry.entry_id not in {one.config_entry.entry_id for one in connected}
    ]
    if not connected:
        return say(language, "not_connected")
    if not silent and len(told) < 2:
        return told[0][1] if told else nobody_knows
    sentences = [f"{one.config_entry.title}: {sentence}" for one, sentence in told] or [nobody_knows]
    return " ".join([*sentences, *(f"{title}: {say(language, 'not_connected')}" for title in silent)])


def _names(coordinator: HomefaceCoordinator, person: Person) -> list[str]:
    aliases = [alias for one in coordinator.people if one.id == person.id for alias in one.aliases]
    return [person.name, *aliases]


def _same(wanted: str, *names: str) -> bool:
    """Whether somebody means one of these names; a leading article does not count."""
    plain = name_key(wanted.strip().rstrip("?!. "))
    return any(name_key(name) in {plain, _NOISE.sub("", plain)} for name in names)


def _describe_room(language: str, room: Room) -> str:
    words = room_words(language, room.name)
    if not room.available:
        return say(language, "cannot_see", room=words)
    names = sorted(person.name for person in room.people)
    many = "one" if room.unknown_count == 1 else "many"
    if names:
        said = say(
            language,
            "in_room_one" if len(names) == 1 else "in_room_many",
            names=listed(language, names),
            room=words,
        )
        if room.unknown_count:
            said += " " + say(language, f"also_unknown_{many}", count=room.unknown_count)
        return said
    if room.unknown_count:
        return say(language, f"unknown_{many}", count=room.unknown_count, room=words)
    return say(language, "somebody" if room.occupied else "nobody", room=words)


def _describe_person(language: str, coordinator: HomefaceCoordinator, person: Person) -> str:
    if not person.available:
        return say(language, "person_unsure", person=person.name)
    if not person.home:
        return say(language, "person_away", person=person.name)
    room = coordinator.data.rooms.get(person.room or "")
    if room is None:
        return say(language, "person_home", person=person.name)
    return say(language, "person_in", person=person.name, room=room_words(language, room.name))
