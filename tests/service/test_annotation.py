"""Recognition drawn into recordings: every frame, the visits of the replay, nothing left of what failed."""

from __future__ import annotations

import io
from asyncio import to_thread
from collections.abc import AsyncIterator
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from homeface import config as configuration
from homeface.config import Config
from homeface.core.types import Identified, Sighting
from homeface.errors import CameraError
from homeface.service.annotation import Annotated, annotate, visit_sheet
from homeface.service.replay import Clip, replay
from tests.fakes.engine import FakeEngine
from tests.support.daemon import write_config
from tests.support.painted_clips import write_painted
from tests.support.people import BOX, DAD, MUM, STRANGER, frame_with, recognition_of_people

EMPTY = frame_with()
SCENE = [(EMPTY, 1), (frame_with((MUM, BOX), (STRANGER, (420, 80, 540, 200))), 4), (EMPTY, 1)]
FPS = 10


@pytest.fixture
async def engine() -> AsyncIterator[FakeEngine]:
    fake = FakeEngine()
    await fake.start()
    yield fake
    await fake.aclose()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = write_config(
        tmp_path / "config.yaml",
        rooms={"hall": {}},
        cameras={"hall": {"room": "hall", "url": "rtsp://127.0.0.1:9/hall"}},
        mqtt_port=1883,
        storage=tmp_path / "state",
    )
    return configuration.load(path, {})


def pictures(path: Path) -> tuple[list[np.ndarray], list[float], str]:
    """Frames, their times, and the codec of a video."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        images = [frame.to_ndarray(format="rgb24") for frame in frames]
        return images, [float(frame.time or 0) for frame in frames], stream.codec_context.name


def story(visit: Sighting) -> tuple[float, float, type, int]:
    """What the fake engine's noise does not change."""
    return visit.first_seen, visit.captured_at, type(visit.decision), visit.decision.votes


async def test_a_recording_comes_back_with_its_visits_drawn(
    tmp_path: Path, engine: FakeEngine, config: Config
) -> None:
    path = await to_thread(write_painted, tmp_path / "hall.mkv", SCENE, FPS)
    clip, people = Clip("hall", path), recognition_of_people(MUM, DAD)
    seen: list[float] = []
    out = tmp_path / "made" / "hall.mp4"
    report = await annotate(clip, out, config, engine, people, seen.append)
    replayed = await replay([clip], config, engine, people)
    assert [story(visit) for visit in report.visits] == [story(visit) for visit in replayed.visits]
    assert sum(isinstance(visit.decision, Identified) for visit in report.visits) == 1
    assert report.looked == replayed.looked
    assert report.frames == 6 * FPS  # all, though only some of them were analysed
    assert seen == sorted(seen)

    def look() -> None:
        drawn, times, codec = pictures(out)
        assert codec == "h264"
        assert len(drawn) == report.frames
        assert times == pytest.approx([n / FPS for n in range(report.frames)], abs=0.002)
        assert drawn[0].shape == EMPTY.shape
        plain, _, _ = pictures(path)
        apart = [np.abs(a.astype(int) - b).max(axis=2) for a, b in zip(drawn, plain, strict=True)]
        x1, y1, _, y2 = (round(value) for value in BOX)
        middle = (y1 + y2) // 2
        assert apart[45][middle, x1 - 2 : x1 + 4].max() > 80  # the line of the box
        assert np.median(apart[45]) < 12  # everything else is as it was
        assert apart[2][middle, x1 - 2 : x1 + 4].max() < 40  # nobody was there yet
        assert out.stat().st_mode & 0o777 == 0o600
        assert [file.name for file in out.parent.iterdir()] == ["hall.mp4"]

    await to_thread(look)


async def test_the_best_face_of_each_visit_on_one_sheet(
    tmp_path: Path, engine: FakeEngine, config: Config
) -> None:
    path = await to_thread(write_painted, tmp_path / "hall.mkv", SCENE, 5)
    people = recognition_of_people(MUM, DAD)
    report = await annotate(Clip("hall", path), tmp_path / "out.mp4", config, engine, people)
    assert report.faces.keys() == {visit.visit_id for visit in report.visits}
    sheet = await to_thread(visit_sheet, report, people.gallery, "Visits in hall.mkv")
    empty = await to_thread(visit_sheet, Annotated(), people.gallery, "Nobody came")

    def look() -> None:
        with Image.open(io.BytesIO(sheet)) as picture, Image.open(io.BytesIO(empty)) as nobody:
            assert picture.format == "PNG"
            assert picture.height > nobody.height + 2 * 128  # two rows: Mum's and the unknown person's

    await to_thread(look)


@pytest.mark.parametrize("content", [b"no video\n" * 100, b""])
async def test_nothing_is_left_of_what_cannot_be_read(
    tmp_path: Path, engine: FakeEngine, config: Config, content: bytes
) -> None:
    path, out = tmp_path / "hall.mkv", tmp_path / "made" / "out.mp4"
    await to_thread(path.write_bytes, content)
    with pytest.raises(CameraError, match=r"hall\.mkv"):
        await annotate(Clip("hall", path), out, config, engine, recognition_of_people(MUM))
    assert await to_thread(lambda: list(out.parent.iterdir())) == []


async def test_a_recording_is_not_written_over_itself(
    tmp_path: Path, engine: FakeEngine, config: Config
) -> None:
    path = await to_thread(write_painted, tmp_path / "hall.mkv", SCENE, 2)
    before = await to_thread(path.read_bytes)
    with pytest.raises(CameraError, match="is the recording itself"):
        await annotate(Clip("hall", path), path, config, engine, recognition_of_people(MUM))
    assert await to_thread(path.read_bytes) == before


@pytest.mark.parametrize("name", ["out.txt", "hall.mkv/out.mp4"])
async def test_a_file_that_cannot_be_written(
    tmp_path: Path, engine: FakeEngine, config: Config, name: str
) -> None:
    path = await to_thread(write_painted, tmp_path / "hall.mkv", SCENE, 2)
    with pytest.raises(CameraError, match="cannot be written"):
        await annotate(Clip("hall", path), tmp_path / name, config, engine, recognition_of_people(MUM))
