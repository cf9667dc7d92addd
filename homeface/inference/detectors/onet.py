"""Landmarks for detectors that find boxes alone: MTCNN's third network on each box.

The network also says how to move the box; a second look at the moved box makes up for a first one that was a
little off (docs/decisions/0015).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from homeface.core.types import ImageBGR
from homeface.inference.detectors.mtcnn import CROP_PX, inside, shifted, square
from homeface.inference.detectors.pyramid import Boxes, Halvings
from homeface.inference.types import Session

LOOKS = 2
_LEAST_PX = 12


class OnetLandmarks:
    """``session`` is MTCNN's O-Net and takes pictures as they are."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def of(self, image: ImageBGR, boxes: Boxes) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(N, 5, 2) landmarks in pixels, and how much each box (N, 4) looks like a face, 0..1.

        A box outside of the picture looks like none.
        """
        points = np.zeros((len(boxes), 5, 2), np.float32)
        likeness = np.zeros(len(boxes), np.float32)
        picture = Halvings(image, _LEAST_PX)
        rows = np.arange(len(boxes))
        place = np.hstack([boxes[:, :4].astype(np.float32), rows[:, None].astype(np.float32)])
        for _ in range(LOOKS):
            place, parts = inside(square(place), picture.size)
            likeness[np.setdiff1d(rows, place[:, 4].astype(int))] = 0.0
            if not len(place):
                break
            out = self._session.run({"image": picture.cut(parts, CROP_PX[1])})
            sides = place[:, 2:4] - place[:, :2] + 1
            share = out["points"].reshape(-1, 2, 5).transpose(0, 2, 1)
            seen = place[:, 4].astype(int)
            points[seen] = place[:, None, :2] + share * sides[:, None] - 1
            likeness[seen] = out["score"][:, 1]
            place[:, :4] = shifted(place[:, :4], out["shift"])
            place = place[np.isfinite(place).all(axis=1)]
        return points, likeness

    def close(self) -> None:
        """Free the network."""
        self._session.close()
