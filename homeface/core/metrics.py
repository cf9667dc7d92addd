"""Figures of open-set identification: FPIR, FNIR, their curve, intervals, and the spread of a group.

FPIR: share of searches for people who are not enrolled that return a name. FNIR: share of searches
for enrolled people that do not return the right name (ISO/IEC 19795-1). Always told with the threshold.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Rate:
    """A share with its 95 % interval and what it was counted from."""

    hits: int
    total: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share itself; NaN when nothing was counted."""
        return self.hits / self.total if self.total else math.nan


def wilson(hits: int, total: int, z: float = 1.959964) -> Rate:
    """A counted share with Wilson's score interval (Wilson 1927); z for 95 % by default.

    Holds for independent trials only: searches that share people are not, use ``bootstrap_by_group``.
    """
    if not 0 <= hits <= total:
        raise ValueError(f"{hits} hits of {total} trials is not a share")
    if total == 0:
        return Rate(0, 0, 0.0, 1.0)
    share = hits / total
    middle = share + z * z / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    low = 0.0 if hits == 0 else max(0.0, (middle - spread) / scale)
    high = 1.0 if hits == total else min(1.0, (middle + spread) / scale)
    return Rate(hits, total, low, high)


def bootstrap_by_group(
    hits: NDArray[np.bool_], groups: NDArray[np.integer], rounds: int = 1000, seed: int = 0
) -> Rate:
    """A share with a percentile interval from drawing whole groups (people) anew with replacement."""
    flags = np.asarray(hits, dtype=bool)
    if flags.shape != np.asarray(groups).shape:
        raise ValueError("every trial needs its group")
    if not len(flags):
        return Rate(0, 0, 0.0, 1.0)
    _, index = np.unique(groups, return_inverse=True)
    counts = np.bincount(index)
    found = np.bincount(index, weights=flags)
    drawn = np.random.default_rng(seed).integers(0, len(counts), (rounds, len(counts)))
    shares = found[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(shares, [0.025, 0.975])
    if not flags.any():  # nothing to draw: fall back on the people as the only independent trials
        high = wilson(0, len(counts)).high
    return Rate(int(flags.sum()), len(flags), float(low), float(high))


def fpir_fnir(
    strangers: Scores, enrolled: Scores, right: NDArray[np.bool_], threshold: float
) -> tuple[float, float]:
    """(FPIR, FNIR) at a threshold.

    ``strangers`` (N,) best scores of people not enrolled, ``enrolled`` (M,) best scores of enrolled
    people, ``right`` (M,) True where that best candidate is the right one.
    """
    named = np.asarray(strangers) >= threshold
    found = (np.asarray(enrolled) >= threshold) & np.asarray(right, dtype=bool)
    return (
        float(named.mean()) if named.size else math.nan,
        float(1.0 - found.mean()) if found.size else math.nan,
    )


def threshold_at(strangers: Scores, rate: float) -> float:
    """The least threshold whose FPIR on these strangers is at most ``rate``."""
    if not 0 < rate <= 1:
        raise ValueError(f"a rate lies in (0, 1], not {rate}")
    values = np.asarray(strangers).ravel()
    if not values.size:
        raise ValueError("no strangers, no threshold")
    allowed = math.floor(rate * values.size + 1e-9)
    if allowed >= values.size:
        return -math.inf
    first_refused = values.size - 1 - allowed  # no need to sort millions of scores for one of them
    refused = np.float64(np.partition(values, first_refused)[first_refused])
    return float(np.nextafter(refused, math.inf))


def det_curve(
    strangers: Scores, enrolled: Scores, right: NDArray[np.bool_], points: int = 200
) -> NDArray[np.float64]:
    """(points, 3): threshold, FPIR, FNIR, thresholds rising over the range of all scores."""
    everything = np.concatenate([np.asarray(strangers, np.float64), np.asarray(enrolled, np.float64)])
    if not everything.size:
        return np.zeros((0, 3))
    thresholds = np.linspace(everything.min(), everything.max(), points)
    rows = [(t, *fpir_fnir(strangers, enrolled, right, float(t))) for t in thresholds]
    return np.array(rows, dtype=np.float64)


def wss(vectors: NDArray[np.floating]) -> float:
    """Within-group sum of squares: squared distances of (N, D) rows from their mean, summed."""
    rows = np.asarray(vectors, dtype=np.float64)
    return float(((rows - rows.mean(axis=0)) ** 2).sum()) if len(rows) else 0.0


def quantile_table(
    scores: Scores, rates: tuple[float, ...], pick: Callable[[Scores, float], float] = threshold_at
) -> tuple[tuple[float, float], ...]:
    """(rate, threshold) pairs of the rates that this many scores can tell (ten hits or more)."""
    count = len(np.asarray(scores))
    return tuple((rate, pick(scores, rate)) for rate in rates if rate * count >= 10)
