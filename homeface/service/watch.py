"""One camera in the daemon: its thread's newest frames through the pipeline into the hub."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from homeface.adapters.camera import Camera, CameraSettings, CameraStats, CameraStatus
from homeface.core.types import Frame
from homeface.service.hub import Hub
from homeface.service.pipeline import Pipeline, Recognition

_LOG = logging.getLogger(__name__)


class CameraWatch:
    """Supervises one camera: frames in, sightings out; tells the hub when the camera comes and goes."""

    def __init__(
        self,
        settings: CameraSettings,
        pipeline: Pipeline,
        hub: Hub,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = settings.name
        self.room = pipeline.room
        self.pipeline = pipeline
        self.status = CameraStatus(False, "not connected yet", 0.0)
        self._taps: list[Callable[[Frame], None]] = []
        self.keeps_newest = False
        """Whether ``newest`` is kept."""
        self.newest: Frame | None = None
        """The last frame that was looked at; None before the first, while paused and without a stream."""
        self._hub = hub
        self._camera = Camera(settings, self._on_status)
        self._status_changed = asyncio.Event()
        self._resumed = asyncio.Event()
        if settings.name not in hub.paused:
            self._resumed.set()
        self._walking = asyncio.Lock()
        self._clock = clock
        self._resumed_at = 0.0

    @property
    def paused(self) -> bool:
        """True while recognition is switched off for privacy."""
        return not self._resumed.is_set()

    @property
    def stats(self) -> CameraStats:
        """Counters of the reader."""
        return self._camera.stats

    async def run(self) -> None:
        """For ever. Cancel to stop; the reader thread is ended then."""
        await self._hub.set_camera(self.name, self.room, False)
        if self.paused:
            await self._hub.set_paused(self.name, self.room, True)
        self._camera.set_attention(not self.paused)
        self._camera.start()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._tell_status(), name=f"status {self.name}")
                tasks.create_task(self._walk(), name=f"walk {self.name}")
        finally:
            await self._camera.stop()

    async def set_paused(self, paused: bool) -> None:
        """Switch recognition off or on; off forgets at once what this camera saw."""
        if paused == self.paused:
            return
        _LOG.info("Camera %s: recognition switched %s.", self.name, "off" if paused else "on")
        if paused:
            self._resumed.clear()
            self.newest = None
            self._camera.set_attention(False)
            await self._hub.set_paused(self.name, self.room, True)  # at once, even while the device hangs
            async with self._walking:
                self.pipeline.flush()
        else:
            self._resumed_at = self._clock()
            self._camera.set_attention(True)
            await self._hub.set_paused(self.name, self.room, False)
            self._camera.take()  # what waited was seen while nobody should look
            self._resumed.set()

    def tap(self, hear: Callable[[Frame], None]) -> Callable[[], None]:
        """Hear of each frame that is looked at, in the event loop and never while paused, until the function
        that comes back is called. Meanwhile the camera stays awake in a quiet room.
        """
        self._taps.append(hear)
        self._camera.set_attention(not self.paused)
        return lambda: self._taps.remove(hear)

    @property
    def tapped(self) -> bool:
        """Whether somebody hears of the frames."""
        return bool(self._taps)

    def forget_faces(self) -> None:
        """Drop the faces that are kept of visits that have not ended."""
        for track in self.pipeline.tracker.living:
            track.kept = ()

    async def learn(self, recognition: Recognition) -> None:
        """Use another gallery or policy from the next frame on."""
        async with self._walking:
            self.pipeline.learn(recognition)

    async def _walk(self) -> None:
        while True:
            await self._resumed.wait()
            if not await self._camera.ready():
                return  # a recording that is over
            async with self.pipeline.engine.turn(), self._walking:
                if self.paused:  # while we waited for the frame or for the turn
                    continue
                frame = self._camera.take()
                if frame is None or frame.captured_at < self._resumed_at:
                    continue  # taken before the switch was turned, and only now delivered
                sightings = await self.pipeline.process(frame)
                if not self._resumed.is_set() or frame.captured_at < self._resumed_at:
                    continue  # switched off meanwhile, perhaps on again: what was seen before counts no more
                self._camera.set_attention(self.tapped or not self.pipeline.attention.resting)
                self._show(frame)
            await self._hub.observe(sightings)

    def _show(self, frame: Frame) -> None:
        if self.keeps_newest and self.status.available:  # it may have died while the frame was looked at
            self.newest = frame
        for tap in tuple(self._taps):
            tap(frame)

    def _on_status(self, status: CameraStatus) -> None:
        self.status = status
        self._status_changed.set()

    async def _tell_status(self) -> None:
        while True:
            await self._status_changed.wait()
            self._status_changed.clear()
            status = self.status
            if not status.available:
                self.newest = None  # what was seen then is not what is there
                async with self._walking:
                    ended = self.pipeline.flush()
                await self._hub.observe(ended)
            await self._hub.set_camera(self.name, self.room, status.available)
