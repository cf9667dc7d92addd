"""The single device thread, and the async facade everybody else sees.

The thread alone creates, runs and frees models. Callers await; a caller that is cancelled or whose
request fails disturbs nobody else. ``turn`` bounds the frames in flight, so that a camera takes its
newest frame only when the device can start on it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from homeface.core.quality import RECOGNITION_LIMITS, QualityLimits
from homeface.core.types import Box, Embedding, Face, ImageBGR, ImageRGB, Picture
from homeface.errors import ModelError
from homeface.inference.arrays import require_image
from homeface.inference.device_thread import DeviceThread, Limits
from homeface.inference.device_work import DeviceWork, EngineStats, LoadedModels, look_request
from homeface.inference.manifest import Kind, ModelSpec, find_spec
from homeface.inference.models import Placement, load_detector, load_embedder

__all__ = ["Engine", "EngineSettings", "EngineStats", "LoadedModels", "load_models"]

_LOG = logging.getLogger(__name__)
_CLOSE_SECONDS = 4.5
_COMPANY_SECONDS = 0.005
"""How long faces wait for those of other cameras on a GPU, where eight cost as much as one. On a processor
each face costs the same in any company: nobody waits there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """What to run, where, and how much at a time.

    ``device``: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``. ``runtime``: ``auto``, ``torch``, ``openvino`` or
    ``onnxruntime``. ``precision``: ``auto``, ``float32`` or ``bfloat16``. ``folders``: searched for weights,
    in order. ``cache``: folder of compiled models.
    ``min_face_px``: smallest face side worth finding, in pixels of the full frame. ``limits``: quality limits
    of recognition. ``threads``: CPU threads of the device (0: let the runtime choose). ``max_frames``: frames
    in flight; ``max_crops``: largest embedding batch; ``max_queue``: frames that may wait;
    ``max_faces``: faces that may wait, of which the oldest give way to newer ones. ``models``: further models
    besides the built-in manifest.
    """

    detector: str = "yunet_n"
    embedder: str = "mobilefacenet"
    device: str = "auto"
    runtime: str = "auto"
    precision: str = "auto"
    folders: Sequence[Path] = ()
    cache: Path | None = None
    min_face_px: int = 40
    limits: QualityLimits = RECOGNITION_LIMITS
    threads: int = 0
    max_frames: int = 1
    max_crops: int = 16
    max_queue: int = 32
    max_faces: int = 64
    models: tuple[ModelSpec, ...] = ()


Loader = Callable[[EngineSettings], LoadedModels]


def placement(settings: EngineSettings) -> Placement:
    """Where and how its models run."""
    return Placement(
        settings.folders,
        settings.device,
        settings.threads,
        settings.runtime,
        settings.cache,
        settings.precision,
    )


def load_models(settings: EngineSettings) -> LoadedModels:
    """Detector and embedder by their names in the manifest. Raises the ``ModelError`` tree."""
    place = placement(settings)
    detector_spec = find_spec(settings.detector, Kind.DETECTOR, settings.models)
    embedder_spec = find_spec(settings.embedder, Kind.EMBEDDER, settings.models)
    embedder = load_embedder(embedder_spec, place)
    detector = load_detector(detector_spec, place, settings.min_face_px)
    return LoadedModels(detector, embedder, embedder.device)


class Engine:
    """Faces in, faces and vectors out; see the module docstring. Belongs to one event loop."""

    def __init__(self, settings: EngineSettings, load: Loader = load_models) -> None:
        self._settings = settings
        self._load = load
        self._turns = asyncio.Semaphore(settings.max_frames)
        self._thread: DeviceThread | None = None
        self._work: DeviceWork | None = None

    @property
    def model_id(self) -> str:
        """Id of the embedding model; known after ``start``."""
        return self._running()[1].models.embedder.model_id

    @property
    def detector_name(self) -> str:
        """Name of the detector in the manifest."""
        return self._settings.detector

    @property
    def device(self) -> str:
        """Where the embedder runs, e.g. ``cpu`` or ``cuda:0``; known after ``start``."""
        return self._running()[1].models.device

    @property
    def runtime(self) -> str:
        """What runs the embedder, e.g. ``openvino``; known after ``start``."""
        return self._running()[1].models.embedder.runtime

    @property
    def stats(self) -> EngineStats:
        """Counts and times so far."""
        if self._thread is None or self._work is None:
            return EngineStats()
        return replace(self._work.stats, queued=self._thread.queued, dropped=self._thread.dropped)

    async def start(self) -> None:
        """Load the models in the device thread. Raises the ``ModelError`` tree."""
        if self._thread is not None:
            raise ModelError("The engine was started before; make a new one.")
        thread = self._thread = DeviceThread("homeface-device", self._settings.max_queue)
        try:
            models = await thread.ask(lambda jobs: [self._load(item) for item in jobs], self._settings)
        except BaseException:  # a cancelled start must not leave a thread behind either
            thread.abandon(self._free)
            raise
        self._work = DeviceWork(models, self._settings.limits, self._settings.max_crops)

    async def aclose(self) -> None:
        """Stop within 5 s: waiting requests fail with ``ModelError``. May be called twice."""
        if self._thread is None:
            return
        if not await self._thread.stop(self._free, _CLOSE_SECONDS):
            _LOG.warning(
                "The device thread still hangs in a call after %.1f s; it is left behind.", _CLOSE_SECONDS
            )

    async def look(self, image: ImageBGR | Picture, regions: Sequence[Box] | None = None) -> list[Face]:
        """Faces of one frame with quality and aligned crop, best score first, in pixels of the full frame.

        ``regions``: look only there. Raises ``ImageError`` for what is no picture.
        """
        request = look_request(image, regions)
        thread, work = self._running()
        return await thread.ask(work.look, request, batch="look", max_weight=self._settings.max_frames)

    async def embed(self, crops: Sequence[ImageRGB]) -> list[Embedding]:
        """One embedding for each crop of ``look``; requests of several callers share a batch.

        Raises ``ImageError`` for what is no crop, ``FacesDroppedError`` when newer faces took the place of
        these: no embedding this time, ask again with the next frame.
        """
        for crop in crops:
            require_image(crop, "crop")
        if not crops:
            return []
        thread, work = self._running()
        on_gpu = work.models.device != "cpu"
        limits = Limits(
            self._settings.max_crops, self._settings.max_faces, _COMPANY_SECONDS if on_gpu else 0.0
        )
        return await thread.ask_newest(work.embed, tuple(crops), limits, batch="embed", weight=len(crops))

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold this while a frame is in flight; at most ``max_frames`` are, first come, first served."""
        async with self._turns:
            yield

    def heartbeat(self) -> float:
        """``time.monotonic()`` of the device thread's last progress; idling is progress, hanging is not."""
        return self._thread.heartbeat() if self._thread is not None else time.monotonic()

    def _running(self) -> tuple[DeviceThread, DeviceWork]:
        if self._thread is None or self._work is None:
            raise ModelError("The engine has not been started.")
        return self._thread, self._work

    def _free(self) -> None:
        if self._work is not None:
            self._work.free()
