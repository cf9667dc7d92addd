"""Rates and intervals: a known rate is recovered, and people are what is drawn anew."""

from __future__ import annotations

import math

import numpy as np
import pytest

from homeface.lab.evaluation.trials import (
    NEVER,
    Resampling,
    Trials,
    det_points,
    false_names,
    joined,
    misses,
    threshold_of,
    wrong_names,
)


def strangers(wrong: np.ndarray, person: np.ndarray, households: int = 200) -> Trials:
    count = len(wrong)
    members = np.arange(households * 2).reshape(households, 2) + 1000
    household = np.arange(count) % households
    return Trials(
        household=household,
        person=person,
        member=np.zeros(count, bool),
        right=np.full(count, NEVER),
        wrong=wrong,
        named=members[household, 0],
        doubtful=np.zeros(count, bool),
        members=members,
    )


def members_of(right: list[float], wrong: list[float]) -> Trials:
    count = len(right)
    return Trials(
        household=np.zeros(count, np.int64),
        person=np.arange(count),
        member=np.ones(count, bool),
        right=np.array(right),
        wrong=np.array(wrong),
        named=np.full(count, 1),
        doubtful=np.zeros(count, bool),
        members=np.array([[0, 1]]),
    )


def test_a_known_rate_is_recovered_within_its_interval() -> None:
    generator = np.random.default_rng(3)
    scores = np.where(generator.random(20_000) < 0.02, 1.0, 0.0)
    trials = strangers(scores, generator.integers(0, 900, 20_000))
    rate = Resampling(1400).fpir(trials, 1.0)
    assert rate.low < 0.02 < rate.high
    assert rate.value == pytest.approx(0.02, abs=0.003)
    assert rate.high - rate.low < 0.015


def test_one_person_behind_all_false_names_widens_the_interval() -> None:
    person = np.repeat(np.arange(100), 100)
    one = Resampling(1400).fpir(strangers(np.where(person == 7, 1.0, 0.0), person), 1.0)
    spread_out = np.random.default_rng(1).permutation(np.where(person == 7, 1.0, 0.0))
    many = Resampling(1400).fpir(strangers(spread_out, person), 1.0)
    assert one.value == many.value == 0.01
    assert one.low == 0.0
    assert one.high - one.low > 2 * (many.high - many.low)


def test_nothing_found_is_no_proof() -> None:
    rate = Resampling(1400).fpir(strangers(np.zeros(5000), np.arange(5000) % 50), 1.0)
    assert (rate.hits, rate.low) == (0, 0.0)
    assert 0.05 < rate.high < 0.1  # fifty people, not five thousand searches


def test_a_member_is_missed_without_the_right_name_or_with_another_one() -> None:
    trials = members_of([3, 3, 1, NEVER], [NEVER, 2, NEVER, 2])
    assert misses(trials, 2).tolist() == [False, True, True, True]
    assert misses(trials, 3).tolist() == [False, False, True, True]
    assert wrong_names(trials, 2).tolist() == [False, True, False, True]
    assert not false_names(trials, 1).any()


def test_the_threshold_of_a_rate_holds_on_its_own_strangers() -> None:
    scores = np.linspace(0, 1, 1000)
    trials = strangers(scores, np.arange(1000) % 40)
    threshold = threshold_of(trials, 0.01)
    assert false_names(trials, threshold).mean() == pytest.approx(0.01)


def test_runs_are_joined_with_their_own_households() -> None:
    both = joined([strangers(np.zeros(20), np.arange(20), 10), strangers(np.ones(20), np.arange(20), 10)])
    assert len(both.members) == 20
    assert both.household.max() == 19
    assert both.strangers == 40
    assert both.only(both.wrong > 0).strangers == 20


def test_a_curve_needs_strangers_and_members() -> None:
    some = members_of([1.0], [NEVER])
    assert det_points(some, [0.5]) == []
    assert not any(math.isnan(value) for _, *rates in det_points(some, [0.5]) for value in rates)
