"""The page under load, and whoever was shown out: recognition goes on, and nothing more is told."""

from __future__ import annotations

import asyncio
from asyncio import to_thread
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from homeface.adapters.store import Store
from homeface.adapters.web import api_now
from tests.fakes.engine import FakeEngine
from tests.support.life import enrol, show
from tests.support.mosquitto import Mosquitto, requires_mosquitto
from tests.support.people import BOX, DAD, ELSEWHERE, MUM, frame_with
from tests.support.waiting import until
from tests.support.web import API, Browser
from tests.support.web_life import events_of, form, png, web_living

pytestmark = [pytest.mark.mosquitto, requires_mosquitto]


async def test_a_hundred_uploads_at_once_leave_recognition_alone(
    tmp_path: Path, broker: Mosquitto, store: Store, engine: FakeEngine
) -> None:
    mum = (await enrol(store, MUM))[MUM]
    async with web_living(tmp_path, broker, engine, store) as web:
        dad = (await web.owner.post(f"{API}/people", {"name": "Dad"})).json["id"]
        photo = await to_thread(png, frame_with((DAD, BOX)))

        async def send(number: int) -> int:
            upload = form((f"{number}.png", photo))
            return (await web.owner.post(f"{API}/people/{dad}/photos", data=upload)).status

        async with asyncio.TaskGroup() as tasks:
            sending = [tasks.create_task(send(number)) for number in range(100)]
            await show(web.life, "hall", frame_with((MUM, BOX)))
            await until(lambda: web.life.hub.house.snapshot().people[mum].room == "hall")
            assert not all(task.done() for task in sending)  # it did not have to wait for them
        assert {task.result() for task in sending} <= {200, 429}
        uploads = web.home.services.uploads
        assert 0 < uploads.most_at_once <= uploads.limits.at_once


class Queue(FakeEngine):
    """Notes how many photos each frame of a camera had to wait for, the one under way included."""

    def __init__(self) -> None:
        super().__init__()
        self.look_seconds = 0.01
        self.photos = 0
        self.waited: list[int] = []

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        task = asyncio.current_task()
        assert task is not None
        before = self.photos
        async with super().turn():
            if task.get_name().startswith("walk "):
                self.waited.append(self.photos - before)
                yield
            else:
                yield
                self.photos += 1


async def test_a_frame_waits_for_one_photo_at_most_however_many_come(
    tmp_path: Path, broker: Mosquitto, store: Store
) -> None:
    """What latency means here, told without a clock: the queue that a camera stands in does not grow."""
    engine = Queue()
    await engine.start()
    mum = (await enrol(store, MUM))[MUM]
    async with web_living(tmp_path, broker, engine, store) as web:
        people = [(await web.owner.post(f"{API}/people", {"name": f"Dad {n}"})).json["id"] for n in range(4)]
        photo = await to_thread(png, frame_with((DAD, BOX)))

        async def send(number: int) -> None:
            path = f"{API}/people/{people[number % 4]}/photos"
            await web.owner.post(path, data=form((f"{number}.png", photo)))

        async with asyncio.TaskGroup() as tasks:
            sending = [tasks.create_task(send(number)) for number in range(100)]
            await until(lambda: engine.photos > 0, what="photos are looked at")
            engine.waited.clear()
            while not all(task.done() for task in sending):
                for place in (BOX, ELSEWHERE):  # something moves: each frame is looked at
                    await show(web.life, "hall", frame_with((MUM, place)), frames=1)
        assert engine.photos == 100
        assert len(engine.waited) > 10, "frames were looked at all the while"
        assert max(engine.waited) <= 1
        assert web.life.hub.house.snapshot().people[mum].room == "hall"
    await engine.aclose()


async def test_whoever_is_shown_out_hears_no_more(
    tmp_path: Path,
    broker: Mosquitto,
    store: Store,
    engine: FakeEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(api_now, "PING_SECONDS", 0.3)
    async with web_living(tmp_path, broker, engine, store) as web, events_of(web.owner) as stream:
        await stream.next("now")
        other = Browser(web.home, session=web.owner.session)
        assert (await other.delete(f"{API}/session")).status == 204
        async with asyncio.timeout(10):
            while await stream.line():
                pass
