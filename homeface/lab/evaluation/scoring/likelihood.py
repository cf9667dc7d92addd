"""Likelihood ratios by quality: what a score is worth for a face so small, so blurred, so turned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homeface.lab.evaluation.faces import FaceSet
from homeface.lab.evaluation.scoring.searches import Crowd, Searches, drawn, worths
from homeface.lab.evaluation.scoring.ways import Scorer, Scores, Way
from homeface.lab.evaluation.street import Protocol

_LEARNING = Protocol(households=80, seed=11)
_ROUNDS, _PENALTY = 40, 1e-2


def _features(faces: FaceSet) -> NDArray[np.float64]:
    """(N, Q) size, sharpness, pose, light of each face, standardised over usable faces."""
    rows = [
        (
            np.log(max(1.0, q.interocular_px)),
            np.log(max(1e-3, q.sharpness)),
            abs(q.yaw),
            abs(q.pitch),
            q.brightness,
            q.contrast,
            q.score,
        )
        for q in faces.qualities
    ]
    values = np.array(rows, np.float64)
    return np.asarray(np.clip((values - values.mean(axis=0)) / (values.std(axis=0) + 1e-9), -4, 4))


@dataclass(frozen=True, slots=True, eq=False)
class Worth:
    """ln of the likelihood ratio of a score and a quality: logistic regression without the prior."""

    weights: NDArray[np.float64]
    level: float
    spread: float

    def __call__(self, scores: NDArray[np.floating], quality: NDArray[np.float64]) -> Scores:
        """(N, S) scores and (N, Q) qualities -> (N, S)."""
        told = (scores - self.level) / self.spread
        size = quality.shape[1]
        constant = self.weights[0] + quality @ self.weights[2 : 2 + size]
        slope = np.maximum(0.05, self.weights[1] + quality @ self.weights[2 + size :])
        return np.asarray(constant[:, None] + slope[:, None] * told)


def fit(scores: NDArray[np.float64], quality: NDArray[np.float64], same: NDArray[np.bool_]) -> Worth:
    """From (N,) scores with their (N, Q) qualities, ``same`` where it is the same person. Newton's method."""
    level, spread = float(scores.mean()), float(scores.std())
    told = (scores - level) / spread
    design = np.column_stack([np.ones(len(told)), told, quality, quality * told[:, None]])
    weights = np.zeros(design.shape[1])
    share = np.where(same, 0.5 / same.sum(), 0.5 / (~same).sum()) * len(same)
    penalty = _PENALTY * len(same) * np.r_[0.0, 1e-3, np.full(design.shape[1] - 2, 1.0)]
    for _ in range(_ROUNDS):
        chance = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        gradient = design.T @ (share * (same - chance)) - penalty * weights
        curve = (design * (share * chance * (1 - chance) + 1e-9)[:, None]).T @ design + np.diag(
            penalty + 1e-6
        )
        step = np.linalg.solve(curve, gradient)
        weights += step
        if np.abs(step).max() < 1e-6:
            break
    return Worth(weights, level, spread)


def learned(faces: FaceSet, crowd: Crowd, scorer: Scorer) -> Worth:
    """The worth of the scorer's scores, from random households of the crowd's own people."""
    inside = np.isin(np.arange(len(faces.person)), crowd.rows)
    quality = _features(faces)
    parts = []
    for searches in drawn(faces, inside, _LEARNING, "probe"):
        scores = scorer(searches)
        same = searches.column[:, None] == np.arange(scores.shape[1])[None, :]
        parts.append(
            (scores.ravel(), np.repeat(quality[searches.rows[:, 0]], scores.shape[1], axis=0), same.ravel())
        )
    return fit(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def by_quality(way: Way) -> Way:
    """The likelihood ratio of another way's score of the mean face, given the mean quality of the looks."""

    def learning(faces: FaceSet, crowd: Crowd) -> Scorer:
        scorer = way(faces, crowd)
        worth, quality = learned(faces, crowd, scorer), _features(faces)
        weight = worths(faces.qualities)

        def scored(searches: Searches) -> Scores:
            shares = np.where(searches.rows >= 0, weight[searches.rows], 0.0)
            shares = shares / shares.sum(axis=1, keepdims=True)
            mean = np.einsum("vf,vfq->vq", shares, quality[searches.rows])
            return worth(scorer(searches), mean)

        return scored

    return learning


def summed(way: Way) -> Way:
    """The likelihood ratios of a visit's single looks, given each one's quality, summed."""

    def learning(faces: FaceSet, crowd: Crowd) -> Scorer:
        scorer = way(faces, crowd)
        worth, quality = learned(faces, crowd, scorer), _features(faces)

        def scored(searches: Searches) -> Scores:
            total = np.zeros((len(searches.rows), len(searches.home.people)))
            for look in searches.rows.T:
                there = np.flatnonzero(look >= 0)
                part = Searches(
                    searches.home, look[there, None], searches.person[there], searches.column[there]
                )
                total[there] += worth(scorer(part), quality[look[there]])
            return total

        return scored

    return learning
