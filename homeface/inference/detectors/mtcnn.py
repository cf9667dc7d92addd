"""MTCNN: facenet-pytorch's three networks under a driver of our own, in whatever runtime.

Zhang et al., "Joint Face Detection and Alignment using Multi-task Cascaded Convolutional Networks", 2016.
The driver differs from facenet-pytorch's in what it costs, not in what it computes: pictures are shrunk as
bytes, all sizes go through the first network in one pass, the pyramid starts at the smallest face that
recognition can use, the number of candidates is bounded, and those are cut and suppressed all at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeface.core.geometry import unrivalled
from homeface.core.types import Detection, ImageBGR
from homeface.inference.detectors import as_detections
from homeface.inference.detectors.pyramid import Boxes, Halvings, canvas_of
from homeface.inference.types import Session

CELL_PX, STRIDE_PX = 12, 2
PYRAMID_FACTOR = 0.709
CROP_PX = (24, 48)
"""What the second and the third network take."""


@dataclass(frozen=True, slots=True)
class MtcnnSettings:
    """``min_face_px``: smallest face side in the frame. Scores below a stage's threshold end there.

    ``max_candidates``: boxes that may go on from the first stage to the second, the best ones.
    """

    min_face_px: int = 40
    thresholds: tuple[float, float, float] = (0.7, 0.7, 0.7)
    max_candidates: int = 200


class MtcnnDetector:
    """Faces with landmarks from ``min_face_px`` up; the sessions take pictures as they are."""

    name = "mtcnn"

    def __init__(self, pnet: Session, rnet: Session, onet: Session, settings: MtcnnSettings) -> None:
        self._pnet, self._rnet, self._onet = pnet, rnet, onet
        self._settings = settings
        self.min_face_px = settings.min_face_px

    def detect(self, images: Sequence[ImageBGR]) -> list[list[Detection]]:
        """Faces of each picture, best first; pictures may differ in size."""
        return [self._detect(Halvings(image, CELL_PX)) for image in images]

    def close(self) -> None:
        """Free the networks."""
        for session in (self._pnet, self._rnet, self._onet):
            session.close()

    def _detect(self, picture: Halvings) -> list[Detection]:
        boxes = self._propose(picture)
        if len(boxes):
            boxes = self._refine(picture, boxes)
        return self._finish(picture, boxes) if len(boxes) else []

    def _propose(self, picture: Halvings) -> Boxes:
        """First stage: a pyramid of the picture through P-Net; (N, 5) square boxes with score."""
        canvas = canvas_of(picture.size, CELL_PX / self.min_face_px, PYRAMID_FACTOR, CELL_PX)
        if canvas is None:
            return np.zeros((0, 5), np.float32)
        out = self._pnet.run({"image": canvas.paint(picture)[None]})
        level_of = canvas.level_of(CELL_PX, STRIDE_PX)
        scores = out["score"][0, 1][: level_of.shape[0], : level_of.shape[1]]
        rows, columns = np.nonzero((scores >= self._settings.thresholds[0]) & (level_of >= 0))
        level, best = level_of[rows, columns], scores[rows, columns]
        corners = np.array(canvas.corners, np.float32)[level][:, ::-1]
        cells = np.stack((columns, rows), axis=1).astype(np.float32) * STRIDE_PX - corners
        scale = canvas.scales[level][:, None]
        boxes = np.hstack([np.floor((cells + 1) / scale), np.floor((cells + CELL_PX) / scale), best[:, None]])
        kept = _nms(boxes, 0.5, level)
        kept = kept[_nms(boxes[kept], 0.7)][: self._settings.max_candidates]
        boxes = boxes[kept]
        # P-Net's shifts count in the box's own width and height, without the pixel the later stages add.
        boxes[:, :4] += out["shift"][0][:, rows[kept], columns[kept]].T * np.tile(
            boxes[:, 2:4] - boxes[:, :2], 2
        )
        return square(boxes)

    def _refine(self, picture: Halvings, boxes: Boxes) -> Boxes:
        """Second stage: R-Net on each candidate; (N, 5) square boxes with score."""
        boxes, parts = inside(boxes, picture.size)
        if not len(boxes):
            return boxes
        out = self._rnet.run({"image": picture.cut(parts, CROP_PX[0])})
        passed = out["score"][:, 1] > self._settings.thresholds[1]
        boxes = np.hstack([boxes[passed, :4], out["score"][passed, 1:2]])
        kept = _nms(boxes, 0.7)
        return square(shifted(boxes[kept], out["shift"][passed][kept]))

    def _finish(self, picture: Halvings, boxes: Boxes) -> list[Detection]:
        """Third stage: O-Net gives the final box, score and landmarks."""
        boxes, parts = inside(boxes, picture.size)
        if not len(boxes):
            return []
        out = self._onet.run({"image": picture.cut(parts, CROP_PX[1])})
        passed = out["score"][:, 1] > self._settings.thresholds[2]
        boxes = np.hstack([boxes[passed, :4], out["score"][passed, 1:2]])
        share = out["points"][passed].reshape(-1, 2, 5).transpose(0, 2, 1)
        sides = boxes[:, 2:4] - boxes[:, :2] + 1
        points = boxes[:, None, :2] + share * sides[:, None, :] - 1
        boxes = shifted(boxes, out["shift"][passed])
        kept = nms_of_smaller(boxes, 0.7)
        return as_detections(boxes[kept, :4], boxes[kept, 4], points[kept])


def inside(boxes: Boxes, size: tuple[int, int]) -> tuple[Boxes, Boxes]:
    """The boxes that lie in a picture of (height, width) ``size``, and their parts in it, in whole pixels."""
    whole = np.trunc(boxes[:, :4])
    parts = np.hstack([np.maximum(whole[:, :2], 1) - 1, np.minimum(whole[:, 2:], size[::-1])])
    within = (parts[:, 2:] > parts[:, :2]).all(axis=1)
    return boxes[within], parts[within].astype(np.float32)


def shifted(boxes: Boxes, shifts: Boxes) -> Boxes:
    """Move corners by shares of the box's size, where a box includes its last pixel."""
    moved = boxes.copy()
    moved[:, :4] += shifts * np.tile(boxes[:, 2:4] - boxes[:, :2] + 1, 2)
    return moved


def square(boxes: Boxes) -> Boxes:
    """Grow the shorter side about the centre."""
    squared = boxes.copy()
    sides = boxes[:, 2:4] - boxes[:, :2]
    longest = sides.max(axis=1, keepdims=True) if len(boxes) else sides[:, :1]
    squared[:, :2] += sides / 2 - longest / 2
    squared[:, 2:4] = squared[:, :2] + longest
    return squared


def nms_of_smaller(boxes: Boxes, threshold: float) -> NDArray[np.intp]:
    """Indices kept, best first, by overlap over the smaller box: also drops a box inside another."""
    areas = (boxes[:, 2] - boxes[:, 0] + 1) * (boxes[:, 3] - boxes[:, 1] + 1)
    order = np.argsort(-boxes[:, 4], kind="stable")
    ranked, areas = boxes[order], areas[order]
    top_left = np.maximum(ranked[:, None, :2], ranked[None, :, :2])
    bottom_right = np.minimum(ranked[:, None, 2:4], ranked[None, :, 2:4])
    common = np.clip(bottom_right - top_left + 1, 0, None).prod(axis=2)
    shares = common / np.minimum(areas[:, None], areas[None, :])
    kept: NDArray[np.intp] = order[unrivalled(~(shares <= threshold))]
    return kept


def _nms(boxes: Boxes, threshold: float, groups: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Indices kept, best first, by overlap over union; boxes of different ``groups`` do not compete."""
    import cv2

    if not len(boxes):
        return np.zeros(0, np.int64)
    rectangles: Any = np.hstack([boxes[:, :2], boxes[:, 2:4] - boxes[:, :2]]).astype(np.float64)
    labels: Any = np.zeros(len(boxes), np.int32) if groups is None else groups.astype(np.int32)
    scores: Any = boxes[:, 4].astype(np.float32)
    kept = np.asarray(cv2.dnn.NMSBoxesBatched(rectangles, scores, labels, 0.0, threshold), np.int64).ravel()
    order: NDArray[np.int64] = kept[np.argsort(-scores[kept], kind="stable")]
    return order
