"""Peers' rules against figures worked out by hand from their formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest

from homeface.lab.peers.rules import (
    FACE_RECOGNITION,
    Enrolled,
    Rule,
    Uttered,
    frigate_class_mean,
    rules_for,
    utter,
)

BY_KEY = {rule.key: rule for rule in rules_for("mobilefacenet/arcface_112-1")}
LARGE = 10_000.0


def at(cosine: float, away: int = 2) -> list[float]:
    """A unit vector with this cosine to the first axis."""
    vector = [cosine, 0.0, 0.0, 0.0]
    vector[away] = math.sqrt(1 - cosine**2)
    return vector


TWO = Enrolled(np.array([[1.0, 0, 0, 0], [0, 1.0, 0, 0]]), np.array([0, 1]))


def said(rule: Rule, probes: list[list[float]], right: int = 0, area: float = LARGE) -> Uttered:
    """What the rule says of one visit with these looks."""
    visit = np.arange(len(probes))[None, :]
    return utter(rule, TWO, np.array(probes), np.full(len(probes), area), visit, np.array([right]))


@pytest.mark.parametrize(("model", "needed"), [("facenet_vggface2/x", 0.610), ("mobilefacenet/x", 0.410)])
def test_frigate_names_from_its_cosine_on(model: str, needed: float) -> None:
    rule = rules_for(model)[0]
    assert said(rule, [at(needed + 0.001)]).right[0] >= rule.threshold
    assert said(rule, [at(needed - 0.001)]).right[0] < rule.threshold


def test_frigate_leaves_out_what_is_unlike_the_rest() -> None:
    alike = np.array([at(0.99, 1), at(0.98, 2), at(0.99, 3), at(0.97, 2), at(0.98, 3), at(0.98, 1)])
    odd = np.array([[-0.2, 0.0, 0.98, 0.0]])
    mean = frigate_class_mean(np.concatenate([alike, odd]))
    assert mean == pytest.approx(frigate_class_mean(alike))


def test_frigate_throws_unknown_votes_away_and_weighs_the_others() -> None:
    rule = BY_KEY["frigate"]
    visit = [at(0.1), at(0.1), at(0.5), at(0.1)]
    confidence = 1 / (1 + math.exp(-20 * (0.5 - 0.3)))
    assert said(rule, visit).right[0] == pytest.approx(confidence)


def test_frigate_says_nothing_when_two_names_have_as_many_votes() -> None:
    other = [0.0, 0.9, math.sqrt(1 - 0.81), 0.0]
    both = said(BY_KEY["frigate"], [at(0.9), other])
    assert both.right[0] > 0.9  # after the first look
    assert both.wrong[0] == -np.inf


def test_compreface_names_from_a_cosine_of_030_on() -> None:
    rule = BY_KEY["compreface"]
    assert said(rule, [at(0.302)]).right[0] >= 0.5 > said(rule, [at(0.301)]).right[0]


def test_faceid_wants_a_lead_and_a_large_face() -> None:
    rule = BY_KEY["faceid"]
    close = [0.68, 0.65, math.sqrt(1 - 0.68**2 - 0.65**2), 0.0]
    assert said(rule, [close]).right[0] == -np.inf
    assert said(rule, [at(0.6)]).right[0] == pytest.approx(0.6)
    assert said(rule, [at(0.6)], area=47.0**2).right[0] == -np.inf


def test_face_recognition_measures_the_distance_to_the_nearest_template() -> None:
    enrolled = Enrolled(np.array([[0.0, 0.0], [3.0, 4.0], [9.0, 9.0]]), np.array([0, 2]))
    answer = utter(
        FACE_RECOGNITION, enrolled, np.array([[3.0, 3.5]]), np.array([LARGE]), np.array([[0]]), np.array([0])
    )
    assert answer.right[0] == pytest.approx(-0.5)


def test_a_face_that_the_peer_does_not_find_has_no_name() -> None:
    answer = said(FACE_RECOGNITION, [[math.inf] * 4])
    assert (answer.right[0], answer.wrong[0]) == (-np.inf, -np.inf)


def test_a_stranger_is_named_by_any_look() -> None:
    answer = said(BY_KEY["compreface"], [at(0.1), at(0.4), at(0.2)], right=-1)
    assert answer.right[0] == -np.inf
    assert answer.wrong[0] > 0.5
    assert answer.wrong_column[0] == 0
