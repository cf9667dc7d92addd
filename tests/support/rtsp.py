"""A real RTSP server for tests, which can be killed, frozen and started again on the same port."""

from __future__ import annotations

import functools
import json
import signal
import socket
import subprocess
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from urllib.parse import quote

import pytest

from tests.support.waiting import wait_until

_SYSTEM_PYTHON = "/usr/bin/python3"
_SCRIPT = Path(__file__).with_name("rtsp_server.py")
_CHECK = """
import gi
for name in ("Gst", "GstApp", "GstRtsp", "GstRtspServer"):
    gi.require_version(name, "1.0")
from gi.repository import Gio, Gst, GstRtspServer
Gst.init(None)
assert Gio.TlsBackend.get_default().supports_tls(), "GLib has no TLS"
for name in ("x264enc", "x265enc", "h264parse", "h265parse", "qtdemux", "appsrc", "rtph264pay"):
    assert Gst.ElementFactory.find(name), "GStreamer has no " + name
"""


@dataclass(frozen=True)
class Mount:
    """What one path serves: an mp4 file (its own packets), or without one a live test picture."""

    file: str | None = None
    codec: Literal["h264", "h265"] = "h264"
    loop: bool = False
    fps: int = 15
    size: tuple[int, int] = (320, 240)


@functools.cache
def rtsp_missing() -> str:
    """Why no RTSP server can run here; empty when one can."""
    if not Path(_SYSTEM_PYTHON).exists():
        return f"no {_SYSTEM_PYTHON}"
    check = subprocess.run(
        [_SYSTEM_PYTHON, "-c", _CHECK], capture_output=True, text=True, timeout=30, check=False
    )
    return "" if check.returncode == 0 else (check.stderr.strip().splitlines() or ["unknown"])[-1]


def require_rtsp() -> None:
    """Skip the test, saying why, where Debian's GStreamer RTSP server is not installed."""
    if missing := rtsp_missing():
        pytest.skip(
            "needs gir1.2-gst-rtsp-server-1.0, python3-gi, glib-networking, "
            "gstreamer1.0-plugins-{base,good,bad,ugly}: " + missing
        )


def free_port() -> int:
    """A TCP port nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RtspServer:
    """``with RtspServer({"/porch": Mount(...)}) as server: server.url("/porch")``.

    ``together``: the files of all mounts run on one clock that starts with the first client, so that
    two cameras see the same moment. ``certificate``: with its key, one PEM file; then it speaks TLS.
    Media are shared between clients either way.
    """

    def __init__(
        self,
        mounts: dict[str, Mount],
        *,
        auth: Literal["none", "basic", "digest"] = "none",
        user: str = "",
        password: str = "",
        together: bool = False,
        certificate: Path | None = None,
        port: int | None = None,
    ) -> None:
        self.mounts, self.auth, self.user, self.password = mounts, auth, user, password
        self.together, self.certificate = together, certificate
        self.port = port or free_port()
        self.lines: list[str] = []
        self._process: subprocess.Popen[str] | None = None
        self._listener: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def url(self, path: str, credentials: bool = False) -> str:
        """The URL of a mount."""
        userinfo = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}@" if credentials else ""
        scheme = "rtsps" if self.certificate else "rtsp"
        return f"{scheme}://{userinfo}127.0.0.1:{self.port}{path}"

    def start(self) -> None:
        """Start (again) and wait until it listens."""
        settings = {
            "port": self.port,
            "auth": self.auth,
            "user": self.user,
            "password": self.password,
            "together": self.together,
            "certificate": str(self.certificate or ""),
            "mounts": {path: asdict(mount) for path, mount in self.mounts.items()},
        }
        self.lines = []
        self._process = subprocess.Popen(
            [_SYSTEM_PYTHON, str(_SCRIPT), json.dumps(settings)], stdout=subprocess.PIPE, text=True
        )
        self._listener = threading.Thread(target=self._listen, args=(self._process, self.lines), daemon=True)
        self._listener.start()
        wait_until(lambda: "ready" in self.lines or not self.running, 30, "the RTSP server listens")
        if "ready" not in self.lines:
            raise AssertionError(f"the RTSP server did not start: {self.lines}")

    @property
    def running(self) -> bool:
        """True while the process lives (frozen counts as living)."""
        return self._process is not None and self._process.poll() is None

    def started_at(self, path: str) -> float | None:
        """Wall-clock time of the file's first frame in the newest run of ``path``; None before any client."""
        starts = [line.split()[2] for line in self.lines if line.startswith(f"playing {path} ")]
        return float(starts[-1]) if starts else None

    def freeze(self) -> None:
        """SIGSTOP: connections stay, nothing moves."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL: connections are reset."""
        self._signal(signal.SIGKILL)
        self._reap()

    def stop(self) -> None:
        """End it, frozen or not."""
        if self.running:
            self.kill()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None:
            raise AssertionError("the RTSP server is not started")
        self._process.send_signal(number)

    def _reap(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.wait(10)
            if self._listener is not None:
                self._listener.join(10)
            if process.stdout is not None:
                process.stdout.close()

    @staticmethod
    def _listen(process: subprocess.Popen[str], lines: list[str]) -> None:
        for line in process.stdout or ():
            lines += [line.strip()]  # one at a time, while others look
