"""Sentences for the logbook and for Assist. Home Assistant translates neither, so they stand here: en, de."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_ENGLISH: Mapping[str, str] = {
    "arrived": "came into {room}",
    "left": "left {room}",
    "seen_again": "was seen again in {room}",
    "unknown": "Somebody unknown was seen in {room}",
    "came_home": "came home",
    "left_home": "left home",
    "and": "and",
    "in_room_one": "{names} is in {room}.",
    "in_room_many": "{names} are in {room}.",
    "also_unknown_one": "Somebody I do not know is there, too.",
    "also_unknown_many": "{count} people I do not know are there, too.",
    "unknown_one": "Somebody I do not know is in {room}.",
    "unknown_many": "{count} people I do not know are in {room}.",
    "nobody": "Nobody is in {room}.",
    "somebody": "Somebody is in {room}, but I have seen no face.",
    "cannot_see": "I cannot see {room} at the moment.",
    "no_such_room": "I know no room called {room}.",
    "person_in": "{person} is in {room}.",
    "person_home": "{person} is at home, but I cannot say in which room.",
    "person_away": "{person} is not at home.",
    "person_unsure": "I cannot say where {person} is at the moment.",
    "no_such_person": "I do not know anybody called {person}.",
    "several_people": "I know several people called {person}.",
    "not_connected": "I have no connection to homeface at the moment.",
}
_GERMAN: Mapping[str, str] = {
    "arrived": "kam in den Raum {room}",
    "left": "verließ den Raum {room}",
    "seen_again": "wurde wieder gesehen: {room}",
    "unknown": "Jemand Unbekanntes wurde gesehen: {room}",
    "came_home": "kam nach Hause",
    "left_home": "hat das Haus verlassen",
    "and": "und",
    "in_room_one": "Im Raum {room} ist {names}.",
    "in_room_many": "Im Raum {room} sind {names}.",
    "also_unknown_one": "Dazu jemand, den ich nicht kenne.",
    "also_unknown_many": "Dazu {count} Leute, die ich nicht kenne.",
    "unknown_one": "Im Raum {room} ist jemand, den ich nicht kenne.",
    "unknown_many": "Im Raum {room} sind {count} Leute, die ich nicht kenne.",
    "nobody": "Im Raum {room} ist niemand.",
    "somebody": "Im Raum {room} ist jemand, aber ich habe kein Gesicht gesehen.",
    "cannot_see": "Den Raum {room} kann ich gerade nicht sehen.",
    "no_such_room": "Ich kenne keinen Raum namens {room}.",
    "person_in": "{person} ist im Raum {room}.",
    "person_home": "{person} ist zu Hause, ich weiß aber nicht, in welchem Raum.",
    "person_away": "{person} ist nicht zu Hause.",
    "person_unsure": "Wo {person} ist, kann ich gerade nicht sagen.",
    "no_such_person": "Ich kenne niemanden namens {person}.",
    "several_people": "Ich kenne mehrere Leute namens {person}.",
    "not_connected": "Ich habe gerade keine Verbindung zu homeface.",
}
LANGUAGES: Mapping[str, Mapping[str, str]] = {"en": _ENGLISH, "de": _GERMAN}


def say(language: str, key: str, **values: object) -> str:
    """The sentence in this language (``de-CH`` is German), English where there is none."""
    table = LANGUAGES.get(language.split("-", maxsplit=1)[0].lower(), _ENGLISH)
    return table[key].format(**values)


def room_words(language: str, name: str) -> str:
    """A room's name inside a sentence: "the kitchen", but "Anna's room"; German keeps the name as it is."""
    if language.split("-", maxsplit=1)[0].lower() == "de":
        return name
    if "'" in name or "’" in name or name.lower().startswith("the "):
        return name
    plain = name[:1].lower() + name[1:] if name[1:] == name[1:].lower() else name
    return f"the {plain}"


def listed(language: str, names: Sequence[str]) -> str:
    """``Anna, Ben and Eve``."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {say(language, 'and')} {names[-1]}"
