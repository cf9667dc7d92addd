"""Who is in which room: one state machine for the house, clock-free (``now`` is an argument)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

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
from homeface.core.types import Sighting

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


class House:
    """Mutable, pure. Every method that can make something happen returns the events in order of time."""

    def __init__(self, rooms: Mapping[str, RoomPolicy], policy: PresencePolicy | None = None) -> None:
        self._rooms = rooms
        self._policy = policy or PresencePolicy()

    def observe(self, sighting: Sighting, now: float) -> list[PresenceEvent]:
        """Take in what one track says. Call it for each track seen in a frame and for each that ended."""
        raise NotImplementedError

    def tick(self, now: float) -> list[PresenceEvent]:
        """Let holds run out. Calling it more often changes nothing; see ``next_deadline``."""
        raise NotImplementedError

    def set_sensor(self, room: str, occupied: bool | None, now: float) -> list[PresenceEvent]:
        """An occupancy sensor reported; None: the sensor is unavailable or gone."""
        raise NotImplementedError

    def set_camera(self, camera: str, room: str, available: bool, now: float) -> list[PresenceEvent]:
        """A camera came or went."""
        raise NotImplementedError

    def set_paused(self, camera: str, room: str, paused: bool, now: float) -> list[PresenceEvent]:
        """Privacy: forget at once what this camera saw, and look away until it is resumed."""
        raise NotImplementedError

    def set_subjects(self, subject_ids: Iterable[str], now: float) -> None:
        """The enrolled subjects. New ones start as not home; removed ones vanish at once, without events."""
        raise NotImplementedError

    def snapshot(self) -> HouseState:
        """The state as of the latest call."""
        raise NotImplementedError

    def restore(self, state: HouseState, now: float) -> None:
        """Take over a stored state, aged to ``now``. Call it once, before anything else. No events."""
        raise NotImplementedError

    def next_deadline(self, now: float) -> float | None:
        """When ``tick`` next matters; None: not before another input."""
        raise NotImplementedError
