"""The house's one gate: save first, tell then; what a restart may know; time that passes by itself."""

from __future__ import annotations

import asyncio
import logging
from asyncio import to_thread
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from homeface.adapters.store import Store
from homeface.core.presence import EventKind, House, HouseState, PresenceEvent, PresencePolicy, RoomPolicy
from homeface.core.types import Box, Decision, Identified, Reason, Sighting, Unknown
from homeface.errors import StoreError
from homeface.service.hub import Hub, Moment
from tests.support.waiting import until

HOLD = 60.0
NOBODY = Unknown((Reason.BELOW_THRESHOLD,), 5)


class Clock:
    """Time stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Outlet:
    """Remembers what was told, and what the store had at that moment."""

    def __init__(self, store: Store) -> None:
        self.events: list[PresenceEvent] = []
        self.states: list[HouseState] = []
        self.stored: list[dict[str, object] | None] = []
        self._store = store

    async def publish(self, state: HouseState, events: Sequence[PresenceEvent]) -> None:
        self.stored.append(await to_thread(self._store.load_state))
        self.states.append(state)
        self.events += events

    @property
    def kinds(self) -> list[EventKind]:
        return [event.kind for event in self.events]


class FullDisk:
    """A store whose disk is full while ``full`` is set."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.full = False

    def save_state(self, state: Mapping[str, object]) -> None:
        self._refuse()
        self._store.save_state(state)

    def load_state(self) -> dict[str, object] | None:
        self._refuse()
        return self._store.load_state()

    def add_sighting(self, sighting: Sighting) -> None:
        self._refuse()
        self._store.add_sighting(sighting)

    def _refuse(self) -> None:
        if self.full:
            raise StoreError("The disk that holds the database is full.")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "homeface.db") as opened:
        yield opened


@pytest.fixture
def clock() -> Clock:
    return Clock()


def hub_of(store: Store | FullDisk, outlet: Outlet, clock: Clock) -> Hub:
    house = House({"hall": RoomPolicy("hall", HOLD), "yard": RoomPolicy("yard", HOLD)}, PresencePolicy())
    return Hub(house, store, outlet, clock)


def sighting(
    at: float, decision: Decision | None = None, visit: str = "v1", *, room: str = "hall", ended: bool = False
) -> Sighting:
    return Sighting(
        room=room,
        camera=f"{room}-camera",
        visit_id=visit,
        first_seen=at,
        captured_at=at,
        decision=decision or Identified("ada", 0.8, 0.5, 5),
        box=Box(0, 0, 100, 100),
        ended=ended,
    )


async def test_the_state_is_saved_before_the_world_is_told(store: Store, clock: Clock) -> None:
    outlet = Outlet(store)
    hub = hub_of(store, outlet, clock)
    await hub.observe([sighting(clock.now)])
    assert outlet.kinds == [EventKind.ARRIVED]
    stored = outlet.stored[-1]
    assert stored is not None
    assert HouseState.from_json(stored["house"]).people["ada"].room == "hall"
    assert outlet.states[-1].people["ada"].room == "hall"


async def test_a_finished_visit_is_kept_in_the_log(store: Store, clock: Clock) -> None:
    hub = hub_of(store, Outlet(store), clock)
    await hub.observe([sighting(clock.now, NOBODY)])
    assert await to_thread(store.sightings) == []
    await hub.observe([sighting(clock.now, NOBODY, ended=True)])
    (kept,) = await to_thread(store.sightings)
    assert (kept.visit_id, kept.room, kept.subject_id) == ("v1", "hall", None)


async def test_changes_that_come_at_once_are_told_one_after_the_other(store: Store, clock: Clock) -> None:
    outlet = Outlet(store)
    hub = hub_of(store, outlet, clock)
    async with asyncio.TaskGroup() as tasks:
        for number in range(10):
            tasks.create_task(hub.observe([sighting(clock.now, NOBODY, f"v{number}")]))
    counts = [state.rooms["hall"].unknown_count for state in outlet.states]
    assert counts == sorted(counts)
    assert counts[-1] == 10
    assert outlet.kinds == [EventKind.UNKNOWN] * 10


async def test_listeners_inside_the_process_hear_every_change(store: Store, clock: Clock) -> None:
    hub = hub_of(store, Outlet(store), clock)
    moments: list[Moment] = []
    hub.listeners.append(moments.append)
    await hub.set_sensor("hall", True)
    await hub.observe([sighting(clock.now)])
    assert [[event.kind for event in moment.events] for moment in moments] == [[], [EventKind.ARRIVED]]
    assert moments[-1].sightings[0].visit_id == "v1"
    assert moments[-1].state.rooms["hall"].occupied


class TestFullDisk:
    async def test_is_told_once_and_presence_goes_on(
        self, store: Store, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        disk, outlet = FullDisk(store), Outlet(store)
        hub = hub_of(disk, outlet, clock)
        disk.full = True
        with caplog.at_level(logging.INFO):
            for number in range(5):
                clock.now += 10
                await hub.observe([sighting(clock.now, NOBODY, f"v{number}", ended=True)])
            assert outlet.kinds == [EventKind.UNKNOWN] * 5
            assert [record.message for record in caplog.records] == [
                "The disk that holds the database is full."
            ]
            disk.full = False
            clock.now += 10
            await hub.observe([sighting(clock.now, visit="ada-1")])
        assert caplog.messages[-1] == "The database can be written again."
        stored = await to_thread(store.load_state)
        assert stored is not None
        assert HouseState.from_json(stored["house"]).people["ada"].room == "hall"

    async def test_at_the_start_means_starting_afresh(
        self, store: Store, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        disk, outlet = FullDisk(store), Outlet(store)
        disk.full = True
        hub = hub_of(disk, outlet, clock)
        await hub.restore()
        assert "starting without it" in caplog.text
        await hub.observe([sighting(clock.now)])
        assert outlet.kinds == [EventKind.ARRIVED]


class TestRestart:
    async def test_events_are_not_repeated(self, store: Store, clock: Clock) -> None:
        before = hub_of(store, Outlet(store), clock)
        await before.observe([sighting(clock.now), sighting(clock.now, NOBODY, "v2")])
        clock.now += 5
        outlet = Outlet(store)
        after = hub_of(store, outlet, clock)
        await after.restore()
        assert outlet.events == []
        assert after.house.snapshot().people["ada"].room == "hall"
        await after.observe([sighting(clock.now, visit="w1"), sighting(clock.now, NOBODY, "w2")])
        assert outlet.events == []

    async def test_a_process_that_is_killed_between_saving_and_telling_loses_an_event(
        self, store: Store, clock: Clock
    ) -> None:
        class Killed(Outlet):
            async def publish(self, state: HouseState, events: Sequence[PresenceEvent]) -> None:
                raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            await hub_of(store, Killed(store), clock).observe([sighting(clock.now)])
        outlet = Outlet(store)
        after = hub_of(store, outlet, clock)
        await after.restore()
        await after.observe([sighting(clock.now, visit="w1")])
        assert outlet.events == []
        assert outlet.states[-1].people["ada"].room == "hall"

    async def test_who_was_seen_before_a_long_stop_is_in_no_room(self, store: Store, clock: Clock) -> None:
        await hub_of(store, Outlet(store), clock).observe([sighting(clock.now)])
        clock.now += 3600
        after = hub_of(store, Outlet(store), clock)
        await after.restore()
        state = after.house.snapshot()
        assert (state.people["ada"].room, state.people["ada"].home) == (None, True)
        assert not state.rooms["hall"].occupied

    async def test_a_paused_camera_stays_paused(self, store: Store, clock: Clock) -> None:
        before = hub_of(store, Outlet(store), clock)
        await before.set_paused("hall-camera", "hall", True)
        await before.set_paused("yard-camera", "yard", True)
        await before.set_paused("yard-camera", "yard", False)
        after = hub_of(store, Outlet(store), clock)
        await after.restore()
        assert after.paused == {"hall-camera"}

    @pytest.mark.parametrize(
        "stored",
        [
            {},
            {"house": None},
            {"house": 5, "paused": ["yard-camera"]},
            {"house": {"version": 99}},
            {"house": {"version": 1, "at": "now", "rooms": [], "people": []}},
            {"house": {"version": 1, "at": 1.0, "rooms": [{"room": "hall"}], "people": []}},
            {"house": {"version": 1, "at": 1.0, "rooms": [], "people": [{"subject_id": ["ada"]}]}},
        ],
    )
    async def test_a_state_that_cannot_be_understood_is_left_alone(
        self, store: Store, clock: Clock, stored: dict[str, object], caplog: pytest.LogCaptureFixture
    ) -> None:
        await to_thread(store.save_state, stored)
        outlet = Outlet(store)
        hub = hub_of(store, outlet, clock)
        await hub.restore()
        assert "starting without it" in caplog.text
        await hub.observe([sighting(clock.now)])
        assert outlet.kinds == [EventKind.ARRIVED]

    async def test_a_paused_camera_stays_paused_whatever_else_cannot_be_understood(
        self, store: Store, clock: Clock
    ) -> None:
        stored = {"house": {"version": 99}, "paused": ["hall-camera"]}
        await to_thread(store.save_state, stored)
        hub = hub_of(store, Outlet(store), clock)
        await hub.restore()
        assert hub.paused == {"hall-camera"}

    @pytest.mark.parametrize("paused", [None, "hall-camera", 5, {"hall-camera": True}, [["hall-camera"], 7]])
    async def test_nonsense_about_pauses_pauses_nothing(
        self, store: Store, clock: Clock, paused: object
    ) -> None:
        await to_thread(store.save_state, {"house": HouseState(at=clock.now).to_json(), "paused": paused})
        hub = hub_of(store, Outlet(store), clock)
        await hub.restore()
        assert hub.paused == set()


class TestTime:
    async def test_holds_run_out_by_themselves(self, store: Store, clock: Clock) -> None:
        outlet = Outlet(store)
        hub = hub_of(store, outlet, clock)
        task = asyncio.create_task(hub.keep_time())
        await hub.observe([sighting(clock.now)])
        clock.now += HOLD - 1
        await hub.refresh()
        assert outlet.kinds == [EventKind.ARRIVED]
        clock.now += 2
        await hub.refresh()  # wakes the clock's task, and does nothing about time itself
        await until(lambda: EventKind.LEFT in outlet.kinds, what="the hold ran out")
        assert outlet.events[-1].captured_at == pytest.approx(clock.now - 1)
        assert outlet.states[-1].people["ada"].room is None
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def test_a_quiet_house_writes_nothing(self, store: Store, clock: Clock) -> None:
        hub = hub_of(store, Outlet(store), clock)
        await hub.refresh()
        version = await to_thread(store.load_state)
        for _ in range(20):
            clock.now += 0.2
            await hub.refresh()
        assert await to_thread(store.load_state) == version

    async def test_a_clock_set_back_does_not_put_off_saving(self, store: Store, clock: Clock) -> None:
        hub = hub_of(store, Outlet(store), clock)
        await hub.observe([sighting(clock.now)])
        clock.now -= 3600
        await hub.observe([sighting(clock.now)])
        stored = await to_thread(store.load_state)
        assert stored is not None
        assert HouseState.from_json(stored["house"]).at == clock.now

    async def test_what_changed_meanwhile_is_kept_at_shutdown(self, store: Store, clock: Clock) -> None:
        hub = hub_of(store, Outlet(store), clock)
        await hub.observe([sighting(clock.now)])
        clock.now += 1
        await hub.observe([sighting(clock.now)])  # only a newer time: not worth a write of its own
        await hub.save()
        stored = await to_thread(store.load_state)
        assert stored is not None
        assert HouseState.from_json(stored["house"]).people["ada"].last_seen == clock.now


async def test_nothing_of_a_paused_camera_is_kept(store: Store, clock: Clock) -> None:
    outlet = Outlet(store)
    hub = hub_of(store, outlet, clock)
    await hub.set_paused("hall-camera", "hall", True)
    await hub.observe([sighting(clock.now, NOBODY, ended=True), sighting(clock.now, NOBODY, room="yard")])
    assert await to_thread(store.sightings) == []
    assert [event.room for event in outlet.events] == ["yard"]


async def test_the_last_state_saved_is_the_newest(store: Store, clock: Clock) -> None:
    """Saving by itself waits its turn: it must not write an older state over that of a change."""
    slow = asyncio.Event()

    class Slow(Outlet):
        async def publish(self, state: HouseState, events: Sequence[PresenceEvent]) -> None:
            await slow.wait()

    hub = hub_of(store, Slow(store), clock)
    change = asyncio.create_task(hub.observe([sighting(clock.now)]))
    await until(lambda: "ada" in hub.house.snapshot().people, what="the change has begun")
    saving = asyncio.create_task(hub.save())
    await asyncio.sleep(0)
    assert not saving.done()
    slow.set()
    await asyncio.gather(change, saving)
    stored = await to_thread(store.load_state)
    assert stored is not None
    assert HouseState.from_json(stored["house"]).people["ada"].room == "hall"


async def test_somebody_who_is_forgotten_vanishes_without_an_event(store: Store, clock: Clock) -> None:
    outlet = Outlet(store)
    hub = hub_of(store, outlet, clock)
    await hub.set_subjects(["ada", "bob"])
    await hub.observe([sighting(clock.now)])
    await hub.set_subjects(["bob"])
    assert set(outlet.states[-1].people) == {"bob"}
    assert outlet.kinds == [EventKind.ARRIVED]


async def test_guests_are_no_news_and_no_restart_forgets_that_they_are_here(
    store: Store, clock: Clock
) -> None:
    outlet = Outlet(store)
    await hub_of(store, outlet, clock).set_guest_mode(True)
    hub = hub_of(store, outlet, clock)
    await hub.restore()
    assert hub.guest_mode
    await hub.observe([sighting(clock.now, NOBODY), sighting(clock.now, visit="v2", room="yard")])
    assert outlet.states[-1].rooms["hall"].unknown_count == 1
    assert [(event.kind, event.room) for event in outlet.events] == [(EventKind.ARRIVED, "yard")]
    await hub.set_guest_mode(False)
    await hub.observe([sighting(clock.now, NOBODY, visit="v3")])
    assert outlet.kinds == [EventKind.ARRIVED, EventKind.UNKNOWN]
