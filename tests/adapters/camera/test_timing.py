"""When a frame was taken, which frames are due, how long to wait: scripted arrivals, no clock."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeface.adapters.camera import Backoff, CaptureClock, Pace


def test_arrival_at_the_camera_s_pace_is_the_capture_time() -> None:
    clock = CaptureClock()
    for step in range(100):
        assert clock.captured(step / 15, 1000 + step / 15) == pytest.approx(1000 + step / 15)


def test_queued_frames_are_dated_back() -> None:
    clock = CaptureClock()
    for step in range(30):
        clock.captured(step * 0.1, 1000 + step * 0.1)
    # The network stops for two seconds, then delivers everything at once.
    for step in range(30, 50):
        assert clock.captured(step * 0.1, 1005.0) == pytest.approx(1000 + step * 0.1, abs=0.01)
    assert clock.captured(5.0, 1005.01) == pytest.approx(1005.0, abs=0.01)


def test_a_burst_at_the_start_is_dated_back_once_it_is_over() -> None:
    clock = CaptureClock()
    for step in range(10):  # a camera that begins with its last key frame, one second old
        clock.captured(step * 0.1, 1000 + step * 0.001)
    assert clock.captured(1.0, 1000.02) == pytest.approx(1000.02)
    assert clock.captured(1.1, 1000.12) == pytest.approx(1000.12)
    assert clock.captured(1.2, 1000.9) == pytest.approx(1000.22, abs=0.01)


def test_pts_that_begin_again_begin_a_new_mapping() -> None:
    clock = CaptureClock()
    clock.captured(5000.0, 1000.0)
    assert clock.captured(0.0, 1000.1) == pytest.approx(1000.1)
    assert clock.captured(0.1, 1000.7) == pytest.approx(1000.2, abs=0.01)


def test_pts_that_jump_ahead_are_believed_no_later_than_arrival() -> None:
    clock = CaptureClock()
    clock.captured(1.0, 1000.0)
    assert clock.captured(9000.0, 1000.1) == pytest.approx(1000.1)


def test_a_parser_that_waits_for_the_next_frame_is_allowed_for() -> None:
    clock = CaptureClock(one_behind=True)
    clock.captured(0.0, 1000.1)
    for step in range(1, 20):
        assert clock.captured(step * 0.1, 1000.1 + step * 0.1) == pytest.approx(1000 + step * 0.1, abs=0.001)


def test_without_pts_arrival_is_all_we_know() -> None:
    assert CaptureClock().captured(None, 1234.5) == 1234.5


@pytest.mark.parametrize("rate", [1 - 2e-4, 1 + 2e-4])
def test_a_slow_or_fast_camera_clock_is_followed(rate: float) -> None:
    clock = CaptureClock()
    for second in range(24 * 3600):
        captured = clock.captured(second * rate, 1000.0 + second)
    assert captured == pytest.approx(1000.0 + 24 * 3600 - 1, abs=0.05)


def test_a_backlog_that_stays_is_not_forgotten_within_a_minute() -> None:
    clock = CaptureClock()
    clock.captured(0.0, 1000.0)
    for step in range(1, 61):
        captured = clock.captured(step, 1003.0 + step)
    assert captured == pytest.approx(1060.0, abs=0.1)


@given(
    st.lists(
        st.tuples(st.one_of(st.none(), st.floats(-1e6, 1e6)), st.floats(0, 100)), min_size=1, max_size=50
    ),
)
def test_never_later_than_arrival(steps: list[tuple[float | None, float]]) -> None:
    clock, arrival = CaptureClock(), 1e6
    for pts, gap in steps:
        arrival += gap
        assert clock.captured(pts, arrival) <= arrival


@given(st.lists(st.tuples(st.floats(0.001, 10), st.floats(0, 10)), min_size=2, max_size=50))
def test_never_back_while_pts_go_on(steps: list[tuple[float, float]]) -> None:
    clock, arrival, pts, before = CaptureClock(), 1e4, 0.0, -1.0
    for step, gap in steps:
        arrival, pts = arrival + gap, pts + step
        captured = clock.captured(pts, arrival)
        assert captured >= before - 1e-6
        before = captured


@pytest.mark.parametrize(
    ("camera_fps", "wanted", "expected"),
    [
        (15, 5, 5),
        (25, 5, 5),
        (30, 10, 10),
        (15, 15, 15),
        (15, 30, 15),
        (15, None, 15),
        (15, 4, 4),
        (7, 5, 5),
        (1, 5, 1),
    ],
)
@pytest.mark.parametrize("jitter", [0.0, 0.2])
def test_pace(camera_fps: float, wanted: float | None, expected: float, jitter: float) -> None:
    rng = random.Random(1)
    pace = Pace(wanted)
    due = sum(
        pace.due((step + rng.uniform(-jitter, jitter)) / camera_fps) for step in range(int(camera_fps * 60))
    )
    assert due / 60 == pytest.approx(expected, rel=0.06)


def test_pace_survives_gaps_and_clocks_set_back() -> None:
    pace = Pace(5)
    assert pace.due(100.0)
    assert not pace.due(100.05)
    assert pace.due(500.0)
    assert not pace.due(500.05)
    assert pace.due(10.0)
    assert not pace.due(10.05)
    assert pace.due(10.2)


def test_backoff_doubles_up_to_its_cap_and_begins_again() -> None:
    backoff = Backoff(1.0, 5.0, jitter=lambda: 0.0)
    assert [backoff.next() for _ in range(5)] == [1.0, 2.0, 4.0, 5.0, 5.0]
    backoff.reset()
    assert backoff.next() == 1.0


def test_backoff_takes_up_to_half_off() -> None:
    waits = [Backoff(300.0, 300.0).next() for _ in range(200)]
    assert 150 <= min(waits) < max(waits) <= 300
