"""Pictures as training sees them: cut, scaled, mirrored, in other light, out of focus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homeface.core.types import ImageBGR
from homeface.lab.training.detector.labels import Corners
from homeface.lab.training.task import Dice

_GREY = (124, 116, 104)
"""The network's mean colour, blue last: what stands where there is no picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """``side_px`` of the square that comes out. ``zoom``: smallest and largest part of the picture's longer
    side that is cut out (above 1 the picture gets smaller, with a border). Shares of pictures that are
    mirrored, changed in colour, made grey, blurred. ``least_px``: smaller faces are no examples.
    """

    side_px: int
    zoom: tuple[float, float] = (0.3, 1.2)
    mirrored: float = 0.5
    coloured: float = 0.8
    grey: float = 0.1
    blurred: float = 0.15
    least_px: float = 8.0


def augmented(image: ImageBGR, boxes: Corners, how: Augmentation, dice: Dice) -> tuple[ImageBGR, Corners]:
    """A (side, side, 3) picture and the boxes of the faces in it, in its pixels.

    A face stays when its centre does.
    """
    side = max(image.shape[:2]) * float(np.exp(dice.uniform(*np.log(how.zoom))))
    corner = _corner(image.shape[:2], boxes, side, dice)
    picture, placed = _cut(image, boxes, corner, how.side_px / side, how.side_px)
    placed = _inside(placed, how)
    if dice.random() < how.mirrored:
        picture = np.ascontiguousarray(picture[:, ::-1])
        placed = np.stack(
            [how.side_px - placed[:, 2], placed[:, 1], how.side_px - placed[:, 0], placed[:, 3]], 1
        )
    return _in_other_light(picture, how, dice), placed


def fitted(image: ImageBGR, boxes: Corners, side_px: int) -> tuple[ImageBGR, Corners]:
    """The whole picture in the top left of a (side, side, 3) one, and all boxes in its pixels."""
    scale = side_px / max(image.shape[:2])
    return _cut(image, boxes, (0.0, 0.0), scale, side_px)


def _corner(size: tuple[int, int], boxes: Corners, side: float, dice: Dice) -> tuple[float, float]:
    """Left and top of the square: mostly about a face, because crops without one teach little."""
    height, width = size
    if len(boxes) and dice.random() < 0.8:
        box = boxes[int(dice.integers(len(boxes)))]
        centre = (box[:2] + box[2:]) / 2
        x, y = centre - side * dice.uniform(0.15, 0.85, 2)
    else:
        x, y = (
            dice.uniform(-0.1, 1.1) * max(0.0, width - side),
            dice.uniform(-0.1, 1.1) * max(0.0, height - side),
        )
    # As little border as there must be.
    x = float(np.clip(x, min(0.0, width - side), max(0.0, width - side)))
    y = float(np.clip(y, min(0.0, height - side), max(0.0, height - side)))
    return x, y


def _cut(
    image: ImageBGR, boxes: Corners, corner: tuple[float, float], scale: float, side_px: int
) -> tuple[ImageBGR, Corners]:
    import cv2

    x, y = corner
    height, width = image.shape[:2]
    x1, y1 = min(max(0, int(x)), width - 1), min(max(0, int(y)), height - 1)
    x2 = min(width, max(x1 + 1, round(x + side_px / scale)))
    y2 = min(height, max(y1 + 1, round(y + side_px / scale)))
    part = image[y1:y2, x1:x2]
    wide, tall = max(1, round((x2 - x1) * scale)), max(1, round((y2 - y1) * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(part, (min(wide, side_px), min(tall, side_px)), interpolation=method)
    canvas: ImageBGR = np.full((side_px, side_px, 3), _GREY[::-1], np.uint8)
    left = min(max(0, round((x1 - x) * scale)), side_px - small.shape[1])
    top = min(max(0, round((y1 - y) * scale)), side_px - small.shape[0])
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    moved = (boxes - np.array([x1, y1, x1, y1], np.float32)) * np.float32(scale)
    return canvas, (moved + np.array([left, top, left, top], np.float32)).astype(np.float32)


def _inside(boxes: Corners, how: Augmentation) -> Corners:
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    within = ((centre >= 0) & (centre < how.side_px)).all(axis=1)
    cut = np.clip(boxes, 0, how.side_px)
    sides = (cut[:, 2:] - cut[:, :2]).min(axis=1, initial=np.inf)
    kept: Corners = cut[within & (sides >= how.least_px)]
    return kept


def _in_other_light(image: ImageBGR, how: Augmentation, dice: Dice) -> ImageBGR:
    import cv2

    picture: NDArray[np.float32] = image.astype(np.float32)
    if dice.random() < how.grey:
        picture = np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2)
    if dice.random() < how.coloured:
        mean = picture.mean()
        tint = dice.uniform(0.9, 1.1, 3).astype(np.float32)
        picture = ((picture - mean) * dice.uniform(0.6, 1.4) + mean) * dice.uniform(0.6, 1.4) * tint
    if dice.random() < how.blurred:
        picture = cv2.GaussianBlur(picture, (0, 0), float(dice.uniform(0.5, 2.0)))  # type: ignore[assignment]
    return np.clip(picture, 0, 255).astype(np.uint8)
