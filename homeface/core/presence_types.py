"""The words of presence: settings, states and events. The rules are in ``presence``.

Times are wall-clock seconds since the epoch, durations are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


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
    min_unknown_votes: int = 1

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


@dataclass(frozen=True, slots=True)
class HouseState:
    """Everything presence knows, at time ``at``. Plain data: ``to_json``/``from_json`` round-trip."""

    rooms: Mapping[str, RoomState] = field(default_factory=dict)
    people: Mapping[str, PersonState] = field(default_factory=dict)
    at: float = 0.0

    def to_json(self) -> dict[str, object]:
        """A dict of JSON types with a ``version``."""
        raise NotImplementedError

    @classmethod
    def from_json(cls, data: object) -> HouseState:
        """Read what ``to_json`` wrote. Raises ValueError when ``data`` is something else."""
        raise NotImplementedError
