"""Faster R-CNN with one class in an ONNX file, as ``homeface lab train-detector`` makes it.

Input (1, 3, h, w) of any size; outputs ``boxes`` (K, 4), corners in its pixels, and ``scores`` (K,), best
first, doubles already removed. Landmarks come from ``onet``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from homeface.core.types import Detection, ImageBGR
from homeface.errors import ModelError
from homeface.inference.detectors import as_detections, placed
from homeface.inference.detectors.letterbox import letterbox
from homeface.inference.detectors.onet import OnetLandmarks
from homeface.inference.manifest import ModelSpec
from homeface.inference.types import Network

SMALLEST_FACE_PX = 24
"""Side of the smallest face in the network's input; the frame is shrunk accordingly."""
SCORE_THRESHOLD = 0.5
LIKENESS = 0.7
"""What O-Net must think of a box, as in MTCNN: where it sees no face its landmarks are worth nothing."""


class FasterRcnnDetector:
    """Faces with landmarks from ``min_face_px`` up; the session takes pictures as they are."""

    def __init__(self, spec: ModelSpec, session: Network, landmarks: OnetLandmarks, min_face_px: int) -> None:
        if set(session.output_names) != {"boxes", "scores"}:
            named = ", ".join(session.output_names)
            raise ModelError(
                f"{spec.name} is no Faster R-CNN: its outputs are {named}, not boxes and scores."
            )
        self.name = spec.name
        self.min_face_px = min_face_px
        self._session, self._landmarks = session, landmarks
        self._max_scale = min(1.0, SMALLEST_FACE_PX / min_face_px)

    def detect(self, images: Sequence[ImageBGR]) -> list[list[Detection]]:
        """Faces of each picture, best first; pictures may differ in size."""
        return [self._detect(image) for image in images]

    def close(self) -> None:
        """Free the networks."""
        self._session.close()
        self._landmarks.close()

    def _detect(self, image: ImageBGR) -> list[Detection]:
        fit = letterbox(image, self._session.fixed_side, self._max_scale)
        out = self._session.run({self._session.input_names[0]: fit.image[None]})
        scores = np.asarray(out["scores"], np.float32).reshape(-1)
        boxes = np.asarray(out["boxes"], np.float32).reshape(-1, 4)
        kept = (scores >= SCORE_THRESHOLD) & np.isfinite(boxes).all(axis=1)
        boxes, scores = boxes[kept], scores[kept]
        # A face is looked at in the frame itself: twice as many pixels make better landmarks.
        points, likeness = self._landmarks.of(image, boxes / np.float32(fit.scale))
        sure = likeness >= LIKENESS
        faces = as_detections(boxes[sure], scores[sure], points[sure] * np.float32(fit.scale))
        return [placed(face, 1 / fit.scale) for face in faces]
