"""Durations, rates and the other kinds of value."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeface.config.values import Within, format_duration, parse_duration, parse_rate

UNITS = {"ms": 0.001, "s": 1, "sec": 1, "min": 60, "h": 3600, "d": 86400, "days": 86400}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("5min", 300),
        ("2h", 7200),
        ("1.5s", 1.5),
        ("250ms", 0.25),
        ("14 days", 1209600),
        (" 1 H ", 3600),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@given(st.integers(0, 10**9), st.sampled_from(sorted(UNITS)), st.sampled_from(["", " ", "  "]))
def test_a_number_with_a_unit_is_that_many_seconds(number: int, unit: str, space: str) -> None:
    assert parse_duration(f"{number}{space}{unit}") == pytest.approx(number * UNITS[unit])


@given(st.integers() | st.floats(allow_nan=False) | st.floats(0, 1e6).map(repr))
def test_a_bare_number_is_refused_and_told_to_say_a_unit(value: object) -> None:
    with pytest.raises(ValueError, match=r"a duration"):
        parse_duration(value)


@pytest.mark.parametrize("value", [30, 30.5, "30", " 1.5 ", "-3"])
def test_the_sentence_for_a_bare_number(value: object) -> None:
    with pytest.raises(ValueError, match=r"say a unit, e\.g\. 30s"):
        parse_duration(value)


@given(st.text() | st.none() | st.booleans() | st.lists(st.integers()) | st.binary())
def test_anything_else_is_a_value_error_or_finite_seconds(value: object) -> None:
    try:
        seconds = parse_duration(value)
    except ValueError:
        return
    assert math.isfinite(seconds)
    assert seconds >= 0


@pytest.mark.parametrize("value", ["5 parsecs", "s", "1m", "1h30min", "-5s", "1e3s", "", "٣s", True, None])
def test_no_durations(value: object) -> None:
    with pytest.raises(ValueError, match="a duration"):
        parse_duration(value)


@given(st.integers(0, 86400 * 400))
def test_formatted_durations_are_read_back(seconds: int) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"), [(90, "90s"), (120, "2min"), (0.25, "250ms"), (0, "0s"), (86400, "1d")]
)
def test_formatted_durations(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_limits_are_inclusive_and_named() -> None:
    limits = Within("1s", "10s")
    assert limits.parse("1s") == 1
    assert limits.parse("10s") == 10
    for value in ("999ms", "11s"):
        with pytest.raises(ValueError, match="from 1s to 10s"):
            limits.parse(value)


@given(
    st.integers(1, 10**6),
    st.integers(2, 1000),
    st.sampled_from(["{} in {}", "{}/{}", "{} in {} visits", "{} / {}"]),
)
def test_rates(wrong: int, factor: int, form: str) -> None:
    assert parse_rate(form.format(wrong, wrong * factor)) == pytest.approx(1 / factor)


@pytest.mark.parametrize(
    "value", [0.001, "0.001", "1 in 0", "0 in 10", "3 in 4", "one in ten", "1 in 10 days", None, 5]
)
def test_no_rates(value: object) -> None:
    with pytest.raises(ValueError, match="a rate"):
        parse_rate(value)


@given(st.text())
def test_any_text_is_a_rate_or_a_value_error(text: str) -> None:
    try:
        rate = parse_rate(text)
    except ValueError:
        return
    assert 0 < rate <= 0.5
