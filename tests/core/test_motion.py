"""The motion gate: wakes for people and lights, sleeps through noise, and looks now and then anyway."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from homeface.core.motion import MotionGate, MotionSettings, small_grey

Grey = NDArray[np.uint8]
NEVER_ANYWAY = MotionSettings(max_quiet_seconds=1e9)


def room(seed: int = 0) -> NDArray[np.float32]:
    """A structured room, 90 × 160, grey levels 60 to 160."""
    rng = np.random.default_rng(seed)
    blocks = rng.uniform(60, 160, (9, 16)).astype(np.float32)
    return np.kron(blocks, np.ones((10, 10), np.float32))


def picture(values: NDArray[np.float32], noise: float = 0.0, seed: int = 0) -> Grey:
    """What a camera makes of it."""
    rng = np.random.default_rng(seed)
    return np.clip(np.rint(values + rng.normal(0, noise, values.shape)), 0, 255).astype(np.uint8)


def asleep(noise: float = 0.0, settings: MotionSettings = NEVER_ANYWAY) -> MotionGate:
    """A gate that has seen the empty room for a while."""
    gate = MotionGate(settings)
    for step in range(50):
        gate.moved(picture(room(), noise, seed=step), step * 0.2)
    return gate


def test_the_first_picture_is_looked_at() -> None:
    assert MotionGate(NEVER_ANYWAY).moved(picture(room()), 0.0)


@pytest.mark.parametrize("noise", [0.0, 2.0, 5.0, 8.0])
def test_noise_alone_does_not_wake(noise: float) -> None:
    gate = asleep(noise)
    woken = [gate.moved(picture(room(), noise, seed=100 + step), 10 + step * 0.2) for step in range(100)]
    assert not any(woken)


@pytest.mark.parametrize("noise", [0.0, 2.0, 5.0])
@pytest.mark.parametrize("contrast", [-50.0, 60.0])
def test_a_person_far_away_wakes(noise: float, contrast: float) -> None:
    gate = asleep(noise)
    values = room()
    values[40:52, 70:75] += contrast
    assert gate.moved(picture(values, noise, seed=999), 10.0)


def test_a_light_switched_on_wakes_once() -> None:
    gate = asleep()
    assert gate.moved(picture(room() + 40), 10.0)
    assert not gate.moved(picture(room() + 40), 10.2)


def test_a_cloud_does_not_wake() -> None:
    gate = asleep(2.0)
    woken = [gate.moved(picture(room() + 0.2 * step, 2.0, seed=step), 10 + step * 0.2) for step in range(200)]
    assert not any(woken)


def test_a_chair_that_was_moved_is_absorbed() -> None:
    gate = asleep()
    values = room()
    values[30:60, 30:60] += 50
    woken = [gate.moved(picture(values), 10 + step * 0.2) for step in range(3000)]
    assert woken[0]
    assert not any(woken[-500:])


def test_a_full_look_comes_at_intervals() -> None:
    gate = asleep(settings=MotionSettings(max_quiet_seconds=4.0))
    looks = [step * 0.2 for step in range(50, 350) if gate.moved(picture(room()), step * 0.2)]
    assert len(looks) >= 14
    assert max(np.diff(looks)) <= 4.0 + 0.2 + 1e-6


def test_a_clock_set_back_means_look() -> None:
    gate = asleep(settings=MotionSettings(max_quiet_seconds=60.0))
    assert gate.moved(picture(room()), -3600.0)


def test_another_size_starts_afresh() -> None:
    gate = asleep()
    assert gate.moved(np.zeros((45, 80), np.uint8), 10.0)
    assert not gate.moved(np.zeros((45, 80), np.uint8), 10.2)


def test_colour_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="two axes"):
        MotionGate().moved(np.zeros((90, 160, 3), np.uint8), 0.0)


@given(st.lists(st.floats(0.01, 3.0), min_size=1, max_size=60), st.floats(0.5, 10.0))
def test_it_is_never_quiet_for_longer_than_allowed(gaps: list[float], quiet: float) -> None:
    gate = MotionGate(MotionSettings(max_quiet_seconds=quiet))
    same, now, looked = picture(room()), 0.0, 0.0
    assert gate.moved(same, now)
    for gap in gaps:
        now += gap
        if gate.moved(same, now):
            looked = now
        assert now - looked < quiet


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((1080, 1920), (90, 160)), ((720, 1280), (90, 160)), ((360, 640), (90, 160)), ((50, 60), (50, 60))],
)
def test_small_grey_sizes(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 77, np.uint8)
    grey = small_grey(image)
    assert grey.shape == expected
    assert grey.dtype == np.uint8
    assert (grey == 77).all()


@given(st.integers(1, 400), st.integers(1, 400))
def test_small_grey_takes_any_size(height: int, width: int) -> None:
    grey = small_grey(np.zeros((height, width, 3), np.uint8))
    assert grey.ndim == 2
    assert grey.size > 0


def test_both_together_are_cheap() -> None:
    image = np.random.default_rng(0).integers(0, 255, (1080, 1920, 3), dtype=np.uint8)
    gate = MotionGate()
    gate.moved(small_grey(image), 0.0)
    begin = time.process_time()
    for step in range(20):
        gate.moved(small_grey(image), step * 0.2)
    assert (time.process_time() - begin) / 20 < 0.01
