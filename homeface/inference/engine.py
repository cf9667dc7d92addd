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

from homeface.core.quality import RECOGNITION_LIMITS, QualityLimits, assess
from homeface.core.types import Detection, Embedding, Face, ImageBGR, ImageRGB
from homeface.errors import ModelError
from homeface.inference.alignment import PATCH_PX, TEMPLATES, align
from homeface.inference.arrays import require_image
from homeface.inference.device_thread import DeviceThread
from homeface.inference.manifest import Kind, ModelSpec, find_spec
from homeface.inference.models import Placement, load_detector, load_embedder
from homeface.inference.types import Detector, Embedder

_LOG = logging.getLogger(__name__)
_CLOSE_SECONDS = 4.5
_RECENT = 0.1
"""Weight of the newest measurement in the mean times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """What to run, where, and how much at a time.

    ``device``: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``. ``folders``: searched for weights, in order.
    ``min_face_px``: smallest face side worth finding, in pixels of the full frame. ``limits``: quality limits
    of recognition. ``threads``: CPU threads of the device (0: let the runtime choose). ``max_frames``: frames
    in flight; ``max_crops``: largest embedding batch; ``max_queue``: requests that may wait. ``models``:
    further models besides the built-in manifest.
    """

    detector: str = "yunet_n"
    embedder: str = "mobilefacenet"
    device: str = "auto"
    folders: Sequence[Path] = ()
    min_face_px: int = 40
    limits: QualityLimits = RECOGNITION_LIMITS
    threads: int = 0
    max_frames: int = 1
    max_crops: int = 16
    max_queue: int = 32
    models: tuple[ModelSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class EngineStats:
    """Counts since ``start``, and the mean milliseconds of recent work."""

    frames: int = 0
    faces: int = 0
    embeddings: int = 0
    embed_batches: int = 0
    failures: int = 0
    queued: int = 0
    look_ms: float = 0.0
    embed_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class LoadedModels:
    """What the device thread works with."""

    detector: Detector
    embedder: Embedder
    device: str


Loader = Callable[[EngineSettings], LoadedModels]


def load_models(settings: EngineSettings) -> LoadedModels:
    """Detector and embedder by their names in the manifest. Raises the ``ModelError`` tree."""
    place = Placement(settings.folders, settings.device, settings.threads)
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
        self._models: LoadedModels | None = None
        self._stats = EngineStats()  # replaced by the device thread alone

    @property
    def model_id(self) -> str:
        """Id of the embedding model; known after ``start``."""
        return self._running()[1].embedder.model_id

    @property
    def detector_name(self) -> str:
        """Name of the detector in the manifest."""
        return self._settings.detector

    @property
    def device(self) -> str:
        """Where the embedder runs, e.g. ``cpu`` or ``cuda:0``; known after ``start``."""
        return self._running()[1].device

    @property
    def stats(self) -> EngineStats:
        """Counts and times so far."""
        return replace(self._stats, queued=self._thread.queued if self._thread is not None else 0)

    async def start(self) -> None:
        """Load the models in the device thread. Raises the ``ModelError`` tree."""
        if self._thread is not None:
            raise ModelError("The engine was started before; make a new one.")
        thread = self._thread = DeviceThread("homeface-device", self._settings.max_queue)
        try:
            self._models = await thread.ask(lambda jobs: [self._load(item) for item in jobs], self._settings)
        except BaseException:  # a cancelled start must not leave a thread behind either
            thread.abandon(self._free)
            raise

    async def aclose(self) -> None:
        """Stop within 5 s: waiting requests fail with ``ModelError``. May be called twice."""
        if self._thread is None:
            return
        if not await self._thread.stop(self._free, _CLOSE_SECONDS):
            _LOG.warning(
                "The device thread still hangs in a call after %.1f s; it is left behind.", _CLOSE_SECONDS
            )

    async def look(self, image: ImageBGR) -> list[Face]:
        """Faces of one frame with quality and aligned crop, best score first. Raises ``ImageError``."""
        require_image(image)
        thread, models = self._running()
        return await thread.ask(
            lambda images: self._look(models, images),
            image,
            batch="look",
            max_weight=self._settings.max_frames,
        )

    async def embed(self, crops: Sequence[ImageRGB]) -> list[Embedding]:
        """One embedding for each crop of ``look``; requests of several callers share a batch.

        Raises ``ImageError`` for what is no crop.
        """
        for crop in crops:
            require_image(crop, "crop")
        if not crops:
            return []
        thread, models = self._running()
        return await thread.ask(
            lambda requests: self._embed(models, requests),
            tuple(crops),
            batch="embed",
            weight=len(crops),
            max_weight=self._settings.max_crops,
        )

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold this while a frame is in flight; at most ``max_frames`` are, first come, first served."""
        async with self._turns:
            yield

    def heartbeat(self) -> float:
        """``time.monotonic()`` of the device thread's last progress; idling is progress, hanging is not."""
        return self._thread.heartbeat() if self._thread is not None else time.monotonic()

    def _running(self) -> tuple[DeviceThread, LoadedModels]:
        if self._thread is None or self._models is None:
            raise ModelError("The engine has not been started.")
        return self._thread, self._models

    # From here on: in the device thread.

    def _look(self, models: LoadedModels, images: list[ImageBGR]) -> list[list[Face]]:
        begun = time.monotonic()
        try:
            found = models.detector.detect(images)
            faces = [
                [self._face(models.embedder, image, detection) for detection in detections]
                for image, detections in zip(images, found, strict=True)
            ]
        except Exception:
            self._stats = replace(self._stats, failures=self._stats.failures + 1)
            raise
        now = self._stats
        self._stats = replace(
            now,
            frames=now.frames + len(images),
            faces=now.faces + sum(map(len, faces)),
            look_ms=_smoothed(now.look_ms, begun, len(images)),
        )
        return faces

    def _face(self, embedder: Embedder, image: ImageBGR, detection: Detection) -> Face:
        patch = align(image, detection, PATCH_PX, TEMPLATES["arcface_112"])
        frame_size = (image.shape[1], image.shape[0])
        quality = assess(detection, patch, frame_size, self._settings.limits)
        return Face(detection, quality, embedder.align(image, detection))

    def _embed(self, models: LoadedModels, requests: list[tuple[ImageRGB, ...]]) -> list[list[Embedding]]:
        begun = time.monotonic()
        crops = [crop for request in requests for crop in request]
        try:
            vectors = _in_parts(models.embedder, crops, self._settings.max_crops)
        except Exception:
            self._stats = replace(self._stats, failures=self._stats.failures + 1)
            raise
        now = self._stats
        self._stats = replace(
            now,
            embeddings=now.embeddings + len(crops),
            embed_batches=now.embed_batches + 1,
            embed_ms=_smoothed(now.embed_ms, begun, len(crops)),
        )
        return [[vectors.pop(0) for _ in request] for request in requests]

    def _free(self) -> None:
        if self._models is not None:
            self._models.detector.close()
            self._models.embedder.close()


def _in_parts(embedder: Embedder, crops: list[ImageRGB], part: int) -> list[Embedding]:
    """Embed no more than ``part`` crops at a time, whatever one caller asks for."""
    vectors: list[Embedding] = []
    for start in range(0, len(crops), part):
        rows = embedder.embed(crops[start : start + part])
        vectors += [Embedding(row, embedder.model_id) for row in rows]
    return vectors


def _smoothed(mean_ms: float, begun: float, count: int) -> float:
    """The mean time per item, moved towards the newest measurement."""
    newest = (time.monotonic() - begun) * 1000 / max(count, 1)
    return newest if mean_ms == 0 else mean_ms + _RECENT * (newest - mean_ms)
