"""The household protocol: random families enrol some photos, then they and strangers are met."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from homeface.core.evidence import Evidence, mean_direction
from homeface.core.gallery import Gallery, Subject, Template
from homeface.core.quality import ENROLMENT_LIMITS, judge
from homeface.core.types import Embedding
from homeface.lab.evaluation.faces import FaceSet

LOOK_SPACING_SECONDS = 0.5
"""Time between the faces of a simulated visit: far enough apart to count as looks of their own."""


@dataclass(frozen=True, slots=True, eq=False)
class Visits:
    """Visits of people as rows of face numbers: ``looks`` lists each visit's faces in ``FaceSet``."""

    person: NDArray[np.int64]
    looks: tuple[NDArray[np.int64], ...]

    def means(self, faces: FaceSet) -> NDArray[np.float32]:
        """(V, D) mean face of each visit, weighted as ``Evidence`` weighs."""
        weights = np.array([max(0.05, quality.score) for quality in faces.qualities])
        return np.stack([mean_direction(faces.vectors[look], weights[look]) for look in self.looks])


@dataclass(frozen=True, slots=True, eq=False)
class Household:
    """A family: the people enrolled, their gallery, and the pictures that enrolment used up."""

    members: tuple[int, ...]
    gallery: Gallery
    used_pictures: frozenset[int]


_ENROLLABLE: WeakKeyDictionary[FaceSet, NDArray[np.bool_]] = WeakKeyDictionary()
"""Judged once for each set: it takes a second for ten thousand faces."""


def usable(faces: FaceSet) -> NDArray[np.bool_]:
    """True where a face may be used for recognition."""
    return np.array([quality.usable for quality in faces.qualities], dtype=bool)


def enrollable(faces: FaceSet) -> NDArray[np.bool_]:
    """True where a face would be accepted as an enrolment photo."""
    if faces not in _ENROLLABLE:
        good = [judge(quality, ENROLMENT_LIMITS).usable for quality in faces.qualities]
        _ENROLLABLE[faces] = np.array(good, dtype=bool) & faces.clean
    return _ENROLLABLE[faces].copy()


def households(
    faces: FaceSet, inside: NDArray[np.bool_], count: int, subjects: int, photos: int, seed: int = 0
) -> Iterator[Household]:
    """Random families of ``subjects`` people with ``photos`` enrolment photos each, out of ``inside``.

    Only people with at least three further pictures are drawn, so that they can also be met.
    """
    generator = np.random.default_rng(seed)
    good = np.flatnonzero(enrollable(faces) & inside)
    by_person = {int(p): good[faces.person[good] == p] for p in np.unique(faces.person[good])}
    rich = [p for p, rows in by_person.items() if len(rows) >= photos + 3]
    if len(rich) < subjects:
        return
    for _ in range(count):
        members = tuple(int(p) for p in generator.choice(rich, subjects, replace=False))
        chosen = {p: generator.choice(by_person[p], photos, replace=False) for p in members}
        templates = [
            Template(f"{row}", f"{p}", faces.vectors[row], faces.model_id)
            for p, rows in chosen.items()
            for row in rows
        ]
        gallery = Gallery([Subject(f"{p}", faces.names[p]) for p in members], templates, faces.model_id)
        used = frozenset(int(faces.picture[row]) for rows in chosen.values() for row in rows)
        yield Household(members, gallery, used)


def visits_of(
    faces: FaceSet, inside: NDArray[np.bool_], per_person: int, length: int, generator: np.random.Generator
) -> Visits:
    """Visits of everybody in ``inside``: up to ``length`` usable looks drawn from the person's faces.

    Somebody with one picture is seen in its degraded versions: looks that err alike, as one walk's do.
    """
    rows = np.flatnonzero(usable(faces) & inside)
    order = rows[np.argsort(faces.person[rows], kind="stable")]
    people, starts = np.unique(faces.person[order], return_index=True)
    person: list[int] = []
    looks: list[NDArray[np.int64]] = []
    for number, own in zip(people, np.split(order, starts[1:]), strict=True):
        for _ in range(per_person if len(own) > length else 1):
            looks.append(generator.choice(own, min(length, len(own)), replace=False))
            person.append(int(number))
    return Visits(np.array(person, dtype=np.int64), tuple(looks))


def member_visits(
    faces: FaceSet, household: Household, per_person: int, length: int, generator: np.random.Generator
) -> Visits:
    """Visits of the family's members, on pictures that enrolment did not use."""
    fresh = ~np.isin(faces.picture, list(household.used_pictures))
    return visits_of(faces, fresh & np.isin(faces.person, household.members), per_person, length, generator)


def evidence_of(faces: FaceSet, looks: NDArray[np.int64]) -> Evidence:
    """What a track would have gathered from these faces."""
    evidence = Evidence()
    for position, row in enumerate(looks):
        evidence = evidence.add(
            Embedding(faces.vectors[row], faces.model_id),
            faces.qualities[row],
            position * LOOK_SPACING_SECONDS,
        )
    return evidence
