"""Households of several sizes in one run: how many people are enrolled, with how many photos each."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from homeface.lab.evaluation.street import Protocol

_EACH = 10
"""Households of one size before the next size comes."""


@dataclass(frozen=True, slots=True)
class Span:
    """Whole numbers from ``least`` to ``most``, both included."""

    least: int
    most: int

    def __str__(self) -> str:
        return str(self.least) if self.least == self.most else f"{self.least}-{self.most}"


def span_of(text: str, lowest: int, highest: int) -> Span:
    """``4`` or ``2-8``. Raises ValueError with a sentence for anything else, or beyond the limits."""
    first, dash, last = text.strip().partition("-")
    try:
        span = Span(int(first), int(last if dash else first))
    except ValueError:
        span = Span(0, -1)
    if not lowest <= span.least <= span.most <= highest:
        raise ValueError(
            f"{text!r} is neither a whole number from {lowest} to {highest} nor a range such as 2-8."
        )
    return span


def of_sizes(protocol: Protocol, subjects: Span, photos: Span) -> list[Protocol]:
    """The protocol in portions of few households, with every number of people and of photos in turn.

    Which number of photos meets which number of people is drawn by the seed. One portion, the protocol
    itself, where both are one number.
    """
    if subjects.least == subjects.most and photos.least == photos.most:
        return [replace(protocol, subjects=subjects.least, photos=photos.least)]
    generator = np.random.default_rng(protocol.seed)
    count = -(-protocol.households // _EACH)

    def in_turn(span: Span) -> list[int]:
        rounds = -(-count // (span.most - span.least + 1))
        values = np.arange(span.least, span.most + 1)
        drawn = np.concatenate([generator.permutation(values) for _ in range(rounds)])
        return [int(value) for value in drawn[:count]]

    people, pictures = in_turn(subjects), in_turn(photos)
    return [
        replace(
            protocol,
            households=min(_EACH, protocol.households - number * _EACH),
            subjects=people[number],
            photos=pictures[number],
            seed=protocol.seed * 10_007 + number,
        )
        for number in range(count)
    ]
