"""Real RTSP: codecs, transports, credentials, and a server that freezes, dies and comes back."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from homeface.adapters.camera import Camera, CameraSettings, CameraStatus, probe
from homeface.errors import CameraAuthError, CameraError
from tests.adapters.camera.clips import level, write_clip
from tests.support.mosquitto import make_certificates
from tests.support.rtsp import Mount, RtspServer, free_port, require_rtsp
from tests.support.waiting import until

pytestmark = pytest.mark.rtsp
PASSWORD = "hunter2@home/:#%"


@pytest.fixture(autouse=True)
def _installed() -> None:
    require_rtsp()


@pytest.fixture
def live() -> Iterator[RtspServer]:
    with RtspServer({"/live": Mount(), "/hevc": Mount(codec="h265")}) as server:
        yield server


@asynccontextmanager
async def running(settings: CameraSettings, seen: list[CameraStatus] | None = None) -> AsyncIterator[Camera]:
    camera = Camera(settings, seen.append if seen is not None else None)
    camera.start()
    try:
        yield camera
    finally:
        assert await camera.stop(settings.read_timeout_seconds + 2)


@pytest.mark.parametrize("path", ["/live", "/hevc"])
@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_pictures_come(live: RtspServer, path: str, transport: Literal["tcp", "udp"]) -> None:
    async with running(CameraSettings("porch", url=live.url(path), transport=transport)) as camera:
        before = 0.0
        for _ in range(5):
            assert await asyncio.wait_for(camera.ready(), 10)
            frame = await asyncio.to_thread(camera.take)
            assert frame is not None
            assert frame.image.shape == (240, 320, 3)
            assert before < frame.captured_at <= time.time()
            assert time.time() - frame.captured_at < 0.5
            before = frame.captured_at
        assert (camera.stats.width, camera.stats.height) == (320, 240)
        assert camera.stats.dropped == 0
        assert camera.status.available


async def test_rtsps_is_encrypted_but_the_certificate_is_not_checked(
    tmp_path: Path,
) -> None:
    """Cameras have certificates of their own making: pictures come, and config.example.yaml says so."""
    certificates = make_certificates(tmp_path)
    both = tmp_path / "both.pem"
    both.write_bytes(certificates.cert.read_bytes() + certificates.key.read_bytes())
    with RtspServer({"/live": Mount()}, certificate=both) as server:
        url = server.url("/live")
        assert url.startswith("rtsps://")
        # UDP would carry the pictures in the clear: a wish for it is not followed.
        async with running(CameraSettings("porch", url=url, transport="udp")) as camera:
            assert await asyncio.wait_for(camera.ready(), 10)
            frame = await asyncio.to_thread(camera.take)
            assert frame is not None
            assert frame.image.shape == (240, 320, 3)
            assert camera.status.available
        plain = CameraSettings("porch", url="rtsp" + url[5:], open_timeout_seconds=2.0)
        with pytest.raises(CameraError):
            await asyncio.to_thread(probe, plain)


@pytest.mark.parametrize(("codec", "encoder"), [("h264", "libx264"), ("h265", "libx265")])
@pytest.mark.parametrize("fps", [4, 8])
async def test_captured_at_is_when_the_picture_was_taken(
    tmp_path: Path, codec: Literal["h264", "h265"], encoder: str, fps: int
) -> None:
    """The server tells when it sent frame 0; the grey level tells which frame arrived."""
    clip = write_clip(tmp_path / "clip.mp4", frames=120, fps=fps, codec=encoder, options={"bf": "0"})
    with RtspServer({"/clip": Mount(str(clip), codec)}) as server:
        async with running(CameraSettings("porch", url=server.url("/clip"), analysis_fps=None)) as camera:
            for _ in range(10):
                assert await asyncio.wait_for(camera.ready(), 10)
                await asyncio.sleep(0)
                frame = await asyncio.to_thread(camera.take)
                assert frame is not None
                await until(lambda: server.started_at("/clip") is not None, 5, "the server tells its start")
                start = server.started_at("/clip")
                assert start is not None
                index = round((frame.captured_at - start) * fps)
                assert frame.captured_at - start == pytest.approx(index / fps, abs=0.06)
                assert abs(float(frame.image.mean()) - level(index)) < 8


async def test_two_cameras_see_the_same_moment(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=40, fps=8)
    mounts = {path: Mount(str(clip), loop=True) for path in ("/a", "/b")}
    with RtspServer(mounts, together=True) as server:
        async with running(CameraSettings("a", url=server.url("/a"))) as first:
            await until(lambda: first.status.available)
            async with running(CameraSettings("b", url=server.url("/b"))) as second:
                await until(lambda: second.status.available)
                starts = [server.started_at("/a"), server.started_at("/b")]
                assert starts[0] == pytest.approx(starts[1], abs=0.1)
                await until(lambda: first.stats.decoded > 50, 20, "the file is played again")
                assert first.stats.reconnects == 0


@pytest.mark.parametrize("auth", ["basic", "digest"])
async def test_credentials(auth: Literal["basic", "digest"], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with RtspServer({"/live": Mount()}, auth=auth, user="us er", password=PASSWORD) as server:
        settings = CameraSettings("porch", url=server.url("/live"), username="us er", password=PASSWORD)
        assert (await asyncio.to_thread(probe, settings)).width == 320
        in_the_url = CameraSettings("porch", url=server.url("/live", credentials=True))
        assert (await asyncio.to_thread(probe, in_the_url)).codec == "h264"
        for wrong in ("hunter3-wrong", None):
            settings = replace(settings, password=wrong)
            with pytest.raises(CameraAuthError, match="refuses the credentials") as caught:
                await asyncio.to_thread(probe, settings)
            assert caught.value.__cause__ is None
            assert caught.value.__context__ is None
            assert "us er" not in str(caught.value)
        seen: list[CameraStatus] = []
        async with running(replace(settings, password="hunter3-wrong"), seen) as camera:
            await until(lambda: "credentials" in camera.status.reason)
    assert "hunter" not in caplog.text + repr(seen)
    assert "us%20er" not in caplog.text + repr(seen)


async def test_nobody_there_and_no_such_stream(live: RtspServer) -> None:
    with pytest.raises(CameraError, match="refuses connections"):
        await asyncio.to_thread(probe, CameraSettings("porch", url=f"rtsp://a:b@127.0.0.1:{free_port()}/x"))
    with pytest.raises(CameraError, match="no such stream"):
        await asyncio.to_thread(probe, CameraSettings("porch", url=live.url("/nope")))


async def test_hardware_that_is_not_there_falls_back_with_one_warning(
    live: RtspServer, caplog: pytest.LogCaptureFixture
) -> None:
    settings = CameraSettings(
        "porch", url=live.url("/live"), decoder="vaapi:/dev/dri/none", read_timeout_seconds=1
    )
    async with running(settings) as camera:
        await until(lambda: camera.status.available)
        live.kill()
        await until(lambda: not camera.status.available)
        live.start()
        await until(lambda: camera.status.available, 15)
    warnings = [record for record in caplog.records if "hardware decoder" in record.message]
    assert len(warnings) == 1


@pytest.mark.parametrize(("decoder", "told"), [("auto", False), ("nonsense:0", True)])
def test_pictures_come_whatever_decodes(
    live: RtspServer, decoder: str, told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """``auto`` takes what there is and complains of nothing."""
    assert probe(CameraSettings("porch", url=live.url("/live"), decoder=decoder)).codec == "h264"
    assert [record.levelname for record in caplog.records] == ["WARNING"] * told


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_a_frozen_server_is_seen_and_forgiven(
    live: RtspServer, transport: Literal["tcp", "udp"]
) -> None:
    """The default timeouts: unavailable within 10 s, back within 10 s."""
    async with running(CameraSettings("porch", url=live.url("/live"), transport=transport)) as camera:
        await until(lambda: camera.status.available)
        live.freeze()
        await until(lambda: not camera.status.available, 10, "unavailable after the freeze")
        assert "sends nothing" in camera.status.reason
        assert camera.take() is None
        live.thaw()
        await until(lambda: camera.status.available, 10, "back after the thaw")
        live.kill()
        await until(lambda: not camera.status.available, 10, "unavailable after the kill")
        await until(lambda: "refuses" in camera.status.reason, 10)
        live.start()
        await until(lambda: camera.status.available, 10, "back after the restart")
        assert camera.stats.reconnects == 2


async def test_stopping_while_the_server_is_frozen(live: RtspServer) -> None:
    camera = Camera(CameraSettings("porch", url=live.url("/live"), read_timeout_seconds=1.5))
    camera.start()
    await until(lambda: camera.status.available)
    live.freeze()
    begin = time.monotonic()
    await camera.stop(0.1)
    assert time.monotonic() - begin < 1.0
    assert await camera.stop(5)
    assert time.monotonic() - begin < 3.0


async def test_stopping_a_healthy_camera_is_quick(live: RtspServer) -> None:
    camera = Camera(CameraSettings("porch", url=live.url("/live")))
    camera.start()
    await until(lambda: camera.status.available)
    begin = time.monotonic()
    assert await camera.stop()
    assert time.monotonic() - begin < 0.5
