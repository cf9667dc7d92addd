"""Ratios: from pairs, in turns, in our favour or not."""

from __future__ import annotations

import pytest

from homeface.lab.benchmark.pairs import Pair, Ratio, in_turns, median_ratio, rounded
from homeface.lab.benchmark.process import Run


def _pair(ours: float, theirs: float, work: float = 1.0) -> Pair:
    return Pair(Run(ours, ours / 2, None), Run(theirs, theirs / 4, None), work, 1.0)


def test_the_median_of_the_pairs_own_ratios_not_the_ratio_of_medians() -> None:
    assert median_ratio([(1.0, 10.0), (5.0, 10.0), (1.0, 4.0)]) == 4.0


def test_without_pairs_there_is_no_ratio() -> None:
    with pytest.raises(ValueError, match="at least one pair"):
        median_ratio([])


def test_times_are_for_one_unit_of_work() -> None:
    assert _pair(8.0, 3.0, work=4.0).seconds == (2.0, 3.0)
    assert _pair(8.0, 4.0, work=4.0).cpu_seconds == (1.0, 1.0)


def test_a_speed_ratio_above_one_is_in_our_favour() -> None:
    ratio = Ratio("them", (_pair(1.0, 3.0), _pair(1.0, 5.0), _pair(1.0, 4.0)), recall={"ours": 1.0})
    told = ratio.as_json()
    assert (ratio.ratio, ratio.cpu_ratio) == (4.0, 2.0)
    assert told["pairs"] == [[1.0, 3.0], [1.0, 5.0], [1.0, 4.0]]
    assert (told["better"], told["ours_s"], told["theirs_s"]) == ("higher", 1.0, 4.0)


def test_a_cost_ratio_is_ours_over_theirs_in_cpu_seconds() -> None:
    ratio = Ratio("them", (_pair(4.0, 4.0),), cost=True)
    assert ratio.ratio == ratio.cpu_ratio == 2.0
    assert ratio.as_json()["better"] == "lower"
    assert ratio.as_json()["pairs"] == [[2.0, 1.0]]


def test_both_sides_take_turns_after_a_warm_up_and_short_runs_are_repeated() -> None:
    calls: list[str] = []

    def run(who: str, seconds: float) -> Run:
        calls.append(who)
        return Run(seconds, seconds, who)

    pairs = in_turns(lambda: run("a", 0.1), lambda: run("b", 0.8), seconds=0.0, least=2)
    assert calls == ["a", "b", "a", "a", "b", "a", "a", "b"]
    assert [pair.seconds for pair in pairs] == [(pytest.approx(0.1), 0.8)] * 2


def test_figures_keep_their_leading_digits() -> None:
    assert [rounded(value) for value in (0.000123456, 12.34567, 98765.4)] == [0.0001235, 12.35, 98770.0]
