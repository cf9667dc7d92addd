"""Small grey pictures of large ones, by sampling: as cheap as a look for motion has to be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def thumbnail(plane: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """(h, w) uint8 of about ``height`` × ``width`` from one (H, W) plane: four samples averaged in each cell.

    Only the samples are read, so a view with gaps between its rows is as good as an array. A plane that is
    smaller than asked for keeps its size.
    """
    if plane.ndim != 2:
        raise ValueError(f"a plane has two axes, not {plane.ndim}")
    rows, columns = max(1, plane.shape[0] // height), max(1, plane.shape[1] // width)
    h, w = plane.shape[0] // rows, plane.shape[1] // columns
    total = np.zeros((h, w), np.uint16)
    for row in (rows // 4, rows * 3 // 4):
        for column in (columns // 4, columns * 3 // 4):
            total += plane[row::rows, column::columns][:h, :w]
    return (total // 4).astype(np.uint8)
