"""A second, closer look at small faces, for their landmarks.

A detector that sees the whole frame shrunk finds a face of 20 px, but puts its eyes a tenth of their distance
wrong, and recognition suffers from that (docs/decisions/0006). The same network on the face alone, enlarged,
costs a few hundredths of the look at a 1080p frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homeface.core.geometry import iou
from homeface.core.types import Box, Detection, ImageBGR
from homeface.inference.detectors import placed

SAME_FACE = 0.4
"""Overlap (IoU) of the closer look's box with the first one's, for both to be the same face."""
BATCHES = (4, 1)
"""Faces looked at together; few numbers, because each is another compiled network."""

Look = Callable[[NDArray[np.uint8]], list[list[Detection]]]
"""Faces of pictures (N, h, w, 3) that fit the network, in their pixels."""


@dataclass(frozen=True, slots=True)
class Closeup:
    """Square pictures of ``side_px`` in which the face's longer side has ``face_px``.

    For faces whose longer side had ``above_px`` to ``below_px`` in the first look's picture (recognition
    refuses smaller ones) with at least ``score`` (it refuses unsure ones, too); at most ``most`` of them,
    best first.
    """

    side_px: int
    face_px: int
    above_px: int
    below_px: int
    score: float = 0.7
    most: int = 16


def with_landmarks_of(
    look: Look, image: ImageBGR, found: Sequence[Detection], scale: float, closeup: Closeup
) -> list[Detection]:
    """``found`` (in pixels of ``image``, which was looked at shrunk by ``scale``), small ones refined.

    Boxes and scores stay; landmarks are those of the closer look where it sees the same face.
    """
    # A face of twice the close-up's is sharp enough as it is, and a warp would not shrink it cleanly.
    limit = min(closeup.below_px / scale, 2 * closeup.face_px)
    small = [
        index
        for index, face in enumerate(found)
        if closeup.above_px / scale <= max(face.box.width, face.box.height) < limit
        and face.score >= closeup.score
    ]
    faces = list(found)
    left = small[: closeup.most]
    while left:
        size = next(size for size in BATCHES if size <= len(left))
        part, left = left[:size], left[size:]
        zooms = [closeup.face_px / max(found[i].box.width, found[i].box.height) for i in part]
        cuts = [_cut(image, found[i].box, zoom, closeup.side_px) for i, zoom in zip(part, zooms, strict=True)]
        for i, zoom, seen in zip(part, zooms, look(np.stack(cuts)), strict=True):
            faces[i] = _refined(found[i], seen, zoom, closeup.side_px)
    return faces


def _refined(face: Detection, seen: Sequence[Detection], zoom: float, side: int) -> Detection:
    """``face`` with the landmarks of the same face ``seen`` in its close-up, if it is there."""
    x, y = face.box.centre
    corner = (x - side / 2 / zoom, y - side / 2 / zoom)
    here = [placed(each, 1 / zoom, corner) for each in seen]
    overlaps = [iou(each.box, face.box) for each in here]
    best = int(np.argmax(overlaps)) if overlaps else -1
    if best < 0 or overlaps[best] < SAME_FACE:
        return face
    return Detection(face.box, face.score, here[best].landmarks)


def _cut(image: ImageBGR, box: Box, zoom: float, side: int) -> ImageBGR:
    """(side, side, 3) around the centre of ``box``, enlarged by ``zoom``; the edge is repeated."""
    import cv2

    x, y = box.centre
    # OpenCV's pixel p has its centre at p, boxes have it at p + 0.5.
    off = side / 2 + (zoom - 1) / 2
    matrix = np.array([[zoom, 0, off - zoom * x], [0, zoom, off - zoom * y]])
    return cv2.warpAffine(  # type: ignore[return-value]
        image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
