"""A camera's small second stream, watched for motion so that the large one may rest in a quiet room."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from homeface.adapters.camera.alertness import Alertness
from homeface.adapters.camera.settings import CameraSettings
from homeface.adapters.camera.source import Source, open_source
from homeface.adapters.camera.timing import Backoff, Pace
from homeface.adapters.telemetry import OutageLog
from homeface.core.motion import GREY_HEIGHT, GREY_WIDTH, MotionGate
from homeface.errors import CameraAuthError, CameraError

_LOG = logging.getLogger(__name__)


class Substream:
    """One thread that looks at the small stream and wakes the large one (``Alertness.wake``).

    While it sees pictures it says so (``Alertness.guard``); when it does not, the large stream looks after
    itself again. Whether the camera is available is decided by the large stream alone.
    """

    def __init__(
        self,
        settings: CameraSettings,
        alertness: Alertness,
        stopping: threading.Event,
        make_source: Callable[[CameraSettings, threading.Event, Alertness], Source] = open_source,
    ) -> None:
        self._settings = replace(settings, url=settings.substream, substream=None, decoder="software")
        self._alertness, self._stopping = alertness, stopping
        self._source = make_source(self._settings, stopping, Alertness())
        self._backoff = Backoff(longest_seconds=settings.backoff_max_seconds)
        self._auth_backoff = Backoff(settings.auth_backoff_seconds, settings.auth_backoff_seconds)
        self._outage = OutageLog(
            _LOG, f"substream of camera {settings.name}", fields={"camera": settings.name}
        )
        self.thread = threading.Thread(target=self._run, name=f"substream-{settings.name}", daemon=True)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._source.open()
                self._watch()
            except CameraError as error:
                if self._stopping.is_set():
                    return
                self._outage.failed(error)
                backoff = self._auth_backoff if isinstance(error, CameraAuthError) else self._backoff
                self._stopping.wait(backoff.next())
            finally:
                self._source.close()

    def _watch(self) -> None:
        """Look at what is due, until stopped or a ``CameraError``. A stream has no other end."""
        gate, pace = MotionGate(), Pace(self._settings.analysis_fps)
        while not self._stopping.is_set():
            captured_at = self._source.grab()
            if captured_at is None:
                return
            if time.time() - captured_at > self._settings.max_lag_seconds:
                raise CameraError(
                    f"substream of camera {self._settings.name} runs late and is opened afresh",
                    camera=self._settings.name,
                )
            if not pace.due(captured_at):
                continue
            self._outage.worked()
            self._backoff.reset()
            now = time.monotonic()
            if gate.examine(self._source.retrieve().grey(GREY_HEIGHT, GREY_WIDTH), captured_at).moved:
                self._alertness.wake(now)
            self._alertness.guard(now)
