"""Detector and embedder without weights, to drive the real engine: faces are those of the fake engine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np

from homeface.core.types import Detection, ImageBGR, ImageRGB
from homeface.inference.alignment import TEMPLATES
from homeface.inference.engine import EngineSettings, LoadedModels
from tests.fakes.engine import CROP_PX, DIMENSION, GREEN, RED, FakeEngine, person_vector, persons_in


class StubModels:
    """The public attributes are a script; ``threads`` collects who called."""

    def __init__(self) -> None:
        self.threads: set[str] = set()
        self.batches: list[int] = []
        self.looked = 0
        self.closed = 0
        self.load_error: Exception | None = None
        self.before: Callable[[str], None] = lambda what: None
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def load(self, settings: EngineSettings) -> LoadedModels:
        self._called("load")
        if self.load_error is not None:
            raise self.load_error
        return LoadedModels(StubDetector(self), StubEmbedder(self), "cpu")

    def _called(self, what: str) -> None:
        self.threads.add(threading.current_thread().name)
        self.entered.set()
        self.gate.wait(30)
        self.before(what)


class StubDetector:
    name = "stub"
    min_face_px = 40

    def __init__(self, models: StubModels) -> None:
        self._models = models

    def detect(self, images: Sequence[ImageBGR]) -> list[list[Detection]]:
        self._models._called("detect")
        self._models.looked += len(images)
        fake = FakeEngine()
        return [[fake.detection(image, person) for person in persons_in(image)] for image in images]

    def close(self) -> None:
        self._models.threads.add(threading.current_thread().name)
        self._models.closed += 1


class StubEmbedder:
    model_id = "stub/1"
    device = "cpu"
    runtime = "stub"
    dimension = DIMENSION
    cut = (CROP_PX, TEMPLATES["plain"])

    def __init__(self, models: StubModels) -> None:
        self._models = models

    def align(self, image: ImageBGR, detection: Detection) -> ImageRGB:
        x, y = detection.box.centre
        return np.full((CROP_PX, CROP_PX, 3), (RED, GREEN, image[int(y), int(x), 0]), np.uint8)

    def embed(self, crops: Sequence[ImageRGB]) -> np.ndarray:
        self._models._called("embed")
        self._models.batches.append(len(crops))
        if any(crop[0, 0, 1] != GREEN for crop in crops):
            raise ValueError("a poisoned crop")
        return np.stack([person_vector(int(crop[0, 0, 2])) for crop in crops])

    def close(self) -> None:
        self._models.closed += 1
