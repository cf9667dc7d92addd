"""A picture in many sizes: halved again and again, and from these any size, cheaply.

What MTCNN looks at is always a part of the picture shrunk by some factor. Each is taken from the halving
that is at most twice as large, by bilinear interpolation, which hardly aliases there; no loop goes over
pixels or boxes in Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from homeface.core.types import ImageBGR

Boxes = NDArray[np.float32]
"""(N, 4+) corners in pixels of the picture, perhaps followed by a score."""


class Halvings:
    """The picture and its halvings, down to ``least_px`` on the shorter side."""

    def __init__(self, image: ImageBGR, least_px: int) -> None:
        import cv2

        self.levels = [image]
        while min(self.levels[-1].shape[:2]) >= 2 * least_px:
            height, width = self.levels[-1].shape[:2]
            half = cv2.resize(self.levels[-1], (width // 2, height // 2), interpolation=cv2.INTER_AREA)
            self.levels.append(half)  # type: ignore[arg-type]

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the picture."""
        height, width = self.levels[0].shape[:2]
        return height, width

    def resized(self, size: tuple[int, int]) -> ImageBGR:
        """The whole picture in (height, width) ``size``."""
        import cv2

        height = self.size[0]
        source = self.levels[int(self._level(np.array([height / size[0]]))[0])]
        return cv2.resize(source, size[::-1], interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]

    def cut(self, boxes: Boxes, side: int) -> NDArray[np.uint8]:
        """What is in N boxes, each stretched to a square: (N, side, side, 3)."""
        import cv2

        crops = np.empty((len(boxes), side, side, 3), np.uint8)
        sides = boxes[:, 2:4] - boxes[:, :2]
        steps = (np.arange(side, dtype=np.float32) + 0.5) / side
        columns = boxes[:, 0:1] + steps * sides[:, 0:1]
        rows = boxes[:, 1:2] + steps * sides[:, 1:2]
        levels = self._level(sides.max(axis=1) / side)
        for level in np.unique(levels):
            source, chosen = self.levels[level], np.flatnonzero(levels == level)
            shape = (len(chosen), side, side)
            # A pixel p has its centre at p + 0.5; cv2 counts from the centres.
            x = columns[chosen] * (source.shape[1] / self.size[1]) - 0.5
            y = rows[chosen] * (source.shape[0] / self.size[0]) - 0.5
            across = np.broadcast_to(x[:, None, :], shape).reshape(-1, side)
            down = np.broadcast_to(y[:, :, None], shape).reshape(-1, side)
            cuts = cv2.remap(
                source, across, down, interpolation=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
            crops[chosen] = cuts.reshape(*shape, 3)
        return crops

    def _level(self, factors: NDArray[np.floating]) -> NDArray[np.int64]:
        """The halving from which less than a factor of two is left, of each factor of shrinking."""
        halvings = np.floor(np.log2(np.maximum(factors, 1.0))).astype(np.int64)
        result: NDArray[np.int64] = np.minimum(halvings, len(self.levels) - 1)
        return result


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """All levels of a pyramid side by side in one picture, so that a network sees them in one pass.

    ``size`` (height, width) of the canvas; for each level its ``scales`` factor, its ``sizes`` (height,
    width) and ``corners`` (top, left).
    """

    size: tuple[int, int]
    scales: NDArray[np.float32]
    sizes: Sequence[tuple[int, int]]
    corners: Sequence[tuple[int, int]]

    def paint(self, halvings: Halvings) -> ImageBGR:
        """The canvas of a picture, black where no level is."""
        canvas: ImageBGR = np.zeros((*self.size, 3), np.uint8)
        for (height, width), (top, left) in zip(self.sizes, self.corners, strict=True):
            canvas[top : top + height, left : left + width] = halvings.resized((height, width))
        return canvas

    def level_of(self, cell_px: int, stride_px: int) -> NDArray[np.int64]:
        """For each window of ``cell_px`` at every ``stride_px``: the level that holds all of it, or -1.

        A pixel may be missing: the pooling of an odd number of pixels includes the last one.
        """
        height, width = ((side - cell_px) // stride_px + 1 for side in self.size)
        levels = np.full((height, width), -1, np.int64)
        for index, ((tall, wide), (top, left)) in enumerate(zip(self.sizes, self.corners, strict=True)):
            bottom = (top + tall + 1 - cell_px) // stride_px
            right = (left + wide + 1 - cell_px) // stride_px
            levels[top // stride_px : bottom + 1, left // stride_px : right + 1] = index
        return levels


@lru_cache(maxsize=32)
def canvas_of(size: tuple[int, int], first: float, factor: float, least_px: int) -> Canvas | None:
    """The canvas of a pyramid over a picture of (height, width) ``size``.

    Level k is the picture times ``first``·``factor``^k, as long as its shorter side has ``least_px``. Levels
    stand in columns, each where there is room first; corners are even. None when there is no level at all.
    """
    scales, sizes = [], []
    scale = first
    while min(size) * scale >= least_px:
        scales.append(scale)
        sizes.append((int(size[0] * scale + 1), int(size[1] * scale + 1)))
        scale *= factor
    if not scales:
        return None
    tall = _even(sizes[0][0])
    free: list[tuple[int, int, int]] = []  # columns with room below: top, left, width
    corners = []
    right = 0
    for height, width in sizes:
        index = next(
            (i for i, (top, _, room) in enumerate(free) if width <= room and top + height <= tall), -1
        )
        if index < 0:
            free.append((0, right, _even(width)))
            right += _even(width)
        top, left, room = free.pop(index)
        corners.append((top, left))
        free.append((top + _even(height), left, _even(width)))
        free.append((top, left + _even(width), room - _even(width)))
    return Canvas((tall, right), np.array(scales, np.float32), tuple(sizes), tuple(corners))


def _even(length: int) -> int:
    return length + length % 2
