"""How peers decide a name, on any embedding: their formulas, without their networks.

Read in their public sources: Frigate ``frigate/data_processing`` (``build_class_mean``,
``similarity_to_confidence``, ``weighted_average``), CompreFace's documentation of its similarity,
face_recognition ``api.py`` (``compare_faces``), FaceID's settings. Left out: Frigate lowers its confidence
by up to 0.06 for blurred faces and rounds it to hundredths.

A rule gives every name it utters a *strength*: it is uttered at every threshold up to that strength.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.floating]
NEVER = -np.inf


@dataclass(frozen=True, slots=True, eq=False)
class Enrolled:
    """(N, D) templates ordered by subject; ``starts`` is the first row of each of the S subjects."""

    vectors: Rows
    starts: NDArray[np.intp]

    def groups(self) -> list[Rows]:
        """The templates of each subject."""
        return np.split(self.vectors, self.starts[1:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One peer's rule.

    ``likeness`` (enrolled, (K, D) probes) -> (K, S), larger is liker; ``threshold`` is the peer's own;
    ``margin`` the lead over the runner-up that it wants; ``min_side_px`` the smallest face it takes;
    ``vote_above``: a visit is a weighted vote of the looks above this likeness, else any look may name.
    """

    key: str
    title: str
    unit: str
    threshold: float
    likeness: Callable[[Enrolled, Rows], Rows]
    margin: float = 0.0
    min_side_px: float = 0.0
    vote_above: float | None = None

    @property
    def visit_rule(self) -> str:
        """How a visit is named, in words."""
        if self.vote_above is None:
            return "any look above the threshold names the visit; names are never taken back"
        return f"vote of the looks above {self.vote_above:g}, weighted by area and likeness, after each look"


@dataclass(frozen=True, slots=True, eq=False)
class Uttered:
    """Strength of the right name and of the strongest wrong one, and whose the wrong one is (column)."""

    right: NDArray[np.float64]
    wrong: NDArray[np.float64]
    wrong_column: NDArray[np.int64]


def _unit(vectors: Rows) -> Rows:
    norms = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return np.asarray(vectors / norms, np.float64)


def _trimmed_mean(rows: Rows, share: float) -> NDArray[np.float64]:
    """Mean per dimension without the ``share`` lowest and highest values (``scipy.stats.trim_mean``)."""
    cut = int(share * len(rows))
    return np.asarray(np.sort(rows, axis=0)[cut : len(rows) - cut].mean(axis=0), np.float64)


def frigate_class_mean(rows: Rows) -> NDArray[np.float64]:
    """15 % trimmed mean; from five images on those with cosine < 0.30 to it go, at most three in ten."""
    if len(rows) < 5:
        return _trimmed_mean(rows, 0.15)
    keep = np.ones(len(rows), bool)
    least = max(5, int(np.ceil(0.7 * len(rows))))
    for _ in range(3):
        mean = _trimmed_mean(rows[keep], 0.15)
        cosines = _unit(rows) @ (mean / (np.linalg.norm(mean) + 1e-9))
        kept = cosines >= 0.30
        if kept.sum() < least:
            kept = np.zeros(len(rows), bool)
            kept[np.argsort(-cosines)[:least]] = True
        if np.array_equal(kept, keep):
            break
        keep = kept
    return _trimmed_mean(rows[keep], 0.15)


def _frigate(middle: float) -> Callable[[Enrolled, Rows], Rows]:
    def likeness(enrolled: Enrolled, probes: Rows) -> Rows:
        means = _unit(np.stack([frigate_class_mean(rows) for rows in enrolled.groups()]))
        return np.asarray(1.0 / (1.0 + np.exp(-20.0 * (_unit(probes) @ means.T - middle))), np.float64)

    return likeness


def _nearest_cosine(enrolled: Enrolled, probes: Rows) -> Rows:
    cosines = _unit(probes) @ _unit(enrolled.vectors).T
    return np.asarray(np.maximum.reduceat(cosines, enrolled.starts, axis=1), np.float64)


def _compreface(enrolled: Enrolled, probes: Rows) -> Rows:
    distance = np.sqrt(np.maximum(0.0, 2.0 - 2.0 * _nearest_cosine(enrolled, probes)))
    return np.asarray((np.tanh((1.1818 - distance) * 5.2920) + 1.0) / 2.0, np.float64)


def _nearness(enrolled: Enrolled, probes: Rows) -> Rows:
    """Minus the Euclidean distance to the nearest template."""
    templates = enrolled.vectors.astype(np.float64)
    points = probes.astype(np.float64)
    squares = (points**2).sum(axis=1)[:, None] + (templates**2).sum(axis=1) - 2 * points @ templates.T
    distances = np.sqrt(np.maximum(0.0, squares))
    return np.asarray(-np.minimum.reduceat(distances, enrolled.starts, axis=1), np.float64)


FACE_RECOGNITION = Rule(
    key="face_recognition",
    title="face_recognition (dlib's own embedding)",
    unit="minus the distance",
    threshold=-0.6,
    likeness=_nearness,
)


def rules_for(model_id: str) -> tuple[Rule, ...]:
    """The rules that take any embedding; Frigate's constant depends on the kind of network."""
    facenet = model_id.startswith("facenet")
    middle = 0.5 if facenet else 0.3
    return (
        Rule(
            key="frigate",
            title=f"Frigate ({'FaceNet' if facenet else 'ArcFace'} constants)",
            unit="confidence",
            threshold=0.9,
            likeness=_frigate(middle),
            vote_above=0.8,
        ),
        Rule(key="compreface", title="CompreFace", unit="similarity", threshold=0.5, likeness=_compreface),
        Rule(
            key="faceid",
            title="FaceID",
            unit="cosine",
            threshold=0.50,
            likeness=_nearest_cosine,
            margin=0.05,
            min_side_px=48.0,
        ),
    )


def utter(
    rule: Rule,
    enrolled: Enrolled,
    probes: Rows,
    area: NDArray[np.floating],
    visits: NDArray[np.int64],
    right: NDArray[np.int64],
) -> Uttered:
    """What the rule says in each visit.

    ``probes`` (K, D), not finite where the peer found no face; ``area`` (K,) of the boxes in square pixels;
    ``visits`` (V, F) rows of ``probes``, -1 where a visit has fewer looks; ``right`` (V,) the column of the
    person, -1 for a stranger. A single picture is a visit of one look.
    """
    seen = np.isfinite(probes).all(axis=1)
    likeness = np.full((len(probes), len(enrolled.starts)), NEVER)
    if seen.any():
        likeness[seen] = rule.likeness(enrolled, probes[seen])
    likeness[np.sqrt(np.maximum(area, 0.0)) < rule.min_side_px] = NEVER
    best, strength = _leaders(likeness, rule.margin)
    if rule.vote_above is not None and visits.shape[1] > 1:
        columns, strengths = _votes(rule.vote_above, likeness, best, strength, area, visits)
    else:
        columns = best[visits]
        strengths = np.where(visits >= 0, strength[visits], NEVER)
    is_right = columns == right[:, None]
    wrong = np.where(is_right, NEVER, strengths)
    return Uttered(
        right=np.where(is_right, strengths, NEVER).max(axis=1),
        wrong=wrong.max(axis=1),
        wrong_column=columns[np.arange(len(columns)), wrong.argmax(axis=1)],
    )


def _leaders(likeness: Rows, margin: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Best column and its likeness; -inf where the lead over the runner-up is too small."""
    best = likeness.argmax(axis=1).astype(np.int64)
    strength = likeness[np.arange(len(best)), best].astype(np.float64)
    if margin > 0 and likeness.shape[1] > 1:
        second = np.sort(likeness, axis=1)[:, -2]
        with np.errstate(invalid="ignore"):
            strength = np.where(strength - second >= margin, strength, NEVER)
    return best, strength


def _votes(
    above: float,
    likeness: Rows,
    best: NDArray[np.int64],
    strength: NDArray[np.float64],
    area: NDArray[np.floating],
    visits: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Frigate's answer after each look: (V, F) columns and weighted mean confidences, -inf for none."""
    count, length = visits.shape
    numbers = np.zeros((count, likeness.shape[1]))
    weights = np.zeros_like(numbers)
    sums = np.zeros_like(numbers)
    columns = np.zeros((count, length), np.int64)
    strengths = np.full((count, length), NEVER)
    index = np.arange(count)
    for look in range(length):
        rows = visits[:, look]
        votes = (rows >= 0) & (strength[rows] > above)
        worth = np.where(votes, np.minimum(area[rows], 4000.0) * (strength[rows] - above) * 10.0, 0.0)
        numbers[index, best[rows]] += votes
        weights[index, best[rows]] += worth
        sums[index, best[rows]] += np.where(votes, worth * strength[rows], 0.0)
        leader = sums.argmax(axis=1)
        own = numbers[index, leader]
        others = numbers.copy()
        others[index, leader] = -1
        valid = (own > 0) & (weights[index, leader] > 0) & ~(others == own[:, None]).any(axis=1)
        whole = weights[index, leader]
        mean = np.divide(sums[index, leader], whole, out=np.full(count, NEVER), where=whole > 0)
        columns[:, look] = leader
        strengths[:, look] = np.where(valid & (rows >= 0), mean, NEVER)
    return columns, strengths
