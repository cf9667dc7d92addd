"""Which face of a frame belongs to which track: costs, a greedy pairing, and what is too doubtful to pair.

Distances are in face sizes (mean of the two faces' larger sides), so that near and far people, and any
resolution, behave alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from homeface.core.geometry import iou
from homeface.core.types import Box

_STOPPED_PENALTY = 0.25
"""Cost of "it stayed where it was" against "it went on as predicted", in face sizes."""
_OVERLAP_WEIGHT = 0.25
_SCALE_WEIGHT = 0.5
_UNSEEN_WEIGHT = 0.25
"""Extra cost per second without a face: a track in full view goes before one that was lost."""


@dataclass(frozen=True, slots=True)
class AssociationLimits:
    """How far a face may be from its track, and how clear the choice must be. Distances in face sizes.

    Between two frames a head moves at most ``reach + reach_per_second * dt``, and never counts for more than
    ``max_reach``: who walks at 1.5 m/s across the picture moves 7 face heights (of 0.22 m) a second.
    ``max_scale`` is the largest ratio of sizes. Alternatives whose cost is within ``ambiguity`` of the
    chosen one make it doubtful.
    """

    reach: float = 0.6
    reach_per_second: float = 7.0
    max_reach: float = 2.2
    max_scale: float = 1.7
    ambiguity: float = 0.4


@dataclass(frozen=True, slots=True)
class Anchor:
    """What is known of a track before a frame: where it is expected, where it was, for how long unseen."""

    expected: Box
    last: Box
    unseen_seconds: float
    solid: bool
    """Confirmed: a track or face that is not solid puts no solid one in doubt."""


@dataclass(frozen=True, slots=True)
class Pairing:
    """Indices of (anchor, face): sure pairs, those with a rival within reach, and anchors given up."""

    pairs: tuple[tuple[int, int], ...]
    contested: frozenset[int]
    given_up: frozenset[int]


def size(box: Box) -> float:
    """Larger side in pixels, at least 1."""
    return max(1.0, box.width, box.height)


def _distance(a: Box, b: Box) -> float:
    (ax, ay), (bx, by) = a.centre, b.centre
    return math.hypot(ax - bx, ay - by) / ((size(a) + size(b)) / 2)


def cost(anchor: Anchor, face: Box, limits: AssociationLimits) -> float:
    """Cost of giving ``face`` to the track, in face sizes; infinite when it is out of reach."""
    ratio = size(face) / size(anchor.last)
    if max(ratio, 1 / ratio) > limits.max_scale:
        return math.inf
    expected = _distance(anchor.expected, face)
    stayed = _distance(anchor.last, face) + _STOPPED_PENALTY
    reach = min(limits.max_reach, limits.reach + limits.reach_per_second * anchor.unseen_seconds)
    if min(expected, stayed - _STOPPED_PENALTY) > reach:
        return math.inf
    overlap = max(iou(anchor.expected, face), iou(anchor.last, face))
    return (
        min(expected, stayed)
        + _OVERLAP_WEIGHT * (1 - overlap)
        + _SCALE_WEIGHT * abs(math.log(ratio))
        + _UNSEEN_WEIGHT * anchor.unseen_seconds
    )


def pair(anchors: Sequence[Anchor], faces: Sequence[Box], limits: AssociationLimits) -> Pairing:
    """Pair greedily by cost; leave out what could as well be the other way round.

    A wrong pair gives a wrong name, a missed one costs a new decision. So where another pairing is about
    as good, all tracks in question are given up rather than guessed.
    """
    costs = np.array([[cost(anchor, face, limits) for face in faces] for anchor in anchors], dtype=np.float64)
    costs = costs.reshape(len(anchors), len(faces))
    chosen = _greedy(costs)
    doubtful = _doubtful(costs, chosen, [anchor.solid for anchor in anchors], limits.ambiguity)
    sure = {a: f for a, f in chosen.items() if a not in doubtful}
    contested = {
        a for a, f in sure.items() if np.isfinite(costs[a]).sum() > 1 or np.isfinite(costs[:, f]).sum() > 1
    }
    return Pairing(tuple(sorted(sure.items())), frozenset(contested), frozenset(doubtful))


def _greedy(costs: NDArray[np.float64]) -> dict[int, int]:
    """Cheapest pair first; ties by index, so that the outcome is the same every time."""
    rows, columns = np.nonzero(np.isfinite(costs))
    ranked = sorted((float(costs[a, f]), int(a), int(f)) for a, f in zip(rows, columns, strict=True))
    chosen: dict[int, int] = {}
    taken: set[int] = set()
    for _, a, f in ranked:
        if a not in chosen and f not in taken:
            chosen[a] = f
            taken.add(f)
    return chosen


def _doubtful(
    costs: NDArray[np.float64], chosen: dict[int, int], solid: Sequence[bool], ambiguity: float
) -> set[int]:
    """Anchors whose pair has a rival about as good: a swap, a lost track, or a second face."""
    found: set[int] = set()
    for (a, f), (b, g) in combinations(chosen.items(), 2):
        swapped = costs[a, g] + costs[b, f]
        if solid[a] == solid[b] and swapped - (costs[a, f] + costs[b, g]) < ambiguity:
            found |= {a, b}
    lost = [a for a in range(costs.shape[0]) if a not in chosen]
    free = [f for f in range(costs.shape[1]) if f not in chosen.values()]
    for a, f in chosen.items():
        rivals = {b for b in lost if costs[b, f] - costs[a, f] < ambiguity and solid[b] >= solid[a]}
        if rivals:
            found |= {a, *rivals}
        if any(costs[a, g] - costs[a, f] < ambiguity for g in free):
            found.add(a)
    return found
