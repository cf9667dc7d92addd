"""``homeface run`` as a process of its own, as systemd would start it: readiness, signals, exit code, log."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
import yaml

from tests.support.data import weights_dir
from tests.support.waiting import wait_until

_ROOT = Path(__file__).resolve().parents[2]


def write_config(
    path: Path,
    *,
    rooms: Mapping[str, Mapping[str, Any]],
    cameras: Mapping[str, Mapping[str, Any]],
    mqtt_port: int,
    storage: Path,
    **sections: Mapping[str, Any],
) -> Path:
    """Write a configuration for a broker on loopback; ``sections`` adds to the others (presence=...)."""
    document: dict[str, Any] = {
        "rooms": {key: dict(room) for key, room in rooms.items()},
        "cameras": {key: dict(camera) for key, camera in cameras.items()},
        "mqtt": {"host": "127.0.0.1", "port": mqtt_port},
        "storage": {"folder": str(storage)},
    }
    for name, section in sections.items():
        document[name] = {**document.get(name, {}), **section}
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return path


def environment(**changes: str) -> dict[str, str]:
    """The environment for homeface processes in tests: the test weights, nothing of systemd's."""
    kept = {
        k: v for k, v in os.environ.items() if k not in {"NOTIFY_SOCKET", "WATCHDOG_USEC", "JOURNAL_STREAM"}
    }
    kept |= {"PYTHONUNBUFFERED": "1", "HOMEFACE_MODELS": str(weights_dir())}
    return kept | changes


class Daemon:
    """One daemon. ``start`` waits for READY=1; ``with`` ends it with SIGKILL if the test did not end it."""

    def __init__(
        self,
        config: Path,
        folder: Path,
        *,
        arguments: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._command = [sys.executable, "-m", "homeface", "run", "-c", str(config), *arguments]
        self._log = folder / "daemon.log"
        self._environ = dict(environ or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._supervisor: Supervisor | None = None
        folder.mkdir(parents=True, exist_ok=True)

    # -- life ---------------------------------------------------------------------------------------------

    def start(self, timeout: float = 120, *, wait_ready: bool = True) -> Daemon:
        """Start it; with ``wait_ready`` return when it has said READY=1, or fail with the end of its log."""
        assert self._process is None or not self.running, "already running"
        if self._supervisor is not None:
            self._supervisor.close()
        self._supervisor = Supervisor()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=_ROOT,
                env=environment(NOTIFY_SOCKET=self._supervisor.address) | self._environ,
            )
        if wait_ready:
            self.wait_notified("READY=1", timeout)
        return self

    def terminate(self, timeout: float = 10) -> int:
        """SIGTERM; returns the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill(self) -> None:
        """SIGKILL, with no chance to say goodbye."""
        self.signal(signal.SIGKILL)
        self.wait(10)

    def reload(self, timeout: float = 60) -> None:
        """SIGHUP; returns when it has said RELOADING=1 and READY=1 again."""
        before = len(self.notifications)
        self.signal(signal.SIGHUP)
        self.wait_notified("RELOADING=1", timeout, since=before)
        self.wait_notified("READY=1", timeout, since=before)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self._process is not None, "not started"
        self._process.send_signal(number)

    def wait(self, timeout: float = 10) -> int:
        """Wait for the end; returns the exit code (negative: ended by that signal)."""
        assert self._process is not None, "not started"
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout} s; log: {self.log()[-2000:]}") from None

    def close(self) -> None:
        """End it whatever it does."""
        if self._process is not None and self.running:
            self.kill()
        if self._supervisor is not None:
            self._supervisor.close()
            self._supervisor = None

    def __enter__(self) -> Daemon:
        try:
            return self if self._process is not None else self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- questions ----------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """True while the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def notifications(self) -> list[str]:
        """What it has told the service manager in this run, one assignment each, oldest first."""
        return [] if self._supervisor is None else list(self._supervisor.told)

    def threads(self) -> int:
        """Number of its threads."""
        return psutil.Process(self.pid).num_threads()

    def memory_mib(self) -> float:
        """Resident memory in MiB."""
        return float(psutil.Process(self.pid).memory_info().rss) / 2**20

    def log(self) -> str:
        """Everything it has printed in all its runs."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def wait_log(self, pattern: str, timeout: float = 20) -> None:
        """Wait until the log matches."""
        self._wait(lambda: re.search(pattern, self.log()), timeout, f"the log matches {pattern!r}")

    def wait_notified(self, message: str, timeout: float = 20, since: int = 0) -> None:
        """Wait until it has told the service manager this."""
        self._wait(lambda: message in self.notifications[since:], timeout, f"it says {message}")

    def _wait(self, condition: Callable[[], object], timeout: float, what: str) -> None:
        started = time.monotonic()
        with contextlib.suppress(AssertionError):
            wait_until(lambda: condition() or not self.running, timeout)
        if not condition():
            how = "after" if self.running else f"ended with {self.wait(0)} after"
            spent = time.monotonic() - started
            raise AssertionError(f"{how} {spent:.1f} s, not yet: {what}; log: {self.log()[-3000:]}")


class Supervisor:
    """The service manager's end of sd_notify: a datagram socket, and what was told over it."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="hf-"))  # socket paths must be short
        self.address = str(self._folder / "notify")
        self.told: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)
        self._thread = threading.Thread(target=self._listen, name="supervisor", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            message = self._socket.recv(65536)
            if message == b"\0end":
                return
            self.told += message.decode().splitlines()

    def close(self) -> None:
        """End the thread and remove the socket."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as goodbye:
            goodbye.sendto(b"\0end", self.address)
        self._thread.join(5)
        self._socket.close()
        shutil.rmtree(self._folder, ignore_errors=True)
