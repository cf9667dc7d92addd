"""What homeface's web API answers, as plain frozen values. Anything unexpected is an ``UnexpectedAnswer``."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

_MAX_TEXT = 500


def name_key(name: str) -> str:
    """Equal for names that people (and homeface) take for the same, however a keyboard writes an umlaut."""
    folded = unicodedata.normalize("NFC", name).casefold()
    return " ".join(unicodedata.normalize("NFC", folded).split())


class UnexpectedAnswer(ValueError):
    """The answer is not what the API promises: another program answers, or another version."""


class Reader:
    """Takes fields out of one JSON object and says what is wrong with it."""

    def __init__(self, data: object) -> None:
        """``data`` must be a JSON object."""
        if not isinstance(data, Mapping):
            raise UnexpectedAnswer(f"expected an object, got {type(data).__name__}")
        self._data: Mapping[str, Any] = data

    def text(self, key: str) -> str:
        """A text that must be there."""
        value = self._data.get(key)
        if not isinstance(value, str):
            raise UnexpectedAnswer(f"{key} is no text")
        return value[:_MAX_TEXT]

    def maybe_text(self, key: str) -> str | None:
        """A text, or None."""
        return None if self._data.get(key) is None else self.text(key)

    def flag(self, key: str, default: bool | None = None) -> bool:
        """A yes or no; ``default`` when it is missing."""
        value = self._data.get(key, default)
        if not isinstance(value, bool):
            raise UnexpectedAnswer(f"{key} is neither true nor false")
        return value

    def maybe_number(self, key: str) -> float | None:
        """A number, or None."""
        value = self._data.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UnexpectedAnswer(f"{key} is no number")
        return float(value)

    def number(self, key: str) -> float:
        """A number that must be there."""
        value = self.maybe_number(key)
        if value is None:
            raise UnexpectedAnswer(f"{key} is no number")
        return value

    def objects(self, key: str) -> list[Reader]:
        """A list of objects; empty when it is missing."""
        return readers(self._data.get(key) or [])

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; empty when it is missing."""
        value = self._data.get(key) or []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise UnexpectedAnswer(f"{key} is no list of texts")
        return tuple(item[:_MAX_TEXT] for item in value)

    def object(self, key: str) -> Reader:
        """An object that must be there."""
        return Reader(self._data.get(key))


def readers(data: object) -> list[Reader]:
    """A list of JSON objects."""
    if not isinstance(data, list):
        raise UnexpectedAnswer(f"expected a list, got {type(data).__name__}")
    return [Reader(item) for item in data]


@dataclass(frozen=True, slots=True)
class Info:
    """Which homeface this is."""

    name: str
    version: str
    node_id: str
    instance_id: str
    model_id: str

    @classmethod
    def read(cls, data: object) -> Self:
        """From ``GET /info``."""
        r = Reader(data)
        return cls(*(r.text(key) for key in ("name", "version", "node_id", "instance_id", "model_id")))


@dataclass(frozen=True, slots=True)
class Occupant:
    """Somebody enrolled in a room."""

    id: str
    name: str
    since: float | None = None
    last_seen: float | None = None


@dataclass(frozen=True, slots=True)
class Room:
    """A room now. ``available`` False: nobody can say who is in it."""

    id: str
    name: str
    occupied: bool
    available: bool
    paused: bool
    people: tuple[Occupant, ...] = ()
    unknown_count: int = 0

    @classmethod
    def read(cls, r: Reader) -> Self:
        """From one of ``rooms`` in ``GET /now``."""
        people = (
            Occupant(p.text("id"), p.text("name"), p.maybe_number("since"), p.maybe_number("last_seen"))
            for p in r.objects("people")
        )
        return cls(
            r.text("id"),
            r.text("name"),
            r.flag("occupied"),
            r.flag("available"),
            r.flag("paused", default=False),
            tuple(people),
            int(r.maybe_number("unknown_count") or 0),
        )


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody enrolled, now. ``room`` None: in no known room."""

    id: str
    name: str
    room: str | None
    home: bool
    available: bool
    since: float | None = None
    last_seen: float | None = None

    @classmethod
    def read(cls, r: Reader) -> Self:
        """From one of ``people`` in ``GET /now``."""
        return cls(
            r.text("id"),
            r.text("name"),
            r.maybe_text("room"),
            r.flag("home"),
            r.flag("available"),
            r.maybe_number("since"),
            r.maybe_number("last_seen"),
        )


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera now, and why it is not available."""

    id: str
    name: str
    room: str
    available: bool
    paused: bool
    reason: str

    @classmethod
    def read(cls, r: Reader) -> Self:
        """From one of ``cameras`` in ``GET /now``."""
        return cls(
            r.text("id"),
            r.text("name"),
            r.text("room"),
            r.flag("available"),
            r.flag("paused", default=False),
            r.maybe_text("reason") or "",
        )


@dataclass(frozen=True, slots=True)
class House:
    """Everything that is true now, by id."""

    rooms: Mapping[str, Room] = field(default_factory=dict)
    people: Mapping[str, Person] = field(default_factory=dict)
    cameras: Mapping[str, Camera] = field(default_factory=dict)

    @classmethod
    def read(cls, data: object) -> Self:
        """From ``GET /now``, or from an event ``now``."""
        r = Reader(data)
        return cls(
            {room.id: room for room in map(Room.read, r.objects("rooms"))},
            {person.id: person for person in map(Person.read, r.objects("people"))},
            {camera.id: camera for camera in map(Camera.read, r.objects("cameras"))},
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """What an event ``decision`` tells. ``at`` in seconds since the epoch."""

    kind: str
    visit_id: str
    room: str
    camera: str
    at: float
    name: str | None
    person_id: str | None
    score: float | None
    reasons: tuple[str, ...]

    @classmethod
    def read(cls, data: object) -> Self:
        """From an event ``decision``."""
        r = Reader(data)
        return cls(
            r.text("kind"),
            r.text("visit_id"),
            r.text("room"),
            r.text("camera"),
            r.number("at"),
            r.maybe_text("name"),
            r.maybe_text("person_id"),
            r.maybe_number("score"),
            r.texts("reasons"),
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to know about an enrolled person."""

    key: str
    sentence: str
    help: str


@dataclass(frozen=True, slots=True)
class Enrolled:
    """An enrolled person with other names and findings."""

    id: str
    name: str
    aliases: tuple[str, ...]
    findings: tuple[Finding, ...]

    @classmethod
    def read_all(cls, data: object) -> tuple[Self, ...]:
        """From ``GET /people``."""
        return tuple(cls._read(r) for r in readers(data))

    @classmethod
    def _read(cls, r: Reader) -> Self:
        findings = (
            Finding(f.text("key"), f.text("sentence"), f.maybe_text("help") or "")
            for f in r.object("health").objects("findings")
        )
        return cls(r.text("id"), r.text("name"), r.texts("aliases"), tuple(findings))


@dataclass(frozen=True, slots=True)
class UnknownVisit:
    """A finished visit of somebody without a name."""

    id: str
    group_id: str
    room: str
    camera: str
    first_seen: float
    last_seen: float
    has_picture: bool
    reasons: tuple[str, ...]

    @classmethod
    def read_all(cls, data: object) -> tuple[Self, ...]:
        """From ``GET /visits/unknown``, newest first."""
        visits = [
            cls._read(group.text("group_id"), r) for group in readers(data) for r in group.objects("visits")
        ]
        return tuple(sorted(visits, key=lambda visit: -visit.last_seen))

    @classmethod
    def _read(cls, group_id: str, r: Reader) -> Self:
        return cls(
            r.text("id"),
            group_id,
            r.text("room"),
            r.text("camera"),
            r.number("first_seen"),
            r.number("last_seen"),
            r.maybe_text("picture_url") is not None,
            r.texts("reasons"),
        )


@dataclass(frozen=True, slots=True)
class Photo:
    """What became of one photo."""

    label: str
    accepted: bool
    message: str


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What became of all photos."""

    photos: tuple[Photo, ...]
    notes: tuple[str, ...]

    @property
    def accepted(self) -> int:
        """How many photos were taken."""
        return sum(photo.accepted for photo in self.photos)

    @classmethod
    def read(cls, data: object) -> Self:
        """From the answers of photos, from-camera and the naming of a visit."""
        r = Reader(data)
        photos = (
            Photo(p.maybe_text("label") or "", p.flag("accepted"), p.maybe_text("message") or "")
            for p in r.objects("photos")
        )
        return cls(tuple(photos), r.texts("notes"))
