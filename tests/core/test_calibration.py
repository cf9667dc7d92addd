"""From an asked rate of false names to a threshold."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeface.core.calibration import (
    STRICTNESS,
    SUPPORT_SHARE,
    Calibration,
    calibration_as_json,
    calibration_file,
    calibration_from,
    policy_for,
    threshold_for,
)
from homeface.core.strangers import strangers_of
from homeface.errors import ModelError

TABLE = ((0.1, 0.30), (0.01, 0.42), (0.001, 0.55))
CALIBRATION = Calibration(
    "m/1", visit=TABLE, single=((0.1, 0.32), (0.001, 0.60)), support=0.40, few_templates_extra=(0.05, 0.0)
)
rates = st.floats(1e-7, 0.5)


def test_tabled_rates_give_their_thresholds() -> None:
    for rate, threshold in TABLE:
        assert threshold_for(TABLE, rate) == pytest.approx(threshold)
    assert threshold_for(TABLE, 0.03) == pytest.approx(0.30 + 0.12 * 0.5742, abs=1e-3)


def test_beyond_the_table_the_last_slope_goes_on_and_above_it_nothing_is_loosened() -> None:
    # 3.719 standard deviations are 0.629 beyond 3.090; the last step's slope is 0.13 / 0.764
    assert threshold_for(TABLE, 0.0001) == pytest.approx(0.55 + 0.629 * 0.1702, abs=1e-3)
    assert threshold_for(((0.1, 0.2), (0.001, 0.9)), 1e-9) == 1.0
    assert threshold_for(TABLE, 0.5) == 0.30


@given(rates, rates)
def test_a_smaller_rate_never_asks_less(a: float, b: float) -> None:
    low, high = sorted((a, b))
    strict, loose = policy_for(CALIBRATION, low), policy_for(CALIBRATION, high)
    assert strict.threshold >= loose.threshold
    assert strict.single_threshold is not None
    assert loose.single_threshold is not None
    assert strict.single_threshold >= loose.single_threshold


@given(rates, st.integers(1, 30))
def test_a_larger_gallery_never_asks_less(rate: float, subjects: int) -> None:
    few = policy_for(CALIBRATION, rate, subjects=subjects)
    many = policy_for(CALIBRATION, rate, subjects=subjects + 1)
    assert many.threshold >= few.threshold
    assert few.single_threshold is not None
    assert many.single_threshold is not None
    assert many.single_threshold >= few.single_threshold
    assert few.early_extra >= 0
    assert few.support <= few.threshold


def test_the_words() -> None:
    assert dict(STRICTNESS) == {"relaxed": 0.01, "normal": 0.001, "strict": 0.0001}
    thresholds = [policy_for(CALIBRATION, rate).threshold for rate in STRICTNESS.values()]
    assert thresholds == sorted(thresholds)


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, 2.0, math.nan])
def test_a_rate_is_a_rate(rate: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        policy_for(CALIBRATION, rate)


def test_a_policy_needs_a_subject() -> None:
    with pytest.raises(ValueError, match="at least one subject"):
        policy_for(CALIBRATION, 0.001, subjects=0)


@pytest.mark.parametrize(
    "table",
    [
        (),
        ((0.1, 0.3),),
        ((0.01, 0.3), (0.1, 0.4)),
        ((0.1, 0.4), (0.01, 0.3)),
        ((0.1, 0.3), (0.1, 0.4)),
        ((1.5, 0.3), (0.1, 0.4)),
    ],
)
def test_odd_tables_are_refused(table: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(ModelError, match="usable 'visit' table"):
        replace(CALIBRATION, visit=table)


def test_json_form() -> None:
    data = {
        "model_id": "m/1",
        "visit": [list(row) for row in TABLE],
        "single": [[0.1, 0.32], [0.001, 0.60]],
        "support": 0.40,
        "margin": 0.08,
        "few_templates_extra": [0.05, 0.0],
        "small_px": 16.0,
        "small_extra": 0.0,
        "infrared_extra": 0.0,
        "provenance": {},
    }
    assert calibration_from(data) == CALIBRATION
    for key in data:
        with pytest.raises(ModelError, match="damaged"):
            calibration_from({k: v for k, v in data.items() if k != key})
    with pytest.raises(ModelError, match="damaged"):
        calibration_from(data | {"visit": "high"})


def test_what_is_written_can_be_read() -> None:
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(40, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    strangers = strangers_of(vectors, np.arange(40))
    whole = replace(CALIBRATION, strangers=strangers, crowd_share=2.0, kin_share=0.2, kin_free=0.3)
    again = calibration_from(json.loads(json.dumps(calibration_as_json(whole))))
    assert again.strangers is not None
    assert np.array_equal(again.strangers.factors, strangers.factors)
    assert replace(again, strangers=None) == replace(whole, strangers=None)


def test_early_names_and_looks_that_speak_follow_the_rate() -> None:
    loose, strict = policy_for(CALIBRATION, 0.01), policy_for(CALIBRATION, 0.0001)
    for policy in (loose, strict):
        assert policy.early_extra > 0
        assert policy.support == pytest.approx(SUPPORT_SHARE * policy.threshold)
        assert policy.rival == CALIBRATION.support
    assert strict.support > loose.support


def test_the_file_of_a_model() -> None:
    assert calibration_file("facenet/cut-1") == "facenet__cut-1.json"
