"""An engine without models: faces are painted rectangles, a person is a colour.

``paint_face(image, person, box)`` puts person number 1..200 into a frame; ``FakeEngine.look`` finds it again
and ``FakeEngine.embed`` returns a vector that is near for equal and far for different persons. Pixels must
arrive unchanged (no lossy codec).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import numpy as np

from homeface.core.regions import holds
from homeface.core.types import (
    Box,
    Detection,
    Embedding,
    Face,
    ImageBGR,
    ImageRGB,
    Landmarks,
    Picture,
    Quality,
    Vector,
)
from homeface.errors import ModelError
from homeface.inference.arrays import require_image
from homeface.inference.device_work import look_request
from homeface.inference.engine import EngineStats

GREEN, RED = 201, 77
CROP_PX = 32
DIMENSION = 64
MODEL_ID = "fake/1"

GOOD_QUALITY = Quality(
    interocular_px=60.0,
    sharpness=200.0,
    yaw=0.0,
    pitch=0.0,
    roll=0.0,
    brightness=120.0,
    contrast=50.0,
    infrared=False,
    score=0.9,
)


def paint_face(image: ImageBGR, person: int, box: tuple[int, int, int, int]) -> ImageBGR:
    """Paint ``person`` (1..200) into ``image`` at x1, y1, x2, y2 (in place, and returned)."""
    x1, y1, x2, y2 = box
    image[y1:y2, x1:x2] = (person, GREEN, RED)
    return image


def frame_with(
    *faces: tuple[int, tuple[int, int, int, int]], width: int = 640, height: int = 360
) -> ImageBGR:
    """A dark frame with painted (person, box) faces."""
    image: ImageBGR = np.zeros((height, width, 3), np.uint8)
    for person, box in faces:
        paint_face(image, person, box)
    return image


def person_vector(person: int, variant: int = 0, noise: float = 0.25) -> Vector:
    """The unit vector of a person; variants of one person have a cosine near 1 / (1 + noise²)."""
    base = np.random.default_rng(person).normal(size=DIMENSION)
    base /= np.linalg.norm(base)
    if variant:
        other = np.random.default_rng((person, variant)).normal(size=DIMENSION)
        base = base + noise * other / np.linalg.norm(other)
        base /= np.linalg.norm(base)
    return base.astype(np.float32)


def landmarks_of(box: Box) -> Landmarks:
    """Five frontal landmarks inside a box."""
    share = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)
    return (share * (box.width, box.height) + (box.x1, box.y1)).astype(np.float32)


class FakeEngine:
    """The async facade of ``Engine``. Public attributes are the script: set them at any time.

    ``quality_of(person)`` gives the quality of a face; ``look_seconds``/``embed_seconds`` are how long work
    takes; ``textured`` crops differ between persons at a glance; ``regions`` are those of each look (None:
    everywhere); ``fail_next`` is raised by the next request; ``hang()`` keeps every request (and the
    heartbeat) waiting until ``recover()``; ``start_error`` is raised by ``start``.
    """

    def __init__(self, *, max_frames: int = 1, model_id: str = MODEL_ID, device: str = "cpu") -> None:
        self.model_id = model_id
        self.detector_name = "fake"
        self.device = device
        self.runtime = "fake"
        self.quality_of: Callable[[int], Quality] = lambda person: GOOD_QUALITY
        self.look_seconds = 0.0
        self.embed_seconds = 0.0
        self.fail_next: Exception | None = None
        self.start_error: Exception | None = None
        self.started = False
        self.closed = False
        self.textured = False
        self.looked = 0
        self.regions: list[Sequence[Box] | None] = []
        self.embedded = 0
        self._variant = 0
        self._stats = EngineStats()
        self._turns = asyncio.Semaphore(max_frames)
        self._free = asyncio.Event()
        self._free.set()
        self._beat = time.monotonic()

    @property
    def stats(self) -> EngineStats:
        return self._stats

    @property
    def hung(self) -> bool:
        return not self._free.is_set()

    def hang(self) -> None:
        """From now on nothing answers and the heartbeat stands still."""
        self._beat = time.monotonic()
        self._free.clear()

    def recover(self) -> None:
        """Answer again."""
        self._free.set()

    async def start(self) -> None:
        if self.start_error is not None:
            raise self.start_error
        self.started = True

    async def aclose(self) -> None:
        self.closed = True
        self._free.set()

    async def look(self, image: ImageBGR | Picture, regions: Sequence[Box] | None = None) -> list[Face]:
        image = look_request(image, regions).picture.bgr()
        require_image(image)
        await self._work(self.look_seconds)
        faces = [self._face(image, person) for person in persons_in(image)]
        if regions is not None:
            faces = [face for face in faces if any(holds(region, face.detection.box) for region in regions)]
        self.looked += 1
        self.regions.append(regions)
        self._stats = replace(
            self._stats, frames=self._stats.frames + 1, faces=self._stats.faces + len(faces)
        )
        return faces

    async def embed(self, crops: Sequence[ImageRGB]) -> list[Embedding]:
        for crop in crops:
            require_image(crop, "crop")
        if not crops:
            return []
        await self._work(self.embed_seconds)
        self.embedded += len(crops)
        self._stats = replace(self._stats, embeddings=self._stats.embeddings + len(crops))
        return [self._embedding(crop) for crop in crops]

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        async with self._turns:
            yield

    def heartbeat(self) -> float:
        if not self.hung:
            self._beat = time.monotonic()
        return self._beat

    async def _work(self, seconds: float) -> None:
        if not self.started or self.closed:
            raise ModelError("The engine is not running.")
        await asyncio.sleep(seconds)  # even for 0: a real engine never answers without letting others run
        await self._free.wait()
        if self.closed:
            raise ModelError("The engine was closed.")
        if self.fail_next is not None:
            error, self.fail_next = self.fail_next, None
            raise error

    @staticmethod
    def detection(image: ImageBGR, person: int) -> Detection:
        """Where a person is painted."""
        rows, columns = np.nonzero((image == (person, GREEN, RED)).all(axis=2))
        box = Box(float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))
        return Detection(box, 0.99, landmarks_of(box))

    def _face(self, image: ImageBGR, person: int) -> Face:
        crop: ImageRGB = np.full((CROP_PX, CROP_PX, 3), (RED, GREEN, person), np.uint8)
        if self.textured:
            squares = np.random.default_rng(person).integers(0, 255, (8, 8), dtype=np.uint8)
            crop[:, :, 1] = np.kron(squares, np.ones((CROP_PX // 8, CROP_PX // 8), np.uint8))
        return Face(self.detection(image, person), self.quality_of(person), crop)

    def _embedding(self, crop: ImageRGB) -> Embedding:
        self._variant += 1
        return Embedding(person_vector(int(crop[0, 0, 2]), self._variant), self.model_id)


def persons_in(image: ImageBGR) -> list[int]:
    """The numbers painted into an image."""
    mask = (image[..., 1] == GREEN) & (image[..., 2] == RED)
    return sorted({int(value) for value in np.unique(image[..., 0][mask])})
