"""What every protocol of ``homeface evaluate`` shares: the pictures, their embeddings, the figures to use."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from homeface.core.calibration import Calibration
from homeface.errors import ImageError, ModelError
from homeface.inference.calibration import calibration_for
from homeface.lab.evaluation.cache import default_folder
from homeface.lab.evaluation.faces import (
    FaceSet,
    Library,
    Progress,
    Sampling,
    cores,
    people_digest,
    pictures_of,
)
from homeface.lab.evaluation.looking import Recipe
from homeface.lab.evaluation.tuning import Tune
from homeface.lab.evaluation.views import View

Stage = Callable[[str], AbstractContextManager[Progress]]
"""Begins a stage of the work under a title; yields how far it is."""


@contextmanager
def silent(title: str) -> Iterator[Progress]:  # noqa: ARG001 - the signature of a stage
    """A stage that shows nothing."""
    yield lambda _done, _total: None


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """How to work: models, folders, processes; not what to measure."""

    recipe: Recipe
    cache: Path = field(default_factory=default_folder)
    jobs: int = field(default_factory=cores)
    stage: Stage = silent
    calibrations: Path | None = None
    clock: Callable[[], float] = time.monotonic


class Timer:
    """Seconds that the stages took."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, key: str, title: str) -> Iterator[Progress]:
        """A timed stage."""
        begun = self._work.clock()
        with self._work.stage(title) as progress:
            yield progress
        self.seconds[key] = round(self.seconds.get(key, 0.0) + self._work.clock() - begun, 1)


def shipped_for(model_id: str, folder: Path | None) -> Calibration | None:
    """The model's figures; None when it was never measured."""
    try:
        return calibration_for(model_id, folder)
    except ModelError:
        return None


def measured_on_these(names: Sequence[str], shipped: Calibration | None, counts: Sequence[int]) -> Tune:
    """What ``auto`` means. ``counts``: pictures of each person; figures may rest on some of them only."""
    if shipped is None:
        return Tune.CROSS
    known = shipped.provenance.get("people_digest", "")
    candidates = {
        people_digest([name for name, count in zip(names, counts, strict=True) if count >= least])
        for least in range(1, 11)
    }
    return Tune.CROSS if known in candidates else Tune.SHIPPED


def folder_of_people(folder: Path) -> Path:
    """The folder itself, or ``images`` in it when there is one. Raises ImageError when it is none."""
    if not folder.is_dir():
        raise ImageError(f"There is no folder {folder}.")
    inner = folder / "images"
    if inner.is_dir() and any(path.is_dir() for path in inner.iterdir()):
        return inner
    return folder


def library(folder: Path, sampling: Sampling, work: Work) -> Library:
    """The pictures of a folder. Raises ImageError when there are none."""
    return Library(pictures_of(folder_of_people(folder), sampling), work.recipe, work.cache)


def embedded(books: Library, views: Sequence[View], work: Work, timer: Timer) -> list[FaceSet]:
    """Every face of the library under these views. Raises ImageError when no face is found at all."""
    with timer.stage("embed", "Faces") as progress:
        sets = books.embed(views, jobs=work.jobs, progress=progress)
    if not len(sets[0].person):
        raise ImageError(
            f"No face was found in any of the {len(books.found)} pictures: they must be photos of people, "
            "one face in the middle of each."
        )
    return sets


def peers_installed() -> bool:
    """True when dlib and face_recognition's model files can be used."""
    return all(importlib.util.find_spec(name) is not None for name in ("dlib", "face_recognition_models"))


def pictures_for_dlib(faces: FaceSet, needed: int, limit: int, seed: int = 7) -> NDArray[np.int64]:
    """Pictures worth dlib's time: people with ``needed`` pictures up to most of the limit, then others.

    People are shown whole or not at all, so that nobody is enrolled by halves.
    """
    people, counts = np.unique(faces.person[faces.clean], return_counts=True)
    generator = np.random.default_rng(seed)
    chosen: list[int] = []
    for group, up_to in (
        (people[counts >= needed], _MEMBERS_SHARE * limit),
        (people[counts < needed], limit),
    ):
        for person in generator.permutation(group):
            if len(chosen) >= up_to:
                break
            chosen += faces.picture[(faces.person == person) & faces.clean].tolist()
    return np.unique(np.array(chosen, np.int64))


_MEMBERS_SHARE = 0.7
"""Of the pictures that dlib is shown, at most so many are of people who can be enrolled."""
