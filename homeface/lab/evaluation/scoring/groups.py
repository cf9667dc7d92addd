"""How evenly a way of scoring treats groups: households and strangers of one group, one photo each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from homeface.core.metrics import threshold_at
from homeface.lab.evaluation.faces import FaceSet
from homeface.lab.evaluation.household import usable
from homeface.lab.evaluation.outcome import Told, in_words
from homeface.lab.evaluation.scoring.searches import Home, Searches
from homeface.lab.evaluation.scoring.ways import Scorer

_HOUSEHOLDS, _SUBJECTS, _STRANGERS, _LEAST = 300, 4, 60, 20


def searches_by_group(faces: FaceSet, seed: int = 2) -> dict[str, list[Searches]]:
    """Random households of each group (a folder's name), every picture a person of its own."""
    generator = np.random.default_rng(seed)
    fine = np.flatnonzero(usable(faces) & faces.clean)
    found = {}
    for number, name in enumerate(faces.names):
        rows = fine[faces.person[fine] == number]
        if len(rows) >= max(_LEAST, _SUBJECTS + 1):
            found[name] = [_one(generator.permutation(rows)) for _ in range(_HOUSEHOLDS)]
    return found


def _one(mixed: NDArray[np.int64]) -> Searches:
    enrolled, others = mixed[:_SUBJECTS], mixed[_SUBJECTS:][:_STRANGERS]
    nobody = np.full(len(others), -1, np.int64)
    return Searches(Home(-1 - enrolled, enrolled[:, None]), others[:, None], nobody, nobody)


def spread_of_groups(
    scorer: Scorer, searches: Mapping[str, Sequence[Searches]], rates: Sequence[float]
) -> Told:
    """FPIR of each group at the threshold that gives each of the rates over all groups together."""
    best = {
        name: np.concatenate([np.asarray(scorer(one), np.float64).max(axis=1) for one in everything])
        for name, everything in searches.items()
    }
    told: Told = {}
    for rate in rates:
        threshold = threshold_at(np.concatenate(list(best.values())), rate)
        fpir = {name: float((scores >= threshold).mean()) for name, scores in best.items()}
        told[in_words(rate)] = {"fpir": fpir, "spread": max(fpir.values()) - min(fpir.values())}
    return told
