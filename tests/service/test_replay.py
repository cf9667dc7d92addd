"""Recordings through the daemon's own walk: the same events every time, at the recordings' own times."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from homeface import config as configuration
from homeface.config import Config
from homeface.core.presence import EventKind
from homeface.core.types import Identified, Unknown
from homeface.errors import CameraError
from homeface.service.replay import Clip, ReplayReport, assign, clip_seconds, replay
from tests.fakes.engine import FakeEngine
from tests.support.daemon import write_config
from tests.support.painted_clips import write_painted
from tests.support.people import BOX, DAD, MUM, STRANGER, frame_with, recognition_of_people

HOLD = 5.0
EMPTY = frame_with()


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
        rooms={"hall": {}, "yard": {"exit": True}},
        cameras={room: {"room": room, "url": f"rtsp://127.0.0.1:9/{room}"} for room in ("hall", "yard")},
        mqtt_port=1883,
        storage=tmp_path / "state",
        presence={"hold": "5s", "event_cooldown": "0s", "exit_leave": "30s"},
    )
    return configuration.load(path, {})


def story(report: ReplayReport) -> list[tuple[str, str, str | None, float]]:
    return [(e.kind.value, e.room, e.subject_id, round(e.captured_at, 1)) for e in report.events]


async def test_a_visit_is_told_at_the_recordings_own_times(
    tmp_path: Path, engine: FakeEngine, config: Config
) -> None:
    clip = await to_thread(
        write_painted, tmp_path / "hall.mkv", [(EMPTY, 2), (frame_with((MUM, BOX)), 4), (EMPTY, 4)]
    )
    report = await replay([Clip("hall", clip)], config, engine, recognition_of_people(MUM, DAD))
    (arrived, left) = report.events
    assert (arrived.kind, arrived.subject_id, arrived.room) == (EventKind.ARRIVED, "p10", "hall")
    assert 2.0 <= arrived.captured_at <= 3.5
    assert (left.kind, left.subject_id) == (EventKind.LEFT, "p10")
    assert 5.2 < left.captured_at - HOLD < 5.81  # after the recording: holds run out all the same
    (visit,) = report.visits
    assert visit.ended
    assert visit.first_seen == pytest.approx(2.0)
    assert visit.captured_at == pytest.approx(left.captured_at - HOLD)  # the newest look that found her
    assert report.named == [visit]
    assert report.frames == 50
    assert report.looked < 50
    assert report.recorded_seconds == pytest.approx(9.8)


async def test_the_same_recordings_give_the_same_events(
    tmp_path: Path, engine: FakeEngine, config: Config
) -> None:
    hall = await to_thread(
        write_painted,
        tmp_path / "hall.mkv",
        [(frame_with((MUM, BOX), (STRANGER, (420, 80, 540, 200))), 4), (EMPTY, 6)],
    )
    yard = await to_thread(write_painted, tmp_path / "yard.mkv", [(EMPTY, 6), (frame_with((MUM, BOX)), 4)])
    clips = [Clip("hall", hall), Clip("yard", yard)]
    seen: list[float] = []
    first = await replay(clips, config, engine, recognition_of_people(MUM, DAD), on_progress=seen.append)
    again = await replay(clips[::-1], config, engine, recognition_of_people(DAD, MUM))
    assert story(first) == story(again)
    assert [(kind, room, who) for kind, room, who, _ in story(first)] == [
        ("arrived", "hall", "p10"),
        ("unknown", "hall", None),
        ("left", "hall", "p10"),
        ("arrived", "yard", "p10"),
        ("left", "yard", "p10"),
    ]
    assert seen == sorted(seen)
    assert {type(visit.decision) for visit in first.visits} == {Identified, Unknown}


async def test_an_empty_gallery_names_nobody(tmp_path: Path, engine: FakeEngine, config: Config) -> None:
    clip = await to_thread(write_painted, tmp_path / "hall.mkv", [(frame_with((MUM, BOX)), 4)])
    report = await replay([Clip("hall", clip)], config, engine, recognition_of_people())
    assert [kind for kind, *_ in story(report)] == ["unknown"]
    assert report.named == []


async def test_a_broken_recording_is_named(tmp_path: Path, engine: FakeEngine, config: Config) -> None:
    notes = tmp_path / "hall.mkv"
    await to_thread(notes.write_text, "no video\n" * 100)
    with pytest.raises(CameraError, match=r"hall\.mkv"):
        await replay([Clip("hall", notes)], config, engine, recognition_of_people(MUM))


class TestAssign:
    def test_by_name_or_by_file(self, config: Config) -> None:
        assert assign(["hall=a.mp4", "/clips/yard.mp4"], config) == [
            Clip("hall", Path("a.mp4")),
            Clip("yard", Path("/clips/yard.mp4")),
        ]
        assert assign(["hall=a=b.mp4"], config) == [Clip("hall", Path("a=b.mp4"))]

    def test_whose_it_is_must_be_clear(self, config: Config) -> None:
        with pytest.raises(CameraError, match=r"Which camera made party\.mp4\?.*hall, yard"):
            assign(["party.mp4"], config)
        with pytest.raises(CameraError, match="Which camera made"):
            assign(["attic=party.mp4"], config)
        with pytest.raises(CameraError, match="Two recordings are given for camera hall"):
            assign(["hall=a.mp4", "hall.mp4"], config)


def test_the_length_of_a_recording(tmp_path: Path) -> None:
    assert clip_seconds(write_painted(tmp_path / "a.mkv", [(EMPTY, 3)])) == pytest.approx(3.0, abs=0.3)
    with pytest.raises(CameraError, match="missing"):
        clip_seconds(tmp_path / "missing.mkv")
