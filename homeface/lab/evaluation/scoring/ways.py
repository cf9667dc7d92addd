"""Ways of telling how like a face is to a subject. Each learns from a crowd, then scores searches.

A way is a function (faces, crowd) -> scorer, a scorer a function of searches -> (N, S) scores.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from homeface.core.strangers import Strangers, strangers_of
from homeface.lab.evaluation.faces import FaceSet
from homeface.lab.evaluation.scoring.searches import (
    Crowd,
    Searches,
    blend,
    looks_mean,
    mean_faces,
    unit,
    worths,
)

Scores = NDArray[np.floating]
Scorer = Callable[[Searches], Scores]
Way = Callable[[FaceSet, Crowd], Scorer]

_NEAREST = 100
_TAIL_SHARE = 0.05
_CROWD_FREE, _CROWD_PRIOR = 0.45, 4.0
_WITHIN_SHRUNK = 0.6


def cosine(faces: FaceSet, _: Crowd) -> Scorer:
    """The bare blend of centroid and nearest template."""
    return lambda searches: blend(faces.vectors[searches.home.templates], looks_mean(faces, searches.rows))


@dataclass(frozen=True, slots=True, eq=False)
class _Told:
    """Scores told against strangers, as the core does it."""

    faces: FaceSet
    strangers: Strangers

    def __call__(self, searches: Searches) -> Scores:
        return self.of(searches, looks_mean(self.faces, searches.rows))

    def of(self, searches: Searches, probes: NDArray[np.float32]) -> Scores:
        """Scores of any probes at the household."""
        raw = blend(self.faces.vectors[searches.home.templates], probes)
        return self.strangers.comparable(raw, probes)


def _told(faces: FaceSet, crowd: Crowd) -> _Told:
    return _Told(faces, strangers_of(crowd.vectors, crowd.person))


def strangers(faces: FaceSet, crowd: Crowd) -> Scorer:
    """What the core does: told against strangers by the probe."""
    return _told(faces, crowd)


def housemates(share: float) -> Way:
    """Told against strangers, with thresholds by subject: whoever is like the housemates needs more.

    ``share`` of the likeness beyond a free part; the core's is 2.
    """

    def learning(faces: FaceSet, crowd: Crowd) -> Scorer:
        told = _told(faces, crowd)

        def scored(searches: Searches) -> Scores:
            centroids = unit(faces.vectors[searches.home.templates].sum(axis=1))
            kin = centroids @ centroids.T
            crowding = (kin.sum(axis=1) - np.diagonal(kin)) / (len(kin) - 1 + _CROWD_PRIOR)
            free = _CROWD_FREE * told.strangers.spread
            return np.asarray(told(searches) - share * np.maximum(0.0, crowding - free))

        return scored

    return learning


def _tail(scores: Scores) -> tuple[Scores, Scores]:
    """Where the upper tail of each column begins, and the mean excess over it (an exponential's scale)."""
    count = min(len(scores) - 1, max(8, int(_TAIL_SHARE * len(scores))))
    top = np.partition(scores, len(scores) - count - 1, axis=0)[len(scores) - count - 1 :]
    begin = top.min(axis=0)
    return begin, (top - begin).sum(axis=0) / count


def tail_by_subject(faces: FaceSet, crowd: Crowd) -> Scorer:
    """The exponential tail of the crowd's scores at each subject: -ln of the chance to score so high."""
    told = _told(faces, crowd)

    def scored(searches: Searches) -> Scores:
        others = ~np.isin(crowd.person, searches.home.people)
        begin, scale = _tail(told.of(searches, crowd.vectors[others]))
        return np.asarray((told(searches) - begin) / scale)

    return scored


def pareto_by_subject(faces: FaceSet, crowd: Crowd) -> Scorer:
    """A generalised Pareto tail: scale by subject, shape pooled over the household's subjects.

    Shape by probability-weighted moments (Hosking and Wallis, 1987).
    """
    told = _told(faces, crowd)

    def scored(searches: Searches) -> Scores:
        others = ~np.isin(crowd.person, searches.home.people)
        reference = told.of(searches, crowd.vectors[others])
        begin, scale = _tail(reference)
        excess = np.sort((reference - begin)[reference > begin])
        beyond = (len(excess) - np.arange(1, len(excess) + 1) + 0.35) / len(excess)
        first, second = excess.mean(), (excess * beyond).mean()
        shape = float(np.clip(2 - first / (first - 2 * second), -0.45, 0.2))
        unlikely = (told(searches) - begin) / (scale * (1 - shape))
        if abs(shape) < 1e-3:
            return np.asarray(unlikely)
        # beyond the end of a bounded tail the order must go on: a straight line from just before it
        near = -0.98 / shape if shape < 0 else np.inf
        inner = np.minimum(unlikely, near)
        slope = 1.0 / (1 + shape * near) if np.isfinite(near) else 0.0
        beyond_end = slope * np.maximum(0.0, unlikely - inner)
        return np.asarray(np.log1p(shape * np.maximum(inner, -0.5)) / shape + beyond_end)

    return scored


def half_tail_by_subject(faces: FaceSet, crowd: Crowd) -> Scorer:
    """The exponential tail by subject, begin and scale drawn half-way to the household's mean."""
    told = _told(faces, crowd)

    def scored(searches: Searches) -> Scores:
        others = ~np.isin(crowd.person, searches.home.people)
        begin, scale = _tail(told.of(searches, crowd.vectors[others]))
        usual = told.strangers.level + 1.645 * told.strangers.spread
        return np.asarray((told(searches) - (begin + usual) / 2) / (scale + 0.35 * told.strangers.spread) * 2)

    return scored


def tail_by_probe(faces: FaceSet, crowd: Crowd) -> Scorer:
    """The exponential tail of each probe's own scores at the crowd's people."""

    def scored(searches: Searches) -> Scores:
        probes = looks_mean(faces, searches.rows)
        raw = blend(faces.vectors[searches.home.templates], probes)
        begin, scale = _tail(_at_crowd(crowd, searches, probes))
        return np.asarray((raw - begin[:, None]) / scale[:, None])

    return scored


def tail_by_both(faces: FaceSet, crowd: Crowd) -> Scorer:
    """The mean of both tails, each in its own scale."""
    by_subject, by_probe = tail_by_subject(faces, crowd), tail_by_probe(faces, crowd)
    return lambda searches: (by_subject(searches) + by_probe(searches)) / 2


def _at_crowd(crowd: Crowd, searches: Searches, probes: NDArray[np.float32]) -> Scores:
    """(M, N) what the crowd's people score with each probe; never the searched person with itself."""
    scores = crowd.means @ probes.T
    people = np.unique(crowd.person)
    same = people[:, None] == searches.person[None, :]
    scores[same] = -1.0
    return np.asarray(scores)


def _top(scores: Scores, count: int) -> tuple[Scores, Scores]:
    """Mean and standard deviation of the best ``count`` of each column (of all, where there are fewer)."""
    count = min(count, len(scores))
    top = np.partition(scores, len(scores) - count, axis=0)[len(scores) - count :]
    return top.mean(axis=0), top.std(axis=0)


def near_probe(faces: FaceSet, crowd: Crowd) -> Scorer:
    """Told by the 100 people of the crowd nearest to the probe (adaptive t-norm)."""

    def scored(searches: Searches) -> Scores:
        probes = looks_mean(faces, searches.rows)
        raw = blend(faces.vectors[searches.home.templates], probes)
        mean, spread = _top(_at_crowd(crowd, searches, probes), _NEAREST)
        return np.asarray((raw - mean[:, None]) / spread[:, None])

    return scored


def near_template(faces: FaceSet, crowd: Crowd) -> Scorer:
    """Told by the 100 faces of the crowd nearest to each template (adaptive z-norm, template by template)."""
    people = crowd.person

    def scored(searches: Searches) -> Scores:
        probes = looks_mean(faces, searches.rows)
        templates = faces.vectors[searches.home.templates]
        others = ~np.isin(people, searches.home.people)
        flat = templates.reshape(-1, templates.shape[2])
        mean, spread = _top(crowd.vectors[others] @ flat.T, _NEAREST)
        cosines = (probes @ flat.T - mean) / spread
        by_subject = cosines.reshape(len(probes), *templates.shape[:2])
        return np.asarray(0.7 * by_subject.mean(axis=2) + 0.3 * by_subject.max(axis=2))

    return scored


def near_both(faces: FaceSet, crowd: Crowd) -> Scorer:
    """Adaptive s-norm: by the 100 people nearest to the probe and the 100 faces nearest to the subject."""
    by_probe = near_probe(faces, crowd)

    def scored(searches: Searches) -> Scores:
        probes = looks_mean(faces, searches.rows)
        templates = faces.vectors[searches.home.templates]
        others = ~np.isin(crowd.person, searches.home.people)
        mean, spread = _top(blend(templates, crowd.vectors[others]), _NEAREST)
        return np.asarray(((blend(templates, probes) - mean) / spread + by_probe(searches)) / 2)

    return scored


def weighted_templates(faces: FaceSet, crowd: Crowd) -> Scorer:
    """Told against strangers, the centroid weighted by the photos' quality."""
    told = _told(faces, crowd)
    worth = worths(faces.qualities)

    def scored(searches: Searches) -> Scores:
        probes = looks_mean(faces, searches.rows)
        templates = searches.home.templates
        raw = blend(faces.vectors[templates], probes, worth[templates])
        return told.strangers.comparable(raw, probes)

    return scored


def _within(crowd: Crowd) -> NDArray[np.float64]:
    """(D, D) covariance of faces around their own people's mean face, people with two faces and more."""
    people, index, counts = np.unique(crowd.person, return_inverse=True, return_counts=True)
    sums = np.zeros((len(people), crowd.vectors.shape[1]))
    np.add.at(sums, index, crowd.vectors)
    several = counts[index] >= 2
    own = (crowd.vectors - (sums / counts[:, None])[index])[several]
    weights = 1.0 / (counts[index][several] - 1)  # everybody weighs alike
    return np.asarray((own * weights[:, None]).T @ own / (counts >= 2).sum())


def _projected(faces: FaceSet, crowd: Crowd, shrunk: float) -> tuple[FaceSet, Crowd]:
    """Faces and crowd where the variation within a person is the same in every direction (WCCN)."""
    within = _within(crowd)
    size = len(within)
    within = (1 - shrunk) * within + shrunk * np.trace(within) / size * np.eye(size)
    values, axes = np.linalg.eigh(within)
    turn = (axes / np.sqrt(values)) @ axes.T
    middle = crowd.means.mean(axis=0)
    vectors, own = unit((faces.vectors - middle) @ turn), unit((crowd.vectors - middle) @ turn)
    moved = Crowd(own, crowd.person, crowd.rows, mean_faces(own, crowd.person))
    return replace(faces, vectors=vectors), moved


def within(way: Way, shrunk: float = _WITHIN_SHRUNK) -> Way:
    """Another way after within-class covariance normalisation, learned from the crowd."""
    return lambda faces, crowd: way(*_projected(faces, crowd, shrunk))
