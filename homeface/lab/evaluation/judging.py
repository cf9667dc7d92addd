"""Asking the real core, at many asked rates: up to which promise is a name given?

The core's own functions decide; here is only the search along the rates, and the skipping of strangers
whose faces come nowhere near. A name given under a stricter promise is given under every looser one, so the
strictest one is found by halving.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homeface.core.calibration import Calibration, policy_for
from homeface.core.evidence import Evidence
from homeface.core.gallery import Gallery
from homeface.core.identification import Policy, comparable, conclude, decide, identify_one
from homeface.core.types import Decision, Embedding, Identified, Quality

LADDER = tuple(float(f"{10 ** (-step / 8):.4g}") for step in range(8, 49))
"""Asked rates from 1 in 10 to 1 in a million, eight to a power of ten."""
SLACK = 0.02
"""How far below the loosest threshold a stranger's likeness must be to be skipped."""


def ladder_with(asked: Sequence[float]) -> tuple[float, ...]:
    """The ladder with these rates among its steps, loosest first."""
    return tuple(sorted({*LADDER, *asked}, reverse=True))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Number of steps of the ladder, loosest first, at which the right name and a wrong one are given."""

    right: int
    wrong: int
    named: str = ""


class Judge:
    """The policies of one calibration along a ladder, for households of one size."""

    def __init__(self, calibration: Calibration, ladder: Sequence[float], subjects: int) -> None:
        self.ladder = tuple(ladder)
        self.policies = [policy_for(calibration, rate, subjects=subjects) for rate in ladder]

    def step(self, rate: float) -> int:
        """Number of the step of an asked rate."""
        return self.ladder.index(rate)

    def hopeless(self, gallery: Gallery, vectors: NDArray[np.float32]) -> NDArray[np.bool_]:
        """(K,) True where a mean face is below what the loosest promise asks of anybody, by ``SLACK``."""
        loosest = self.policies[0]
        least = min(
            needed_at_least(loosest, int(count)) for count in np.unique(gallery.template_counts).tolist()
        )
        return np.asarray(comparable(gallery, loosest, vectors).max(axis=1) < least - SLACK)

    def picture(self, face: Embedding, quality: Quality, gallery: Gallery, right: str | None) -> Verdict:
        """One picture. ``right`` is the subject it shows, None for a stranger."""
        return self._search(lambda policy: identify_one(face, quality, gallery, policy), right)

    def _search(self, ask: Callable[[Policy], Decision], right: str | None) -> Verdict:
        loosest = ask(self.policies[0])
        if not isinstance(loosest, Identified):
            return Verdict(0, 0)
        whose = loosest.subject_id

        def same(policy: Policy) -> bool:
            decision = ask(policy)
            return isinstance(decision, Identified) and decision.subject_id == whose

        steps = self._strictest(same)
        return Verdict(steps, 0) if whose == right else Verdict(0, steps, whose)

    def visit(self, prefixes: Sequence[Evidence], gallery: Gallery, right: str | None) -> Verdict:
        """A visit as the evidence after each look; right is judged at its end, wrong at any time."""
        wrong = ""

        def errs(policy: Policy) -> bool:
            nonlocal wrong
            for decision in (
                *(decide(evidence, gallery, policy) for evidence in prefixes),
                conclude(prefixes[-1], gallery, policy),
            ):
                if isinstance(decision, Identified) and decision.subject_id != right:
                    wrong = decision.subject_id
                    return True
            return False

        bad = self._strictest(errs)
        if right is None:
            return Verdict(0, bad, wrong)
        end = self._search(lambda policy: conclude(prefixes[-1], gallery, policy), right)
        return Verdict(end.right, bad, wrong)

    def wait(self, prefixes: Sequence[Evidence], gallery: Gallery, right: str, rate: float) -> int:
        """Looks until the first right name at an asked rate; 0 when none comes on the way."""
        policy = self.policies[self.step(rate)]
        for number, evidence in enumerate(prefixes, 1):
            decision = decide(evidence, gallery, policy)
            if isinstance(decision, Identified) and decision.subject_id == right:
                return number
        return 0

    def _strictest(self, holds: Callable[[Policy], bool]) -> int:
        """Number of steps from the loosest on at which something holds, by halving."""
        if not holds(self.policies[0]):
            return 0
        low, high = 0, len(self.policies)
        while high - low > 1:
            middle = (low + high) // 2
            if holds(self.policies[middle]):
                low = middle
            else:
                high = middle
        return low + 1


def needed_at_least(policy: Policy, templates: int) -> float:
    """What a mean face must score at the very least to be named as a subject with so many templates."""
    bases = [policy.threshold] + ([] if policy.single_threshold is None else [policy.single_threshold])
    return min(bases) + policy.extra_for(templates)
