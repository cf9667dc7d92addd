"""What came of many searches, and the rates that follow, with intervals from drawing people anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homeface.core.metrics import Rate, threshold_at, wilson

ROUNDS = 400
NEVER = -np.inf


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """Searches as arrays of equal length, one row each.

    ``right``: the highest threshold up to which the right name is given, ``wrong`` the same for any other
    name (-inf: never); ``named`` the person who is wrongly named at that. ``member`` False: a stranger, every
    name is wrong. ``doubtful``: the labels of the pictures may be wrong. ``members`` (H, S) are the people of
    each household, -1 where one has fewer than others.
    """

    household: NDArray[np.int64]
    person: NDArray[np.int64]
    member: NDArray[np.bool_]
    right: NDArray[np.float64]
    wrong: NDArray[np.float64]
    named: NDArray[np.int64]
    doubtful: NDArray[np.bool_]
    members: NDArray[np.int64]

    def only(self, keep: NDArray[np.bool_]) -> Trials:
        """Some of the rows."""
        return Trials(
            self.household[keep],
            self.person[keep],
            self.member[keep],
            self.right[keep],
            self.wrong[keep],
            self.named[keep],
            self.doubtful[keep],
            self.members,
        )

    @property
    def strangers(self) -> int:
        """Searches for people who are not enrolled."""
        return int((~self.member).sum())

    @property
    def different_strangers(self) -> int:
        """How many people those were."""
        return len(np.unique(self.person[~self.member]))

    @property
    def different_members(self) -> int:
        """How many enrolled people were searched for."""
        return len(np.unique(self.person[self.member]))


def joined(parts: Sequence[Trials]) -> Trials:
    """Trials of several runs as one; households are numbered on."""
    first = np.cumsum([0, *(len(part.members) for part in parts)])
    widest = max(part.members.shape[1] for part in parts)
    return Trials(
        household=np.concatenate([part.household + first[number] for number, part in enumerate(parts)]),
        person=np.concatenate([part.person for part in parts]),
        member=np.concatenate([part.member for part in parts]),
        right=np.concatenate([part.right for part in parts]),
        wrong=np.concatenate([part.wrong for part in parts]),
        named=np.concatenate([part.named for part in parts]),
        doubtful=np.concatenate([part.doubtful for part in parts]),
        members=np.concatenate([_wide(part.members, widest) for part in parts]),
    )


def _wide(members: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    return np.pad(members, ((0, 0), (0, width - members.shape[1])), constant_values=-1)


def false_names(trials: Trials, threshold: float) -> NDArray[np.bool_]:
    """Strangers who are given a name at this threshold (rows of members are False)."""
    return np.asarray(~trials.member & (trials.wrong >= threshold))


def misses(trials: Trials, threshold: float) -> NDArray[np.bool_]:
    """Members who do not get their name, or another one besides (rows of strangers are False)."""
    well = (trials.right >= threshold) & (trials.wrong < threshold)
    return np.asarray(trials.member & ~well)


def wrong_names(trials: Trials, threshold: float) -> NDArray[np.bool_]:
    """Members who are given somebody else's name (rows of strangers are False)."""
    return np.asarray(trials.member & (trials.wrong >= threshold))


class Resampling:
    """People drawn anew with replacement: how often each counts, in each of many rounds.

    A false name involves two people, the stranger and the member: it counts by the product of both
    (Owen, "The pigeonhole bootstrap", 2007); a stranger's search by the stranger and the mean of the
    household.
    """

    def __init__(self, people: int, rounds: int = ROUNDS, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        drawn = generator.multinomial(people, np.full(people, 1.0 / people), size=rounds)
        self._weights = drawn.astype(np.float64)

    def fpir(self, trials: Trials, threshold: float) -> Rate:
        """Share of strangers' searches that return a name, with its 95 % interval."""
        hits = false_names(trials, threshold)
        total = trials.strangers
        if not hits.any():
            return _nothing(total, trials.different_strangers)
        weights = self._weights
        lives = trials.members >= 0
        houses = (weights[:, trials.members] * lives).sum(axis=2) / lives.sum(axis=1)
        outside = ~trials.member
        people, where = np.unique(trials.person[outside], return_inverse=True)
        counts = np.zeros((len(people), len(trials.members)))
        np.add.at(counts, (where, trials.household[outside]), 1.0)
        searches = np.einsum("rp,rp->r", weights[:, people], houses @ counts.T)
        found = (weights[:, trials.person[hits]] * weights[:, trials.named[hits]]).sum(axis=1)
        return _rate(int(hits.sum()), total, found, searches)

    def fnir(self, trials: Trials, threshold: float) -> Rate:
        """Share of members' searches that do not return the right name, with its 95 % interval."""
        return self._of_members(trials, misses(trials, threshold))

    def wrong(self, trials: Trials, threshold: float) -> Rate:
        """Share of members' searches that return somebody else's name."""
        return self._of_members(trials, wrong_names(trials, threshold))

    def _of_members(self, trials: Trials, hits: NDArray[np.bool_]) -> Rate:
        total = int(trials.member.sum())
        if not hits.any():
            return _nothing(total, trials.different_members)
        size = self._weights.shape[1]
        counts = np.bincount(trials.person[trials.member], minlength=size)
        found = np.bincount(trials.person[hits], minlength=size)
        return _rate(int(hits.sum()), total, self._weights @ found, self._weights @ counts)


def _nothing(total: int, people: int) -> Rate:
    """Nothing was found, so there is nothing to draw: the people are the only independent trials."""
    return Rate(0, total, 0.0, wilson(0, people).high if people else 1.0)


def _rate(hits: int, total: int, found: NDArray[np.float64], of: NDArray[np.float64]) -> Rate:
    shares = np.divide(found, of, out=np.zeros_like(found), where=of > 0)
    low, high = np.quantile(shares, [0.025, 0.975])
    return Rate(hits, total, float(low), float(high))


def threshold_of(trials: Trials, rate: float) -> float:
    """The least threshold at which these very strangers get a name at most at this rate: it has seen them."""
    return threshold_at(trials.wrong[~trials.member], rate)


def det_points(trials: Trials, thresholds: Sequence[float]) -> list[tuple[float, float, float]]:
    """(threshold, FPIR, FNIR) at each threshold; empty without strangers or without members."""
    strangers, members = trials.strangers, int(trials.member.sum())
    if not strangers or not members:
        return []
    return [
        (
            float(threshold),
            float(false_names(trials, threshold).sum() / strangers),
            float(misses(trials, threshold).sum() / members),
        )
        for threshold in thresholds
    ]
