"""Cameras without cameras: a scripted source for the real ``Camera``, and one that frames are pushed into."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from homeface.adapters.camera import CameraSettings, CameraStats, CameraStatus
from homeface.adapters.camera.alertness import Alertness
from homeface.core.types import ArrayPicture, Frame, ImageBGR, Picture


def black(width: int = 64, height: int = 36) -> ImageBGR:
    """A black picture."""
    return np.zeros((height, width, 3), np.uint8)


class ScriptedSource:
    """A ``Source`` driven by a test: ``send()`` a picture, ``fail()`` with an error, ``end()`` the file.

    ``opening``: errors for the first calls of ``open()``, one each (None opens). ``conversions`` counts
    the pictures that were really converted.
    """

    def __init__(self, opening: list[Exception | None] | None = None) -> None:
        self.opening = list(opening or [])
        self.opened = 0
        self.received = 0
        self.closed = 0
        self.conversions = 0
        self.stopping = threading.Event()
        self._script: queue.Queue[float | Exception | None] = queue.Queue()

    def __call__(
        self, settings: CameraSettings, stopping: threading.Event, alertness: Alertness
    ) -> ScriptedSource:
        """As ``make_source``: hands itself out."""
        self.stopping = stopping
        return self

    def send(self, captured_at: float | None = None) -> None:
        """The next ``grab()`` gives a picture taken then, by default now."""
        self._script.put(time.time() if captured_at is None else captured_at)

    def fail(self, error: Exception) -> None:
        """The next ``grab()`` raises this."""
        self._script.put(error)

    def end(self) -> None:
        """The next ``grab()`` says the file is over."""
        self._script.put(None)

    @property
    def size(self) -> tuple[int, int]:
        """Fixed."""
        return (64, 36)

    @property
    def codec(self) -> str:
        """Fixed."""
        return "scripted"

    def open(self) -> None:
        """As scripted."""
        self.opened += 1
        error = self.opening.pop(0) if self.opening else None
        if error is not None:
            raise error

    def grab(self) -> float | None:
        """As scripted; waits for the script, or for the end of the test."""
        while True:
            try:
                step = self._script.get(timeout=0.02)
            except queue.Empty:
                if self.stopping.is_set():
                    return None
                continue
            if isinstance(step, Exception):
                raise step
            self.received += step is not None
            return step

    def retrieve(self) -> Picture:
        """A black picture, counted when converted."""
        return _CountedPicture(black(), self)

    def close(self) -> None:
        """Counted."""
        self.closed += 1


@dataclass(frozen=True, eq=False)
class _CountedPicture(ArrayPicture):
    """Black; tells its source when somebody wants it in colour."""

    source: ScriptedSource

    def bgr(self) -> ImageBGR:
        """Counted."""
        self.source.conversions += 1
        return super().bgr()


class FakeCamera:
    """The facade of ``Camera`` without a thread: ``push()`` frames, ``set_status()``, ``finish()``."""

    def __init__(
        self, settings: CameraSettings, on_status: Callable[[CameraStatus], None] | None = None
    ) -> None:
        self.settings = settings
        self.status = CameraStatus(False, "not started", 0.0)
        self._on_status = on_status
        self._frame: Frame | None = None
        self._index = self._taken = self._dropped = 0
        self._finished = False
        self._woken = asyncio.Event()
        self.attention = True

    def set_attention(self, active: bool) -> None:
        """Remembered."""
        self.attention = active

    @property
    def stats(self) -> CameraStats:
        """Counters, as the real one has them."""
        return CameraStats(
            received=self._index, decoded=self._index, analysed=self._taken, dropped=self._dropped
        )

    def push(self, image: ImageBGR, captured_at: float) -> None:
        """The newest frame is now this."""
        self._dropped += self._frame is not None
        self._frame = Frame(self.settings.name, self._index, captured_at, ArrayPicture(image))
        self._index += 1
        self._woken.set()

    def set_status(self, available: bool, reason: str = "", since: float = 0.0) -> None:
        """Tell another status."""
        self.status = CameraStatus(available, reason, since)
        if self._on_status is not None:
            self._on_status(self.status)

    def finish(self) -> None:
        """No frame will come any more."""
        self._finished = True
        self._woken.set()

    def start(self) -> None:
        """Available at once."""
        self._finished = False
        self.set_status(True)

    async def ready(self) -> bool:
        """As the real one."""
        while self._frame is None:
            if self._finished:
                return False
            self._woken.clear()
            await self._woken.wait()
        return True

    def take(self) -> Frame | None:
        """As the real one."""
        frame, self._frame = self._frame, None
        self._taken += frame is not None
        return frame

    async def stop(self, grace_seconds: float = 2.0) -> bool:
        """As the real one."""
        self.finish()
        return True
