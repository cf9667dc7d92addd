"""Convert and compile models ahead of the first start. Blocks for seconds; no engine may run beside it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from homeface.inference.devices import runtime_of
from homeface.inference.engine import EngineSettings, placement
from homeface.inference.manifest import Kind, ModelSpec
from homeface.inference.runtimes.opening import Placement

_FRAME = (1080, 1920, 3)
"""The picture that detectors are compiled for; another size is compiled when the first one comes."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """One model that is ready: what runs it, and how long that took to prepare."""

    name: str
    runtime: str
    seconds: float


def compile_models(settings: EngineSettings, specs: list[ModelSpec]) -> Iterator[Compiled]:
    """Each model once it has run in its runtime and lies in ``settings.cache``. Raises ``ModelError``."""
    place = placement(settings)
    for spec in specs:
        begun = time.monotonic()
        _run_once(spec, place, settings.min_face_px)
        choice = runtime_of(spec, settings.runtime, settings.device)
        yield Compiled(spec.name, str(choice), time.monotonic() - begun)


def _run_once(spec: ModelSpec, place: Placement, min_face_px: int) -> None:
    from homeface.inference.models import load_detector, load_embedder

    if spec.kind is Kind.DETECTOR:
        detector = load_detector(spec, place, min_face_px)
        detector.detect([np.zeros(_FRAME, np.uint8)])
        detector.close()
        return
    embedder = load_embedder(spec, place)
    side = embedder.cut[0]
    for batch in (1, 2):
        embedder.embed([np.zeros((side, side, 3), np.uint8)] * batch)
    embedder.close()
