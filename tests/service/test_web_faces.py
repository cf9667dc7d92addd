"""The page with real faces and the default models: a stranger is named and then known; a phone's round."""

from __future__ import annotations

import asyncio
import io
from asyncio import to_thread
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from PIL import Image

from homeface.adapters.photos import load_photo
from homeface.adapters.store import Store
from homeface.core.types import Identified, ImageBGR
from homeface.inference.engine import Engine, EngineSettings
from tests.service.test_enrolment_faces import as_phone_would
from tests.support.data import data_dir, requires_data, weights_dir
from tests.support.life import camera_of, show_all
from tests.support.mosquitto import Mosquitto, requires_mosquitto
from tests.support.waiting import until
from tests.support.web import API
from tests.support.web_life import WebLife, web_living

pytestmark = [requires_data, requires_mosquitto, pytest.mark.accuracy, pytest.mark.mosquitto]
INBOX = f"{API}/visits/unknown"
CLIPS = data_dir() / "clips"


@pytest.fixture
async def real_engine() -> AsyncIterator[Engine]:
    running = Engine(EngineSettings(folders=[weights_dir()], device="cpu"))
    await running.start()
    yield running
    await running.aclose()


@pytest.fixture
async def page(
    tmp_path: Path, broker: Mosquitto, real_engine: Engine, store: Store
) -> AsyncIterator[WebLife]:
    async with web_living(tmp_path, broker, real_engine, store) as running:
        yield running


def frames_of(clip: str, start: int, count: int) -> list[ImageBGR]:
    """Every sixth picture of a clip, from the ``start``-th on."""
    import av

    found: list[ImageBGR] = []
    with av.open(str(CLIPS / clip)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number >= start and (number - start) % 6 == 0:
                found.append(np.asarray(frame.to_ndarray(format="bgr24"), np.uint8))
            if len(found) == count:
                break
    return found


async def visit(page: WebLife, frames: list[ImageBGR]) -> list[str | None]:
    """Somebody comes and goes; the ids of those who were named at the end of each visit."""
    ended: list[str | None] = []

    def hear(moment: object) -> None:
        for sighting in moment.sightings:  # type: ignore[attr-defined]
            if sighting.ended:
                named = isinstance(sighting.decision, Identified)
                ended.append(sighting.decision.subject_id if named else None)

    page.life.hub.listeners.append(hear)
    await show_all(page.life, "hall", frames)
    camera_of(page.life, "hall").set_status(False, "gone")
    await until(lambda: ended, what="the visit is over")
    camera_of(page.life, "hall").set_status(True)
    page.life.hub.listeners.remove(hear)
    return ended


async def test_a_stranger_is_named_in_the_inbox_and_known_at_the_next_visit(page: WebLife) -> None:
    obama = await to_thread(frames_of, "hieubkvn123_obama.mp4", 0, 16)
    later = await to_thread(frames_of, "hieubkvn123_obama.mp4", 110, 8)
    biden = await to_thread(frames_of, "hieubkvn123_biden.mp4", 0, 10)
    assert set(await visit(page, obama)) == {None}
    assert set(await visit(page, biden)) == {None}
    groups: list[list[dict[str, object]]] = []
    async with asyncio.timeout(10):
        while sum(map(len, groups)) < 2:
            groups = [group["visits"] for group in (await page.owner.get(INBOX)).json]
    with_faces = [visits for visits in groups if visits[0]["faces"]]
    assert len(with_faces) == 2, "two people are two groups"
    first = with_faces[-1][0]
    answer = await page.owner.post(f"{INBOX}/{first['id']}/name", {"name": "Barack", "group": True})
    assert sum(photo["accepted"] for photo in answer.json["photos"]) >= 2, answer.text
    barack = answer.json["person_id"]
    assert barack in await visit(page, later)
    assert barack not in await visit(page, biden)


async def test_photos_as_phones_send_them(page: WebLife) -> None:
    """HEIC on its side, WebP, PNG, and one of somebody else among them."""
    photos = data_dir() / "gallery"
    data = aiohttp.FormData()
    first, second = sorted((photos / "obama").iterdir())[:2]
    other = sorted((photos / "biden").iterdir())[0]
    for name, content in (
        ("a.heic", await to_thread(as_phone_would, first)),
        ("b.webp", await to_thread(_saved, second, "WEBP")),
        ("c.png", await to_thread(_saved, other, "PNG")),
    ):
        data.add_field("photos", io.BytesIO(content), filename=name)
    person = (await page.owner.post(f"{API}/people", {"name": "Barack"})).json["id"]
    answer = (await page.owner.post(f"{API}/people/{person}/photos", data=data)).json
    assert [photo["key"] for photo in answer["photos"]] == ["accepted", "accepted", "outlier"]
    details = (await page.owner.get(f"{API}/people/{person}")).json
    assert [template["used"] for template in details["templates"]] == [True, True]
    picture = await page.owner.get(f"/{details['picture_url']}")
    assert min((await to_thread(load_photo, picture.data)).shape[:2]) > 100


async def test_a_round_with_a_real_face_that_turns_to_both_sides(page: WebLife) -> None:
    """A speaker who looks ahead and to either side; what he does not do is skipped."""
    frames = [
        await to_thread(_jpeg, frame) for frame in await to_thread(frames_of, "hieubkvn123_obama.mp4", 0, 26)
    ]
    person = (await page.owner.post(f"{API}/people", {"name": "Barack"})).json["id"]
    round_id = (await page.owner.post(f"{API}/people/{person}/round")).json["id"]
    path, kind = f"{API}/rounds/{round_id}/frame", {"Content-Type": "image/jpeg"}
    told: dict[str, Any] = {"wanted": "front"}
    taken: list[str] = []
    for step in ("front", "left", "right"):
        for frame in frames:
            told = (await page.owner.post(path, data=frame, headers=kind)).json
            while told["feedback"] == "good":  # the picture stands still, as somebody who holds still does
                told = (await page.owner.post(path, data=frame, headers=kind)).json
            if told["taken"]:
                taken.append(step)
                break
    assert taken == ["front", "left", "right"]
    while told["wanted"] != "done":
        told = (await page.owner.post(f"{API}/rounds/{round_id}/skip")).json
    assert [(photo["label"], photo["accepted"]) for photo in told["result"]["photos"]] == [
        ("front", True),
        ("left", True),
        ("right", True),
    ]


def _saved(path: Path, form: str) -> bytes:
    buffer = io.BytesIO()
    with Image.open(path) as picture:
        picture.convert("RGB").save(buffer, form)
    return buffer.getvalue()


def _jpeg(image: ImageBGR) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image[..., ::-1])).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
