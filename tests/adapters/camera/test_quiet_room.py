"""A quiet room over real RTSP: the camera sleeps, stays truthful, and wakes by a wish or by a substream."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from homeface.adapters.camera import Camera, CameraSettings, CameraStatus
from tests.adapters.camera.clips import level, write_clip
from tests.adapters.camera.test_decoding import written
from tests.support.rtsp import Mount, RtspServer, require_rtsp
from tests.support.waiting import until

pytestmark = pytest.mark.rtsp


@pytest.fixture(autouse=True)
def _installed() -> None:
    require_rtsp()


@asynccontextmanager
async def quiet(settings: CameraSettings, seen: list[CameraStatus] | None = None) -> AsyncIterator[Camera]:
    """A camera whose room nobody cares for."""
    camera = Camera(settings, seen.append if seen is not None else None)
    camera.set_attention(False)
    camera.start()
    try:
        yield camera
    finally:
        assert await camera.stop()


async def share_decoded(camera: Camera, packets: int) -> float:
    """Of the next packets, how many were decoded."""
    before = camera.stats
    await until(lambda: camera.stats.received >= before.received + packets, 20)
    after = camera.stats
    return (after.decoded - before.decoded) / (after.received - before.received)


async def next_age(camera: Camera) -> float:
    """Seconds from when the next picture was taken until it is taken from the slot."""
    camera.take()
    assert await asyncio.wait_for(camera.ready(), 10)
    frame = camera.take()
    assert frame is not None
    return time.time() - frame.captured_at


async def test_asleep_pictures_are_still_dated_right_and_the_camera_is_available(tmp_path: Path) -> None:
    """The grey level tells which frame it is, the server when it was sent."""
    fps, seen = 8, list[CameraStatus]()
    clip = write_clip(tmp_path / "clip.mp4", frames=160, fps=fps, options={"bf": "0", "sc_threshold": "0"})
    with RtspServer({"/clip": Mount(str(clip))}) as server:
        async with quiet(CameraSettings("porch", url=server.url("/clip"), analysis_fps=None), seen) as camera:
            await until(lambda: camera.stats.received > 26, 20)
            asleep = 0
            for _ in range(3):
                assert await asyncio.wait_for(camera.ready(), 10)
                frame = camera.take()
                assert frame is not None
                start = server.started_at("/clip")
                assert start is not None
                index = round((frame.captured_at - start) * fps)
                asleep += index % fps == 0
                assert frame.captured_at - start == pytest.approx(index / fps, abs=0.06)
                assert abs(float(frame.image.mean()) - level(index)) < 8
            assert asleep >= 2
            assert [status.available for status in seen] == [False, True]
            assert camera.stats.fps == pytest.approx(fps, rel=0.25)
            camera.set_attention(True)
            assert await next_age(camera) < 0.6
            assert await share_decoded(camera, 16) > 0.9


async def test_a_substream_wakes_and_a_dead_one_harms_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Key frames two seconds apart: slept through only while the substream watches."""
    main = str(written(tmp_path / "main.mp4", group=30, seconds=6, bf="0"))
    mounts = {
        "/main": Mount(main, loop=True),
        "/still": Mount(main, loop=True),
        "/moving": Mount(str(written(tmp_path / "moving.mp4", seconds=9, bf="0")), loop=True),
    }
    seen: list[CameraStatus] = []

    def settings(server: RtspServer, path: str) -> CameraSettings:
        return CameraSettings(
            "porch", url=server.url("/main"), substream=server.url(path), backoff_max_seconds=0.5
        )

    with RtspServer(mounts) as server:
        async with (
            quiet(settings(server, "/still")) as still,
            quiet(settings(server, "/moving")) as moving,
            quiet(settings(server, "/nope"), seen) as alone,
        ):
            await until(lambda: still.stats.received > 70, 20)
            shares = await asyncio.gather(share_decoded(still, 45), share_decoded(alone, 45))
            assert shares[0] < 0.2
            assert shares[1] > 0.9
            while await share_decoded(moving, 15) < 0.9:
                pass
            assert [status.available for status in seen] == [False, True]
    warnings = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert warnings[0].startswith("substream of camera porch is unavailable")


async def test_a_frozen_camera_is_told_while_it_sleeps(tmp_path: Path) -> None:
    clip = str(written(tmp_path / "still.mp4", seconds=6, bf="0"))
    with RtspServer({"/main": Mount(clip, loop=True)}) as server:
        settings = CameraSettings("porch", url=server.url("/main"), read_timeout_seconds=1.5)
        async with quiet(settings) as camera:
            await until(lambda: camera.stats.received > 60, 20)
            assert await share_decoded(camera, 30) < 0.3
            server.freeze()
            await until(lambda: not camera.status.available, 5, "unavailable after the freeze")
            assert camera.take() is None
            server.thaw()
            await until(lambda: camera.status.available, 10, "back after the thaw")
