"""What presence knows at a moment, and what will follow from it by itself.

Plain queries over rooms, visits and people; what inputs change is decided in ``presence``.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import replace

from homeface.core.presence_room import Person, Place, Room, Visit
from homeface.core.presence_types import (
    HouseState,
    PersonState,
    PresencePolicy,
    RoomPolicy,
    RoomState,
)
from homeface.core.types import Sighting

_MAX_VISITS = 512


class Ledger:
    """Rooms, visits still kept, and people. ``now`` is the latest time that was handled."""

    def __init__(self, rooms: Mapping[str, RoomPolicy], policy: PresencePolicy) -> None:
        self.policy = policy
        self.rooms = {name: Room(room, policy) for name, room in rooms.items()}
        self.visits: dict[str, Visit] = {}
        self.people: dict[str, Person] = {}
        self.now = 0.0

    def deadlines(self) -> Iterator[tuple[float, int, str]]:
        """Everything that will happen by itself: (time, rank, key); the rank says which handler."""
        for name, room in self.rooms.items():
            if room.sensor:
                yield room.sensor_at + self.policy.max_sensor_hold_seconds, 0, name
        for subject_id, person in self.people.items():
            if person.place is not None:
                move = self.move(person)
                if move is not None:
                    yield move[0], 1, subject_id
                else:
                    yield self.rooms[person.place.room].place_expiry(person.place), 2, subject_id
            elif person.home:
                yield self.away_at(person), 4, subject_id
        for visit_id, visit in self.visits.items():
            yield self.rooms[visit.room].visit_expiry(visit.last_seen, visit.extension), 3, visit_id

    def move(self, person: Person) -> tuple[float, Visit] | None:
        """When the person will be taken to be in another room, and the visit that says so."""
        place = person.place
        rivals = [
            visit
            for visit in self.visits.values()
            if place is not None
            and visit.subject_id == person.subject_id
            and visit.room != place.room
            and visit.claimed_at > place.last_seen
        ]
        if place is None or not rivals:
            return None
        visit = max(rivals, key=lambda visit: (visit.claimed_at, visit.score, visit.visit_id))
        patience = self.policy.move_hysteresis_seconds
        at = visit.claimed_at
        if at < place.last_seen + patience:
            # the old room may just be slower to tell: a glimpse elsewhere waits twice as long
            at = min(place.last_seen + 2 * patience, self.rooms[place.room].place_expiry(place))
        if self.rooms[visit.room].visit_expiry(visit.claimed_at, visit.extension) <= at:
            return None
        return max(at, self.now), visit

    def away_at(self, person: Person) -> float:
        """When somebody who is in no room becomes not home."""
        if person.last is None:
            return person.since
        room = self.rooms.get(person.last.room)
        leave = room.leave_seconds if room else self.policy.away_seconds
        return max(person.since, person.last.confirmed_at + leave)

    def expiry(self, place: Place) -> float:
        """Until when a person at ``place`` counts as being there."""
        return self.rooms[place.room].place_expiry(place) if place.room in self.rooms else 0.0

    def hold(self, room: str) -> float:
        """Hold time of a room that exists."""
        return self.rooms[room].policy.hold_seconds

    def room_state(self, name: str) -> RoomState:
        """The public state of one room."""
        names = {p.subject_id for p in self.people.values() if p.place is not None and p.place.room == name}
        return self.rooms[name].state(
            names, [v for v in self.visits.values() if self._counts(v, name, names)]
        )

    def refresh(self, at: float) -> None:
        """Note since when each room has been as it is."""
        for name, room in self.rooms.items():
            if self._occupied(name) != room.occupied:
                room.occupied, room.since = not room.occupied, at

    def _occupied(self, name: str) -> bool:
        """``room_state(name).occupied``, without counting."""
        if self.rooms[name].sensor or any(p.place and p.place.room == name for p in self.people.values()):
            return True
        return any(self._counts(visit, name, ()) for visit in self.visits.values())

    def _counts(self, visit: Visit, room: str, names: Container[str]) -> bool:
        """Whether a visit counts in ``room``, where ``names`` are: one of somebody now elsewhere does not.

        Unless it went on after its name was last said: then somebody is there, whoever it is.
        """
        if visit.room != room:
            return False
        if visit.subject_id is None or visit.subject_id in names:
            return True
        return visit.last_seen > visit.claimed_at + self.policy.move_hysteresis_seconds

    def visit_of(self, sighting: Sighting, captured_at: float) -> Visit | None:
        """The visit this sighting belongs to, brought up to date; None when the sighting is overtaken."""
        visit = self.visits.get(sighting.visit_id)
        if visit is None:
            visit = Visit(
                sighting.visit_id,
                sighting.room,
                sighting.camera,
                first_seen=min(sighting.first_seen, captured_at),
                last_seen=captured_at,
                ended=sighting.ended,
            )
            if len(self.visits) >= _MAX_VISITS:
                oldest = min(self.visits.values(), key=lambda visit: (visit.last_seen, visit.visit_id))
                self.retire(oldest.visit_id)
            self.visits[visit.visit_id] = visit
            return visit
        if visit.ended or (captured_at < visit.last_seen and not sighting.ended):
            return None
        # the last word of a visit may say that it ended earlier than thought (its track was split)
        visit.last_seen = max(captured_at, visit.first_seen)
        visit.ended = sighting.ended
        return visit

    def retire(self, visit_id: str) -> None:
        """A visit counts no more; what it said about its subject becomes settled knowledge."""
        visit = self.visits.pop(visit_id)
        person = self.people.get(visit.subject_id or "")
        if person is None:
            return
        if person.base_last is None or visit.claimed_at > person.base_last.last_seen:
            known = person.place or person.last
            here = known is not None and known.room == visit.room
            person.base_last = known if here else visit.place()
            person.base_home = person.home

    def set_back(self, now: float) -> None:
        """Bring all times of the future back to ``now``: the wall clock was set back."""
        for visit in self.visits.values():
            visit.clamp(now, self.hold(visit.room))
        for person in self.people.values():
            person.clamp(now, self.hold(person.place.room) if person.place else 0.0)
        for room in self.rooms.values():
            room.since, room.sensor_at = min(room.since, now), min(room.sensor_at, now)
            room.last_seen = None if room.last_seen is None else min(room.last_seen, now)
        self.now = now

    def snapshot(self) -> HouseState:
        """The public state."""
        people = {}
        for subject_id, person in sorted(self.people.items()):
            place = person.place
            vouched = self.rooms[place.room].vouched_until(place, self.now) if place else None
            people[subject_id] = person.state(vouched)
        return HouseState(
            rooms={name: self.room_state(name) for name in self.rooms}, people=people, at=self.now
        )

    def adopt(self, state: HouseState, subjects: frozenset[str] | None, now: float) -> None:
        """Take over a stored state as it was; letting it age up to ``now`` is the caller's."""
        self.now = min(state.at, now)
        for name, stored in state.rooms.items():
            if name in self.rooms:
                self._restore_room(self.rooms[name], stored, now)
        for stored_person in state.people.values():
            if subjects is None or stored_person.subject_id in subjects:
                self._restore_person(stored_person, now)
        self.refresh(self.now)

    def _restore_room(self, room: Room, stored: RoomState, now: float) -> None:
        room.since, room.occupied = min(stored.since, now), stored.occupied
        if stored.last_seen is None:
            return
        room.last_seen = min(stored.last_seen, now)
        for number in range(stored.unknown_count):
            visit_id = f"restored-{stored.room}-{number}"
            seen = room.last_seen
            self.visits[visit_id] = Visit(visit_id, stored.room, "", seen, seen, unknown=True, ended=True)

    def _restore_person(self, stored: PersonState, now: float) -> None:
        person = Person(stored.subject_id, since=min(stored.since, now), home=stored.home, announced_at=now)
        self.people[stored.subject_id] = person
        person.base_home = stored.home
        if stored.last_seen is None or stored.last_room is None:
            return
        seen = min(stored.last_seen, now)
        confirmed = min(max(stored.confirmed_at or seen, seen), now)
        hold = self.hold(stored.last_room) if stored.last_room in self.rooms else 0.0
        person.last = Place(
            stored.last_room,
            stored.camera or "",
            stored.visit_id or "",
            seen,
            stored.score,
            stored.margin,
            stored.votes,
            confirmed + hold,
            confirmed,
        )
        person.base_last = person.last
        if stored.room == stored.last_room and stored.room in self.rooms:
            person.place = person.last
        else:  # what put the person out of the room (a pause, perhaps) holds after a restart, too
            person.base_last = replace(person.last, forgotten=True)
