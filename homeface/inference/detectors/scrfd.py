"""SCRFD with landmarks: a one-shot detector in an ONNX file.

Guo et al., "Sample and Computation Redistribution for Efficient Face Detection", 2021. Nine outputs: scores,
distances of the four box sides and five landmark shifts from the anchor's centre, for the strides 8, 16, 32,
two anchors a cell, all in strides.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from homeface.core.geometry import nms
from homeface.core.types import Detection, ImageBGR
from homeface.errors import ModelError
from homeface.inference.detectors import as_detections, placed
from homeface.inference.detectors.letterbox import letterbox
from homeface.inference.manifest import ModelSpec
from homeface.inference.types import Network, Tensor

STRIDES = (8, 16, 32)
ANCHORS = 2
SMALLEST_FACE_PX = 16
"""Side of a face in the network's input that is still found well; the frame is shrunk accordingly."""
SCORE_THRESHOLD, OVERLAP_THRESHOLD, MAX_CANDIDATES = 0.5, 0.4, 750


class ScrfdDetector:
    """Faces with landmarks from ``min_face_px`` up; the session takes pictures as they are."""

    def __init__(self, spec: ModelSpec, session: Network, min_face_px: int) -> None:
        widths = [shape[-1] for shape in session.output_shapes]
        if widths != [1, 1, 1, 4, 4, 4, 10, 10, 10]:
            raise ModelError(f"{spec.name} is no SCRFD with landmarks: its outputs are {widths} wide.")
        self.name = spec.name
        self.min_face_px = min_face_px
        self._session = session
        self._max_scale = min(1.0, SMALLEST_FACE_PX / min_face_px)

    def detect(self, images: Sequence[ImageBGR]) -> list[list[Detection]]:
        """Faces of each picture, best first; pictures may differ in size."""
        return [self._detect(image) for image in images]

    def close(self) -> None:
        """Free the network."""
        self._session.close()

    def _detect(self, image: ImageBGR) -> list[Detection]:
        fit = letterbox(image, self._session.fixed_side, self._max_scale)
        out = self._session.run({self._session.input_names[0]: fit.image[None]})
        values = [out[name].reshape(-1, out[name].shape[-1]) for name in self._session.output_names]
        boxes, scores, points = decode(values, fit.image.shape[1])
        best = np.argsort(-scores, kind="stable")[:MAX_CANDIDATES]
        kept = best[nms(boxes[best], scores[best], OVERLAP_THRESHOLD)]
        return [
            placed(face, 1 / fit.scale) for face in as_detections(boxes[kept], scores[kept], points[kept])
        ]


def decode(values: Sequence[Tensor], width: int) -> tuple[Tensor, Tensor, Tensor]:
    """(N, 4) corners, (N,) scores, (N, 5, 2) points in input pixels of anchors that reach the threshold."""
    boxes, scores, points = [], [], []
    for level, stride in enumerate(STRIDES):
        score = values[level][:, 0]
        anchors = np.flatnonzero(score >= SCORE_THRESHOLD)
        cells = anchors // ANCHORS
        centre = np.stack((cells % (width // stride), cells // (width // stride)), axis=1) * stride
        sides = values[level + 3][anchors] * stride
        boxes.append(np.hstack([centre - sides[:, :2], centre + sides[:, 2:]]))
        scores.append(score[anchors])
        points.append(values[level + 6][anchors].reshape(-1, 5, 2) * stride + centre[:, None])
    return np.concatenate(boxes), np.concatenate(scores), np.concatenate(points)
