"""The camera's thread and its event-loop side, with a scripted source: status, drops, backoff, stopping."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import threading
import time

import pytest

from homeface.adapters.camera import Camera, CameraSettings, CameraStatus
from homeface.errors import CameraAuthError, CameraError
from tests.fakes.camera import ScriptedSource
from tests.support.waiting import until

SETTINGS = CameraSettings("porch", url="rtsp://a:hunter2@h/x", analysis_fps=None, backoff_max_seconds=0.02)


def thread_count() -> int:
    return sum(thread.name == "camera-porch" for thread in threading.enumerate())


async def test_frames_walk_and_are_converted_only_when_taken() -> None:
    source = ScriptedSource()
    camera = Camera(SETTINGS, make_source=source)
    camera.start()
    for step in range(5):
        source.send(1000.0 + step + time.time() - 1000)
    await until(lambda: camera.stats.decoded == 5)
    assert await camera.ready()
    frame = camera.take()
    assert frame is not None
    assert (frame.camera, frame.index, frame.image.shape) == ("porch", 4, (36, 64, 3))
    assert camera.take() is None
    stats = camera.stats
    assert (stats.decoded, stats.analysed, stats.dropped, source.conversions) == (5, 1, 4, 1)
    assert (stats.width, stats.height, stats.last_frame_at) == (64, 36, frame.captured_at)
    assert await camera.stop()
    assert thread_count() == 0
    assert source.closed == 1


async def test_only_the_analysis_rate_reaches_the_slot() -> None:
    source = ScriptedSource()
    camera = Camera(dataclasses.replace(SETTINGS, analysis_fps=5), make_source=source)
    camera.start()
    now = time.time()
    for step in range(30):
        source.send(now - 2 + step / 15)
    await until(lambda: camera.stats.decoded == 30)
    assert await camera.ready()
    camera.take()
    assert camera.stats.analysed + camera.stats.dropped == 10
    await camera.stop()


async def test_status_changes_once_per_change_in_the_event_loop() -> None:
    seen: list[CameraStatus] = []
    threads: set[str] = set()

    def on_status(status: CameraStatus) -> None:
        seen.append(status)
        threads.add(threading.current_thread().name)

    refused = CameraError("refused")
    source = ScriptedSource([refused, refused, None])
    camera = Camera(SETTINGS, on_status, make_source=source)
    camera.start()
    source.send()
    source.send()
    await until(lambda: camera.status.available)
    source.send()
    source.fail(CameraError("gone"))
    await until(lambda: not camera.status.available)
    source.send()
    await until(lambda: camera.status.available)
    await camera.stop()
    assert [(status.available, status.reason) for status in seen] == [
        (False, "connecting"),
        (False, "refused"),
        (True, ""),
        (False, "gone"),
        (True, ""),
        (False, "stopped"),
    ]
    assert threads == {"MainThread"}
    assert camera.stats.reconnects == 1


async def test_a_waiting_frame_does_not_outlive_its_connection() -> None:
    source = ScriptedSource()
    camera = Camera(SETTINGS, make_source=source)
    camera.start()
    source.send()
    source.fail(CameraError("gone"))
    await until(lambda: camera.status.reason == "gone" or source.opened > 1)
    assert camera.take() is None
    await camera.stop()


async def test_wrong_credentials_are_tried_again_at_the_slowest_pace() -> None:
    source = ScriptedSource([CameraAuthError("401")] * 100)
    camera = Camera(SETTINGS, make_source=source)
    camera.start()
    await until(lambda: camera.status.reason == "401")
    begin = time.monotonic()
    assert await camera.stop()  # and the long wait does not hold it up
    assert time.monotonic() - begin < 1
    assert source.opened == 1


async def test_a_stream_that_runs_late_is_opened_afresh() -> None:
    source = ScriptedSource()
    camera = Camera(SETTINGS, make_source=source)
    camera.start()
    source.send()
    source.send(time.time() - 60)
    source.send()
    await until(lambda: camera.stats.reconnects == 1)
    await camera.stop()


async def test_a_reader_that_hangs_is_noticed_and_stop_does_not_wait_for_it() -> None:
    release = threading.Event()

    class Hanging(ScriptedSource):
        def retrieve(self):  # type: ignore[no-untyped-def]
            release.wait(30)
            return super().retrieve()

    source = Hanging()
    camera = Camera(dataclasses.replace(SETTINGS, read_timeout_seconds=0.1), make_source=source)
    camera.start()
    source.send()
    await until(lambda: camera.status.available)
    await until(lambda: "no picture" in camera.status.reason, 10)
    assert not await camera.stop(0.05)
    release.set()
    assert await camera.stop()
    assert thread_count() == 0


async def test_the_end_of_a_file_ends_ready() -> None:
    source = ScriptedSource()
    camera = Camera(SETTINGS, make_source=source)
    camera.start()
    waiting = asyncio.create_task(camera.ready())
    source.end()
    assert await asyncio.wait_for(waiting, 5) is False
    assert camera.status.reason == "the recording is over"
    await camera.stop()


async def test_stop_ends_ready_and_a_camera_starts_again() -> None:
    source = ScriptedSource()
    camera = Camera(SETTINGS, make_source=source)
    assert not await camera.ready()
    camera.start()
    with pytest.raises(RuntimeError, match="already started"):
        camera.start()
    waiting = asyncio.create_task(camera.ready())
    await asyncio.sleep(0)
    assert await camera.stop()
    assert await asyncio.wait_for(waiting, 5) is False
    camera.start()
    source.send()
    assert await asyncio.wait_for(camera.ready(), 5)
    await camera.stop()
    assert await Camera(SETTINGS, make_source=source).stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_bug_in_the_reader_reaches_whoever_waits() -> None:
    source = ScriptedSource()
    camera = Camera(SETTINGS, make_source=source)
    camera.start()
    source.fail(ZeroDivisionError())
    with pytest.raises(RuntimeError, match="reader of camera porch failed") as caught:
        await asyncio.wait_for(camera.ready(), 5)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    await camera.stop()


def test_a_closed_loop_does_not_trouble_the_thread() -> None:
    source = ScriptedSource()
    camera = Camera(SETTINGS, make_source=source)

    async def start_only() -> None:
        camera.start()
        source.send()
        await camera.ready()

    asyncio.run(start_only())
    for _ in range(3):
        source.send()
    source.end()
    reader = camera._reader
    assert reader is not None
    reader.join(5)
    assert reader.crash is None
    assert not reader.alive


async def test_an_outage_is_logged_once_without_credentials(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    source = ScriptedSource([None] + [CameraError("gone")] * 5)
    camera = Camera(SETTINGS, make_source=source)
    camera.start()
    source.send()
    await until(lambda: camera.status.available)
    source.fail(CameraError("gone"))
    await until(lambda: source.opened == 7)
    source.send()
    await until(lambda: camera.status.available)
    await camera.stop()
    levels = [record.levelname for record in caplog.records if record.name.startswith("homeface")]
    assert levels.count("WARNING") == 1
    assert levels.count("INFO") == 2
    assert "hunter2" not in caplog.text
