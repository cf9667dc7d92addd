"""Ratios that hold on a noisy machine: two subjects in turns, and the median of each pair's own ratio."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from homeface.lab.benchmark.process import Run


@dataclass(frozen=True, slots=True)
class Pair:
    """Two runs right after each other, seconds for the same work."""

    ours: Run
    theirs: Run
    ours_work: float = 1.0
    theirs_work: float = 1.0

    @property
    def seconds(self) -> tuple[float, float]:
        """Seconds on the wall for one unit of work, ours and theirs."""
        return self.ours.wall_s / self.ours_work, self.theirs.wall_s / self.theirs_work

    @property
    def cpu_seconds(self) -> tuple[float, float]:
        """Seconds of CPU for one unit of work, ours and theirs."""
        return self.ours.cpu_s / self.ours_work, self.theirs.cpu_s / self.theirs_work


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times faster we are than ``peer`` on the wall; above 1 is in our favour.

    ``cost``: instead, how many times its CPU seconds we need; below 1 is in our favour. ``recall``: share of
    the faces each side found on the very frames that were timed, when truth is known.
    """

    peer: str
    pairs: tuple[Pair, ...]
    what: str = ""
    recall: Mapping[str, float | None] = field(default_factory=dict)
    cost: bool = False

    @property
    def ratio(self) -> float:
        """The median over the pairs: theirs / ours on the wall, or ours / theirs in CPU seconds."""
        if self.cost:
            return median_ratio([(theirs, ours) for ours, theirs in self.shown])
        return median_ratio(self.shown)

    @property
    def cpu_ratio(self) -> float:
        """The same in CPU seconds."""
        if self.cost:
            return self.ratio
        return median_ratio([pair.cpu_seconds for pair in self.pairs])

    @property
    def shown(self) -> list[tuple[float, float]]:
        """The pairs behind ``ratio``: seconds of ours and theirs for one unit of work."""
        return [pair.cpu_seconds if self.cost else pair.seconds for pair in self.pairs]

    def as_json(self) -> dict[str, object]:
        """For ``--json``: the ratio, and the pairs of times behind it."""
        return {
            "ratio": rounded(self.ratio),
            "better": "lower" if self.cost else "higher",
            "cpu_ratio": rounded(self.cpu_ratio),
            "peer": self.peer,
            "what": self.what,
            "pairs": [[rounded(ours), rounded(theirs)] for ours, theirs in self.shown],
            "cpu_pairs": [[rounded(a), rounded(b)] for a, b in (pair.cpu_seconds for pair in self.pairs)],
            "ours_s": rounded(statistics.median([ours for ours, _ in self.shown])),
            "theirs_s": rounded(statistics.median([theirs for _, theirs in self.shown])),
            "recall": dict(self.recall),
        }


def median_ratio(pairs: list[tuple[float, float]]) -> float:
    """The median of theirs / ours over (ours, theirs) pairs. Raises ``ValueError`` without pairs."""
    if not pairs:
        raise ValueError("a ratio needs at least one pair of times")
    return statistics.median(theirs / max(ours, 1e-9) for ours, theirs in pairs)


def rounded(value: float, digits: int = 4) -> float:
    """So many significant digits: times reach from microseconds to minutes."""
    return float(f"{value:.{digits}g}")


def in_turns(
    ours: Callable[[], Run],
    theirs: Callable[[], Run],
    seconds: float,
    *,
    work: tuple[float, float] = (1.0, 1.0),
    least: int = 3,
    most_repeats: int = 16,
) -> tuple[Pair, ...]:
    """A B A B … for about ``seconds``, at least ``least`` pairs, after one warm-up of each.

    Our runs are short beside theirs; each is repeated to fill a fair share of the time of one of theirs (at
    most ``most_repeats`` times), since a scheduler's hiccup is longer than one of our frames.
    """
    first, other = ours(), theirs()
    repeats = max(1, min(most_repeats, round(other.wall_s / max(first.wall_s, 1e-6) / 4)))
    pairs: list[Pair] = []
    until = time.monotonic() + seconds
    while len(pairs) < least or time.monotonic() < until:
        runs = [ours() for _ in range(repeats)]
        together = Run(
            sum(run.wall_s for run in runs), sum(run.cpu_s for run in runs), [run.result for run in runs]
        )
        pairs.append(Pair(together, theirs(), work[0] * repeats, work[1]))
    return tuple(pairs)
