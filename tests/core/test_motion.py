"""The motion gate: wakes for people and lights, says where, and sleeps through noise."""

from __future__ import annotations

import copy
import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from homeface.core.motion import GRID, MotionGate
from homeface.core.types import Box

Grey = NDArray[np.uint8]
FRAME = (1080, 1920)


def room(seed: int = 0) -> NDArray[np.float32]:
    """A structured room, 90 × 160, grey levels 60 to 160."""
    rng = np.random.default_rng(seed)
    blocks = rng.uniform(60, 160, (9, 16)).astype(np.float32)
    return np.kron(blocks, np.ones((10, 10), np.float32))


def picture(values: NDArray[np.float32], noise: float = 0.0, seed: int = 0) -> Grey:
    """What a camera makes of it."""
    rng = np.random.default_rng(seed)
    return np.clip(np.rint(values + rng.normal(0, noise, values.shape)), 0, 255).astype(np.uint8)


def asleep(noise: float = 0.0) -> MotionGate:
    """A gate that has seen the empty room for a while."""
    return copy.deepcopy(_asleep(noise))


@functools.cache
def _asleep(noise: float) -> MotionGate:
    gate = MotionGate()
    for step in range(50):
        gate.examine(picture(room(), noise, seed=step), step * 0.2)
    return gate


def moved(gate: MotionGate, grey: Grey, now: float) -> bool:
    return gate.examine(grey, now).moved


def test_the_first_picture_is_looked_at() -> None:
    assert MotionGate().examine(picture(room()), 0.0).everything


@pytest.mark.parametrize("noise", [0.0, 2.0, 5.0, 8.0])
def test_noise_alone_does_not_wake(noise: float) -> None:
    gate = asleep(noise)
    woken = [moved(gate, picture(room(), noise, seed=100 + step), 10 + step * 0.2) for step in range(100)]
    assert not any(woken)


@pytest.mark.parametrize("noise", [0.0, 2.0, 5.0])
@pytest.mark.parametrize("contrast", [-50.0, 60.0])
def test_a_person_far_away_wakes(noise: float, contrast: float) -> None:
    gate = asleep(noise)
    values = room()
    values[40:52, 70:75] += contrast
    assert moved(gate, picture(values, noise, seed=999), 10.0)


def test_a_light_switched_on_wakes_once() -> None:
    gate = asleep()
    assert moved(gate, picture(room() + 40), 10.0)
    assert not moved(gate, picture(room() + 40), 10.2)


def test_a_cloud_does_not_wake() -> None:
    gate = asleep(2.0)
    woken = [
        moved(gate, picture(room() + 0.2 * step, 2.0, seed=step), 10 + step * 0.2) for step in range(200)
    ]
    assert not any(woken)


def test_a_chair_that_was_moved_is_absorbed() -> None:
    gate = asleep()
    values = room()
    values[30:60, 30:60] += 50
    woken = [moved(gate, picture(values), 10 + step * 0.2) for step in range(1500)]
    assert woken[0]
    assert not any(woken[-300:])


def test_a_clock_set_back_tells_nothing() -> None:
    assert asleep().examine(picture(room()), -3600.0).everything


def test_another_size_starts_afresh() -> None:
    gate = asleep()
    assert gate.examine(np.zeros((45, 80), np.uint8), 10.0).everything
    assert not moved(gate, np.zeros((45, 80), np.uint8), 10.2)


def test_colour_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="two axes"):
        MotionGate().examine(np.zeros((90, 160, 3), np.uint8), 0.0)


@given(st.integers(0, 78), st.integers(0, 148), st.integers(6, 12), st.integers(6, 12), st.booleans())
def test_it_says_where(top: int, left: int, height: int, width: int, darker: bool) -> None:
    """Whatever moves lies in one part, which is not much larger than a cell more on each side."""
    gate = asleep()
    values = room()
    values[top : top + height, left : left + width] += -50 if darker else 50
    motion = gate.examine(picture(values), 10.0)
    (part,) = motion.parts(FRAME)
    x1, y1, x2, y2 = 12.0 * left, 12.0 * top, 12.0 * (left + width), 12.0 * (top + height)
    assert part.x1 <= x1 + 24
    assert part.y1 <= y1 + 24
    assert part.x2 >= x2 - 24
    assert part.y2 >= y2 - 24
    assert part.area <= (x2 - x1 + 2 * 96 + 24) * (y2 - y1 + 2 * 90 + 24)


def test_what_stands_still_has_not_moved_but_is_foreign() -> None:
    gate = asleep()
    values = room()
    values[40:60, 40:60] += 50
    assert gate.examine(picture(values), 10.0).moved
    still = gate.examine(picture(values), 10.2)
    assert (still.moved, still.foreign) == (False, True)
    gone = gate.examine(picture(room()), 10.4)
    assert (gone.moved, gone.foreign) == (True, False)


def test_two_who_move_apart_are_two_parts() -> None:
    gate = asleep()
    values = room()
    values[20:40, 10:20] += 50
    values[50:70, 120:130] -= 50
    assert len(gate.examine(picture(values), 10.0).parts(FRAME)) == 2


@given(st.integers(1, 200), st.integers(1, 200))
def test_it_takes_any_size(height: int, width: int) -> None:
    gate = MotionGate()
    gate.examine(np.zeros((height, width), np.uint8), 0.0)
    motion = gate.examine(np.full((height, width), 200, np.uint8), 0.2)
    assert motion.everything
    assert motion.cells.shape == (min(GRID[0], height), min(GRID[1], width))
    assert motion.parts((height, width)) == (Box(0, 0, width, height),)
