"""Measuring a calibration: how like a subject do strangers look, on one picture and during a visit?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homeface.core.calibration import SUPPORT_SHARE, Calibration
from homeface.core.evidence import Evidence, mean_direction
from homeface.core.gallery import Gallery, Subject, Template
from homeface.core.identification import Policy, comparable
from homeface.core.metrics import threshold_at
from homeface.core.strangers import strangers_of
from homeface.lab.evaluation.faces import FaceSet
from homeface.lab.evaluation.household import Visits, enrollable, evidence_of, usable, visits_of

RATES = (0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001)
"""Rates per (face or visit, subject) that are tabled where people suffice; the rest is extrapolated."""
PHOTOS = (1, 2, 3, 5, 10)
_BASE_PHOTOS = 5
_VISIT_LENGTH = 8
_LEAST_LOOKS = 3
_LEAST_PAIRS = 8
"""So many different (stranger, subject) pairs must stand behind a tabled rate."""
_ONE_POINT = 1e-3
_SMALL_PX = 16.0
_SAME_PERSON_SPREADS = 5.6
_SUPPORT_RATE = 0.003
_EXTRAS_RATE = 0.001
# In units of the spread of strangers' scores, so that they fit any model; see docs/decisions/0009.
_CROWD_SHARE, _CROWD_FREE = 2.0, 0.45
_KIN_SHARE, _KIN_FREE = 0.25, 2.8


@dataclass(frozen=True, slots=True, eq=False)
class _Street:
    """Who walks by: clean faces, single and as visits, and who is never a stranger to whom."""

    faces: FaceSet
    policy: Policy
    singles: NDArray[np.int64]
    visits: tuple[Evidence, ...]
    visitors: NDArray[np.int64]
    twins: frozenset[tuple[int, int]]


def measure(
    faces: FaceSet,
    inside: NDArray[np.bool_],
    provenance: Mapping[str, str],
    *,
    draws: int = 6,
    margin: float = 0.08,
    seed: int = 1,
) -> tuple[Calibration, list[tuple[str, str]]]:
    """Figures of the people ``inside``, and the pairs of folders left out because they show one person.

    Every person with enough photos is enrolled, ``draws`` times with other photos; everybody else is a
    stranger to them, on single pictures and in visits. A visit counts with its highest score at any moment
    from the third look on, as ``decide`` would see it. Far fewer people can be met in visits than on single
    pictures: where the visits' pairs run out, their table goes on as the single pictures' does.
    """
    generator = np.random.default_rng(seed)
    clean = usable(faces) & inside & faces.clean
    strangers = strangers_of(faces.vectors[clean], faces.person[clean])
    bare = Policy(threshold=-1.0, margin=margin, support=-1.0, strangers=strangers)
    twins = frozenset(same_person_pairs(faces, inside))
    walks = visits_of(faces, clean, 2, _VISIT_LENGTH, generator)
    long = [number for number, looks in enumerate(walks.looks) if len(looks) >= _LEAST_LOOKS]
    street = _Street(
        faces=faces,
        policy=bare,
        singles=np.flatnonzero(clean),
        visits=tuple(evidence_of(faces, walks.looks[number]) for number in long),
        visitors=walks.person[long],
        twins=twins,
    )
    scores = {photos: _singles(street, inside, photos, draws, generator) for photos in PHOTOS}
    scores = {photos: found for photos, found in scores.items() if found.size}
    base = scores[_BASE_PHOTOS]
    support = round(threshold_at(base, _SUPPORT_RATE), 3)
    single = _table(base, _pairs(street, inside, np.unique(faces.person[clean])))
    met = _courses(street, inside, draws, generator)
    visit = _carried_on(_table(met, _pairs(street, inside, np.unique(street.visitors))), single)
    small, infrared = _conditions(street, inside, generator)
    calibration = Calibration(
        model_id=faces.model_id,
        visit=visit,
        single=single,
        support=support,
        margin=margin,
        few_templates_extra=_extras(scores, threshold_at(base, _EXTRAS_RATE)),
        small_px=_SMALL_PX,
        small_extra=small,
        infrared_extra=infrared,
        crowd_share=_CROWD_SHARE,
        crowd_free=round(_CROWD_FREE * strangers.spread, 4),
        kin_share=_KIN_SHARE,
        kin_free=round(_KIN_FREE * strangers.spread, 4),
        strangers=strangers,
        provenance=provenance,
    )
    return calibration, sorted((faces.names[a], faces.names[b]) for a, b in twins)


def same_person_pairs(faces: FaceSet, inside: NDArray[np.bool_]) -> set[tuple[int, int]]:
    """Pairs of folders that likely hold one person: their mean faces, or two clean pictures, are so alike.

    The limits are many standard deviations beyond the most alike of different people (``Strangers``).
    """
    rows = np.flatnonzero(usable(faces) & inside & faces.clean)
    people, index = np.unique(faces.person[rows], return_inverse=True)
    strangers = strangers_of(faces.vectors[rows], faces.person[rows])
    policy = Policy(threshold=-1.0, strangers=strangers)
    templates = [
        Template(f"{row}", f"{faces.person[row]:06d}", faces.vectors[row], faces.model_id) for row in rows
    ]
    gallery = Gallery([Subject(f"{p:06d}", "") for p in people], templates, faces.model_id)
    least = strangers.level + _SAME_PERSON_SPREADS * strangers.spread
    found: set[tuple[int, int]] = set()
    for start in range(0, len(rows), 500):
        part = rows[start : start + 500]
        scores = comparable(gallery, policy, faces.vectors[part])
        scores[np.arange(len(part)), index[start : start + 500]] = -1.0
        for number, column in zip(*np.nonzero(scores >= least), strict=True):
            pair = sorted((int(faces.person[part[number]]), int(people[column])))
            found.add((pair[0], pair[1]))
    return found


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


def _apart(street: _Street, gallery: Gallery, person: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(P, S) True where a person is a stranger to a subject."""
    owners = np.array([int(subject_id) for subject_id in gallery.candidate_ids])
    apart: NDArray[np.bool_] = person[:, None] != owners[None, :]
    column = {int(owner): number for number, owner in enumerate(owners)}
    for pair in street.twins:
        for one, other in (pair, pair[::-1]):
            if other in column:
                apart[person == one, column[other]] = False
    return apart


def _impostors(street: _Street, gallery: Gallery, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Scores of single faces at everybody they are strangers to."""
    scores = comparable(gallery, street.policy, street.faces.vectors[rows])
    return np.asarray(scores[_apart(street, gallery, street.faces.person[rows])], np.float32)


def _singles(
    street: _Street, inside: NDArray[np.bool_], photos: int, draws: int, generator: np.random.Generator
) -> NDArray[np.float32]:
    found: list[NDArray[np.float32]] = []
    for _ in range(draws):
        gallery = everybody(street.faces, inside, photos, generator)
        if not gallery.is_empty:
            found.append(_impostors(street, gallery, street.singles))
    return np.concatenate(found) if found else np.zeros(0, np.float32)


def _courses(
    street: _Street, inside: NDArray[np.bool_], draws: int, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Highest threshold at which each stranger's visit would get each subject's name at some moment."""
    found: list[NDArray[np.float32]] = []
    for _ in range(draws):
        gallery = everybody(street.faces, inside, _BASE_PHOTOS, generator)
        apart = _apart(street, gallery, street.visitors)
        for visit, strange in zip(street.visits, apart, strict=True):
            found.append(_course(visit, gallery, street.policy)[strange])
    return np.concatenate(found)


def _course(evidence: Evidence, gallery: Gallery, policy: Policy) -> NDArray[np.float32]:
    """(S,) highest threshold that a visit reaches at each subject at any moment from the third look on.

    By the mean face, and by what ``decide`` asks of single looks: ``SUPPORT_SHARE`` of the threshold.
    """
    vectors = np.array([look.vector for look in evidence.looks])
    weights = np.array([look.weight for look in evidence.looks])
    ends = range(_LEAST_LOOKS, len(vectors) + 1)
    means = [mean_direction(vectors[:end], weights[:end]) for end in ends]
    newest = [mean_direction(vectors[end - 2 : end], weights[end - 2 : end]) for end in ends]
    scores = comparable(gallery, policy, np.concatenate([np.array(means), np.array(newest), vectors]))
    count = len(means)
    looks = scores[2 * count :]
    best = np.full(scores.shape[1], -1.0, np.float32)
    for number, end in enumerate(ends):
        most = _reached(looks[:end], weights[:end], policy.min_support_share)
        recent = slice(end - policy.recent_votes, end)
        newest_most = _reached(looks[recent], weights[recent], 0.5 + 1e-6)
        single = np.minimum(np.minimum(most, newest_most), scores[count + number]) / SUPPORT_SHARE
        best = np.maximum(best, np.minimum(scores[number], single))
    return np.asarray(best, np.float32)


def _reached(looks: NDArray[np.float32], weights: NDArray[np.float64], share: float) -> NDArray[np.float32]:
    """(S,) highest score that so large a share of the looks (K, S) reaches, by weight."""
    order = np.argsort(-looks, axis=0)
    enough = np.cumsum(weights[order], axis=0) >= (share - 1e-9) * weights.sum()
    at = np.take_along_axis(order, enough.argmax(axis=0)[None], axis=0)
    return np.asarray(np.take_along_axis(looks, at, axis=0)[0], np.float32)


def _pairs(street: _Street, inside: NDArray[np.bool_], people: NDArray[np.int64]) -> int:
    """How many different (stranger, subject) pairs there are."""
    good = enrollable(street.faces) & inside
    subjects = int((np.bincount(street.faces.person[good]) >= _BASE_PHOTOS).sum())
    return subjects * max(0, len(people) - 1)


def _table(scores: NDArray[np.float32], pairs: int) -> tuple[tuple[float, float], ...]:
    """(rate, threshold) of the rates behind which enough different pairs stand."""
    return tuple(
        (rate, round(threshold_at(scores, rate), 4)) for rate in RATES if rate * pairs >= _LEAST_PAIRS
    )


def _carried_on(
    visit: tuple[tuple[float, float], ...], single: tuple[tuple[float, float], ...]
) -> tuple[tuple[float, float], ...]:
    """The visits' table without the rates that agreement alone decides, on to the singles' smallest rates.

    Beyond its own pairs it is a straight function of the singles' thresholds.
    """
    own = {rate: threshold for rate, threshold in visit if threshold > 0}
    common = [rate for rate, _ in single if rate in own]
    if len(common) < 2:
        return visit
    single_thresholds = [dict(single)[rate] for rate in common]
    if np.ptp(single_thresholds) < _ONE_POINT:  # a network that tells nobody apart: there is no line
        return visit
    slope, shift = np.polyfit(single_thresholds, [own[rate] for rate in common], 1)
    longer = {
        rate: own.get(rate, round(float(shift + slope * threshold), 4))
        for rate, threshold in single
        if rate in own or rate < min(own)
    }
    thresholds = np.maximum.accumulate(list(longer.values())).tolist()
    return tuple(zip(longer, thresholds, strict=True))


def _conditions(
    street: _Street, inside: NDArray[np.bool_], generator: np.random.Generator
) -> tuple[float, float]:
    """How much higher strangers score when small, and under infra-red light, at a rate of 1 in 1000."""
    faces = street.faces
    size = np.array([quality.interocular_px for quality in faces.qualities])
    grey = np.array([quality.infrared for quality in faces.qualities])
    fine = usable(faces) & inside
    galleries = [everybody(faces, inside, _BASE_PHOTOS, generator) for _ in range(3)]

    def needed(which: NDArray[np.bool_]) -> float:
        rows = np.flatnonzero(fine & which)
        if len(rows) < 100:
            return 0.0
        drawn = [_impostors(street, gallery, rows) for gallery in galleries]
        return threshold_at(np.concatenate(drawn), _EXTRAS_RATE)

    normal = needed(~grey & (size >= 2 * _SMALL_PX))
    small = max(0.0, needed(~grey & (size < 1.25 * _SMALL_PX)) - normal)
    infrared = max(0.0, needed(grey & (size >= 1.25 * _SMALL_PX)) - normal)
    return round(small, 3), round(infrared, 3)


def _extras(scores: Mapping[int, NDArray[np.float32]], base: float) -> tuple[float, ...]:
    """Extra threshold for 1, 2, 3… templates, interpolated between the measured numbers."""
    numbers = sorted(scores)
    extras = [threshold_at(scores[number], _EXTRAS_RATE) - base for number in numbers]
    steps = np.interp(np.arange(1, numbers[-1] + 1), numbers, extras)
    return tuple(round(float(step), 3) for step in steps)


def prefix_means(faces: FaceSet, visits: Visits) -> list[NDArray[np.float32]]:
    """Mean face after each look of each visit: what a decision on the way sees."""
    weights = np.array([max(0.05, quality.score) for quality in faces.qualities])[:, None]
    result = []
    for look in visits.looks:
        sums = np.cumsum(faces.vectors[look] * weights[look], axis=0)
        result.append((sums / np.linalg.norm(sums, axis=1, keepdims=True)).astype(np.float32))
    return result
