"""Boxes and landmarks: overlap, suppression, similarity alignment, head pose from five points."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from homeface.core.types import Box, Landmarks

ARCFACE_112: Landmarks = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    dtype=np.float32,
)
"""Where the five landmarks lie in a 112×112 aligned patch (the template of ArcFace, arXiv 1801.07698)."""
ARCFACE_112.setflags(write=False)

# Proportions of an adult face in units of the distance between the eyes: how far the tip of the nose
# stands out of the plane of eyes and mouth, how far the mouth is below the eyes, and where between
# them the nose is when the head is upright (the last two from the template above).
_NOSE_DEPTH = 0.44
_EYES_TO_MOUTH = 1.157
_NOSE_HEIGHT = 0.495


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, 0..1; 0 when either is empty."""
    width = min(a.x2, b.x2) - max(a.x1, b.x1)
    height = min(a.y2, b.y2) - max(a.y1, b.y1)
    if width <= 0 or height <= 0:
        return 0.0
    intersection = width * height
    union = a.area + b.area - intersection
    return float(intersection / union) if union > 0 else 0.0  # areas too small for a float are nothing


def iou_matrix(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """Intersection over union of (N, 4) with (M, 4) corner boxes: (N, M)."""
    first = np.asarray(a, dtype=np.float64).reshape(-1, 4)
    second = np.asarray(b, dtype=np.float64).reshape(-1, 4)
    # A side at a time: numpy is slow along an axis of two.
    widths, heights = (
        np.minimum(first[:, None, axis + 2], second[None, :, axis + 2])
        - np.maximum(first[:, None, axis], second[None, :, axis])
        for axis in (0, 1)
    )
    intersection = np.maximum(widths, 0.0) * np.maximum(heights, 0.0)
    areas_first = np.clip(first[:, 2:] - first[:, :2], 0.0, None).prod(axis=1)
    areas_second = np.clip(second[:, 2:] - second[:, :2], 0.0, None).prod(axis=1)
    union = areas_first[:, None] + areas_second[None, :] - intersection
    result: NDArray[np.float64] = np.divide(
        intersection, union, out=np.zeros_like(intersection), where=union > 0
    )
    return result


def nms(boxes: NDArray[np.floating], scores: NDArray[np.floating], threshold: float) -> NDArray[np.intp]:
    """Indices of the boxes kept, best first.

    A box that overlaps a better one by more than ``threshold`` goes.
    ``boxes`` is (N, 4) corners, ``scores`` (N,).
    """
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    ranked = np.asarray(boxes).reshape(-1, 4)[order]
    kept: NDArray[np.intp] = order[unrivalled(~(iou_matrix(ranked, ranked) <= threshold))]
    return kept


def unrivalled(rivals: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Who stays (N,), of N in their order, when each who stays drives out all later ``rivals`` (N, N).

    All are judged at once, again and again: a round settles everybody whose better rivals are settled. There
    are as many rounds as the longest chain of them, some two or three, and never more than N.
    """
    better = np.tril(rivals, -1)
    stays = np.ones(len(better), dtype=bool)
    while True:
        judged: NDArray[np.bool_] = np.asarray(~(better & stays).any(axis=1))
        if (judged == stays).all():
            return judged
        stays = judged


def similarity_transform(src: NDArray[np.floating], dst: NDArray[np.floating]) -> NDArray[np.float32]:
    """Least-squares rotation, uniform scale and shift that take ``src`` (5, 2) to ``dst`` (5, 2): (2, 3).

    Umeyama, "Least-squares estimation of transformation parameters between two point patterns", 1991; in the
    plane, with points as complex numbers, turning and scaling is one factor and its estimate a quotient.
    Raises ValueError when the source points are all the same.
    """
    source = np.asarray(src, dtype=np.float64)
    target = np.asarray(dst, dtype=np.float64)
    if source.shape != target.shape or source.ndim != 2 or source.shape[1] != 2:
        raise ValueError(f"expected two equal (N, 2) arrays, got {source.shape} and {target.shape}")
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    source_centred, target_centred = source - source_mean, target - target_mean
    spread = float((source_centred**2).sum())
    if not math.isfinite(spread) or spread <= 1e-12 * len(source):
        raise ValueError("the landmarks lie all on one point or are not finite: no alignment exists")
    along = float((source_centred * target_centred).sum()) / spread
    across = float((source_centred[:, 0] * target_centred[:, 1]).sum())
    across = (across - float((source_centred[:, 1] * target_centred[:, 0]).sum())) / spread
    turn = np.array([[along, -across], [across, along]])
    shift = target_mean - turn @ source_mean
    return np.hstack([turn, shift[:, None]]).astype(np.float32)


def interocular(landmarks: Landmarks) -> float:
    """Distance of the eyes in pixels."""
    return float(np.hypot(*(np.asarray(landmarks[1], np.float64) - np.asarray(landmarks[0], np.float64))))


def head_pose(landmarks: Landmarks) -> tuple[float, float, float]:
    """Estimated (yaw, pitch, roll) in degrees from five points; 0 is frontal, upright.

    Yaw is positive when the nose points to the picture's right, pitch when it points down, roll when
    the head leans clockwise in the picture. An estimate: it assumes average proportions of a face.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    across = points[1] - points[0]
    roll = math.atan2(across[1], across[0])
    turn = np.array([[math.cos(roll), math.sin(roll)], [-math.sin(roll), math.cos(roll)]])
    eye_left, eye_right, nose, mouth_left, mouth_right = (points - points[:2].mean(axis=0)) @ turn.T
    eyes_apart = max(float(eye_right[0] - eye_left[0]), 1e-6)
    mouth = (mouth_left + mouth_right) / 2
    drop = max(float(mouth[1]), 1e-6)
    # The midline runs from between the eyes to between the mouth corners; the nose stands out of it.
    aside = float(nose[0] - mouth[0] * np.clip(nose[1] / drop, 0.0, 1.0))
    yaw = math.atan2(aside, eyes_apart * _NOSE_DEPTH)
    pitch = math.atan2((float(nose[1]) / drop - _NOSE_HEIGHT) * _EYES_TO_MOUTH, _NOSE_DEPTH)
    return math.degrees(yaw), math.degrees(pitch), math.degrees(roll)
