"""What a smaller form costs and still knows, beside the model that it was made of."""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from homeface.core.types import ImageRGB
from homeface.errors import ImageError
from homeface.inference.manifest import ModelSpec
from homeface.inference.models import Placement, load_detector, load_embedder, pixels_of
from homeface.lab.evaluation.faces import FaceSet, Library, Sampling, pictures_of
from homeface.lab.evaluation.household_run import misses_at
from homeface.lab.evaluation.looking import MIN_FACE_PX, Eyes, Look, Recipe, read_picture
from homeface.lab.evaluation.running import Timer, Work, embedded, folder_of_people
from homeface.lab.evaluation.street import Protocol
from homeface.lab.evaluation.views import CLEAN_VIEW
from homeface.lab.export.quantising import Batch

FPIR = 0.001
_BATCH, _ROUNDS = 8, 15
_MOST = 20


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Before and after. ``misses``: share of the family's visits without their name at the same false-name
    rate, by kind of visit; empty where the people are too few. ``alike``: cosine of both vectors of a face,
    least and median.
    """

    faces: int
    people: int
    alike: tuple[float, float]
    misses: dict[str, tuple[float, float]]
    why_no_misses: str = ""


def for_calibration(person: str) -> bool:
    """Half of the people, by a hash of the name, teach ranges; the others judge."""
    return int(hashlib.sha256(person.encode()).hexdigest(), 16) % 2 == 1


def calibration_rows(
    folder: Path, spec: ModelSpec, detector: ModelSpec, place: Placement, count: int
) -> list[Batch]:
    """Up to ``count`` faces as the network takes them, each of another person as far as there are as many.

    Raises ImageError when no face is found.
    """
    found = [
        row for row in pictures_of(folder_of_people(folder), Sampling(1, 1, _MOST)) if for_calibration(row[0])
    ]
    ordered = _people_in_turns(found)
    embedder = load_embedder(spec, place)
    eyes = Eyes(load_detector(detector, place, MIN_FACE_PX), [], dlib=False)
    rows: list[Batch] = []
    try:
        for _, path in ordered:
            image = read_picture(path)
            seen = None if image is None else eyes.see(image, [CLEAN_VIEW], path.name)[0]
            if seen is not None:
                crop = embedder.align(seen.image, seen.detection)
                rows.append(pixels_of(spec).batch(crop[None]))
            if len(rows) == count:
                break
    finally:
        eyes.close()
        embedder.close()
    if not rows:
        raise ImageError(
            f"No face was found in the pictures of {folder} that teach ranges: eight bits need some."
        )
    return rows


def _people_in_turns(found: Sequence[tuple[str, Path]]) -> list[tuple[str, Path]]:
    turn: dict[str, int] = {}
    numbered = []
    for person, path in found:
        turn[person] = turn.get(person, -1) + 1
        numbered.append((turn[person], person, path))
    return [(person, path) for _, person, path in sorted(numbered)]


def milliseconds(specs: Sequence[ModelSpec], place: Placement) -> list[float]:
    """Of processor time for a face in a batch of eight, the models in turns, each one's median."""
    embedders = [load_embedder(spec, place) for spec in specs]
    random = np.random.default_rng(0)
    works: list[Callable[[], object]] = []
    for spec, embedder in zip(specs, embedders, strict=True):
        shape = (_BATCH, spec.input_px, spec.input_px, 3)
        crops: list[ImageRGB] = list(random.integers(0, 256, shape).astype(np.uint8))
        works.append(lambda embedder=embedder, crops=crops: embedder.embed(crops))  # type: ignore[misc]
    times: list[list[float]] = [[] for _ in specs]
    for _ in range(_ROUNDS):
        for own, work in zip(times, works, strict=True):
            begun = time.process_time()
            work()
            own.append((time.process_time() - begun) * 1000 / _BATCH)
    for embedder in embedders:
        embedder.close()
    return [statistics.median(own[2:]) for own in times]


def accuracy(
    folder: Path, specs: tuple[ModelSpec, ModelSpec], detector: ModelSpec, work: Work, protocol: Protocol
) -> Accuracy:
    """Both models on the people who did not teach ranges, by the protocol of ``homeface evaluate household``.

    Raises ImageError when no face is found.
    """
    found = [
        row
        for row in pictures_of(folder_of_people(folder), Sampling(1, 1, _MOST))
        if not for_calibration(row[0])
    ]
    if not found:
        raise ImageError(f"All people in {folder} teach ranges, nobody is left to judge: add people.")
    recipe = Recipe(detector, tuple(Look(spec) for spec in specs), work.recipe.folders)
    sets = embedded(Library(found, recipe, work.cache), [CLEAN_VIEW], work, Timer(work))
    before, after = sets
    cosine = (
        (before.vectors * _matching(before.vectors, after.vectors)).sum(axis=1)
        if _same(sets)
        else np.zeros(1)
    )
    misses, why = _misses(sets, work, protocol)
    return Accuracy(
        len(before.person),
        len(before.names),
        (float(cosine.min()), float(np.median(cosine))),
        misses,
        why,
    )


def _same(sets: Sequence[FaceSet]) -> bool:
    return bool(np.array_equal(sets[0].picture, sets[1].picture))


def _matching(before: NDArray[np.float32], after: NDArray[np.float32]) -> NDArray[np.float32]:
    return after if before.shape == after.shape else np.zeros_like(before)


def _misses(
    sets: Sequence[FaceSet], work: Work, protocol: Protocol
) -> tuple[dict[str, tuple[float, float]], str]:
    try:
        before, after = (misses_at(FPIR, faces, protocol, work) for faces in sets)
    except ImageError as error:
        return {}, str(error)
    return {kind: (before[kind], after[kind]) for kind in before if kind in after}, ""
