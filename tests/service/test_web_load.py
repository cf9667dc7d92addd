"""The page under load, and whoever was shown out: recognition goes on, and nothing more is told."""

from __future__ import annotations

import asyncio
from asyncio import to_thread
from pathlib import Path

import pytest

from homeface.adapters.store import Store
from homeface.adapters.web import api_now
from tests.fakes.engine import FakeEngine
from tests.support.life import enrol, show
from tests.support.mosquitto import Mosquitto, requires_mosquitto
from tests.support.people import BOX, DAD, MUM, frame_with
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
