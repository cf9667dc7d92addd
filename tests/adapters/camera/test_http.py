"""Cameras over HTTP: MJPEG as many cheap cameras send it, credentials, and a server that falls silent."""

from __future__ import annotations

import asyncio
import base64
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest

from homeface.adapters.camera import Camera, CameraSettings, probe
from homeface.errors import CameraAuthError, CameraError
from tests.support.waiting import until

PASSWORD = "hunter2@/:"


class MjpegServer(ThreadingHTTPServer):
    """``/mjpeg`` sends pictures at 20 a second until ``silent`` is set; ``/text`` is no video."""

    daemon_threads = True

    def __init__(self, password: str | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.password = password
        self.silent = threading.Event()
        self.ending = threading.Event()
        _, jpeg = cv2.imencode(".jpg", np.full((120, 160, 3), (200, 60, 20), np.uint8))
        self.jpeg = jpeg.tobytes()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: MjpegServer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        server = self.server
        if server.password is not None:
            token = base64.b64encode(f"admin:{server.password}".encode()).decode()
            if self.headers.get("Authorization") != f"Basic {token}":
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="camera"')
                self.end_headers()
                return
        if self.path == "/text":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"hello\n" * 1000)
            return
        if self.path != "/mjpeg":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(server.jpeg)}\r\n\r\n".encode()
        while not server.ending.wait(0.05):
            if not server.silent.is_set():
                self.wfile.write(head + server.jpeg + b"\r\n")


@contextmanager
def serving(password: str | None = None) -> Iterator[MjpegServer]:
    server = MjpegServer(password)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.ending.set()
        server.shutdown()
        thread.join()
        server.server_close()


async def test_mjpeg_comes_silence_is_noticed_and_forgiven() -> None:
    with serving() as server:
        camera = Camera(
            CameraSettings("porch", url=server.url("/mjpeg"), analysis_fps=5, read_timeout_seconds=1)
        )
        camera.start()
        for _ in range(3):
            assert await asyncio.wait_for(camera.ready(), 10)
            frame = await asyncio.to_thread(camera.take)
            assert frame is not None
            assert frame.image.shape == (120, 160, 3)
            assert frame.image.mean(axis=(0, 1)) == pytest.approx([200, 60, 20], abs=8)
            assert 0 <= time.time() - frame.captured_at < 0.5
        server.silent.set()
        await until(lambda: not camera.status.available, 5)
        assert "sends nothing" in camera.status.reason
        server.silent.clear()
        await until(lambda: camera.status.available, 10)
        assert await camera.stop()


async def test_credentials_over_http() -> None:
    with serving(PASSWORD) as server:
        right = CameraSettings("porch", url=server.url("/mjpeg"), username="admin", password=PASSWORD)
        assert (await asyncio.to_thread(probe, right)).codec == "mjpeg"
        wrong = CameraSettings("porch", url=server.url("/mjpeg"), username="admin", password="hunter3")
        with pytest.raises(CameraAuthError) as caught:
            await asyncio.to_thread(probe, wrong)
        assert "hunter" not in str(caught.value)


async def test_what_is_no_camera_is_told() -> None:
    with serving() as server:
        with pytest.raises(CameraError, match=r"no video|cannot be read"):
            await asyncio.to_thread(probe, CameraSettings("porch", url=server.url("/text")))
        with pytest.raises(CameraError, match="no such stream"):
            await asyncio.to_thread(probe, CameraSettings("porch", url=server.url("/missing")))


async def test_a_server_that_accepts_and_says_nothing() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
        for scheme in ("rtsp", "http", "rtmp"):
            begin = time.monotonic()
            settings = CameraSettings(
                "porch", url=f"{scheme}://127.0.0.1:{port}/x", open_timeout_seconds=1, read_timeout_seconds=1
            )
            with pytest.raises(CameraError, match="sends nothing"):
                await asyncio.to_thread(probe, settings)
            assert time.monotonic() - begin < 3
