"""What it costs to compare one face with everybody. A command prints it, in milliseconds:

python -m homeface.lab.benchmark.matching
"""

from __future__ import annotations

import statistics
from itertools import count

import numpy as np

from homeface.core.evidence import Evidence
from homeface.core.identification import decide, identify_one
from homeface.core.types import Embedding, Quality
from homeface.lab.benchmark.own_subjects import household, timed

MODEL_ID, DIMENSION = "mobilefacenet/arcface_112-1", 128
GALLERIES = ((4, 5), (20, 20), (500, 20))
"""People, and templates of each."""
_LOOKS = 50
_GOOD = Quality(
    interocular_px=60.0, sharpness=200.0, yaw=0.0, pitch=0.0, roll=0.0, brightness=120.0, contrast=50.0,
    infrared=False, score=1.0,
)  # fmt: skip


def costs(people: int, templates: int, seconds: float = 1.0) -> tuple[float, float]:
    """Median seconds of one face: of a single picture, and as the next look of a visit of fifty."""
    gallery, policy = household(MODEL_ID, DIMENSION, people, templates)
    random = np.random.default_rng(5)
    vectors = random.normal(size=(_LOOKS, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    faces = [Embedding(vector, MODEL_ID) for vector in vectors]
    single = timed(lambda index: identify_one(faces[index], _GOOD, gallery, policy), _LOOKS, seconds)
    moments, evidence = count(), Evidence()

    def next_look(index: int) -> None:
        nonlocal evidence
        if index == 0:
            evidence = Evidence()
        evidence = evidence.add(faces[index], _GOOD, next(moments) / 5)
        decide(evidence, gallery, policy)

    return statistics.median(single), statistics.median(timed(next_look, _LOOKS, seconds))


def main() -> None:
    """The table."""
    print(f"{'people':>8}{'templates':>11}{'picture, ms':>13}{'look, ms':>10}")
    for people, templates in GALLERIES:
        single, look = costs(people, templates)
        print(f"{people:8}{people * templates:11}{single * 1e3:13.3f}{look * 1e3:10.3f}")


if __name__ == "__main__":
    main()
