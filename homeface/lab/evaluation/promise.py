"""Is the promise kept? False names and misses of random households, on people the figures have not seen."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from homeface.core.calibration import Calibration, policy_for
from homeface.core.gallery import Gallery
from homeface.core.identification import Evidence, Policy, conclude, decide, identify_one
from homeface.core.metrics import Rate, bootstrap_by_group
from homeface.core.types import Embedding, Identified
from homeface.lab.evaluation.faces import FaceSet
from homeface.lab.evaluation.household import (
    LOOK_SPACING_SECONDS,
    Household,
    evidence_of,
    households,
    member_visits,
    usable,
    visits_of,
)
from homeface.lab.evaluation.measuring import prefix_means, same_person_pairs


@dataclass(frozen=True, slots=True)
class Protocol:
    """How many households, their size, their enrolment photos, and the looks of a visit."""

    households: int = 100
    subjects: int = 4
    photos: int = 5
    length: int = 5


PROTOCOL = Protocol()


@dataclass(frozen=True, slots=True)
class Promise:
    """What one asked rate gave. Rates with 95 % intervals from drawing people anew."""

    asked: float
    threshold: float
    single_threshold: float
    fpir_visit: Rate
    fpir_probe: Rate
    fnir_visit: Rate
    fnir_probe: Rate
    wrong_member_visits: int
    looks_to_name: float

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(slots=True)
class _Tally:
    """Counts on the way: (flag, person) pairs per question."""

    stranger_visit: list[tuple[bool, int]]
    stranger_probe: list[tuple[bool, int]]
    member_visit: list[tuple[bool, int]]
    member_probe: list[tuple[bool, int]]
    wrong: int
    waits: list[int]


def keep_promise(
    faces: FaceSet,
    inside: NDArray[np.bool_],
    calibration: Calibration,
    asked: float,
    *,
    protocol: Protocol = PROTOCOL,
    seed: int = 2,
) -> Promise:
    """Run random households of the people ``inside`` under the policy of the asked rate.

    A stranger's visit counts as a false name when any decision on the way was a name, even if revised.
    An enrolled visit is missed when it does not end with the right name.
    """
    policy = policy_for(calibration, asked, subjects=protocol.subjects)
    least = policy.threshold + min(0.0, policy.extra_for(protocol.photos))
    length = protocol.length
    generator = np.random.default_rng(seed)
    twins = same_person_pairs(faces, inside)
    strangers = visits_of(faces, inside, 3, length, generator)
    prefixes = prefix_means(faces, strangers)
    ends = np.cumsum([len(rows) for rows in prefixes])[:-1]
    stacked = np.concatenate(prefixes)
    probes = np.flatnonzero(usable(faces) & inside)
    tally = _Tally([], [], [], [], 0, [])
    for household in households(faces, inside, protocol.households, protocol.subjects, protocol.photos, seed):
        alike = set(household.members)
        for a, b in twins:
            alike |= {b} if a in household.members else set()
            alike |= {a} if b in household.members else set()
        # Only visits whose mean face ever comes near a threshold are walked look by look.
        best = household.gallery.score_matrix(stacked).max(axis=1)
        peaks = [float(part.max()) for part in np.split(best, ends)]
        for number, peak in enumerate(peaks):
            person = int(strangers.person[number])
            if person not in alike:
                named = peak >= least and ever_named(
                    faces, strangers.looks[number], household.gallery, policy
                )
                tally.stranger_visit.append((named, person))
        _count_probes(faces, probes, household, alike, policy, tally)
        _count_members(faces, household, policy, length, generator, tally)
    return Promise(
        asked=asked,
        threshold=policy.threshold,
        single_threshold=policy.single_threshold or 1.0,
        fpir_visit=_rate(tally.stranger_visit),
        fpir_probe=_rate(tally.stranger_probe),
        fnir_visit=_rate(tally.member_visit),
        fnir_probe=_rate(tally.member_probe),
        wrong_member_visits=tally.wrong,
        looks_to_name=float(np.median(tally.waits)) if tally.waits else float("nan"),
    )


def ever_named(faces: FaceSet, looks: NDArray[np.int64], gallery: Gallery, policy: Policy) -> bool:
    """True when any decision on the way through a visit, or its end, is a name."""
    evidence = Evidence()
    for position, row in enumerate(looks):
        face = Embedding(faces.vectors[row], faces.model_id)
        evidence = evidence.add(face, faces.qualities[row], position * LOOK_SPACING_SECONDS)
        if isinstance(decide(evidence, gallery, policy), Identified):
            return True
    return isinstance(conclude(evidence, gallery, policy), Identified)


def _count_probes(
    faces: FaceSet,
    probes: NDArray[np.int64],
    household: Household,
    alike: set[int],
    policy: Policy,
    tally: _Tally,
) -> None:
    """Single pictures: of strangers, and of members where enrolment did not use them."""
    gallery = household.gallery
    rows = [row for row in probes if faces.person[row] not in alike or faces.person[row] in household.members]
    scores = gallery.score_matrix(faces.vectors[rows])
    for row, peak in zip(rows, scores.max(axis=1), strict=True):
        person = int(faces.person[row])
        member = person in household.members
        if member and int(faces.picture[row]) in household.used_pictures:
            continue
        decision = None
        if peak >= policy.threshold + min(0.0, *policy.few_templates_extra, 0.0):
            face = Embedding(faces.vectors[row], faces.model_id)
            decision = identify_one(face, faces.qualities[row], gallery, policy)
        if member:
            right = isinstance(decision, Identified) and decision.subject_id == str(person)
            tally.member_probe.append((not right, person))
        else:
            tally.stranger_probe.append((isinstance(decision, Identified), person))


def _count_members(
    faces: FaceSet,
    household: Household,
    policy: Policy,
    length: int,
    generator: np.random.Generator,
    tally: _Tally,
) -> None:
    visits = member_visits(faces, household, 5, length, generator)
    for person, looks in zip(visits.person.tolist(), visits.looks, strict=True):
        if len(looks) < length:
            continue
        decision = conclude(evidence_of(faces, looks), household.gallery, policy)
        right = isinstance(decision, Identified) and decision.subject_id == str(person)
        tally.wrong += isinstance(decision, Identified) and not right
        tally.member_visit.append((not right, person))
        if right:
            tally.waits.append(_wait(faces, looks, household.gallery, policy))


def _wait(faces: FaceSet, looks: NDArray[np.int64], gallery: Gallery, policy: Policy) -> int:
    """Looks until the first name."""
    for seen in range(1, len(looks) + 1):
        if isinstance(decide(evidence_of(faces, looks[:seen]), gallery, policy), Identified):
            return seen
    return len(looks)


def _rate(pairs: list[tuple[bool, int]]) -> Rate:
    flags = np.array([flag for flag, _ in pairs], dtype=bool)
    people = np.array([person for _, person in pairs], dtype=np.int64)
    return bootstrap_by_group(flags, people, rounds=500)
