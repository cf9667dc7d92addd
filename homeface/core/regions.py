"""Regions of a frame worth a look: from cells to a few rectangles.

Cells are a coarse grid over the frame, (rows, columns) bool. Regions are boxes in pixels of the full frame,
inside of it, with margins: a detector sees a face only with some of what is around it, and what a border cuts
off is not found.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from homeface.core.types import Box

Cells: TypeAlias = NDArray[np.bool_]
"""(rows, columns): True where something is."""


def parts_of(cells: Cells, shape: tuple[int, int]) -> tuple[Box, ...]:
    """Connected cells (also over corners) as boxes in pixels of a frame of ``shape`` (height, width)."""
    waiting = set(zip(*(axis.tolist() for axis in np.nonzero(cells)), strict=True))
    boxes = []
    height, width = shape[0] / max(1, cells.shape[0]), shape[1] / max(1, cells.shape[1])
    while waiting:
        edge = [min(waiting)]
        waiting.discard(edge[0])
        top, left = bottom, right = edge[0]
        while edge:
            row, column = edge.pop()
            top, bottom = min(top, row), max(bottom, row)
            left, right = min(left, column), max(right, column)
            near = [(row + dy, column + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
            edge += [cell for cell in near if cell in waiting]
            waiting.difference_update(near)
        boxes.append(Box(left * width, top * height, (right + 1) * width, (bottom + 1) * height))
    return tuple(boxes)


def cover(box: Box, cells: Cells, shape: tuple[int, int]) -> None:
    """Set every cell that ``box`` touches to False, in place."""
    rows, columns = cells.shape
    height, width = shape[0] / rows, shape[1] / columns
    top, left = max(0, int(box.y1 // height)), max(0, int(box.x1 // width))
    bottom, right = max(0, int(-(-box.y2 // height))), max(0, int(-(-box.x2 // width)))
    cells[top:bottom, left:right] = False


def grown(box: Box, margin: float, shape: tuple[int, int]) -> Box:
    """The box with ``margin`` pixels more on each side, inside a frame of ``shape`` (height, width)."""
    height, width = shape
    return Box(
        max(0.0, box.x1 - margin),
        max(0.0, box.y1 - margin),
        min(float(width), box.x2 + margin),
        min(float(height), box.y2 + margin),
    )


def union(a: Box, b: Box) -> Box:
    """Smallest box that holds both."""
    return Box(min(a.x1, b.x1), min(a.y1, b.y1), max(a.x2, b.x2), max(a.y2, b.y2))


def holds(outer: Box, inner: Box) -> bool:
    """True when ``inner`` lies inside ``outer``."""
    return outer.x1 <= inner.x1 and outer.y1 <= inner.y1 and inner.x2 <= outer.x2 and inner.y2 <= outer.y2


def merged(boxes: Iterable[Box], most: int) -> list[Box]:
    """At most ``most`` boxes that hold all the given ones, in a fixed order.

    Two become one where that is no larger than both; then those whose union adds least area, until they are
    few enough. What is left may overlap.
    """
    left = sorted(set(boxes))
    while len(left) > 1:
        added, i, j = min(
            (union(left[i], left[j]).area - left[i].area - left[j].area, i, j)
            for j in range(len(left))
            for i in range(j)
        )
        if added > 0 and len(left) <= most:
            break
        second, first = left.pop(j), left.pop(i)
        left = sorted([*left, union(first, second)])
    return left
