"""Made-up faces for the statistics: unit vectors around a random middle for each person."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from homeface.core.calibration import Calibration
from homeface.core.types import Quality
from homeface.lab.evaluation.faces import FaceSet

MODEL = "made/up-1"
GOOD = Quality(60.0, 0.05, 0.0, 0.0, 0.0, 120.0, 50.0, infrared=False, score=1.0)
CALIBRATION = Calibration(
    model_id=MODEL,
    visit=((0.1, 0.30), (0.01, 0.40), (0.001, 0.48), (0.0001, 0.55)),
    single=((0.1, 0.25), (0.01, 0.33), (0.001, 0.40), (0.0001, 0.46)),
    support=0.2,
)


def faces_of(pictures: dict[str, int], *, spread: float = 0.6, dimension: int = 48, seed: int = 1) -> FaceSet:
    """``pictures``: how many of each person. ``spread``: length of the noise beside the unit middle."""
    generator = np.random.default_rng(seed)
    person = np.repeat(np.arange(len(pictures)), list(pictures.values()))
    middles = unit(generator.normal(size=(len(pictures), dimension)))
    noise = unit(generator.normal(size=(len(person), dimension)))
    vectors = unit(middles[person] + spread * noise)
    names = tuple(pictures)
    return FaceSet(
        model_id=MODEL,
        names=names,
        person=person.astype(np.int64),
        picture=np.arange(len(person)),
        clean=np.ones(len(person), bool),
        vectors=vectors.astype(np.float32),
        qualities=(GOOD,) * len(person),
        missed=0,
        view=np.zeros(len(person), np.int64),
        area=np.full(len(person), 10_000.0),
        files=tuple(Path(names[p]) / f"{number}.jpg" for number, p in enumerate(person)),
    )


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of unit length."""
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def street_of(many: int = 12, few: int = 60) -> FaceSet:
    """Some people with twelve pictures, others with one to three."""
    return faces_of(
        {f"many{number}": 12 for number in range(many)}
        | {f"few{number}": 1 + number % 3 for number in range(few)}
    )
