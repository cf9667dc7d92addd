"""``homeface run`` as the process a box runs: start to READY, CPU seconds, memory, from outside."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from homeface.errors import HomefaceError
from homeface.lab.benchmark.process import cpu_seconds, memory_mib
from homeface.lab.benchmark.setting import Setting

READY_SECONDS = 120.0
_STOP_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Spent:
    """What a daemon used in a stretch of time."""

    seconds: float
    cpu_s: float
    memory_mib: float

    @property
    def cpu_per_minute(self) -> float:
        """CPU seconds in each minute."""
        return self.cpu_s / self.seconds * 60


class Daemon:
    """One daemon on recordings that run in a loop, at their own pace, as cameras; ``with`` ends it.

    ``ready_seconds``: from starting the process to READY=1. Raises ``HomefaceError`` without it.
    """

    def __init__(self, folder: Path, clips: Sequence[Path], setting: Setting, port: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._log = folder / "daemon.log"
        config = folder / "config.yaml"
        config.write_text(json.dumps(daemon_config(folder, clips, setting, port)), encoding="utf-8")
        self._sockets = tempfile.TemporaryDirectory(prefix="hf-")  # a socket's path must be short
        address = str(Path(self._sockets.name) / "notify")
        self._ready = threading.Event()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.settimeout(0.5)
        self._listening = True
        self._thread = threading.Thread(target=self._listen, name="bench-notify", daemon=True)
        self._thread.start()
        models = os.pathsep.join(str(path) for path in setting.folders)
        environ = {k: v for k, v in os.environ.items() if k not in {"WATCHDOG_USEC", "JOURNAL_STREAM"}}
        begun = time.monotonic()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                [sys.executable, "-W", "ignore", "-m", "homeface", "run", "-c", str(config)],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=environ | {"NOTIFY_SOCKET": address, "HOMEFACE_MODELS": models},
            )
        try:
            self._wait_ready(begun)
        except BaseException:
            self.close()
            raise
        self.ready_seconds = time.monotonic() - begun

    def spend(self, seconds: float) -> Spent:
        """Let it run for so long, and tell what it used."""
        begun, cpu = time.monotonic(), cpu_seconds(self._process.pid)
        time.sleep(seconds)
        self._require_running()
        used = cpu_seconds(self._process.pid) - cpu
        return Spent(time.monotonic() - begun, used, self.memory_mib())

    def memory_mib(self) -> float:
        """Resident memory now."""
        self._require_running()
        return memory_mib(self._process.pid)

    def peak_memory_mib(self) -> float:
        """The most it ever had."""
        return memory_mib(self._process.pid, "VmHWM")

    def close(self) -> None:
        """SIGTERM, and SIGKILL when that does not help. May be called twice."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listening = False
        self._thread.join(2)
        self._socket.close()
        self._sockets.cleanup()

    def __enter__(self) -> Daemon:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _listen(self) -> None:
        while self._listening:
            try:
                message = self._socket.recv(65536)
            except TimeoutError:
                continue
            if b"READY=1" in message.splitlines():
                self._ready.set()

    def _wait_ready(self, begun: float) -> None:
        while not self._ready.wait(0.02):
            self._require_running()
            if time.monotonic() - begun > READY_SECONDS:
                raise HomefaceError(f"The daemon was not ready after {READY_SECONDS:.0f} s.\n{self._tail()}")

    def _require_running(self) -> None:
        if self._process.poll() is not None:
            raise HomefaceError(f"The daemon has ended by itself:\n{self._tail()}")

    def _tail(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")[-2000:]


def daemon_config(folder: Path, clips: Sequence[Path], setting: Setting, port: int) -> dict[str, object]:
    """One room and one camera for each recording (JSON is YAML)."""
    names = [f"camera{number}" for number in range(1, len(clips) + 1)]
    return {
        "home": {"name": "homeface bench", "node_id": "bench"},
        "rooms": {name: {"name": name} for name in names},
        "cameras": {
            name: {"room": name, "file": str(clip.absolute()), "loop": True}
            for name, clip in zip(names, clips, strict=True)
        },
        "mqtt": {"host": "127.0.0.1", "port": port},
        "storage": {"folder": str(folder)},
        "recognition": {
            "detector": setting.detector,
            "embedder": setting.embedder,
            "device": setting.device,
            "precision": setting.precision,
        },
    }
