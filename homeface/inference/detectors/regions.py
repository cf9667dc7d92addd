"""Detection on parts of frames: cut, detect, bring back into the frame, merge.

The detector shrinks a part exactly as it would shrink the whole frame: the smallest face it finds depends on
``min_face_px`` alone, also in frames of more than 1080 lines. Parts come in a few shapes only, each a
compiled network of its own; a part is widened to one of them with what is around it in the frame, because an
invented border costs as much and shows less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from homeface.core.geometry import nms
from homeface.core.types import Box, Detection, ImageBGR
from homeface.inference.detectors import placed
from homeface.inference.types import Detector

OVERLAP_THRESHOLD = 0.4
"""Faces of two regions that overlap more than this (IoU) are one face."""
SHAPES = ((4.8, 4.8), (8.0, 8.0), (12.8, 12.8), (12.8, 19.2), (28.8, 16.0))
"""(height, width) of parts in smallest faces, by area: a face, two, a person's upper half, two of them,
somebody standing. For faces from 40 px: 192 to 1152 pixels, of which YuNet sees multiples of 32. What fits in
none is looked at with the whole frame."""
GRID = 1.6
"""Parts begin at multiples of this, in smallest faces: 32 pixels of YuNet's picture."""
COMPLETE = 0.02
"""A face that comes closer to the border of a part than this share of its width is cut off there, unless the
frame ends there, too."""

Cut = tuple[int, int, int, int]
"""x1, y1, x2, y2 in whole pixels of the frame."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One frame to look at. ``regions`` None: all of it; else only these parts, in its pixels."""

    image: ImageBGR
    regions: Sequence[Box] | None = None


def detect(detector: Detector, looks: Sequence[Look]) -> list[list[Detection]]:
    """Faces of each frame, best first, in pixels of the full frame; all parts go to the detector at once.

    A face cut off by the border of a part is left out: the part of a face is worse than none, and whoever
    chose the region sees that nothing was found in it. More than what was asked for may be found.
    """
    cuts = [(index, cut) for index, look in enumerate(looks) for cut in _cuts(look, detector.min_face_px)]
    parts = [looks[index].image[y1:y2, x1:x2] for index, (x1, y1, x2, y2) in cuts]
    found: list[list[Detection]] = [[] for _ in looks]
    for (index, cut), faces in zip(cuts, detector.detect(parts) if parts else [], strict=True):
        height, width = looks[index].image.shape[:2]
        here = (placed(face, 1.0, cut[:2]) for face in faces)
        found[index] += [face for face in here if _complete(face.box, cut, width, height)]
    return [
        _merged(each) if look.regions is not None else each for look, each in zip(looks, found, strict=True)
    ]


def _cuts(look: Look, min_face_px: int) -> list[Cut]:
    """Parts inside the frame that hold its regions; nothing for a region that lies outside."""
    height, width = look.image.shape[:2]
    whole = (0, 0, width, height)
    if look.regions is None:
        return [whole]
    cuts: list[Cut] = []
    for box in look.regions:
        x1, y1 = max(0, int(np.floor(box.x1))), max(0, int(np.floor(box.y1)))
        x2, y2 = min(width, int(np.ceil(box.x2))), min(height, int(np.ceil(box.y2)))
        if x2 <= x1 or y2 <= y1:
            continue
        shape = _shape(y2 - y1, x2 - x1, min_face_px)
        if shape is None or shape[0] * shape[1] >= width * height:
            return [whole]
        cuts.append(_widened((x1, y1, x2, y2), shape, width, height, round(GRID * min_face_px)))
    if sum((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in cuts) >= width * height:
        return [whole]
    return _needed(cuts)


def _shape(height: int, width: int, min_face_px: int) -> tuple[int, int] | None:
    """The smallest shape that holds so many pixels; None when none does."""
    for tall, wide in SHAPES:
        shape = round(tall * min_face_px), round(wide * min_face_px)
        if height <= shape[0] and width <= shape[1]:
            return shape
    return None


def _widened(cut: Cut, shape: tuple[int, int], width: int, height: int, grid: int) -> Cut:
    """A part of the shape about the cut, inside the frame and, where that is smaller, clipped by it."""
    x1, y1, x2, y2 = cut
    tall, wide = min(shape[0], height), min(shape[1], width)
    left, top = _start(x1, x2, wide, width, grid), _start(y1, y2, tall, height, grid)
    return left, top, left + wide, top + tall


def _start(low: int, high: int, length: int, total: int, grid: int) -> int:
    """Where a stretch of ``length`` in 0..``total`` begins that holds ``low``..``high``.

    About the middle of both, at a multiple of ``grid`` where there is one: there a detector's cells lie as in
    the whole frame, and boxes do not jump from look to look.
    """
    first, last = max(0, high - length), min(low, total - length)
    middle = min(max((low + high - length) // 2, first), last)
    snapped = round(middle / grid) * grid
    if snapped > last:
        snapped -= grid
    elif snapped < first:
        snapped += grid
    return snapped if first <= snapped <= last else middle


def _needed(cuts: Sequence[Cut]) -> list[Cut]:
    """Without those that lie inside of another."""
    kept: list[Cut] = []
    for cut in sorted(cuts, key=lambda c: (c[0] - c[2]) * (c[3] - c[1])):
        if not any(o[0] <= cut[0] and o[1] <= cut[1] and cut[2] <= o[2] and cut[3] <= o[3] for o in kept):
            kept.append(cut)
    return kept


def _complete(box: Box, cut: Cut, width: int, height: int) -> bool:
    """False for a face that a border of its part cuts, which is no border of the frame."""
    margin = COMPLETE * box.width
    x1, y1, x2, y2 = cut
    return (
        (x1 <= 0 or box.x1 >= x1 + margin)
        and (y1 <= 0 or box.y1 >= y1 + margin)
        and (x2 >= width or box.x2 <= x2 - margin)
        and (y2 >= height or box.y2 <= y2 - margin)
    )


def _merged(detections: list[Detection]) -> list[Detection]:
    """One of each face, best first: parts may overlap."""
    if not detections:
        return []
    boxes = np.array([detection.box for detection in detections], np.float32)
    scores = np.array([detection.score for detection in detections], np.float32)
    return [detections[index] for index in nms(boxes, scores, OVERLAP_THRESHOLD)]
