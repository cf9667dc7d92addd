"""Growth of memory: a line, and its noise."""

from __future__ import annotations

import numpy as np
import pytest

from homeface.lab.benchmark.soak import growth


def _memory(slope_mib_per_second: float) -> tuple[list[float], list[float]]:
    times = np.arange(0.0, 1800.0, 10.0)
    noise = np.random.default_rng(1).normal(0.0, 1.5, len(times))
    return times.tolist(), (250 + slope_mib_per_second * times + noise).tolist()


def test_noise_is_no_growth() -> None:
    found = growth(*_memory(0.0))
    assert found.above_noise is False
    assert abs(found.mib_per_day) < 3 * found.error_mib_per_day


def test_growth_is_projected_to_a_day() -> None:
    found = growth(*_memory(0.01), cameras=2)
    assert found.above_noise
    assert found.mib_per_day == pytest.approx(864, rel=0.2)
    assert found.as_json()["cameras"] == 2


def test_what_settles_at_the_beginning_is_not_counted() -> None:
    times, memory = _memory(0.0)
    filling = [mib - 100 if at < 300 else mib for at, mib in zip(times, memory, strict=True)]
    assert growth(times, filling).above_noise is False


def test_a_short_soak_says_so() -> None:
    times, memory = _memory(0.01)
    assert growth(times[:50], memory[:50]).above_noise is None
    with pytest.raises(ValueError, match="soak for longer"):
        growth([0.0, 1.0], [1.0, 1.0])
