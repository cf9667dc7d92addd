"""What can be promised for each enrolled person, by the figures of the model and the household's own photos.

Everything here is an estimate for good visits: several faces about as good as the enrolled photos. On LFW
(households of 4) 0.13 to 0.16 % of such visits were expected to be missed at 1 in 1000 and none of 997 was;
of five faces each from a bad camera (small, blurred, dim, turned), 2 to 6 %. False names come from the
model's calibration; misses and mistakes for each other from scores of each photo against the person's
other photos (left out one by one) and against everybody else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from homeface.core.calibration import Calibration, threshold_for
from homeface.core.gallery import Gallery, Template
from homeface.core.identification import Policy, comparable, margin_between, subject_extras
from homeface.core.metrics import wss
from homeface.core.templates import (
    Kind,
    Limits,
    Outlier,
    copies,
    fits,
    kind_of,
    odd_ones,
    outliers,
)

VISIT_GAIN = 2.0
"""How many independent faces a visit is worth. Five LFW pictures of a person were worth three; faces of one
walk err more alike."""
TYPICAL_SCATTER = 0.07
"""Standard deviation of one person's scores, photo by photo (LFW, MobileFaceNet: 0.05 to 0.07)."""
PRIOR_PHOTOS = 3.0
"""The household's mean counts as so many photos of each person."""
LEAST_RATE = 2e-3
"""Smaller rates of misses are told as this: a handful of photos cannot show them."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """The other person somebody is most like.

    ``score``: mean score of the photos of either at the other, the higher one. ``mistaken``: expected share
    of visits named as the other; ``undecided``: share that stays unknown because both come too close.
    ``kept``: the mistakes stay within the promise.
    """

    subject_id: str
    score: float
    mistaken: float
    undecided: float
    kept: bool


@dataclass(frozen=True, slots=True)
class PersonHealth:
    """One person's figures. Photos count by kind; ``resting`` photos are stored but not compared with.

    ``spread``: within-group sum of squares per used photo (0: all alike; 1: at right angles). ``fit``: mean
    score of the photos at the person's other photos. ``false_names``: expected share of strangers' visits
    that get this name; ``misses``: expected share of the person's own visits without a name or with a wrong
    one; None where there is nothing to tell it from. ``eyes_px``: median distance of the eyes in the photos.
    """

    subject_id: str
    name: str
    day: int
    infrared: int
    adapted: int
    resting: int
    other_model: int
    spread: float
    fit: float | None
    threshold: float
    false_names: float
    misses: float | None
    nearest: Neighbour | None
    outliers: tuple[Outlier, ...]
    mixed: bool
    eyes_px: float | None

    @property
    def photos(self) -> int:
        """Photos compared with."""
        return self.day + self.infrared


@dataclass(frozen=True, slots=True)
class Asked:
    """What the household asked for: ``rate`` of strangers' visits that may get any name, and the figures
    and limits it is kept with."""

    rate: float
    policy: Policy
    calibration: Calibration
    limits: Limits


@dataclass(frozen=True, slots=True)
class Health:
    """Everybody's figures, by name. ``copies``: pairs of template ids that show one picture."""

    people: tuple[PersonHealth, ...]
    asked: float
    false_names: float
    copies: tuple[tuple[Template, Template], ...]

    def name(self, subject_id: str) -> str:
        """A person's name; the id when there is nobody."""
        return next((p.name for p in self.people if p.subject_id == subject_id), subject_id)


def examine_health(
    stored: Gallery, used: Gallery, asked: Asked, eyes_px: Mapping[str, float] | None = None
) -> Health:
    """Figures of everybody in ``stored``; ``used`` is the gallery that recognition compares with.

    ``eyes_px``: distance of the eyes by template id, as far as known.
    """
    photos = photos_of(used)
    own = {
        subject_id: np.array([_left_out(photos, int(row), asked.policy) for row in _rows(photos, subject_id)])
        for subject_id in photos.candidate_ids
        if len(_rows(photos, subject_id)) > 1
    }
    household = _Household(stored, used, photos, own, asked, outliers(stored, asked.limits), eyes_px or {})
    people = [_person(household, subject_id) for subject_id in stored.subjects]
    people.sort(key=lambda person: (person.name.casefold(), person.subject_id))
    total = 1.0 - math.prod(1.0 - person.false_names for person in people)
    return Health(tuple(people), asked.rate, total, copies(stored))


def photos_of(gallery: Gallery) -> Gallery:
    """The same without learned templates."""
    photos = [template for template in gallery.templates if not template.adapted]
    return Gallery(gallery.subjects.values(), photos, gallery.model_id)


def rate_at(table: Sequence[tuple[float, float]], threshold: float) -> float:
    """The rate whose threshold this is: the reverse of ``calibration.threshold_for``."""
    low, high = 1e-12, table[0][0]
    if threshold <= table[0][1]:
        return high
    for _ in range(60):
        middle = math.sqrt(low * high)
        if threshold_for(table, middle) > threshold:
            low = middle
        else:
            high = middle
    return high


def visit_score(photo_score: float) -> float:
    """What the mean face of a visit scores, where single photos score this (cosines).

    Of a face m·c + noise the mean of k has the cosine m / √(m² + (1 − m²)/k), with k = ``VISIT_GAIN``.
    """
    m = max(0.0, min(1.0, photo_score))
    return m / math.sqrt(m * m + (1.0 - m * m) / VISIT_GAIN) if m else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Household:
    """``photos``: the used gallery without learned templates; ``own``: left-out scores by subject."""

    stored: Gallery
    used: Gallery
    photos: Gallery
    own: Mapping[str, NDArray[np.float64]]
    asked: Asked
    outliers: tuple[Outlier, ...]
    eyes_px: Mapping[str, float]

    @property
    def typical(self) -> float | None:
        """Mean of all left-out scores; None when nobody has two photos."""
        return float(np.concatenate(list(self.own.values())).mean()) if self.own else None

    def expected(self, subject_id: str) -> float | None:
        """Mean score of a person's next photo: the own photos', drawn towards the household's mean."""
        typical, own = self.typical, self.own.get(subject_id, np.zeros(0))
        if typical is None:
            return None
        return float((own.sum() + PRIOR_PHOTOS * typical) / (len(own) + PRIOR_PHOTOS))


def _person(household: _Household, subject_id: str) -> PersonHealth:
    used = [t for t in household.used.templates if t.subject_id == subject_id]
    photos = [t for t in used if not t.adapted]
    stored = [t for t in household.stored.templates if t.subject_id == subject_id]
    # what subjects need above the base makes up for how many strangers reach it with them: it is not earned
    base = household.asked.policy.threshold
    threshold = needed_score(household.used, household.asked.policy, subject_id)
    known = bool(used)
    nearest = _nearest(household, subject_id)
    own = household.own.get(subject_id)
    eyes = [household.eyes_px[t.template_id] for t in photos if t.template_id in household.eyes_px]
    return PersonHealth(
        subject_id=subject_id,
        name=household.stored.name(subject_id),
        day=sum(kind_of(t) is Kind.DAY for t in photos),
        infrared=sum(kind_of(t) is Kind.INFRARED for t in photos),
        adapted=len(used) - len(photos),
        resting=sum(not t.adapted for t in stored) - len(photos),
        other_model=sum(t.subject_id == subject_id for t in household.stored.mismatched),
        spread=wss(np.stack([t.vector for t in photos])) / len(photos) if photos else 0.0,
        fit=None if own is None else float(own.mean()),
        threshold=threshold,
        false_names=rate_at(household.asked.calibration.visit, base) if known else 0.0,
        misses=_misses(household, subject_id, threshold, nearest) if known else None,
        nearest=nearest,
        outliers=tuple(o for o in household.outliers if o.subject_id == subject_id),
        mixed=_mixed(stored, household.asked.limits),
        eyes_px=float(np.median(eyes)) if eyes else None,
    )


def needed_score(gallery: Gallery, policy: Policy, subject_id: str) -> float:
    """The score a good visit needs to be named as this subject."""
    if subject_id not in gallery.candidate_ids:
        return policy.threshold
    column = gallery.candidate_ids.index(subject_id)
    return policy.threshold + float(subject_extras(gallery, policy)[column])


def _misses(
    household: _Household, subject_id: str, threshold: float, nearest: Neighbour | None
) -> float | None:
    """Expected share of good visits without the right name: below the threshold, or too near another."""
    expected = household.expected(subject_id)
    if expected is None:
        return None
    count = len(household.own.get(subject_id, ()))
    below = _tail((visit_score(expected) - threshold) / _scatter(household), count)
    close = nearest.undecided + nearest.mistaken if nearest is not None else 0.0
    return min(1.0, max(LEAST_RATE, below + close))


def _nearest(household: _Household, subject_id: str) -> Neighbour | None:
    """The most similar other person, by photos; None without photos or without others."""
    photos = household.photos
    if subject_id not in photos.candidate_ids or len(photos.candidate_ids) < 2:
        return None
    mine = photos.candidate_ids.index(subject_id)
    rows = _rows(photos, subject_id)
    scores = comparable(photos, household.asked.policy, photos.matrix)
    theirs = {
        other: max(float(scores[rows, column].mean()), float(scores[_rows(photos, other), mine].mean()))
        for column, other in enumerate(photos.candidate_ids)
        if other != subject_id
    }
    other = max(theirs, key=lambda candidate: (theirs[candidate], candidate))
    expected = household.expected(subject_id)
    if expected is None:
        return Neighbour(other, theirs[other], 0.0, 0.0, True)
    column = photos.candidate_ids.index(other)
    margin = margin_between(photos, household.asked.policy, mine, column)
    lead = visit_score(expected) - visit_score(float(scores[rows, column].mean()))
    scatter, count = _scatter(household) * math.sqrt(2.0), len(rows)
    mistaken = _tail((lead + margin) / scatter, count)
    undecided = max(0.0, _tail((lead - margin) / scatter, count) - mistaken)
    return Neighbour(other, theirs[other], mistaken, undecided, mistaken <= household.asked.rate)


def _scatter(household: _Household) -> float:
    """Standard deviation of one person's scores, pooled over the household and the typical figure."""
    squares = sum(float(((own - own.mean()) ** 2).sum()) for own in household.own.values())
    freedom = sum(len(own) - 1 for own in household.own.values())
    prior = 10.0
    return math.sqrt((squares + prior * TYPICAL_SCATTER**2) / (freedom + prior))


def _tail(distance: float, photos: int) -> float:
    """Share of a person's visits that lie so many scatters beyond the mean, known from so many photos.

    Normal, with the mean itself uncertain: its variance is that of one photo over ``photos`` and the prior.
    """
    widened = math.sqrt(1.0 + 1.0 / (photos + PRIOR_PHOTOS))
    return NormalDist().cdf(-distance / widened)


def _mixed(stored: Sequence[Template], limits: Limits) -> bool:
    """True when the photos disagree and no majority says which ones are wrong."""
    photos = [t for t in stored if not t.adapted]
    if len(photos) < 2:
        return False
    rows = np.stack([t.vector for t in photos])
    light = np.array([t.infrared for t in photos])
    odd = odd_ones(rows, limits.agreement, light)
    return not odd.any() and bool((fits(rows, light) < limits.agreement).any())


def _left_out(gallery: Gallery, row: int, policy: Policy) -> float:
    """What a photo scores at its own person's others, on the scale of the policy's thresholds."""
    template = gallery.templates[row]
    others = [t for t in gallery.templates if t.subject_id == template.subject_id and t is not template]
    rest = Gallery([gallery.subjects[template.subject_id]], others, gallery.model_id)
    return float(comparable(rest, policy, gallery.matrix[row : row + 1])[0, 0])


def _rows(gallery: Gallery, subject_id: str) -> NDArray[np.intp]:
    return np.flatnonzero([template.subject_id == subject_id for template in gallery.templates])
