"""``homeface evaluate scorings``: which way of telling a score names more people at as many false names?

Learned from one half of the people (by a hash of the name), told on households and strangers of the other,
and the other way round. Only the best candidate's score decides: no lead, no votes of looks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from homeface.core.metrics import threshold_at
from homeface.lab.evaluation.faces import FaceSet, Library, Sampling, fused
from homeface.lab.evaluation.fairness import FairnessRequest, pictures_by_group
from homeface.lab.evaluation.outcome import KINDS, Told, in_words
from homeface.lab.evaluation.running import Timer, Work, embedded, library
from homeface.lab.evaluation.scoring.groups import searches_by_group, spread_of_groups
from homeface.lab.evaluation.scoring.likelihood import by_quality, summed
from homeface.lab.evaluation.scoring.searches import Crowd, Searches, crowd_of, drawn
from homeface.lab.evaluation.scoring.ways import (
    Scorer,
    Way,
    cosine,
    half_tail_by_subject,
    housemates,
    near_both,
    near_probe,
    near_template,
    pareto_by_subject,
    strangers,
    tail_by_both,
    tail_by_probe,
    tail_by_subject,
    weighted_templates,
    within,
)
from homeface.lab.evaluation.street import Protocol
from homeface.lab.evaluation.suspects import Suspects, find_suspects
from homeface.lab.evaluation.views import CLEAN_VIEW

WAYS: Mapping[str, Way] = {  # the first is what every other is compared with
    "strangers": strangers,
    "cosine": cosine,
    "strangers, housemates (the core)": housemates(2.0),
    "strangers, housemates by half": housemates(1.0),
    "strangers, housemates twice": housemates(4.0),
    "strangers, housemates three times": housemates(6.0),
    "exponential tail by subject": tail_by_subject,
    "the same, drawn half-way to the mean": half_tail_by_subject,
    "generalised Pareto tail by subject": pareto_by_subject,
    "exponential tail by probe": tail_by_probe,
    "exponential tails by both": tail_by_both,
    "nearest 100 of the probe": near_probe,
    "nearest 100 of each template": near_template,
    "nearest 100 of both (adaptive s-norm)": near_both,
    "templates weighted by quality": weighted_templates,
    "within-class covariance, cosine": within(cosine),
    "within-class covariance, strangers": within(strangers),
    "within-class covariance, nearest 100 of both": within(near_both),
    "likelihood ratio by quality": by_quality(strangers),
    "likelihood ratio by quality, looks summed": summed(strangers),
}
LEARNED_FROM_HOUSEHOLDS = ("likelihood ratio by quality", "likelihood ratio by quality, looks summed")
"""Ways that need households of the crowd in the very set they score: never tried on groups."""
_ROUNDS = 300


@dataclass(frozen=True, slots=True)
class ScoringsRequest:
    """What to compare; ``rates`` are FPIRs. ``groups``: a folder of pictures of known groups (UTKFace)."""

    folder: Path
    groups: Path | None = None
    group_rates: tuple[float, ...] = (0.1, 0.05, 0.01)
    rates: tuple[float, ...] = (0.01, 0.001, 0.0001)
    protocol: Protocol = Protocol()  # noqa: RUF009 - frozen
    most: int = 20
    ways: tuple[str, ...] = tuple(WAYS)


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Best scores of many searches. ``right``: a member whose best candidate is the right one."""

    person: NDArray[np.int64]
    member: NDArray[np.bool_]
    right: NDArray[np.bool_]
    best: NDArray[np.float64]
    doubtful: NDArray[np.bool_]

    def moved(self, threshold: float) -> Outcome:
        """With scores told from a threshold on."""
        return replace(self, best=self.best - threshold)

    def only(self, keep: NDArray[np.bool_]) -> Outcome:
        """Some of the searches."""
        return Outcome(
            self.person[keep], self.member[keep], self.right[keep], self.best[keep], self.doubtful[keep]
        )

    def fpir(self, threshold: float) -> float:
        """Share of strangers' searches at or above the threshold."""
        return float((self.best[~self.member] >= threshold).mean())

    def fnir(self, threshold: float) -> float:
        """Share of members' searches that are not rightly named at the threshold."""
        return float(1.0 - (self.right & (self.best >= threshold))[self.member].mean())


def together(parts: Sequence[Outcome]) -> Outcome:
    """Several as one."""
    return Outcome(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("person", "member", "right", "best", "doubtful")
        )
    )


def evaluate_scorings(request: ScoringsRequest, work: Work) -> list[Told]:
    """One mapping for each embedder, and one for several joined.

    Raises ImageError for a folder with too little in it, and the ``ModelError`` tree.
    """
    timer = Timer(work)
    books = library(request.folder, Sampling(least=1, most=request.most), work)
    sets = embedded(books, [CLEAN_VIEW], work, timer)
    if len(sets) > 1:
        sets = [*sets, fused(sets)]
    if request.groups is None:
        return [compared(request, timer, faces) for faces in sets]
    other = Library(pictures_by_group(FairnessRequest(request.groups)), work.recipe, work.cache)
    by_group = embedded(other, [CLEAN_VIEW], work, timer)
    if len(by_group) > 1:
        by_group = [*by_group, fused(by_group)]
    return [
        compared(request, timer, faces) | {"groups": _groups(request, faces, grouped)}
        for faces, grouped in zip(sets, by_group, strict=True)
    ]


def _groups(request: ScoringsRequest, faces: FaceSet, grouped: FaceSet) -> list[Told]:
    """Spread of FPIR between groups, by ways learned from everybody of the other folder."""
    crowd = crowd_of(faces, np.ones(len(faces.person), bool))
    searches = searches_by_group(grouped)
    return [
        {"way": name, "at": spread_of_groups(WAYS[name](grouped, crowd), searches, request.group_rates)}
        for name in request.ways
        if name not in LEARNED_FROM_HOUSEHOLDS
    ]


def compared(request: ScoringsRequest, timer: Timer, faces: FaceSet) -> Told:
    """What is told of one embedder's faces. Raises ImageError where half of the people are too few."""
    halves = (faces.part(0), faces.part(1))
    crowds = [crowd_of(faces, half) for half in halves]
    each = replace(request.protocol, households=max(1, request.protocol.households // 2))
    suspects = find_suspects(faces)
    searches = {kind: [drawn(faces, half, each, kind) for half in halves] for kind in KINDS}
    rows: list[Told] = []
    usual: dict[str, Outcome] = {}
    with timer.stage("score", "Scorings") as progress:
        for number, name in enumerate(request.ways):
            told, met = _of_way(WAYS[name], faces, crowds, searches, suspects, request.rates)
            usual = usual or met
            for kind in KINDS:
                told[kind]["fewer_misses_than_the_first"] = difference(
                    met[kind], usual[kind], _middle(request.rates)
                )
            rows.append({"way": name, **told})
            progress(number + 1, len(request.ways))
    return {
        "protocol": "scorings",
        "model_id": faces.model_id,
        "data": {
            "people": len(faces.names),
            "pictures": len(faces.files),
            "households": 2 * each.households,
            "subjects": each.subjects,
            "photos": each.photos,
        },
        "compared_at": in_words(_middle(request.rates)),
        "rates": [in_words(rate) for rate in request.rates],
        "ways": rows,
        "seconds": dict(timer.seconds),
    }


def _middle(rates: Sequence[float]) -> float:
    """The rate at which ways are compared."""
    return rates[len(rates) // 2]


def _of_way(
    way: Way,
    faces: FaceSet,
    crowds: Sequence[Crowd],
    searches: Mapping[str, Sequence[Sequence[Searches]]],
    suspects: Suspects,
    rates: Sequence[float],
) -> tuple[Told, dict[str, Outcome]]:
    """Figures of one way, and its searches of both halves told from thresholds of rate 2 on each half."""
    scorers = [way(faces, crowd) for crowd in crowds]
    told: Told = {}
    met: dict[str, Outcome] = {}
    for kind in KINDS:
        unseen = [_met(scorers[1 - half], searches[kind][half], faces, suspects) for half in (0, 1)]
        seen = [_met(scorers[half], searches[kind][half], faces, suspects) for half in (0, 1)]
        beforehand = {}
        for rate in rates:
            cuts = [threshold_at(seen[1 - half].best[~seen[1 - half].member], rate) for half in (0, 1)]
            both = together([unseen[half].moved(cuts[half]) for half in (0, 1)])
            clean = both.only(~both.doubtful)
            beforehand[in_words(rate)] = {
                "fpir": both.fpir(0.0),
                "fnir": both.fnir(0.0),
                "without_suspects": {"fpir": clean.fpir(0.0), "fnir": clean.fnir(0.0)},
            }
        met[kind] = both = together(unseen)
        clean = both.only(~both.doubtful)
        told[kind] = {
            "fnir_at": {in_words(r): both.fnir(threshold_at(both.best[~both.member], r)) for r in rates},
            "fnir_without_suspects_at": {
                in_words(r): clean.fnir(threshold_at(clean.best[~clean.member], r)) for r in rates
            },
            "set_beforehand": beforehand,
        }
    return told, met


def _met(scorer: Scorer, searches: Sequence[Searches], faces: FaceSet, suspects: Suspects) -> Outcome:
    pairs = set(suspects.pairs) | {(b, a) for a, b in suspects.pairs}
    odd = np.array(suspects.pictures, np.int64)
    parts = []
    for one in searches:
        scores = np.asarray(scorer(one), np.float64)
        best = scores.argmax(axis=1)
        alike = {a for a, b in pairs if b in set(one.home.people.tolist())}
        doubtful = (np.isin(faces.picture[one.rows], odd) & (one.rows >= 0)).any(axis=1)
        doubtful |= np.isin(one.person, list(alike)) & (one.column < 0)
        if np.isin(faces.picture[one.home.templates], odd).any():
            doubtful[:] = True
        parts.append(Outcome(one.person, one.column >= 0, best == one.column, scores.max(axis=1), doubtful))
    return together(parts)


def difference(now: Outcome, before: Outcome, rate: float, seed: int = 0) -> list[float]:
    """95 % interval of how much lower FNIR is at the same FPIR on the same searches, people drawn anew."""
    size = int(max(now.person.max(), before.person.max())) + 1
    generator = np.random.default_rng(seed)
    drawn_weights = generator.multinomial(size, np.full(size, 1.0 / size), size=_ROUNDS).astype(np.float64)
    values = [_weighted(before, rate, w) - _weighted(now, rate, w) for w in drawn_weights]
    low, high = np.quantile(values, [0.025, 0.975])
    return [float(low), float(high)]


def _weighted(met: Outcome, rate: float, weights: NDArray[np.float64]) -> float:
    outside = ~met.member
    order = np.argsort(-met.best[outside])
    heavy = np.cumsum(weights[met.person[outside]][order])
    allowed = int(np.searchsorted(heavy, rate * heavy[-1], side="right"))
    threshold = met.best[outside][order][min(allowed, len(order) - 1)]
    own = weights[met.person[met.member]]
    found = (met.right & (met.best > threshold))[met.member]
    return float(1.0 - (own * found).sum() / own.sum())
