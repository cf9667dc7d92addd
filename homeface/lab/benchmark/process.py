"""The measuring side of a subject's process; CPU time and memory of any process, from ``/proc``."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from homeface.errors import BackendUnavailableError, HomefaceError

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Run:
    """One measured call: seconds on the wall, seconds of all CPUs, and what it gave."""

    wall_s: float
    cpu_s: float
    result: Any


class Worker:
    """One subject in its own process, which begins to load at once; ``with`` ends it.

    ``wait_loaded`` and ``run`` raise ``BackendUnavailableError`` when the subject is not installed,
    ``HomefaceError`` when it fails.
    """

    def __init__(self, subject: str, options: Mapping[str, Any]) -> None:
        self.subject = subject
        environ = dict(os.environ)
        if subject.startswith("peer:") and environ.get("OMP_WAIT_POLICY") == "PASSIVE":
            del environ["OMP_WAIT_POLICY"]  # homeface's own setting, which a peer's user does not have
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "homeface.lab.benchmark.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            env=environ,
            text=True,
            bufsize=1,
        )
        self._loaded = False
        self._send({"load": subject, "options": dict(options)})

    def wait_loaded(self) -> None:
        """Loading goes on beside us until here; raises what the constructor tells of."""
        if self._loaded:
            return
        try:
            self._receive()
        except BaseException:
            self.close()
            raise
        self._loaded = True

    def run(self, task: str, **options: Any) -> Run:
        """Run one task and wait for it."""
        self.wait_loaded()
        answer = self._ask({"run": task, "options": options})
        return Run(answer["wall_s"], answer["cpu_s"], answer["result"])

    @property
    def peak_memory_mib(self) -> float:
        """The most memory the process ever had (``VmHWM``), MiB."""
        return memory_mib(self._process.pid, "VmHWM")

    def close(self) -> None:
        """End the process. May be called twice."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._complaints.close()

    def _last_words(self) -> str:
        self._process.wait(5)
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"exit code {self._process.returncode}, without a word."

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self._send(request)
        return self._receive()

    def _send(self, request: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None  # noqa: S101 - asked for above
        with contextlib.suppress(BrokenPipeError):  # then there is no answer either
            self._process.stdin.write(json.dumps(request) + "\n")

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101 - asked for above
        line = self._process.stdout.readline()
        if not line:
            raise HomefaceError(
                f"The process that measures {self.subject} has ended by itself: {self._last_words()}"
            )
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            kind = BackendUnavailableError if answer["kind"] == "missing" else HomefaceError
            raise kind(answer["error"])
        return answer


def cpu_seconds(pid: int) -> float:
    """Seconds of CPU a process has used, its ended children's included (proc(5), ``stat`` 14 to 17)."""
    fields = (
        Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    )
    return sum(map(int, fields[11:15])) / _TICKS


def memory_mib(pid: int, what: str = "VmRSS") -> float:
    """``VmRSS`` (now) or ``VmHWM`` (the most ever) of a process in MiB; 0 when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0.0
    for line in status.splitlines():
        if line.startswith(what + ":"):
            return int(line.split()[1]) / 1024
    return 0.0
