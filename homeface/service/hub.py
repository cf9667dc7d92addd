"""The one place where the house's state changes: sightings, sensors, pauses and time go in, messages go out.

Order of a change: presence decides, the state is saved, then the world is told. A process killed in between
loses an event but never repeats one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from homeface.core.presence import (
    EventKind,
    House,
    HouseState,
    PresenceEvent,
    PresencePolicy,
    RoomPolicy,
)
from homeface.core.types import Lesson, Sighting
from homeface.errors import StoreError

_LOG = logging.getLogger(__name__)
_SAVE_INTERVAL_SECONDS = 5.0
_LONGEST_WAIT_SECONDS = 30.0


class Memory(Protocol):
    """What the hub needs of the store; calls block and run in a worker thread."""

    def save_state(self, state: Mapping[str, object]) -> None:
        """Keep a snapshot of JSON types for a restart."""

    def load_state(self) -> dict[str, object] | None:
        """The last snapshot, if there is a readable one."""

    def add_sighting(self, sighting: Sighting) -> None:
        """Keep one finished visit."""

    def learn(self, lesson: Lesson) -> bool:
        """Keep what a visit taught; False when it was too much in too short a time."""


class Outlet(Protocol):
    """Where states and events go; never waits for a broker."""

    async def publish(self, state: HouseState, events: Sequence[PresenceEvent]) -> None:
        """Tell the world."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One change of the house, for those who listen inside the process (the demo, a page)."""

    at: float
    sightings: tuple[Sighting, ...]
    events: tuple[PresenceEvent, ...]
    state: HouseState


Listener = Callable[[Moment], None]


class Hub:
    """Owns the house. All methods run on the event loop."""

    def __init__(self, house: House, memory: Memory, outlet: Outlet, clock: Callable[[], float]) -> None:
        self.house = house
        self.paused: set[str] = set()
        """Cameras whose recognition a person has switched off."""
        self.guest_mode = False
        """Guests are in the house: strangers count as occupancy, but an unknown person is no news."""
        self.listeners: list[Listener] = []
        self._memory = memory
        self._outlet = outlet
        self._clock = clock
        self._order = asyncio.Lock()
        self._changed = asyncio.Event()
        self._saved_at = 0.0
        self.saving_failed = False
        """True after a write that failed, until one works again."""

    async def restore(self) -> None:
        """Take over what the last run knew, aged to now. Call it once, first."""
        try:
            stored = await asyncio.to_thread(self._memory.load_state)
            if stored is None:
                return
            # first, and by itself: what else is stored may be unreadable, a camera must stay switched off
            paused = stored.get("paused")
            self.paused = (
                {name for name in paused if isinstance(name, str)} if isinstance(paused, list) else set()
            )
            self.guest_mode = stored.get("guest_mode") is True
            state = HouseState.from_json(stored.get("house"))
        except (StoreError, ValueError) as error:
            _LOG.warning("The presence of the last run cannot be used (%s); starting without it.", error)
            return
        self.house.restore(state, self._clock())

    async def observe(self, sightings: Sequence[Sighting]) -> None:
        """Take in what one camera's tracks say after a frame; nothing of a paused camera is kept."""
        sightings = [sighting for sighting in sightings if sighting.camera not in self.paused]
        await self._change(lambda now: [e for s in sightings for e in self.house.observe(s, now)], sightings)

    async def set_sensor(self, room: str, occupied: bool | None) -> None:
        """An external occupancy sensor said something."""
        await self._change(lambda now: self.house.set_sensor(room, occupied, now))

    async def set_camera(self, camera: str, room: str, available: bool) -> None:
        """A camera came or went."""
        await self._change(lambda now: self.house.set_camera(camera, room, available, now))

    async def set_paused(self, camera: str, room: str, paused: bool) -> None:
        """Recognition was switched off or on for one camera; kept over restarts."""
        (self.paused.add if paused else self.paused.discard)(camera)
        await self._change(lambda now: self.house.set_paused(camera, room, paused, now))
        await self.save()

    async def set_guest_mode(self, enabled: bool) -> None:
        """Guests came or went; kept over restarts."""
        self.guest_mode = enabled
        await self._change(lambda _now: [])
        await self.save()

    async def set_policies(self, rooms: Mapping[str, RoomPolicy], policy: PresencePolicy) -> None:
        """Other timings from now on."""
        await self._change(lambda now: self.house.set_policies(rooms, policy, now))

    async def set_subjects(self, subject_ids: Sequence[str]) -> None:
        """Who is enrolled."""

        def apply(now: float) -> list[PresenceEvent]:
            self.house.set_subjects(subject_ids, now)
            return []

        await self._change(apply)

    async def refresh(self) -> None:
        """Publish the present state again."""
        await self._change(lambda _now: [])

    async def keep_time(self) -> None:
        """Let holds run out when they are due; runs for ever."""
        while True:
            now = self._clock()
            deadline = self.house.next_deadline(now)
            wait = _LONGEST_WAIT_SECONDS if deadline is None else max(0.0, deadline - now) + 0.01
            self._changed.clear()
            try:
                async with asyncio.timeout(min(wait, _LONGEST_WAIT_SECONDS)):
                    await self._changed.wait()
            except TimeoutError:
                await self._change(self.house.tick)

    async def save(self) -> None:
        """Keep the present state now (at shutdown)."""
        async with self._order:  # an older state must never be written over a newer one
            await self._save(self.house.snapshot())

    async def _change(
        self, apply: Callable[[float], list[PresenceEvent]], sightings: Sequence[Sighting] = ()
    ) -> None:
        async with self._order:
            now = self._clock()
            before = self.house.snapshot()
            events = [e for e in apply(now) if not (self.guest_mode and e.kind is EventKind.UNKNOWN)]
            state = self.house.snapshot()
            # a clock that was set back must not put off saving until it has caught up
            fresh = 0 <= now - self._saved_at <= _SAVE_INTERVAL_SECONDS
            if events or _essence(before) != _essence(state) or not fresh:
                await self._save(state)
            for sighting in sightings:
                if sighting.ended:
                    await self._remember(sighting)
            await self._outlet.publish(state, events)
            moment = Moment(now, tuple(sightings), tuple(events), state)
        for listener in self.listeners:
            listener(moment)
        self._changed.set()

    async def _save(self, state: HouseState) -> None:
        self._saved_at = self._clock()
        snapshot = {
            "house": state.to_json(),
            "paused": sorted(self.paused),
            "guest_mode": self.guest_mode,
        }
        await self._guarded(lambda: self._memory.save_state(snapshot))

    async def _remember(self, sighting: Sighting) -> None:
        await self._guarded(lambda: self._memory.add_sighting(sighting))
        if sighting.lesson is not None:
            await self._learn(sighting.lesson)

    async def _learn(self, lesson: Lesson) -> None:
        """The gallery in use changes the way it always does: by noticing that the store has changed."""

        def learn() -> None:
            if self._memory.learn(lesson):
                _LOG.info(
                    "Visit %s taught a new look of a person (homeface people adapted).", lesson.visit_id
                )

        await self._guarded(learn)

    async def _guarded(self, write: Callable[[], None]) -> None:
        """A full disk must not stop presence: warn once, go on, tell when it works again."""
        try:
            await asyncio.to_thread(write)
        except StoreError as error:
            _LOG.log(logging.DEBUG if self.saving_failed else logging.WARNING, "%s", error)
            self.saving_failed = True
        else:
            if self.saving_failed:
                _LOG.info("The database can be written again.")
            self.saving_failed = False


def _essence(state: HouseState) -> object:
    """The part of a state whose loss would repeat or lose an event."""
    return (
        {room.room: (room.occupied, room.names, room.unknown_count) for room in state.rooms.values()},
        {person.subject_id: (person.room, person.home) for person in state.people.values()},
    )
