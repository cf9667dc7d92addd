"""Visits that got no name: which of their faces to keep, and which visits look like one person.

Grouping is agglomerative with average linkage (Sokal and Michener 1958): two groups are one person's when the
mean score over all pairs of their visits says so, so that one odd face cannot chain strangers together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homeface.core.calibration import Calibration, threshold_for
from homeface.core.evidence import mean_direction
from homeface.core.strangers import Strangers
from homeface.core.types import Embedding, KeptFace, Quality, Vector

FACES_PER_VISIT = 4
"""So many faces of a visit are kept, in memory while it lasts and on the disk afterwards."""
REPEATED = 0.95
"""Cosine from which two faces of a visit show the same: only the better one is kept."""
PAIR_RATE = 1e-4
"""Share of pairs of strangers that may pass for one person when visits are compared.

On LFW with MobileFaceNet, 20 people of three visits and 40 of one (up to two pictures a visit): 61 groups,
none of two people, one person divided (tests/accuracy/test_unknown_visits.py prints it).
"""
_OVERLAP_SECONDS = 1.0


def keeps(
    kept: Sequence[KeptFace], embedding: Embedding, quality: Quality, most: int = FACES_PER_VISIT
) -> bool:
    """Whether ``with_face`` would take such a face in: to be asked before its picture is cut out."""
    like = _alike(kept, embedding)
    if like is not None:
        return quality.score > kept[like].quality.score
    return len(kept) < most or quality.score > min(face.quality.score for face in kept)


def with_face(kept: Sequence[KeptFace], face: KeptFace, most: int = FACES_PER_VISIT) -> tuple[KeptFace, ...]:
    """The best few faces that differ, at most ``most``, the best first."""
    if not keeps(kept, face.embedding, face.quality, most):
        return tuple(kept)
    like = _alike(kept, face.embedding)
    others = [other for index, other in enumerate(kept) if index != like]
    ordered = sorted([*others, face], key=lambda one: (-one.quality.score, one.seen_at))
    return tuple(ordered[:most])


def _alike(kept: Sequence[KeptFace], embedding: Embedding) -> int | None:
    """The kept face that shows the same, if there is one."""
    cosines = [float(face.embedding.vector @ embedding.vector) for face in kept]
    best = max(range(len(cosines)), key=lambda index: cosines[index], default=None)
    return None if best is None or cosines[best] < REPEATED else best


@dataclass(frozen=True, slots=True, eq=False)
class VisitLikeness:
    """What grouping needs of a visit. ``vector``: (D,) unit mean of its faces; None when it has none."""

    visit_id: str
    camera: str
    first_seen: float
    last_seen: float
    vector: Vector | None = None


@dataclass(frozen=True, slots=True)
class LikenessScale:
    """When two visits are one person's: scores of mean faces told against ``strangers``."""

    threshold: float
    strangers: Strangers | None = None


def scale_for(calibration: Calibration, rate: float = PAIR_RATE) -> LikenessScale:
    """The score that ``rate`` of pairs of strangers reach, as measured for the embedder."""
    return LikenessScale(threshold_for(calibration.single, rate), calibration.strangers)


def mean_of(faces: Sequence[tuple[Vector, float]]) -> Vector | None:
    """Unit mean of (vector, weight) pairs; None without any."""
    if not faces:
        return None
    weights = np.array([max(0.05, weight) for _, weight in faces], dtype=np.float64)
    return mean_direction(np.stack([vector for vector, _ in faces]), weights)


def grouped(visits: Sequence[VisitLikeness], scale: LikenessScale) -> tuple[tuple[str, ...], ...]:
    """Visit ids by person as far as looks tell: newest visit first within a group and among groups.

    Visits without a face stand alone. Two visits that one camera saw at the same time are two people's, and
    so are groups that hold them. Does not depend on the order of ``visits``; a higher threshold only ever
    divides groups. Time and memory grow with the square of the number of visits.
    """
    ordered = sorted(visits, key=lambda visit: (-visit.last_seen, visit.visit_id))
    seen = [index for index, visit in enumerate(ordered) if visit.vector is not None]
    members = [[index] for index in range(len(ordered)) if index not in set(seen)]
    if seen:
        scores = _scores([ordered[index] for index in seen], scale)
        members += [sorted(seen[row] for row in rows) for rows in _merged(scores, scale.threshold)]
    return tuple(tuple(ordered[index].visit_id for index in rows) for rows in sorted(members))


def likeness(
    vectors: NDArray[np.float32], others: NDArray[np.float32], scale: LikenessScale
) -> NDArray[np.float64]:
    """(N, M) scores of (N, D) and (M, D) unit rows, the mean of both directions (each is a probe)."""
    cosines = vectors @ others.T
    if scale.strangers is None:
        return cosines.astype(np.float64)
    there = scale.strangers.comparable(cosines, vectors)
    back = scale.strangers.comparable(cosines.T.copy(), others).T
    return (there.astype(np.float64) + back) / 2.0


def _scores(visits: Sequence[VisitLikeness], scale: LikenessScale) -> NDArray[np.float64]:
    """(N, N) symmetric scores; −∞ for the diagonal and for two who were there at once."""
    rows = np.stack([visit.vector for visit in visits if visit.vector is not None]).astype(np.float32)
    # rounded, so that the order in which a product is summed up decides nothing
    scores = np.round(likeness(rows, rows, scale), 5)
    first = np.array([visit.first_seen for visit in visits])
    last = np.array([visit.last_seen for visit in visits])
    camera = np.unique([visit.camera for visit in visits], return_inverse=True)[1]
    overlap = np.minimum.outer(last, last) - np.maximum.outer(first, first)
    scores[(overlap > _OVERLAP_SECONDS) & (camera[:, None] == camera[None, :])] = -np.inf
    np.fill_diagonal(scores, -np.inf)
    return scores


def _merged(scores: NDArray[np.float64], threshold: float) -> list[list[int]]:
    """Average linkage down to ``threshold``; ties go to the earliest rows. Lance and Williams' update."""
    count = len(scores)
    members: dict[int, list[int]] = {index: [index] for index in range(count)}
    sizes = np.ones(count)
    while len(members) > 1:
        row, column = divmod(int(np.argmax(scores)), count)
        if not scores[row, column] >= threshold:
            break
        keep, gone = min(row, column), max(row, column)
        total = sizes[keep] + sizes[gone]
        merged = (sizes[keep] * scores[keep] + sizes[gone] * scores[gone]) / total
        scores[keep], scores[:, keep] = merged, merged
        scores[gone], scores[:, gone] = -np.inf, -np.inf
        scores[keep, keep] = -np.inf
        sizes[keep] = total
        members[keep] += members.pop(gone)
    return list(members.values())
