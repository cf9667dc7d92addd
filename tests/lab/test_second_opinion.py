"""Does a classifier beat the gallery? On made-up faces whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from homeface.core.second_opinion import softmax
from homeface.errors import ImageError
from homeface.lab.evaluation.second_opinion import RULES, OpinionRequest, _one
from homeface.lab.training.household.linear import cross_entropy, fit_linear, tempered
from homeface.lab.training.household.plots import confusion, reliability
from tests.lab.made_faces import faces_of
from tests.lab.opinion_work import WORK, timer

PEOPLE = {f"member{n}": 16 for n in range(8)} | {f"stranger{n}": 1 for n in range(240)}


def request(**changes: int) -> OpinionRequest:
    from dataclasses import replace
    from pathlib import Path

    made = OpinionRequest(Path(), asked=(0.05,), households=6, photos=8, unknown=60)
    return replace(made, **changes)


def test_three_rules_are_told_at_one_rate_of_false_names() -> None:
    faces = faces_of(PEOPLE, spread=1.6)
    told = _one(request(), WORK, timer(), faces)
    entry = told["asked"][0]
    assert tuple(entry["rules"]) == RULES
    for rates in entry["rules"].values():
        assert rates["fpir"]["value"] <= 0.05
        assert 0.0 < rates["fnir"]["value"] < 0.9
    both, gallery = entry["rules"][RULES[2]], entry["rules"][RULES[0]]
    more = both["missed_by_it_alone"] - both["missed_by_the_gallery_alone"]
    assert both["fnir"]["hits"] - gallery["fnir"]["hits"] == more
    assert "second opinion" in entry["verdict"]


def test_faces_that_are_easy_leave_nothing_to_doubt() -> None:
    told = _one(request(), WORK, timer(), faces_of(PEOPLE, spread=0.2))
    entry = told["asked"][0]
    assert [rates["fnir"]["value"] for rates in entry["rules"].values()] == [0.0, 0.0, 0.0]
    assert entry["verdict"].startswith("the second opinion makes no difference")


def test_too_few_strangers_are_told() -> None:
    few = {name: count for name, count in PEOPLE.items() if not name.startswith("stranger1")}
    with pytest.raises(ImageError, match="strangers are too few: 60 are learned from"):
        _one(request(), WORK, timer(), faces_of(few))


def test_nobody_with_enough_photos_is_told() -> None:
    with pytest.raises(ImageError, match="Fewer than 4 people have 33 pictures"):
        _one(request(photos=30), WORK, timer(), faces_of(PEOPLE))


def test_a_rare_class_weighs_as_much_as_a_frequent_one() -> None:
    dice = np.random.default_rng(1)
    x = np.concatenate([dice.normal(0, 1, (500, 2)), dice.normal(0, 1, (5, 2)) + 2]).astype(np.float32)
    y = np.repeat([0, 1], [500, 5])
    linear = fit_linear(x, y, 2, decay=1e-4)
    said = linear.logits(x).argmax(axis=1)
    assert (said[y == 1] == 1).mean() >= 0.8
    again = fit_linear(x, y, 2, decay=1e-4)
    assert np.array_equal(linear.weights, again.weights)


def test_a_temperature_makes_probabilities_true() -> None:
    dice = np.random.default_rng(2)
    x = dice.normal(0, 1, (2000, 1)).astype(np.float32)
    y = (dice.random(2000) < 1 / (1 + np.exp(-x[:, 0]))).astype(np.int64)
    overdone = fit_linear(x, y, 2, decay=0).scaled(6)
    better = tempered(overdone, x, y)
    assert cross_entropy(better.logits(x), y) < 0.8 * cross_entropy(overdone.logits(x), y)

    def error(linear) -> float:  # type: ignore[no-untyped-def]
        chances = softmax(linear.logits(x))
        return reliability(chances.max(axis=1), chances.argmax(axis=1) == y)[1]

    assert error(better) < 0.05 < error(overdone)


def test_confusion_counts_who_is_taken_for_whom() -> None:
    counts = confusion(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 0]), 3)
    assert counts.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]
