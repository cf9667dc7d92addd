"""Who is in which room: one state machine for the house, clock-free (``now`` is an argument).

How it thinks:

- A visit (track) counts in its room from its first sight until ``hold_seconds`` after the last one.
- A person is in one place: the newest convincing sighting. Two rooms that see one person at a time do not
  make the person flap: the old room must not have seen them for ``move_hysteresis_seconds``.
- An occupancy sensor holds *named* people in the room while it says occupied. It only ever prolongs.
- A room whose cameras died is not empty: its people stay (bounded), and the room is not available.
- ``room`` None and ``home`` True means: somewhere at home. Away comes after the leave time of the room of the
  last sight, which is short in an exit room. Time passes for this while cameras or the daemon are down, too.
- A paused camera forgets at once, without a ``left``: not looking is no news about anybody.
- Every deadline is handled at its own time, whenever ``tick`` is called: more ticks change nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

from homeface.core.presence_ledger import Ledger
from homeface.core.presence_room import Eye, Person, Place, Room, Visit
from homeface.core.presence_types import (
    Cause,
    EventKind,
    HouseState,
    PersonState,
    PresenceEvent,
    PresencePolicy,
    RoomPolicy,
    RoomState,
)
from homeface.core.types import Identified, Sighting, Undecided, Unknown

__all__ = [
    "Cause",
    "EventKind",
    "House",
    "HouseState",
    "PersonState",
    "PresenceEvent",
    "PresencePolicy",
    "RoomPolicy",
    "RoomState",
]

_CLOCK_TOLERANCE_SECONDS = 5.0
"""Callers' clocks may be this much behind each other; more means that the clock was set back."""
_MAX_ANNOUNCED = 1024


class House:
    """Mutable, pure. What makes something happen returns the events in the order in which they happened."""

    def __init__(self, rooms: Mapping[str, RoomPolicy], policy: PresencePolicy | None = None) -> None:
        self._ledger = Ledger(rooms, policy or PresencePolicy())
        self._subjects: frozenset[str] | None = None
        self._announced: dict[str, None] = {}
        self._quiet_until = 0.0

    # -- inputs

    def observe(self, sighting: Sighting, now: float) -> list[PresenceEvent]:
        """Take in what one track says. Call it for each track seen in a frame and for each that ended.

        Sightings of rooms that do not exist, of paused cameras, and those overtaken by newer ones of the same
        visit are ignored. A ``captured_at`` in the future counts as ``now``.
        """
        now = self._clock(now)
        events = self._advance(now)
        room = self._ledger.rooms.get(sighting.room)
        if room is None:
            return events
        eye = room.cameras.setdefault(sighting.camera, Eye(available=True))
        if eye.paused:
            return events
        captured_at = min(sighting.captured_at, now)
        if captured_at + room.policy.hold_seconds <= now:
            return events + self._announce(sighting, captured_at)
        visit = self._ledger.visit_of(sighting, captured_at)
        if visit is None:
            return events
        room.last_seen = max(captured_at, room.last_seen or captured_at)
        events += self._revise(visit, sighting, captured_at)
        events += self._announce(sighting, captured_at)
        self._ledger.refresh(captured_at)
        return events + self._settle(now)

    def tick(self, now: float) -> list[PresenceEvent]:
        """Let holds run out. Calling it more often changes nothing; see ``next_deadline``."""
        return self._advance(self._clock(now))

    def set_sensor(self, room: str, occupied: bool | None, now: float) -> list[PresenceEvent]:
        """An occupancy sensor reported; None: the sensor is unavailable or gone."""
        now = self._clock(now)
        events = self._advance(now)
        if room in self._ledger.rooms:
            self._turn_sensor(self._ledger.rooms[room], occupied, now)
            self._ledger.refresh(now)
        return events + self._settle(now)

    def set_camera(self, camera: str, room: str, available: bool, now: float) -> list[PresenceEvent]:
        """A camera came or went."""
        now = self._clock(now)
        events = self._advance(now)
        if room in self._ledger.rooms:
            machine = self._ledger.rooms[room]
            before = machine.available
            machine.cameras.setdefault(camera, Eye()).available = available
            self._freeze_or_thaw(machine, before, now)
        return events + self._settle(now)

    def set_paused(self, camera: str, room: str, paused: bool, now: float) -> list[PresenceEvent]:
        """Privacy: forget at once what this camera saw, and look away until it is resumed.

        People known here only by this camera are in no room from now on; no ``left`` is told.
        """
        now = self._clock(now)
        events = self._advance(now)
        if room in self._ledger.rooms:
            machine = self._ledger.rooms[room]
            before = machine.available
            machine.cameras.setdefault(camera, Eye()).paused = paused
            if paused:
                self._forget(machine, camera, now)
            self._freeze_or_thaw(machine, before, now)
            self._ledger.refresh(now)
        return events + self._settle(now)

    def set_subjects(self, subject_ids: Iterable[str], now: float) -> None:
        """The enrolled subjects. New ones start as not home; removed ones vanish at once, without events.

        Before the first call every subject is accepted.
        """
        now = self._clock(now)
        self._subjects = frozenset(subject_ids)
        for subject_id in self._ledger.people.keys() - self._subjects:
            del self._ledger.people[subject_id]
        for visit in self._ledger.visits.values():
            if visit.subject_id not in self._subjects:
                visit.subject_id = None
        for subject_id in sorted(self._subjects - self._ledger.people.keys()):
            self._ledger.people[subject_id] = Person(subject_id, since=now)
        self._ledger.refresh(now)

    def set_policies(
        self, rooms: Mapping[str, RoomPolicy], policy: PresencePolicy, now: float
    ) -> list[PresenceEvent]:
        """Other timings of the same rooms from now on: what is over by them is over now."""
        now = self._clock(now)
        events = self._advance(now)
        self._ledger.policy = policy
        for name, room in self._ledger.rooms.items():
            room.policy, room.house = rooms[name], policy
        return events + self._settle(now)

    # -- state

    def snapshot(self) -> HouseState:
        """The state as of the latest call."""
        return self._ledger.snapshot()

    def restore(self, state: HouseState, now: float) -> None:
        """Take over a stored state, aged to ``now``. Call it once, before anything else. No events.

        Holds count from the real time of the last sight (or of the state, for those a sensor held). Whose
        hold ran out meanwhile is in no room, but at home until the leave time has passed as well. Those
        restored into a room do not arrive again, and unknown visits still held are not announced again.
        """
        now = self._clock(now)
        self._ledger.adopt(state, self._subjects, now)
        self._settle(now)

    def next_deadline(self, now: float) -> float | None:
        """When ``tick`` next matters, never before ``now``; None: not before another input."""
        earliest = min(self._ledger.deadlines(), default=None)
        return None if earliest is None else max(now, earliest[0])

    # -- time

    def _clock(self, now: float) -> float:
        """The time to work with: never backwards, unless the wall clock itself was set back."""
        if now < self._ledger.now - _CLOCK_TOLERANCE_SECONDS:
            self._ledger.set_back(now)
            self._quiet_until = now
        return max(now, self._ledger.now)

    def _settle(self, now: float) -> list[PresenceEvent]:
        """``_advance`` after a change: there may be earlier deadlines than before."""
        self._quiet_until = now
        return self._advance(now)

    def _advance(self, now: float) -> list[PresenceEvent]:
        """Handle all deadlines up to ``now``, each at its own time."""
        events: list[PresenceEvent] = []
        if now < self._quiet_until:
            self._ledger.now = now
            return events
        while (due := min(self._ledger.deadlines(), default=None)) is not None and due[0] <= now:
            at, rank, key = due
            at = self._ledger.now = max(at, self._ledger.now)
            match rank:
                case 0:
                    self._turn_sensor(self._ledger.rooms[key], None, at)
                case 1:
                    events += self._follow(self._ledger.people[key])
                case 2:
                    events += self._expire(self._ledger.people[key], at)
                case 3:
                    self._ledger.retire(key)
                case _:
                    person = self._ledger.people[key]
                    person.home = person.base_home = False
                    person.since = at
            self._ledger.refresh(at)
        self._ledger.now = now
        self._quiet_until = math.inf if due is None else due[0]
        return events

    # -- visits

    def _revise(self, visit: Visit, sighting: Sighting, captured_at: float) -> list[PresenceEvent]:
        """Take over the decision of the visit's newest frame."""
        decision = sighting.decision
        before = visit.subject_id
        if isinstance(decision, Undecided):
            return []
        visit.unknown = (
            isinstance(decision, Unknown) and decision.votes >= self._ledger.policy.min_unknown_votes
        )
        subject = decision.subject_id if isinstance(decision, Identified) else None
        if self._subjects is not None and subject not in self._subjects:
            subject = None
        visit.subject_id = subject
        events = []
        if before is not None and before != subject and before in self._ledger.people:
            events += self._revoke(self._ledger.people[before], visit, captured_at)
        if isinstance(decision, Identified) and subject is not None:
            fresh = before != subject
            visit.claimed_at = captured_at
            visit.score, visit.margin, visit.votes = decision.score, decision.margin, decision.votes
            events += self._claim(visit, fresh)
        return events

    def _announce(self, sighting: Sighting, captured_at: float) -> list[PresenceEvent]:
        """``unknown``, once per visit. One that was there before a restart is not announced again."""
        decision = sighting.decision
        if not isinstance(decision, Unknown) or decision.votes < self._ledger.policy.min_unknown_votes:
            return []
        if sighting.visit_id in self._announced:
            return []
        self._announced[sighting.visit_id] = None
        if len(self._announced) > _MAX_ANNOUNCED:
            del self._announced[next(iter(self._announced))]
        restored = [
            v.visit_id for v in self._ledger.visits.values() if v.room == sighting.room and not v.camera
        ]
        if restored:
            del self._ledger.visits[min(restored)]
            return []
        return [
            PresenceEvent(
                EventKind.UNKNOWN,
                sighting.room,
                None,
                captured_at,
                captured_at,
                sighting.visit_id,
                sighting.camera,
                score=decision.score,
                votes=decision.votes,
                reasons=tuple(reason.value for reason in decision.reasons),
            )
        ]

    # -- people

    def _claim(self, visit: Visit, fresh: bool) -> list[PresenceEvent]:
        """The visit says that its subject is in its room. Other rooms are left in ``_follow``."""
        person = self._ledger.people.setdefault(
            visit.subject_id or "", Person(visit.subject_id or "", since=visit.claimed_at)
        )
        place = person.place
        if place is None:
            overtaken = person.last is not None and visit.claimed_at <= person.last.last_seen
            return [] if overtaken else self._arrive(person, visit.place())
        if place.room != visit.room or visit.claimed_at < place.last_seen:
            return []
        again = fresh and visit.first_seen > place.last_seen
        person.place = replace(visit.place(), extension=place.extension)
        if again and visit.claimed_at - person.announced_at >= self._ledger.policy.event_cooldown_seconds:
            person.announced_at = visit.claimed_at
            return [person.place.event(EventKind.SEEN_AGAIN, person.subject_id, visit.claimed_at)]
        return []

    def _arrive(self, person: Person, place: Place) -> list[PresenceEvent]:
        events = []
        left = person.leave(place.last_seen)
        if left is not None:
            events.append(left.event(EventKind.LEFT, person.subject_id, place.last_seen, Cause.MOVED))
        person.place, person.home, person.since = place, True, place.last_seen
        person.announced_at = place.last_seen
        return [*events, place.event(EventKind.ARRIVED, person.subject_id, place.last_seen)]

    def _follow(self, person: Person) -> list[PresenceEvent]:
        move = self._ledger.move(person)
        return [] if move is None else self._arrive(person, move[1].place())

    def _expire(self, person: Person, at: float) -> list[PresenceEvent]:
        left = person.leave(at)
        return [] if left is None else [left.event(EventKind.LEFT, person.subject_id, at, Cause.HOLD_EXPIRED)]

    def _revoke(self, person: Person, visit: Visit, at: float) -> list[PresenceEvent]:
        """The visit was somebody else after all: fall back to what is known without it."""
        place = person.place
        if place is None or place.visit_id != visit.visit_id:
            return []
        grounds = [
            other.place() for other in self._ledger.visits.values() if other.subject_id == person.subject_id
        ]
        if person.base_last is not None and not person.base_last.forgotten:
            grounds.append(person.base_last)
        held = [known for known in grounds if self._ledger.expiry(known) > self._ledger.now]
        held.sort(key=lambda known: (known.room == place.room, known.last_seen, known.visit_id))
        if held and held[-1].room == place.room:
            person.place = replace(held[-1], extension=max(place.extension, held[-1].extension))
            return []
        person.leave(at)
        events = [place.event(EventKind.LEFT, person.subject_id, at, Cause.DECISION_REVISED)]
        person.last, person.home = person.base_last, person.base_home
        return events + (self._arrive(person, held[-1]) if held else [])

    # -- rooms

    def _turn_sensor(self, room: Room, occupied: bool | None, at: float) -> None:
        before = room.available
        if room.sensor and not occupied:
            limit = self._ledger.policy.max_sensor_hold_seconds
            self._prolong(room, at, room.policy.sensor_release_seconds, limit, vouched=True)
        room.sensor, room.sensor_at = occupied, at
        self._freeze_or_thaw(room, before, at)

    def _freeze_or_thaw(self, room: Room, before: bool, at: float) -> None:
        """Going blind freezes the room; when something can see again, holds count from then."""
        if before and not room.available:
            room.frozen = True
        elif room.frozen and room.available:
            limit = self._ledger.policy.max_blind_hold_seconds
            self._prolong(room, at, room.policy.hold_seconds, limit, vouched=False)
            room.frozen = False

    def _prolong(self, room: Room, at: float, grace: float, limit: float, *, vouched: bool) -> None:
        """Keep those who are still held for ``grace`` more, at most ``limit`` after their last sight.

        ``vouched``: a sensor held them up to ``at``, which only tells of named people.
        """
        ledger, name = self._ledger, room.policy.room

        def prolonged(place: Place | None) -> Place | None:
            if place is None or place.room != name or ledger.expiry(place) <= at:
                return place
            extension = max(place.extension, min(at + grace, place.last_seen + limit))
            confirmed_at = min(at, place.last_seen + limit) if vouched else 0.0
            return replace(place, extension=extension, confirmed_at=max(place.confirmed_at, confirmed_at))

        for person in ledger.people.values():
            person.place, person.base_last = prolonged(person.place), prolonged(person.base_last)
        for visit in ledger.visits.values():
            if visit.room == name and not vouched:
                visit.extension = max(visit.extension, min(at + grace, visit.last_seen + limit))

    def _forget(self, room: Room, camera: str, at: float) -> None:
        """Drop what ``camera`` saw; everything, when no other camera of the room may look."""
        name = room.policy.room
        for visit in [visit for visit in self._ledger.visits.values() if visit.room == name]:
            if room.closed or visit.camera == camera:
                self._ledger.retire(visit.visit_id)
        for person in self._ledger.people.values():
            base, place = person.base_last, person.place
            if base is not None and base.room == name and (room.closed or base.camera == camera):
                person.base_last = replace(base, forgotten=True)
            if place is None or place.room != name or not (room.closed or place.camera == camera):
                continue
            others = [
                v
                for v in self._ledger.visits.values()
                if v.room == name and v.subject_id == person.subject_id
            ]
            if others:
                person.place = max((v.place() for v in others), key=lambda known: known.last_seen)
            else:
                person.leave(at)
