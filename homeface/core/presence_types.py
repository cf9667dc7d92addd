"""The words of presence: settings, states and events. The rules are in ``presence``.

Times are wall-clock seconds since the epoch, durations are seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, TypeGuard, TypeVar

_VERSION = 1
_MAX_COUNT = 1000


class EventKind(StrEnum):
    """What can happen. The values are part of the MQTT contract."""

    ARRIVED = "arrived"
    LEFT = "left"
    UNKNOWN = "unknown"
    SEEN_AGAIN = "seen_again"


class Cause(StrEnum):
    """Why somebody left a room; stands in ``PresenceEvent.reasons``, beside ``Reason`` keys."""

    HOLD_EXPIRED = "hold_expired"
    MOVED = "moved"
    DECISION_REVISED = "decision_revised"


@dataclass(frozen=True, slots=True)
class RoomPolicy:
    """Timings of one room.

    ``hold_seconds``: how long after the last sight somebody still counts as in the room (faces are seen
    only now and then). ``leave_seconds``: how long after the last sight in this room somebody who was seen
    nowhere else becomes not home; ``None`` takes the house's ``exit_leave_seconds`` or ``away_seconds``.
    ``sensor_release_seconds``: how long people are kept after an external occupancy sensor has cleared.
    """

    room: str
    hold_seconds: float = 120.0
    leave_seconds: float | None = None
    exit_room: bool = False
    sensor_release_seconds: float = 15.0

    def __post_init__(self) -> None:
        """Raise ValueError for timings that cannot work."""
        if self.hold_seconds < 1.0:
            raise ValueError(f"room {self.room}: hold_seconds must be at least 1, not {self.hold_seconds}")
        if self.leave_seconds is not None and self.leave_seconds < 0:
            raise ValueError(f"room {self.room}: leave_seconds must not be negative")
        if self.sensor_release_seconds < 0:
            raise ValueError(f"room {self.room}: sensor_release_seconds must not be negative")


@dataclass(frozen=True, slots=True)
class PresencePolicy:
    """Timings of the house.

    ``away_seconds``: seen nowhere for so long means not home; long, because a sleeper is not seen.
    ``exit_leave_seconds``: the same after a last sight in an exit room (porch).
    ``move_hysteresis_seconds``: somebody moves to another room only when the old one has not seen them for
    so long (two cameras may see one person).
    ``event_cooldown_seconds``: least time between ``arrived``/``seen_again`` and the next ``seen_again``.
    ``max_sensor_hold_seconds``: an occupancy sensor holds a person at most so long after the last sight, and
    is disbelieved so long after its last report: a stuck sensor must not keep anybody for ever.
    ``max_blind_hold_seconds``: a room whose cameras died keeps its people at most so long after the last
    sight.
    ``min_unknown_votes``: an Unknown with fewer usable faces behind it (a turned-away head) counts for
    occupancy, but is no ``unknown`` event and not in ``unknown_count``.
    """

    away_seconds: float = 12 * 3600.0
    exit_leave_seconds: float = 300.0
    move_hysteresis_seconds: float = 2.0
    event_cooldown_seconds: float = 60.0
    max_sensor_hold_seconds: float = 12 * 3600.0
    max_blind_hold_seconds: float = 3600.0
    min_unknown_votes: int = 3

    def __post_init__(self) -> None:
        """Raise ValueError for negative durations."""
        for name in self.__slots__:
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative")


@dataclass(frozen=True, slots=True)
class PresenceEvent:
    """Something happened, once. ``captured_at`` is when it became true.

    For ``arrived``, ``unknown`` and ``seen_again`` that is the time of the frame that says so; for ``left``
    the moment the hold ran out, or the frame that shows the person elsewhere. ``last_seen`` is the last
    frame with this person in ``room``. ``score``/``margin``/``votes``/``visit_id``/``camera`` tell of the
    newest visit behind it. ``reasons`` holds ``Reason`` keys (unknown) or a ``Cause`` (left).
    """

    kind: EventKind
    room: str
    subject_id: str | None
    captured_at: float
    last_seen: float
    visit_id: str
    camera: str
    score: float | None = None
    margin: float | None = None
    votes: int = 0
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RoomState:
    """One room. ``names``: subject ids, sorted. ``since``: when occupied/free last changed.

    ``available`` False: nobody can know (all cameras dead or paused and no sensor); the other fields are
    then the last honest knowledge. ``count`` is the least number of people that explains what was seen.
    """

    room: str
    available: bool
    occupied: bool
    count: int
    names: tuple[str, ...]
    unknown_count: int
    since: float
    last_seen: float | None


@dataclass(frozen=True, slots=True)
class PersonState:
    """One subject. ``room`` None and ``home`` True: at home, room not known. ``home`` False: away.

    ``since``: when (room, home) last changed. ``last_seen`` None: never seen. ``last_room``: where the
    last sight was. ``confirmed_at``: last time a camera or a holding sensor vouched for the place.
    """

    subject_id: str
    room: str | None
    home: bool
    since: float
    last_seen: float | None = None
    last_room: str | None = None
    confirmed_at: float | None = None
    score: float | None = None
    margin: float | None = None
    votes: int = 0
    visit_id: str | None = None
    camera: str | None = None


_State = TypeVar("_State", RoomState, PersonState)


@dataclass(frozen=True, slots=True)
class HouseState:
    """Everything presence knows, at time ``at``. Plain data: ``to_json``/``from_json`` round-trip."""

    rooms: Mapping[str, RoomState] = field(default_factory=dict)
    people: Mapping[str, PersonState] = field(default_factory=dict)
    at: float = 0.0

    def to_json(self) -> dict[str, object]:
        """A dict of JSON types with a ``version``."""
        return {
            "version": _VERSION,
            "at": self.at,
            "rooms": [asdict(room) for room in self.rooms.values()],
            "people": [asdict(person) for person in self.people.values()],
        }

    @classmethod
    def from_json(cls, data: object) -> HouseState:
        """Read what ``to_json`` wrote. Raises ValueError when ``data`` is something else."""
        if not isinstance(data, dict) or data.get("version") != _VERSION:
            raise ValueError(f"the stored presence is not of version {_VERSION}")
        at, rooms, people = data.get("at"), data.get("rooms"), data.get("people")
        if not _is_number(at) or not isinstance(rooms, list) or not isinstance(people, list):
            raise ValueError("the stored presence needs a time, a list of rooms and a list of people")
        room_states = [_read(RoomState, entry) for entry in rooms]
        person_states = [_read(PersonState, entry) for entry in people]
        return cls(
            rooms={state.room: state for state in room_states},
            people={state.subject_id: state for state in person_states},
            at=float(at),
        )


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


_CHECKS: Mapping[str, Callable[[object], bool]] = {
    "str": lambda value: isinstance(value, str),
    "str | None": lambda value: value is None or isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_COUNT,
    "float": _is_number,
    "float | None": lambda value: value is None or _is_number(value),
    "tuple[str, ...]": lambda value: (
        isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
    ),
}


def _read(kind: type[_State], data: object) -> _State:
    """A ``kind`` from the dict that ``asdict`` made of it. Raises ValueError."""
    expected = {field.name: str(field.type) for field in fields(kind)}
    if not isinstance(data, dict) or data.keys() != expected.keys():
        raise ValueError(f"a stored {kind.__name__} must have the keys {', '.join(expected)}")
    for name, annotation in expected.items():
        if not _CHECKS[annotation](data[name]):
            raise ValueError(f"stored {kind.__name__}: {name} must be {annotation}, not {data[name]!r}")
    values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in data.items()}
    return kind(**values)
