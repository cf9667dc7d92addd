"""Whether anything moved, and where: the cheap question before the expensive one.

The gate compares a small grey picture with a slowly adapting background and with the picture before. It may
be wrong in one direction only: when in doubt something moved. What to look at because of it is decided in
``homeface.core.attention``.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from homeface.core.regions import Cells, parts_of
from homeface.core.types import Box, Grey

GREY_HEIGHT = 90
GREY_WIDTH = 160
GRID = (12, 20)
"""Cells in (height, width): about 90 × 96 pixels of a 1080p frame each."""
_SAMPLING = 4
"""Medians are taken from every fourth pixel in both directions: 900 are enough."""
_MEDIAN_TO_DEVIATION = 1.4826
"""Standard deviation of normal noise in multiples of its median absolute deviation."""


@dataclass(frozen=True, slots=True)
class MotionSettings:
    """``noise_levels`` smallest change of a pixel that counts (grey levels of 255); ``noise_factor`` the
    same in multiples of the picture's own noise; ``min_area`` share of pixels that must change;
    ``cell_pixels`` how many in one cell; ``light_levels`` change of the whole picture that counts as a light
    switched; ``adapt_seconds`` time constant of the background, ``absorb_seconds`` the same where something
    changed."""

    noise_levels: float = 10.0
    noise_factor: float = 5.0
    min_area: float = 0.0015
    cell_pixels: int = 2
    light_levels: float = 12.0
    adapt_seconds: float = 10.0
    absorb_seconds: float = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """What a grey picture says about its frame. ``everything``: the pictures before tell nothing about it
    (the first one, a light, another size, a clock set back). ``cells``: where something moved, or came or
    went, since the picture before. ``grey``: the picture itself. ``foreign``: something is there that was not
    (for as long as the background remembers)."""

    everything: bool
    cells: Cells
    grey: Grey
    foreign: bool = True

    @property
    def moved(self) -> bool:
        """True when the frame is worth a look."""
        return self.everything or bool(self.cells.any())

    def parts(self, shape: tuple[int, int]) -> tuple[Box, ...]:
        """The cells as connected parts in pixels of a frame of ``shape`` (height, width), without margins."""
        return parts_of(self.cells, shape)


@dataclass(slots=True)
class MotionGate:
    """One camera's gate. Clock-free: ``now`` comes with each picture, in seconds. about 0.15 ms a picture."""

    settings: MotionSettings = field(default_factory=MotionSettings)
    _background: NDArray[np.float32] | None = None
    _before: NDArray[np.float32] | None = None
    _foreign: Cells | None = None
    _seen_at: float = 0.0

    def examine(self, grey: Grey, now: float) -> Motion:
        """Compare with what was before. ``grey`` is (h, w) uint8; another size than before starts afresh."""
        if grey.ndim != 2:
            raise ValueError(f"a grey picture has two axes, not {grey.ndim}")
        picture = grey.astype(np.float32)
        before, self._before = self._before, picture
        elapsed, self._seen_at = now - self._seen_at, now
        background = self._background
        if before is None or background is None or background.shape != picture.shape or elapsed < 0:
            return self._afresh(picture, grey)
        difference = picture - background
        light = _median(difference)
        if abs(light) >= self.settings.light_levels:
            return self._afresh(picture, grey)
        changed = self._beyond_noise(difference, light)
        foreign = self._cells(changed)
        came_or_went = foreign if self._foreign is None else foreign ^ self._foreign
        self._foreign = foreign
        recent = picture - before
        moving = self._cells(self._beyond_noise(recent, _median(recent)))
        slow, fast = (
            np.float32(1 - math.exp(-elapsed / seconds))
            for seconds in (self.settings.absorb_seconds, self.settings.adapt_seconds)
        )
        difference *= np.where(changed, slow, fast)
        background += difference
        return Motion(False, moving | came_or_went, grey, bool(foreign.any()))

    def _afresh(self, picture: NDArray[np.float32], grey: Grey) -> Motion:
        self._background = picture.copy()
        self._foreign = None
        _, rows, columns = _grid_over(*picture.shape)
        return Motion(True, np.ones((rows, columns), np.bool_), grey)

    def _beyond_noise(self, difference: NDArray[np.float32], light: float) -> NDArray[np.bool_]:
        """Pixels that changed. A cloud, or the camera's own exposure, moves all alike: that is ``light``."""
        size = np.abs(difference - np.float32(light))
        noise = _MEDIAN_TO_DEVIATION * _median(size)
        changed: NDArray[np.bool_] = size > max(
            self.settings.noise_levels, self.settings.noise_factor * noise
        )
        return changed

    def _cells(self, changed: NDArray[np.bool_]) -> Cells:
        """Cells with enough changed pixels; none at all when they are too few in sum."""
        index, rows, columns = _grid_over(*changed.shape)
        counts = np.bincount(index[np.flatnonzero(changed)], minlength=rows * columns).reshape(rows, columns)
        cells: Cells = counts >= self.settings.cell_pixels
        if counts.sum(where=cells) < self.settings.min_area * changed.size:
            cells[:] = False
        return cells


@functools.lru_cache(maxsize=8)
def _grid_over(height: int, width: int) -> tuple[NDArray[np.intp], int, int]:
    """For each pixel the number of its cell, and how many rows and columns of cells there are."""
    rows, columns = min(GRID[0], height), min(GRID[1], width)
    row, column = np.arange(height) * rows // height, np.arange(width) * columns // width
    return (row[:, None] * columns + column[None, :]).ravel(), rows, columns


def _median(values: NDArray[np.float32]) -> float:
    """Median of a sample of the picture."""
    sample = values[::_SAMPLING, ::_SAMPLING].ravel()
    return float(np.partition(sample, sample.size // 2)[sample.size // 2])
