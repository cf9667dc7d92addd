"""How good the vectors are on people the network has not seen: the protocols of ``homeface evaluate``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from homeface.errors import ImageError
from homeface.inference.manifest import ModelSpec
from homeface.lab.evaluation.faces import FaceSet
from homeface.lab.evaluation.household_run import misses_at
from homeface.lab.evaluation.looking import Recipe
from homeface.lab.evaluation.running import Work
from homeface.lab.evaluation.street import Protocol
from homeface.lab.evaluation.verification import Pair, pairs_told
from homeface.lab.training.embedding.aligned import Aligned, AlignedFace
from homeface.lab.training.task import Figures

_FOLDS = 10
_MOST_PAIRS = 3000
_ASKED = 0.01
_VERIFY = ("accuracy", "fnmr_at_fmr_0.01", "fnmr_at_fmr_0.001")


def held_out(aligned: Aligned, parts: int) -> tuple[AlignedFace, ...]:
    """Faces of one part in ``parts`` of the people, by a hash of the name: the same in every run."""
    faces = aligned.faces
    inside = _without_vectors(faces).part(0, parts)
    return tuple(face for face, chosen in zip(faces, inside, strict=True) if chosen)


def _without_vectors(faces: Sequence[AlignedFace]) -> FaceSet:
    names = tuple(dict.fromkeys(face.person for face in faces))
    number = {name: index for index, name in enumerate(names)}
    boxes = np.array([face.box for face in faces], np.float64).reshape(-1, 4)
    return FaceSet(
        model_id="in training",
        names=names,
        person=np.array([number[face.person] for face in faces], np.int64),
        picture=np.arange(len(faces)),
        clean=np.ones(len(faces), bool),
        vectors=np.zeros((len(faces), 0), np.float32),
        qualities=tuple(face.quality for face in faces),
        missed=0,
        view=np.zeros(len(faces), np.int64),
        area=(boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]),
        files=tuple(Path(face.file) for face in faces),
    )


@dataclass(frozen=True, slots=True)
class Examination:
    """Random households that are asked after each epoch; ``households`` 0: pairs alone."""

    households: int = 20
    subjects: int = 4
    photos: int = 3
    seed: int = 5


class Examiner:
    """Asks the same questions of every epoch's network. Raises ImageError when there are no pairs to ask."""

    def __init__(self, faces: Sequence[AlignedFace], how: Examination, detector: ModelSpec) -> None:
        self.faces = tuple(faces)
        self._how, self._detector = how, detector
        self._bare = _without_vectors(faces)
        self.pairs = drawn_pairs(self._bare, how.seed)
        self.without_households = ""

    def ask(self, vectors: NDArray[np.float32]) -> Figures:
        """Figures of (N, D) vectors of the faces, in their order; any length."""
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
        faces = replace(self._bare, vectors=unit)
        told = pairs_told(self.pairs, faces)
        return {f"verify_{key}": float(told[key]) for key in _VERIFY if key in told} | self._households(faces)

    def _households(self, faces: FaceSet) -> Figures:
        """Misses of random households at a false-name rate that these very strangers hold them to."""
        how = self._how
        if how.households <= 0 or self.without_households:
            return {}
        protocol = Protocol(how.households, how.subjects, how.photos, seed=how.seed)
        work = Work(Recipe(self._detector, (), ()), jobs=1)
        try:
            missed = misses_at(_ASKED, faces, protocol, work)
        except ImageError as error:
            self.without_households = str(error)
            return {}
        return {f"household_{kind}_fnir_at_fpir_{_ASKED:g}": value for kind, value in missed.items()}


def drawn_pairs(faces: FaceSet, seed: int) -> list[Pair]:
    """As many pairs of one person as of two, the same number in each of ten folds; drawn by ``seed``.

    Raises ImageError when nobody has two pictures.
    """
    dice = np.random.default_rng(seed)
    by_person = [np.flatnonzero(faces.person == number) for number in range(len(faces.names))]
    same = [(int(a), int(b)) for own in by_person for i, a in enumerate(own) for b in own[i + 1 :]]
    if not same or len(by_person) < 2:
        raise ImageError(
            "Nobody who was kept apart for judging has two pictures, or there is one person alone: add "
            "people with several pictures, or keep more of them apart (--held-out)."
        )
    count = min(len(same), _MOST_PAIRS)
    chosen = [same[index] for index in dice.choice(len(same), count, replace=False)]
    other: list[tuple[int, int]] = []
    while len(other) < count:
        a, b = (int(index) for index in dice.integers(len(faces.person), size=2))
        if faces.person[a] != faces.person[b]:
            other.append((a, b))
    return [
        Pair(faces.files[a], faces.files[b], same=kind, fold=number % _FOLDS)
        for kind, pairs in ((True, chosen), (False, other))
        for number, (a, b) in enumerate(pairs)
    ]
