"""``homeface evaluate second-opinion``: does a classifier beat the gallery at as many false names?

Three rules meet the same pictures of the same random households: the gallery's scores; the classifier alone
(a layer over the same vectors with a class for everybody else); and the gallery where the classifier agrees.
Each rule's threshold is the one at which these strangers get a name at the asked rate, so that only misses
differ. Strangers from whom the classifier learned are not met.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from homeface.core.identification import Policy, comparable
from homeface.core.metrics import threshold_at, wilson
from homeface.core.second_opinion import softmax
from homeface.core.strangers import strangers_of
from homeface.errors import ImageError
from homeface.lab.evaluation.faces import FaceSet, Sampling
from homeface.lab.evaluation.household import Household, households, usable
from homeface.lab.evaluation.outcome import Told, in_words, told_rate
from homeface.lab.evaluation.running import Timer, Work, embedded, library
from homeface.lab.evaluation.views import CLEAN_VIEW, camera_views
from homeface.lab.training.household.linear import fit_linear

RULES = ("gallery", "classifier", "gallery, if the classifier agrees")
_LEAST_PROBABILITY = 0.5
_LEAST_STRANGERS = 100


@dataclass(frozen=True, slots=True)
class OpinionRequest:
    """``unknown``: strangers that each classifier learns from; ``photos``: of each member, for both roads."""

    folder: Path
    asked: tuple[float, ...] = (0.01, 0.001)
    households: int = 100
    subjects: int = 4
    photos: int = 8
    unknown: int = 100
    most: int = 20
    seed: int = 4


@dataclass(frozen=True, slots=True, eq=False)
class _Met:
    """(rules, N) how sure each rule was of a picture, and whether its name was right; strangers have none."""

    sure: NDArray[np.float64]
    right: NDArray[np.bool_]


def evaluate_second_opinion(request: OpinionRequest, work: Work) -> list[Told]:
    """One mapping for each embedder. Raises ImageError for a folder with too little in it."""
    timer = Timer(work)
    books = library(request.folder, Sampling(least=1, most=request.most), work)
    sets = embedded(books, [CLEAN_VIEW, *camera_views(1)], work, timer)
    return [_one(request, work, timer, faces) for faces in sets]


def _one(request: OpinionRequest, work: Work, timer: Timer, faces: FaceSet) -> Told:
    clean = usable(faces) & faces.clean
    policy = Policy(threshold=-1.0, strangers=strangers_of(faces.vectors[clean], faces.person[clean]))
    members: list[_Met] = []
    strangers: list[_Met] = []
    with timer.stage("simulate", "Households") as progress:
        for number, met in enumerate(_meetings(request, faces, clean, policy), 1):
            members.append(met[0])
            strangers.append(met[1])
            progress(number, request.households)
    if not members:
        raise ImageError(
            f"Fewer than {request.subjects} people have {request.photos + 3} pictures with a good face: ask "
            "for fewer --subjects or --photos."
        )
    return {
        "protocol": "second-opinion",
        "model_id": faces.model_id,
        "detector": work.recipe.detector.name,
        "households": len(members),
        "subjects": request.subjects,
        "photos": request.photos,
        "unknown": request.unknown,
        "asked": [_told(rate, members, strangers) for rate in request.asked],
        "seconds": dict(timer.seconds),
    }


def _meetings(
    request: OpinionRequest, faces: FaceSet, clean: NDArray[np.bool_], policy: Policy
) -> Iterator[tuple[_Met, _Met]]:
    """What the rules say of each household's members and of strangers."""
    dice = np.random.default_rng(request.seed)
    everybody = np.ones(len(faces.person), bool)
    drawn = households(faces, everybody, request.households, request.subjects, request.photos, request.seed)
    for household in drawn:
        others = np.setdiff1d(np.unique(faces.person[clean]), household.members)
        if len(others) < request.unknown + _LEAST_STRANGERS:
            raise ImageError(
                f"{len(others)} strangers are too few: {request.unknown} are learned from (--unknown), and "
                f"{_LEAST_STRANGERS} others or more must be met."
            )
        learned = dice.choice(others, request.unknown, replace=False)
        rules = _Rules(faces, household, learned, policy)
        own = np.isin(faces.person, household.members) & ~np.isin(
            faces.picture, list(household.used_pictures)
        )
        strange = np.isin(faces.person, np.setdiff1d(others, learned))
        yield rules.meet(np.flatnonzero(clean & own)), rules.meet(np.flatnonzero(clean & strange))


class _Rules:
    """A household enrolled and learned."""

    def __init__(
        self, faces: FaceSet, household: Household, learned: NDArray[np.int64], policy: Policy
    ) -> None:
        self._faces, self._household, self._policy = faces, household, policy
        self._order = np.array([int(subject) for subject in household.gallery.candidate_ids])
        rows = usable(faces) & np.isin(faces.picture, list(household.used_pictures))
        rows |= usable(faces) & np.isin(faces.person, learned)
        place = {int(person): number for number, person in enumerate(self._order)}
        labels = np.array([place.get(int(p), len(place)) for p in faces.person[rows]], np.int64)
        self._linear = fit_linear(faces.vectors[rows], labels, len(place) + 1)

    def meet(self, rows: NDArray[np.int64]) -> _Met:
        """How sure each rule is of these pictures."""
        vectors = self._faces.vectors[rows]
        scores = comparable(self._household.gallery, self._policy, vectors)
        chances = softmax(self._linear.logits(vectors))[:, : len(self._order)]
        best, said = scores.argmax(axis=1), chances.argmax(axis=1)
        each = np.arange(len(rows))
        score = scores[each, best].astype(np.float64)
        agreed = np.where(chances[each, best] >= _LEAST_PROBABILITY, score, -np.inf)
        person = self._faces.person[rows]
        right = [self._order[best] == person, self._order[said] == person, self._order[best] == person]
        return _Met(np.stack([score, chances[each, said], agreed]), np.stack(right))


def _told(rate: float, members: Sequence[_Met], strangers: Sequence[_Met]) -> Told:
    sure = np.concatenate([met.sure for met in members], axis=1)
    right = np.concatenate([met.right for met in members], axis=1)
    strange = np.concatenate([met.sure for met in strangers], axis=1)
    missed = []
    rules: Told = {}
    for number, rule in enumerate(RULES):
        threshold = threshold_at(strange[number], rate)
        misses = ~((sure[number] >= threshold) & right[number])
        missed.append(misses)
        rules[rule] = {
            "fnir": told_rate(wilson(int(misses.sum()), len(misses)), threshold),
            "fpir": told_rate(wilson(int((strange[number] >= threshold).sum()), strange.shape[1])),
        }
    for number, rule in enumerate(RULES[1:], 1):
        rules[rule]["missed_by_it_alone"] = int((missed[number] & ~missed[0]).sum())
        rules[rule]["missed_by_the_gallery_alone"] = int((missed[0] & ~missed[number]).sum())
    return {"asked": in_words(rate), "rate": rate, "rules": rules, "verdict": _verdict(missed)}


def _verdict(missed: Sequence[NDArray[np.bool_]]) -> str:
    """In words: does asking the classifier beat the gallery? Pictures on which both agree say nothing."""
    worse, better = int((missed[2] & ~missed[0]).sum()), int((missed[0] & ~missed[2]).sum())
    share = wilson(better, worse + better)
    if worse + better and share.low > 0.5:
        return "with the second opinion fewer are missed at as many false names"
    if worse + better and share.high < 0.5:
        return "with the second opinion more are missed at as many false names: leave it off"
    return "the second opinion makes no difference that these pictures show: leave it off"
