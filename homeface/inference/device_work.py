"""What the device thread does with frames and crops. Nothing here may be called from another thread."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from homeface.core.quality import QualityLimits, assess
from homeface.core.types import ArrayPicture, Box, Detection, Embedding, Face, ImageBGR, ImageRGB, Picture
from homeface.inference.alignment import PATCH_PX, TEMPLATES, align
from homeface.inference.arrays import require_image
from homeface.inference.detectors.regions import Look, detect
from homeface.inference.types import Detector, Embedder

_RECENT = 0.1
"""Weight of the newest measurement in the mean times."""
_PATCH = TEMPLATES["arcface_112"]


@dataclass(frozen=True, slots=True)
class EngineStats:
    """Counts since ``start``, and the mean milliseconds of recent work.

    ``dropped`` faces gave way to newer ones before they were embedded; ``queued`` requests wait now.
    """

    frames: int = 0
    faces: int = 0
    embeddings: int = 0
    embed_batches: int = 0
    failures: int = 0
    dropped: int = 0
    queued: int = 0
    look_ms: float = 0.0
    embed_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class LoadedModels:
    """What the device thread works with."""

    detector: Detector
    embedder: Embedder
    device: str


@dataclass(frozen=True, slots=True, eq=False)
class LookRequest:
    """A frame somebody wants faces of; ``regions`` None: in all of it."""

    picture: Picture
    regions: tuple[Box, ...] | None


def look_request(image: ImageBGR | Picture, regions: Sequence[Box] | None) -> LookRequest:
    """Check what a caller handed in. Raises ``ImageError`` for what is no picture."""
    wanted = None if regions is None else tuple(regions)
    if isinstance(image, np.ndarray):
        require_image(image)
        return LookRequest(ArrayPicture(image), wanted)
    if not hasattr(image, "bgr"):
        require_image(image)  # says what it is instead
    return LookRequest(image, wanted)


class DeviceWork:
    """Runs batches on the models and counts. ``stats`` is replaced as a whole: any thread may read it."""

    def __init__(self, models: LoadedModels, limits: QualityLimits, max_crops: int) -> None:
        self.models = models
        self.stats = EngineStats()
        self._limits = limits
        self._max_crops = max_crops

    def look(self, requests: list[LookRequest]) -> list[list[Face]]:
        """Faces of each frame, best score first."""
        begun = time.monotonic()
        try:
            # The colours are converted here, not in the event loop: milliseconds for a large frame.
            looks = [Look(request.picture.bgr(), request.regions) for request in requests]
            for look in looks:
                require_image(look.image)
            found = detect(self.models.detector, looks)
            faces = [
                [self._face(look.image, detection) for detection in detections]
                for look, detections in zip(looks, found, strict=True)
            ]
        except Exception:
            self.stats = replace(self.stats, failures=self.stats.failures + 1)
            raise
        now = self.stats
        self.stats = replace(
            now,
            frames=now.frames + len(requests),
            faces=now.faces + sum(map(len, faces)),
            look_ms=_smoothed(now.look_ms, begun, len(requests)),
        )
        return faces

    def embed(self, requests: list[tuple[ImageRGB, ...]]) -> list[list[Embedding]]:
        """The embeddings of each request's crops."""
        begun = time.monotonic()
        crops = [crop for request in requests for crop in request]
        try:
            vectors = _in_parts(self.models.embedder, crops, self._max_crops)
        except Exception:
            self.stats = replace(self.stats, failures=self.stats.failures + 1)
            raise
        now = self.stats
        self.stats = replace(
            now,
            embeddings=now.embeddings + len(crops),
            embed_batches=now.embed_batches + 1,
            embed_ms=_smoothed(now.embed_ms, begun, len(crops)),
        )
        rest = iter(vectors)
        return [[next(rest) for _ in request] for request in requests]

    def free(self) -> None:
        """Give the models' memory back."""
        self.models.detector.close()
        self.models.embedder.close()

    def _face(self, image: ImageBGR, detection: Detection) -> Face:
        embedder = self.models.embedder
        patch = align(image, detection, PATCH_PX, _PATCH)
        quality = assess(detection, patch, (image.shape[1], image.shape[0]), self._limits)
        same = embedder.cut == (PATCH_PX, _PATCH)
        return Face(detection, quality, patch if same else embedder.align(image, detection))


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
