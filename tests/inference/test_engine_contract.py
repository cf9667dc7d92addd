"""What every engine promises: run against the fake, the real engine on stub models, and on real ones."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from homeface.core.types import ArrayPicture, Box, ImageBGR
from homeface.errors import ImageError, ModelError
from homeface.inference.engine import Engine, EngineSettings
from tests.fakes.engine import FakeEngine, frame_with
from tests.inference.stub_models import StubModels
from tests.support.data import data_dir, requires_data, weights_dir
from tests.support.waiting import until


@dataclass
class Case:
    """An engine that runs, and pictures it must understand."""

    engine: Engine | FakeEngine
    two_people: ImageBGR
    nobody: ImageBGR


async def _fake() -> Case:
    engine = FakeEngine()
    await engine.start()
    return Case(engine, *_painted())


async def _stubbed() -> Case:
    engine = Engine(EngineSettings(), StubModels().load)
    await engine.start()
    return Case(engine, *_painted())


async def _real(detector: str, embedder: str) -> Case:
    engine = Engine(
        EngineSettings(
            detector=detector,
            embedder=embedder,
            device="cpu",
            threads=1,
            folders=[weights_dir()],
            min_face_px=80,
        )
    )
    await engine.start()
    gallery = data_dir() / "gallery"
    people = [cv2.imread(str(gallery / name / "1.jpg")) for name in ("obama", "biden")]
    canvas = np.zeros((600, 1000, 3), np.uint8)
    for index, picture in enumerate(people):
        canvas[:, index * 500 : (index + 1) * 500] = cv2.resize(picture, (500, 600))
    return Case(engine, canvas, np.full((480, 640, 3), 60, np.uint8))


def _painted() -> tuple[ImageBGR, ImageBGR]:
    return frame_with((3, (20, 30, 120, 150)), (9, (300, 40, 420, 180))), frame_with()


REAL = [requires_data, pytest.mark.accuracy]


@pytest.fixture(
    params=[
        "fake",
        "stubbed",
        pytest.param("mtcnn+facenet_vggface2", marks=REAL),
        pytest.param("yunet_n+mobilefacenet", marks=REAL),
    ]
)
async def case(request: pytest.FixtureRequest) -> AsyncIterator[Case]:
    if request.param == "fake":
        made = await _fake()
    elif request.param == "stubbed":
        made = await _stubbed()
    else:
        made = await _real(*request.param.split("+"))
    yield made
    await made.engine.aclose()


async def test_look_finds_faces_with_box_landmarks_quality_and_crop(case: Case) -> None:
    faces = await case.engine.look(case.two_people)
    assert len(faces) == 2
    scores = [face.detection.score for face in faces]
    assert scores == sorted(scores, reverse=True)
    for face in faces:
        box, points = face.detection.box, face.detection.landmarks
        assert points.shape == (5, 2)
        assert ((points > (box.x1, box.y1)) & (points < (box.x2, box.y2))).all()
        assert points[0, 0] < points[1, 0]  # the picture's left eye first
        assert points[3, 0] < points[4, 0]
        assert points[:2, 1].max() < points[2, 1] < points[3:, 1].min()
        assert face.crop.dtype == np.uint8
        assert face.crop.ndim == 3
        assert face.quality.interocular_px > 10


async def test_a_picture_is_looked_at_where_it_is_asked_for(case: Case) -> None:
    """More may be found than was asked for, never less, and always in pixels of the full frame."""
    whole = await case.engine.look(ArrayPicture(case.two_people))
    assert len(whole) == 2
    height, width = case.two_people.shape[:2]
    for wanted in whole:
        x, y = wanted.detection.box.centre
        side = 1.5 * wanted.detection.box.height
        region = Box(max(0, x - side), max(0, y - side), min(width, x + side) + 50, y + side)
        found = [face.detection.box.centre for face in await case.engine.look(case.two_people, [region])]
        assert min(np.hypot(x - other[0], y - other[1]) for other in found) < 12
    assert len(await case.engine.look(case.two_people, [Box(0, 0, width, height)])) == 2
    assert await case.engine.look(case.two_people, []) == []


async def test_an_empty_room_has_no_faces(case: Case) -> None:
    assert await case.engine.look(case.nobody) == []
    assert await case.engine.embed([]) == []


async def test_embeddings_are_unit_vectors_that_tell_people_apart(case: Case) -> None:
    crops = [face.crop for face in await case.engine.look(case.two_people)]
    again = await case.engine.embed([*crops, *reversed(crops)])
    assert {e.model_id for e in again} == {case.engine.model_id}
    for embedding in again:
        assert embedding.vector.dtype == np.float32
        assert np.linalg.norm(embedding.vector) == pytest.approx(1, abs=1e-5)
    one, other, other_again, one_again = (e.vector for e in again)
    assert one @ one_again > 0.85
    assert other @ other_again > 0.85
    assert abs(one @ other) < 0.4


async def test_callers_at_the_same_time_each_get_their_own(case: Case) -> None:
    crops = [face.crop for face in await case.engine.look(case.two_people)]
    alone = [(await case.engine.embed([crop]))[0].vector for crop in crops]
    results = await asyncio.gather(*(case.engine.embed([crops[i % 2]]) for i in range(7)))
    for i, (embedding,) in enumerate(results):
        assert embedding.vector @ alone[i % 2] > 0.85


@pytest.mark.parametrize(
    "broken",
    [
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3), np.float32),
        np.zeros((0, 10, 3), np.uint8),
        None,
    ],
)
async def test_what_is_no_picture_is_refused_and_harms_nobody(case: Case, broken: object) -> None:
    with pytest.raises(ImageError):
        await case.engine.look(broken)  # type: ignore[arg-type]
    with pytest.raises(ImageError):
        await case.engine.embed([broken])  # type: ignore[list-item]
    assert len(await case.engine.look(case.two_people)) == 2


@pytest.mark.parametrize("shape", [(1, 1, 3), (8, 2000, 3), (1080, 7, 3)])
async def test_odd_pictures_have_no_faces(case: Case, shape: tuple[int, ...]) -> None:
    assert await case.engine.look(np.full(shape, 40, np.uint8)) == []


async def test_a_cancelled_caller_leaves_the_others_alone(case: Case) -> None:
    tasks = [asyncio.create_task(case.engine.look(case.two_people), name=f"look {i}") for i in range(4)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    tasks[2].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[2], asyncio.CancelledError)
    assert [len(result) for result in (results[1], results[3]) if not isinstance(result, BaseException)] == [
        2,
        2,
    ]


async def test_turns_are_taken_one_by_one_in_order(case: Case) -> None:
    order: list[int] = []
    inside = 0

    async def camera(number: int) -> None:
        nonlocal inside
        async with case.engine.turn():
            inside += 1
            assert inside == 1
            order.append(number)
            await case.engine.look(case.nobody)
            inside -= 1

    await asyncio.gather(*(camera(number) for number in range(5)))
    assert order == list(range(5))


async def test_the_heart_beats_while_idle(case: Case) -> None:
    begun = time.monotonic()
    await until(lambda: case.engine.heartbeat() > begun, timeout=5)


async def test_stats_count(case: Case) -> None:
    before = case.engine.stats
    faces = await case.engine.look(case.two_people)
    await case.engine.embed([face.crop for face in faces])
    after = case.engine.stats
    assert after.frames == before.frames + 1
    assert after.faces == before.faces + 2
    assert after.embeddings == before.embeddings + 2


async def test_a_closed_engine_says_so(case: Case) -> None:
    begun = time.monotonic()
    await case.engine.aclose()
    await case.engine.aclose()
    assert time.monotonic() - begun < 5
    with pytest.raises(ModelError):
        await case.engine.look(case.nobody)
