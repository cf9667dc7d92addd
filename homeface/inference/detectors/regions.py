"""Detection on parts of frames: cut, detect, bring back into the frame, merge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from homeface.core.geometry import nms
from homeface.core.types import Box, Detection, ImageBGR
from homeface.inference.types import Detector

OVERLAP_THRESHOLD = 0.4
"""Faces of two regions that overlap more than this (IoU) are one face."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One frame to look at. ``regions`` None: all of it; else only these parts, in its pixels."""

    image: ImageBGR
    regions: Sequence[Box] | None = None


def detect(detector: Detector, looks: Sequence[Look]) -> list[list[Detection]]:
    """Faces of each frame, best first, in pixels of the full frame; all parts go to the detector at once."""
    parts: list[ImageBGR] = []
    places: list[tuple[int, float, float]] = []
    for index, look in enumerate(looks):
        for x1, y1, x2, y2 in _cuts(look):
            parts.append(look.image[y1:y2, x1:x2])
            places.append((index, x1, y1))
    found: list[list[Detection]] = [[] for _ in looks]
    for (index, x, y), detections in zip(places, detector.detect(parts) if parts else [], strict=True):
        found[index] += [_moved(detection, x, y) for detection in detections]
    return [
        _merged(each) if look.regions is not None else each for look, each in zip(looks, found, strict=True)
    ]


def _cuts(look: Look) -> list[tuple[int, int, int, int]]:
    """Whole pixels inside the frame; nothing for a region that lies outside."""
    height, width = look.image.shape[:2]
    if look.regions is None:
        return [(0, 0, width, height)]
    cuts = []
    for box in look.regions:
        x1, y1 = max(0, int(np.floor(box.x1))), max(0, int(np.floor(box.y1)))
        x2, y2 = min(width, int(np.ceil(box.x2))), min(height, int(np.ceil(box.y2)))
        if x2 > x1 and y2 > y1:
            cuts.append((x1, y1, x2, y2))
    return cuts


def _moved(detection: Detection, x: float, y: float) -> Detection:
    x1, y1, x2, y2 = detection.box
    points = detection.landmarks + np.array([x, y], np.float32)
    return Detection(Box(x1 + x, y1 + y, x2 + x, y2 + y), detection.score, points)


def _merged(detections: list[Detection]) -> list[Detection]:
    if not detections:
        return []
    boxes = np.array([detection.box for detection in detections], np.float32)
    scores = np.array([detection.score for detection in detections], np.float32)
    return [detections[index] for index in nms(boxes, scores, OVERLAP_THRESHOLD)]
