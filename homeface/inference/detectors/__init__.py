"""Detectors: faces with five landmarks, found in a frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from homeface.core.types import Box, Detection, ImageBGR
from homeface.inference.types import Session

BATCH = 16
"""Pictures in one pass, where passes are worth filling (not on the CPU, which a single picture fills)."""


def as_detections(
    boxes: NDArray[np.floating], scores: NDArray[np.floating], landmarks: NDArray[np.floating]
) -> list[Detection]:
    """Detections, best first, from (N, 4), (N,), (N, 5, 2), without those not finite or without extent."""
    points = np.asarray(landmarks, np.float32).reshape(-1, 5, 2)
    eyes_apart = np.abs(points[:, 1] - points[:, 0]).max(axis=1, initial=0.0)
    sane = (
        np.isfinite(boxes).all(axis=1)
        & np.isfinite(points).all(axis=(1, 2))
        & (boxes[:, 2] > boxes[:, 0])
        & (boxes[:, 3] > boxes[:, 1])
        & (eyes_apart > 0.5)
    )
    order = [int(i) for i in np.argsort(-scores, kind="stable") if sane[i]]
    return [Detection(Box(*map(float, boxes[i])), float(scores[i]), points[i].copy()) for i in order]


def placed(face: Detection, scale: float, shift: tuple[float, float] = (0.0, 0.0)) -> Detection:
    """The same face in other coordinates: multiplied by ``scale``, then moved by ``shift`` (x, y)."""
    x, y = shift
    box = face.box
    corners = Box(box.x1 * scale + x, box.y1 * scale + y, box.x2 * scale + x, box.y2 * scale + y)
    points = (face.landmarks * scale + np.array([x, y])).astype(np.float32)
    return Detection(corners, face.score, points)


def in_batches(
    look: Callable[[NDArray[np.uint8]], list[list[Detection]]],
    pictures: Sequence[ImageBGR],
    session: Session,
    fixed_batch: int | None = None,
) -> list[list[Detection]]:
    """``look`` at all pictures, in their order: those of one size together where that is faster."""
    most = 1 if session.device == "cpu" else fixed_batch or BATCH
    found: list[list[Detection]] = [[] for _ in pictures]
    same_size: dict[tuple[int, ...], list[int]] = {}
    for index, picture in enumerate(pictures):
        same_size.setdefault(picture.shape, []).append(index)
    for indices in same_size.values():
        for start in range(0, len(indices), most):
            part = indices[start : start + most]
            batch = pictures[part[0]][None] if len(part) == 1 else np.stack([pictures[i] for i in part])
            for index, faces in zip(part, look(batch), strict=True):
                found[index] = faces
    return found
