"""Regions of a frame worth a look: from cells to a few rectangles.

Cells are a coarse grid over the frame, (rows, columns) bool. Regions are boxes in pixels of the full frame,
inside of it, with margins: a detector sees a face only with some of what is around it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from homeface.core.types import Box

Cells: TypeAlias = NDArray[np.bool_]
"""(rows, columns): True where something is."""

_SQUARES = (0.25, 0.375, 0.5, 0.75)
"""Sides of regions in heights of the frame."""
_COLUMNS = (0.25, 0.375, 0.5, 0.75)
"""Widths of regions that are as high as the frame, in its widths."""


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


def overlaps(a: Box, b: Box) -> bool:
    """True when the boxes share some area."""
    return a.x1 < b.x2 and b.x1 < a.x2 and a.y1 < b.y2 and b.y1 < a.y2


def holds(outer: Box, inner: Box) -> bool:
    """True when ``inner`` lies inside ``outer``."""
    return outer.x1 <= inner.x1 and outer.y1 <= inner.y1 and inner.x2 <= outer.x2 and inner.y2 <= outer.y2


def fitted(box: Box, shape: tuple[int, int]) -> Box:
    """The smallest region of a known size that holds the box, inside a frame of ``shape`` (height, width).

    The sizes are squares and columns as high as the frame: networks are compiled for each size of picture,
    so there should be few.
    """
    height, width = float(shape[0]), float(shape[1])
    squares = [(side * height, min(width, side * height)) for side in _SQUARES]
    columns = [(height, share * width) for share in _COLUMNS]
    fit = [
        (h, w) for h, w in (*squares, *columns) if _fits(box.height, h, height) and _fits(box.width, w, width)
    ]
    h, w = min(fit, key=lambda size: size[0] * size[1], default=(height, width))
    (x, y) = box.centre
    left, top = min(max(0.0, x - w / 2), width - w), min(max(0.0, y - h / 2), height - h)
    left, top = float(int(left)), float(int(top))
    return Box(left, top, left + w, top + h)


def _fits(length: float, size: float, whole: float) -> bool:
    """With a pixel to spare on either side, as regions begin at whole pixels."""
    return size >= whole or length <= size - 2


def regions_of(
    boxes: Iterable[Box], known: Sequence[Box], shape: tuple[int, int], most: int
) -> tuple[Box, ...]:
    """At most ``most`` regions of known sizes that hold all ``boxes`` and cut none of the ``known``."""
    wanted = merged(boxes, most)
    regions: list[Box] = []
    for _ in range(len(known) + 1):  # each time at least one more of the known is inside
        regions = [fitted(box, shape) for box in wanted]
        cut = [
            box
            for box in known
            if any(overlaps(box, region) for region in regions)
            and not any(holds(region, box) for region in regions)
        ]
        if not cut:
            break
        wanted = merged([*wanted, *cut], most)
    return tuple(dict.fromkeys(regions))


def merged(boxes: Iterable[Box], most: int) -> list[Box]:
    """Boxes that do not overlap, at most ``most``, which hold all the given ones.

    Boxes that overlap become one; then those whose union adds least area, until they are few enough.
    """
    left = sorted(boxes)
    while (pair := _next_pair(left, most)) is not None:
        second, first = left.pop(pair[1]), left.pop(pair[0])
        left.append(union(first, second))
        left.sort()
    return left


def _next_pair(boxes: Sequence[Box], most: int) -> tuple[int, int] | None:
    """Indices of the two boxes to merge next; None when nothing is left to merge."""
    pairs = [(i, j) for j in range(len(boxes)) for i in range(j)]
    for i, j in pairs:
        if overlaps(boxes[i], boxes[j]):
            return i, j
    if len(boxes) <= most:
        return None
    return min(
        pairs,
        key=lambda ij: union(boxes[ij[0]], boxes[ij[1]]).area - boxes[ij[0]].area - boxes[ij[1]].area,
    )
