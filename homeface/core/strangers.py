"""How like anybody a face looks: strangers' scores at one face, told by the mean and spread of strangers.

Some faces (blurred, dark, of rare kinds) are like everybody, others like nobody, and one threshold on the
cosine treats them alike. Over all strangers' unit vectors x with mean m and covariance C, the cosine of a
probe p has mean m·p and variance p'Cp: the analytic form of the test normalisation of speaker recognition
(Auckenthaler, Carey and Lloyd-Thomas, 2000), without a cohort of people to keep. What is left is a
number of standard deviations, told on the scale of the cosine, so that thresholds stay readable.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

DIRECTIONS = 64
"""Directions in which the spread of strangers is told one by one; the rest is told by one number."""


@dataclass(frozen=True, slots=True, eq=False)
class Strangers:
    """Mean and spread of the unit vectors of many people: figures of a crowd, nobody's face.

    ``mean`` (D,); ``factors`` (K, D) such that the variance of a cosine with the unit vector p is
    |factors·p|² + ``rest``; ``level`` and ``spread``: mean and standard deviation of the cosine of two
    different people.
    """

    mean: NDArray[np.float32]
    factors: NDArray[np.float32]
    rest: float
    level: float
    spread: float
    _axes: NDArray[np.float32] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # one block, so that a probe is compared with all of it in one product
        object.__setattr__(self, "_axes", np.concatenate([self.factors, self.mean[None]]))

    def comparable(self, scores: NDArray[np.float32], probes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores (N, S) of N unit probes (N, D), as if each probe were as like to strangers as most are."""
        along = probes @ self._axes.T
        expected = along[:, -1:]
        slope = self.spread / np.sqrt(np.square(along[:, :-1]).sum(axis=1, keepdims=True) + self.rest)
        return np.asarray((scores - expected) * slope + self.level, dtype=np.float32)


def strangers_of(
    vectors: NDArray[np.float32], person: NDArray[np.int64], directions: int = DIRECTIONS
) -> Strangers:
    """Measured on (N, D) unit vectors of the people ``person`` (N,); everybody weighs alike."""
    rows = np.asarray(vectors, dtype=np.float64)
    _, index, counts = np.unique(person, return_inverse=True, return_counts=True)
    weights = 1.0 / counts[index] / len(counts)
    mean = weights @ rows
    covariance = ((rows - mean) * weights[:, None]).T @ (rows - mean)
    values, axes = np.linalg.eigh(covariance)
    kept = min(directions, len(values) - 1)
    rest = float(values[:-kept].mean())
    factors = axes[:, -kept:].T * np.sqrt(np.maximum(values[-kept:] - rest, 0.0))[:, None]
    spreads = np.sqrt(np.square(rows @ factors.T).sum(axis=1) + rest)
    return Strangers(
        mean=mean.astype(np.float16).astype(np.float32),
        factors=factors.astype(np.float16).astype(np.float32),
        rest=rest,
        level=float(mean @ mean),
        spread=float(weights @ spreads),
    )


def strangers_as_json(strangers: Strangers) -> dict[str, Any]:
    """The form ``strangers_from`` reads: arrays as base64 of little-endian half-precision numbers."""
    return {
        "mean": _text(strangers.mean),
        "factors": _text(strangers.factors),
        "rest": strangers.rest,
        "level": strangers.level,
        "spread": strangers.spread,
    }


def strangers_from(data: Mapping[str, Any]) -> Strangers:
    """From the JSON form. Raises KeyError, TypeError or ValueError for a damaged one."""
    mean = _array(data["mean"])
    factors = _array(data["factors"])
    rest, level, spread = (float(data[key]) for key in ("rest", "level", "spread"))
    if not mean.size or factors.size % mean.size or rest <= 0 or spread <= 0:
        raise ValueError("the figures of strangers do not fit together")
    return Strangers(mean, factors.reshape(-1, mean.size), rest, level, spread)


def _text(array: NDArray[np.float32]) -> str:
    return base64.b64encode(array.astype("<f2").tobytes()).decode("ascii")


def _array(text: str) -> NDArray[np.float32]:
    values = np.frombuffer(base64.b64decode(text, validate=True), dtype="<f2").astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError("a figure of strangers is not finite")
    return values
