"""What presence keeps: visits, places, people and rooms. Who is where is decided in ``presence``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from homeface.core.presence_types import (
    Cause,
    EventKind,
    PersonState,
    PresenceEvent,
    PresencePolicy,
    RoomPolicy,
    RoomState,
)


@dataclass(slots=True)
class Visit:
    """One track in a room, kept as long as it counts there.

    ``subject_id`` is whom the track was last found to be, at ``claimed_at``; a track that became undecided
    keeps its claim, which then ages. ``unknown``: looked at well enough, and nobody we know.
    """

    visit_id: str
    room: str
    camera: str
    first_seen: float
    last_seen: float
    subject_id: str | None = None
    claimed_at: float = 0.0
    score: float = 0.0
    margin: float = 0.0
    votes: int = 0
    unknown: bool = False
    ended: bool = False
    extension: float = 0.0

    def place(self) -> Place:
        """Where this visit says its subject is."""
        return Place(
            self.room,
            self.camera,
            self.visit_id,
            self.claimed_at,
            self.score,
            self.margin,
            self.votes,
            self.extension,
            self.claimed_at,
        )

    def clamp(self, now: float, grace: float) -> None:
        """Bring times of the future back to ``now`` (the clock was set back)."""
        self.first_seen = min(self.first_seen, now)
        self.last_seen = min(self.last_seen, now)
        self.claimed_at = min(self.claimed_at, now)
        self.extension = min(self.extension, now + grace)


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody is or was, on what grounds. ``extension``: kept at least until then.

    ``confirmed_at``: last time a face, or a sensor that held the person, vouched for it. ``forgotten``: a
    person asked the camera to look away since then, so this puts nobody back into the room.
    """

    room: str
    camera: str
    visit_id: str
    last_seen: float
    score: float | None
    margin: float | None
    votes: int
    extension: float
    confirmed_at: float
    forgotten: bool = False

    def event(
        self, kind: EventKind, subject_id: str, captured_at: float, cause: Cause | None = None
    ) -> PresenceEvent:
        """The event that ``subject_id`` came to, was seen at or left this place."""
        return PresenceEvent(
            kind=kind,
            room=self.room,
            subject_id=subject_id,
            captured_at=captured_at,
            last_seen=self.last_seen,
            visit_id=self.visit_id,
            camera=self.camera,
            score=self.score,
            margin=self.margin,
            votes=self.votes,
            reasons=() if cause is None else (cause.value,),
        )

    def clamped(self, now: float, grace: float) -> Place:
        """The same with no time in the future (the clock was set back)."""
        return replace(
            self,
            last_seen=min(self.last_seen, now),
            confirmed_at=min(self.confirmed_at, now),
            extension=min(self.extension, now + grace),
        )


@dataclass(slots=True)
class Person:
    """One subject. ``place`` None: in no known room; ``last`` is then the latest one.

    ``base_home``/``base_last``: what held before the visits that are still kept, and holds again should
    those turn out to have been somebody else. ``announced_at``: latest ``arrived`` or ``seen_again``.
    """

    subject_id: str
    since: float
    home: bool = False
    place: Place | None = None
    last: Place | None = None
    base_home: bool = False
    base_last: Place | None = None
    announced_at: float = 0.0

    def leave(self, at: float) -> Place | None:
        """Be in no room from ``at`` on; returns the place left."""
        left, self.place = self.place, None
        if left is not None:
            self.last, self.since = left, at
        return left

    def clamp(self, now: float, grace: float) -> None:
        """Bring times of the future back to ``now`` (the clock was set back)."""
        self.since = min(self.since, now)
        self.announced_at = min(self.announced_at, now)
        self.place = self.place and self.place.clamped(now, grace)
        self.last = self.last and self.last.clamped(now, grace)
        self.base_last = self.base_last and self.base_last.clamped(now, grace)

    def state(self, vouched_until: float | None) -> PersonState:
        """The public state; ``vouched_until``: a sensor holds the person there up to this time."""
        known = self.place or self.last
        if known is None:
            return PersonState(self.subject_id, None, self.home, self.since)
        return PersonState(
            subject_id=self.subject_id,
            room=self.place.room if self.place else None,
            home=self.home,
            since=self.since,
            last_seen=known.last_seen,
            last_room=known.room,
            confirmed_at=max(known.confirmed_at, vouched_until or 0.0),
            score=known.score,
            margin=known.margin,
            votes=known.votes,
            visit_id=known.visit_id,
            camera=known.camera,
        )


@dataclass(slots=True)
class Eye:
    """One camera of a room."""

    available: bool = False
    paused: bool = False


@dataclass(slots=True)
class Room:
    """Cameras, sensor and occupancy of one room.

    ``frozen``: the room went blind, so its people are kept (bounded) rather than called gone.
    """

    policy: RoomPolicy
    house: PresencePolicy
    since: float = 0.0
    occupied: bool = False
    last_seen: float | None = None
    cameras: dict[str, Eye] = field(default_factory=dict)
    sensor: bool | None = None
    sensor_at: float = 0.0
    frozen: bool = False

    @property
    def available(self) -> bool:
        """Whether anything can tell who or whether somebody is here."""
        return self.sensor is not None or any(
            eye.available and not eye.paused for eye in self.cameras.values()
        )

    @property
    def closed(self) -> bool:
        """All cameras are paused: nobody may be named here."""
        return bool(self.cameras) and all(eye.paused for eye in self.cameras.values())

    @property
    def leave_seconds(self) -> float:
        """After how long somebody last seen here is not home."""
        if self.policy.leave_seconds is not None:
            return self.policy.leave_seconds
        return self.house.exit_leave_seconds if self.policy.exit_room else self.house.away_seconds

    def visit_expiry(self, last_seen: float, extension: float) -> float:
        """Until when a sight counts, if nobody is seen again and nothing else happens."""
        expiry = max(last_seen + self.policy.hold_seconds, extension)
        return max(expiry, last_seen + self.house.max_blind_hold_seconds) if self.frozen else expiry

    def place_expiry(self, place: Place) -> float:
        """The same for a person, whom an occupancy sensor holds as well."""
        expiry = self.visit_expiry(place.last_seen, place.extension)
        return max(expiry, place.last_seen + self.house.max_sensor_hold_seconds) if self.sensor else expiry

    def vouched_until(self, place: Place, now: float) -> float | None:
        """Up to when the sensor vouches for the person, if it does."""
        return min(now, place.last_seen + self.house.max_sensor_hold_seconds) if self.sensor else None

    def state(self, names: Iterable[str], visits: Iterable[Visit]) -> RoomState:
        """The public state, from the subjects placed here and the visits that count here."""
        present = tuple(sorted(names))
        kept = list(visits)
        unknown = least_people(visit for visit in kept if visit.unknown)
        count = max(len(present) + unknown, least_people(kept), 1 if self.sensor else 0)
        return RoomState(
            room=self.policy.room,
            available=self.available,
            occupied=count > 0,
            count=count,
            names=present,
            unknown_count=unknown,
            since=self.since,
            last_seen=self.last_seen,
        )


def least_people(visits: Iterable[Visit]) -> int:
    """Least number of people that explains the visits.

    On one camera, visits that overlap in time are different people, visits one after the other may be one
    person whose track broke. Two cameras of a room may see the same people, so the larger number counts,
    not the sum.
    """
    by_camera: defaultdict[str, list[Visit]] = defaultdict(list)
    for visit in visits:
        by_camera[visit.camera].append(visit)
    return max((_most_at_once(seen) for seen in by_camera.values()), default=0)


def _most_at_once(visits: list[Visit]) -> int:
    """Largest number of intervals [first_seen, last_seen] that share an instant."""
    steps = sorted(
        [(visit.first_seen, 0, 1) for visit in visits]
        + [(max(visit.first_seen, visit.last_seen), 1, -1) for visit in visits]
    )
    most = at_once = 0
    for _, _, step in steps:
        at_once += step
        most = max(most, at_once)
    return most
