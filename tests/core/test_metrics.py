"""Figures that others rely on: by hand, and by property."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeface.core.metrics import (
    bootstrap_by_group,
    det_curve,
    fpir_fnir,
    quantile_table,
    threshold_at,
    wilson,
    wss,
)

scores = st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=60).map(lambda v: np.array(v, np.float64))


def test_fpir_and_fnir_by_hand() -> None:
    strangers = np.array([0.1, 0.4, 0.5, 0.7])
    enrolled = np.array([0.9, 0.8, 0.3, 0.95])
    right = np.array([True, True, True, False])
    assert fpir_fnir(strangers, enrolled, right, 0.5) == (0.5, 0.5)
    assert fpir_fnir(strangers, enrolled, right, 0.99) == (0.0, 1.0)
    assert math.isnan(fpir_fnir(np.array([]), enrolled, right, 0.5)[0])


@given(scores, st.floats(0.001, 1.0))
def test_the_threshold_of_a_rate_keeps_it_and_is_the_least(strangers: np.ndarray, rate: float) -> None:
    threshold = threshold_at(strangers, rate)
    assert (strangers >= threshold).mean() <= rate + 1e-8
    if math.isfinite(threshold):
        below = np.nextafter(threshold, -math.inf)
        assert (strangers >= below).mean() > rate - 1e-8


def test_threshold_at_refuses_nonsense() -> None:
    with pytest.raises(ValueError, match="rate"):
        threshold_at(np.array([1.0]), 0.0)
    with pytest.raises(ValueError, match="no strangers"):
        threshold_at(np.array([]), 0.1)


@given(scores, scores)
def test_the_curve_trades_one_error_for_the_other(strangers: np.ndarray, enrolled: np.ndarray) -> None:
    curve = det_curve(strangers, enrolled, np.ones(len(enrolled), bool), 20)
    assert curve.shape == (20, 3)
    assert (np.diff(curve[:, 1]) <= 1e-12).all()
    assert (np.diff(curve[:, 2]) >= -1e-12).all()


def test_wilson_by_hand() -> None:
    rate = wilson(1, 10)
    assert rate.value == 0.1
    assert (rate.low, rate.high) == pytest.approx((0.0179, 0.4042), abs=1e-3)
    none = wilson(0, 1000)
    assert none.low == 0.0
    assert none.high == pytest.approx(0.00383, abs=1e-4)
    assert math.isnan(wilson(0, 0).value)
    with pytest.raises(ValueError, match="not a share"):
        wilson(3, 2)


@given(st.integers(0, 50), st.integers(1, 50))
def test_wilson_holds_the_share(hits: int, more: int) -> None:
    rate = wilson(hits, hits + more)
    assert 0 <= rate.low <= rate.value <= rate.high <= 1


def test_bootstrap_draws_people_not_trials() -> None:
    groups = np.repeat(np.arange(20), 50)
    one_person = groups == 3  # every false name is the same look-alike
    rate = bootstrap_by_group(one_person, groups)
    assert rate.value == pytest.approx(0.05)
    assert rate.low == 0.0
    assert rate.high > wilson(50, 1000).high
    nothing = bootstrap_by_group(np.zeros(1000, bool), groups)
    assert nothing.high == pytest.approx(wilson(0, 20).high)
    with pytest.raises(ValueError, match="group"):
        bootstrap_by_group(np.zeros(2, bool), np.zeros(3, int))


def test_wss_by_hand() -> None:
    assert wss(np.array([[0.0, 0.0], [2.0, 0.0]])) == pytest.approx(2.0)
    assert wss(np.zeros((0, 3))) == 0.0
    assert wss(np.ones((5, 3))) == 0.0


def test_a_quantile_table_tells_only_what_it_can() -> None:
    many = np.random.default_rng(0).normal(size=20000)
    table = quantile_table(many, (0.1, 0.01, 0.001, 0.0001))
    assert [rate for rate, _ in table] == [0.1, 0.01, 0.001]
    assert table[1][1] == pytest.approx(2.33, abs=0.1)
