"""One camera in the daemon: newest frames into the hub, and what a camera that dies or is paused leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import pytest

from homeface.adapters.camera import CameraSettings
from homeface.core.presence import EventKind, House, HouseState, PresenceEvent, RoomPolicy
from homeface.core.types import Box, Face, Identified, ImageBGR, Picture, Sighting, Unknown
from homeface.service.hub import Hub
from homeface.service.watch import CameraWatch
from tests.fakes.camera import FakeCamera
from tests.fakes.engine import FakeEngine
from tests.support.life import fakes
from tests.support.people import BOX, DAD, MUM, STRANGER, frame_with, pipeline_of, recognition_of_people
from tests.support.waiting import until

START = 1_000_000.0


class Nothing:
    """A memory and an outlet that keep what they hear."""

    def __init__(self) -> None:
        self.logged: list[Sighting] = []
        self.events: list[PresenceEvent] = []
        self.state = HouseState()

    def save_state(self, state: Mapping[str, object]) -> None:
        """Forgotten."""

    def load_state(self) -> dict[str, object] | None:
        return None

    def add_sighting(self, sighting: Sighting) -> None:
        self.logged.append(sighting)

    async def publish(self, state: HouseState, events: Sequence[PresenceEvent]) -> None:
        self.state = state
        self.events += events


class Place:
    """One camera, its watch and its house, at a time that the frames set."""

    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine
        self.now = START
        self.world = Nothing()
        house = House({"hall": RoomPolicy("hall", 60.0)})
        self.hub = Hub(house, self.world, self.world, lambda: self.now)
        pipeline = pipeline_of(engine, MUM, DAD)
        with fakes():
            settings = CameraSettings("hall", url="rtsp://127.0.0.1:9/hall")
            self.watch = CameraWatch(settings, pipeline, self.hub)
        assert isinstance(self.watch._camera, FakeCamera)
        self.camera = self.watch._camera

    async def show(self, *faces: tuple[int, tuple[int, int, int, int]], frames: int = 1) -> None:
        """Push frames a fifth of a second apart, each when the one before was taken and analysed."""
        for _ in range(frames):
            taken = self.camera.stats.analysed
            self.now += 0.2
            self.camera.push(frame_with(*faces), self.now)
            await until(lambda: self.camera.stats.analysed > taken)  # noqa: B023
            await until(lambda: not self.watch._walking.locked())


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    engine = FakeEngine()
    await engine.start()
    place = Place(engine)
    async with running(place):
        yield place
    await engine.aclose()


@asynccontextmanager
async def running(place: Place) -> AsyncIterator[None]:
    task = asyncio.create_task(place.watch.run(), name="watch")
    try:
        await until(lambda: place.world.state.rooms and place.world.state.rooms["hall"].available)
        yield
    finally:
        task.cancel()
        results = await asyncio.gather(task, return_exceptions=True)
        assert [type(result) for result in results] == [asyncio.CancelledError]


async def test_frames_become_presence(place: Place) -> None:
    await place.show((MUM, BOX), frames=5)
    await until(lambda: place.world.events)
    (event,) = place.world.events
    assert (event.kind, event.subject_id, event.camera) == (EventKind.ARRIVED, "p10", "hall")
    assert event.captured_at <= place.now
    assert place.world.state.rooms["hall"].names == ("p10",)


async def test_a_picture_in_flight_when_the_camera_dies_is_not_shown(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.watch.keeps_newest = True
    await place.show((MUM, BOX))
    assert place.watch.newest is not None
    began, may_end, look = asyncio.Event(), asyncio.Event(), place.engine.look

    async def slow(image: ImageBGR | Picture, regions: Sequence[Box] | None = None) -> list[Face]:
        began.set()
        await may_end.wait()
        return await look(image, regions)

    monkeypatch.setattr(place.engine, "look", slow)
    place.now += 0.2
    place.camera.push(frame_with((DAD, BOX)), place.now)
    await began.wait()
    place.camera.set_status(False, "camera hall sends nothing")
    await until(lambda: place.watch.newest is None)
    may_end.set()
    await until(lambda: not place.world.state.rooms["hall"].available)
    assert place.watch.newest is None


async def test_a_camera_that_dies_ends_its_visits_with_a_verdict(place: Place) -> None:
    await place.show((MUM, BOX), frames=5)
    place.camera.set_status(False, "camera hall sends nothing")
    await until(lambda: place.world.logged)
    (visit,) = place.world.logged
    assert visit.ended
    assert isinstance(visit.decision, Identified)
    await until(lambda: not place.world.state.rooms["hall"].available)
    assert place.world.state.rooms["hall"].occupied  # nobody knows, which is not the same as empty
    assert [event.kind for event in place.world.events] == [EventKind.ARRIVED]


async def test_a_busy_device_gets_the_newest_frame_and_drops_are_counted(place: Place) -> None:
    async with place.engine.turn():
        for number in range(10):
            place.now += 0.2
            place.camera.push(frame_with((STRANGER, BOX)), place.now)
            await asyncio.sleep(0)
            assert place.watch.stats.dropped == number
    await until(lambda: place.watch.stats.analysed == 1)
    await until(lambda: place.watch.pipeline.stats.frames == 1)
    assert place.watch.pipeline.tracker._newest == place.now


async def test_pausing_during_a_look_throws_the_look_away(place: Place) -> None:
    place.engine.hang()
    place.now += 0.2
    place.camera.push(frame_with((STRANGER, BOX)), place.now)
    await until(place.watch._walking.locked)
    pausing = asyncio.create_task(place.watch.set_paused(True))
    await until(lambda: place.watch.paused)
    place.engine.recover()
    await pausing
    assert not place.world.state.rooms["hall"].available
    await place.watch.set_paused(False)
    await place.show(frames=15)
    assert place.world.logged == []
    assert place.world.events == []


async def test_what_is_learned_counts_from_the_next_frame_on(place: Place) -> None:
    await place.show((STRANGER, BOX), frames=10)
    await place.watch.learn(recognition_of_people(MUM, STRANGER))
    await place.show((STRANGER, BOX), frames=2)
    await until(lambda: place.world.state.rooms["hall"].names == (f"p{STRANGER}",))


async def test_a_recording_that_is_over_ends_its_visits_and_nothing_else(place: Place) -> None:
    await place.show((STRANGER, BOX), frames=6)
    place.camera.finish()
    place.camera.set_status(False, "the recording is over")
    await until(lambda: place.world.logged)
    assert isinstance(place.world.logged[0].decision, Unknown)


async def test_a_camera_decodes_for_those_who_look_and_rests_in_a_quiet_room(place: Place) -> None:
    wished = []
    await place.show((MUM, BOX), frames=2)
    wished.append(place.camera.attention)
    await place.show(frames=70)  # 14 s: her visit has ended, and nothing has moved for ten
    wished.append(place.camera.attention)
    await place.show((MUM, BOX), frames=1)
    wished.append(place.camera.attention)
    assert wished == [True, False, True]


async def test_a_camera_that_must_not_look_rests(place: Place) -> None:
    await place.show((MUM, BOX), frames=2)
    wished = []
    for paused in (True, False):
        await place.watch.set_paused(paused)
        wished.append(place.camera.attention)
    assert wished == [False, True]
