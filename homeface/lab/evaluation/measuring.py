"""Measuring a calibration: how like a subject do strangers look, per look and per visit?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from homeface.core.calibration import Calibration
from homeface.core.gallery import Gallery, Subject, Template
from homeface.core.metrics import quantile_table, threshold_at
from homeface.lab.evaluation.faces import FaceSet
from homeface.lab.evaluation.household import Visits, enrollable, usable, visits_of

RATES = (0.1, 0.03, 0.01, 0.003, 0.001)
"""Rates per (visit, subject) that are tabled; smaller ones are extrapolated."""
PHOTOS = (1, 2, 3, 5, 10)
_BASE_PHOTOS = 5
_VISIT_LENGTH = 5
_SMALL_PX = 16.0
_SAME_PERSON = 0.80
_SUPPORT_RATE = 0.003


def measure(
    faces: FaceSet,
    inside: NDArray[np.bool_],
    provenance: Mapping[str, str],
    *,
    draws: int = 12,
    margin: float = 0.08,
    seed: int = 1,
) -> tuple[Calibration, list[tuple[str, str]]]:
    """Figures of the people ``inside``, and the pairs of folders left out because they show one person.

    Every person with enough photos is enrolled, ``draws`` times with other photos; everybody else's
    visits are strangers to them. Pairs of one stranger are not independent: the smallest rates rest
    on few pairs of people, which is why ``policy_for`` extrapolates rather than trusts them.
    """
    generator = np.random.default_rng(seed)
    twins = same_person_pairs(faces, inside)
    visits = visits_of(faces, inside, 3, _VISIT_LENGTH, generator)
    means = visits.means(faces)
    single = np.flatnonzero(usable(faces) & inside)
    scores: dict[int, NDArray[np.float32]] = {}
    looks: NDArray[np.float32] = np.zeros(0, np.float32)
    for photos in PHOTOS:
        found = [
            gallery_scores
            for _ in range(draws)
            if (
                gallery_scores := _impostors(faces, inside, photos, means, visits.person, twins, generator)
            ).size
        ]
        if found:
            scores[photos] = np.concatenate(found)
    for _ in range(max(1, draws // 4)):
        drawn = _impostors(
            faces, inside, _BASE_PHOTOS, faces.vectors[single], faces.person[single], twins, generator
        )
        looks = np.concatenate([looks, drawn])
    base = scores[_BASE_PHOTOS]
    small, infrared = _conditions(faces, inside, twins, generator)
    needed = threshold_at(base, 0.001)
    calibration = Calibration(
        model_id=faces.model_id,
        visit=_rounded(quantile_table(base, RATES)),
        single=_rounded(quantile_table(looks, RATES)),
        support=round(threshold_at(looks, _SUPPORT_RATE), 3),
        margin=margin,
        few_templates_extra=_extras(scores, needed),
        small_px=_SMALL_PX,
        small_extra=small,
        infrared_extra=infrared,
        provenance=provenance,
    )
    return calibration, sorted((faces.names[a], faces.names[b]) for a, b in twins)


def same_person_pairs(faces: FaceSet, inside: NDArray[np.bool_]) -> set[tuple[int, int]]:
    """Pairs of folders whose mean faces are so alike that one person is likely filed under two names."""
    rows = np.flatnonzero(usable(faces) & inside)
    people = np.unique(faces.person[rows])
    means = np.stack([faces.vectors[rows[faces.person[rows] == p]].mean(axis=0) for p in people])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    first, second = np.nonzero(np.triu(means @ means.T >= _SAME_PERSON, 1))
    return {(int(people[a]), int(people[b])) for a, b in zip(first, second, strict=True)}


def everybody(
    faces: FaceSet, inside: NDArray[np.bool_], photos: int, generator: np.random.Generator
) -> Gallery:
    """A gallery of everybody inside who has that many photos fit for enrolment, drawn at random."""
    good = np.flatnonzero(enrollable(faces) & inside)
    people = [
        int(p) for p, n in zip(*np.unique(faces.person[good], return_counts=True), strict=True) if n >= photos
    ]
    templates = [
        Template(f"{row}", f"{p:06d}", faces.vectors[row], faces.model_id)
        for p in people
        for row in generator.choice(good[faces.person[good] == p], photos, replace=False)
    ]
    return Gallery([Subject(f"{p:06d}", faces.names[p]) for p in people], templates, faces.model_id)


def _impostors(
    faces: FaceSet,
    inside: NDArray[np.bool_],
    photos: int,
    vectors: NDArray[np.float32],
    person: NDArray[np.int64],
    twins: set[tuple[int, int]],
    generator: np.random.Generator,
) -> NDArray[np.float32]:
    gallery = everybody(faces, inside, photos, generator)
    if gallery.is_empty:
        return np.zeros(0, np.float32)
    owners = np.array([int(subject_id) for subject_id in gallery.candidate_ids])
    same = person[:, None] == owners[None, :]
    for a, b in twins:
        same |= (person[:, None] == a) & (owners[None, :] == b)
        same |= (person[:, None] == b) & (owners[None, :] == a)
    return np.asarray(gallery.score_matrix(vectors)[~same], np.float32)


def _conditions(
    faces: FaceSet, inside: NDArray[np.bool_], twins: set[tuple[int, int]], generator: np.random.Generator
) -> tuple[float, float]:
    """How much higher strangers score when small, and under infra-red light, at a rate of 1 in 1000."""
    size = np.array([quality.interocular_px for quality in faces.qualities])
    grey = np.array([quality.infrared for quality in faces.qualities])
    fine = usable(faces) & inside

    def needed(which: NDArray[np.bool_]) -> float:
        rows = np.flatnonzero(fine & which)
        if len(rows) < 100:
            return 0.0
        drawn = [
            _impostors(faces, inside, _BASE_PHOTOS, faces.vectors[rows], faces.person[rows], twins, generator)
            for _ in range(4)
        ]
        return threshold_at(np.concatenate(drawn), 0.001)

    normal = needed(~grey & (size >= 2 * _SMALL_PX))
    small = max(0.0, needed(~grey & (size < 1.25 * _SMALL_PX)) - normal)
    infrared = max(0.0, needed(grey & (size >= 1.25 * _SMALL_PX)) - normal)
    return round(small, 3), round(infrared, 3)


def _extras(scores: Mapping[int, NDArray[np.float32]], base: float) -> tuple[float, ...]:
    """Extra threshold for 1, 2, 3… templates, interpolated between the measured numbers."""
    numbers = sorted(scores)
    extras = [threshold_at(scores[number], 0.001) - base for number in numbers]
    steps = np.interp(np.arange(1, numbers[-1] + 1), numbers, extras)
    return tuple(round(float(step), 3) for step in steps)


def _rounded(table: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    return tuple((rate, round(threshold, 4)) for rate, threshold in table)


def prefix_means(faces: FaceSet, visits: Visits) -> list[NDArray[np.float32]]:
    """Mean face after each look of each visit: what a decision on the way sees."""
    weights = np.array([max(0.05, quality.score) for quality in faces.qualities])[:, None]
    result = []
    for look in visits.looks:
        sums = np.cumsum(faces.vectors[look] * weights[look], axis=0)
        result.append((sums / np.linalg.norm(sums, axis=1, keepdims=True)).astype(np.float32))
    return result
