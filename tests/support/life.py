"""The daemon's inside in this process: real config, store, MQTT and presence, but painted faces."""

from __future__ import annotations

import asyncio
import time
from asyncio import to_thread
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from homeface import config as configuration
from homeface.adapters.store import NewTemplate, Store
from homeface.config import Config
from homeface.core.types import ImageBGR
from homeface.inference.engine import Engine
from homeface.service import health, publisher, recognition, watch
from homeface.service.life import Life
from tests.fakes.camera import FakeCamera
from tests.fakes.engine import GOOD_QUALITY, MODEL_ID, FakeEngine, person_vector
from tests.support.daemon import write_config
from tests.support.mosquitto import Mosquitto
from tests.support.people import FAKE_CALIBRATION
from tests.support.waiting import until

ROOMS: Mapping[str, Mapping[str, Any]] = {"hall": {"name": "Hall"}, "yard": {"name": "Yard", "exit": True}}
CAMERAS: Mapping[str, Mapping[str, Any]] = {
    "hall": {"room": "hall", "url": "rtsp://127.0.0.1:9/hall"},
    "yard": {"room": "yard", "url": "rtsp://127.0.0.1:9/yard"},
}
BASE = "homeface/homeface"
DISCOVERY = "homeassistant/device/homeface"
SCAN_SECONDS = 0.3


@contextmanager
def fakes(*, real_faces: bool = False) -> Iterator[None]:
    """No reader threads, figures for the fake engine, and a short look at what an earlier run left.

    ``real_faces``: for a real engine, with its own figures.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watch, "Camera", FakeCamera)
        for module in () if real_faces else (recognition, health):
            patch.setattr(module, "calibration_for", lambda _model_id, _folder=None: FAKE_CALIBRATION)
        patch.setattr(publisher, "_SCAN_SECONDS", SCAN_SECONDS)
        yield


async def house_config(folder: Path, broker: Mosquitto, **changes: Any) -> Config:
    """Two rooms with a camera each; ``changes`` replaces or adds sections."""
    sections = {"rooms": ROOMS, "cameras": CAMERAS, **changes}
    path = write_config(folder / "config.yaml", mqtt_port=broker.port, storage=folder / "state", **sections)
    return await to_thread(configuration.load, path, {})


async def enrol(store: Store, *people: int) -> dict[int, str]:
    """Painted people into the store; returns their subject ids."""
    ids = {}
    for person in people:
        templates = [
            NewTemplate(person_vector(person, 1000 + number), MODEL_ID, GOOD_QUALITY, None)
            for number in range(3)
        ]
        subject, _ = await to_thread(store.enrol, f"Person {person}", templates)
        ids[person] = subject.subject_id
    return ids


@asynccontextmanager
async def living(config: Config, engine: FakeEngine | Engine, store: Store) -> AsyncIterator[Life]:
    """One life as the daemon leads it, connected and with its discovery sent."""
    with fakes(real_faces=isinstance(engine, Engine)):
        life = Life(config, engine, store)
        await life.begin()
        async with asyncio.TaskGroup() as tasks:
            link, *others = [tasks.create_task(job, name=name) for name, job in life.jobs()]
            try:
                await until(lambda: life.link.connected, what="the link is connected")
                yield life
            finally:
                for task in others:
                    task.cancel()
                await asyncio.wait(others)
                await life.close()
                link.cancel()


def camera_of(life: Life, name: str) -> FakeCamera:
    """The fake camera behind a watch."""
    camera = life.watches[name]._camera
    assert isinstance(camera, FakeCamera)
    return camera


async def show(life: Life, name: str, image: ImageBGR, frames: int = 8) -> None:
    """Push one picture so many times; see ``show_all``."""
    await show_all(life, name, [image] * frames)


async def show_all(life: Life, name: str, images: Sequence[ImageBGR]) -> None:
    """Push pictures one after the other, each when the one before was analysed; a fifth of a second apart,
    however long that takes.
    """
    camera = camera_of(life, name)
    start = max(time.time() - len(images) * 0.2, getattr(camera, "shown_until", 0.0) + 0.2)
    for number, image in enumerate(images):
        taken = camera.stats.analysed
        camera.shown_until = start + number * 0.2  # type: ignore[attr-defined]
        camera.push(image, start + number * 0.2)
        await until(lambda: camera.stats.analysed > taken, what="the frame was taken")  # noqa: B023
        await until(lambda: not life.watches[name]._walking.locked(), what="the frame was analysed")
