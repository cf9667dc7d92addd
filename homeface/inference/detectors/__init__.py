"""Detectors: faces with five landmarks, found in a frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from homeface.core.types import Box, Detection


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
