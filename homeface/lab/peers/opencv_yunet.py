"""OpenCV's own way: ``cv2.FaceDetectorYN`` with the same YuNet file, and an embedder in ``cv2.dnn``.

opencv/opencv_zoo, ``models/face_detection_yunet/demo.py``: ``FaceDetectorYN.create(model, "", size, score,
nms, top_k)``. The frame is shrunk as homeface shrinks it, so that both look for the same smallest face; the
crop is homeface's, since ``FaceRecognizerSF.alignCrop`` cuts the same five points to the same template.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeface.core.types import ImageBGR, ImageRGB
from homeface.errors import BackendUnavailableError

Rows = NDArray[np.float32]
"""(N, 15) pixels of the picture: x, y, width, height, five landmarks, score."""

SCORE_THRESHOLD, OVERLAP_THRESHOLD, TOP_K = 0.6, 0.3, 5000


class OpenCvYuNet:
    """The file's detector on frames shrunk by ``scale`` (at most 1)."""

    def __init__(self, model: Path, scale: float) -> None:
        import cv2

        self._scale = scale
        try:
            self._detector: Any = cv2.FaceDetectorYN.create(
                str(model), "", (320, 320), SCORE_THRESHOLD, OVERLAP_THRESHOLD, TOP_K
            )
        except (cv2.error, AttributeError) as error:
            raise BackendUnavailableError(
                f"This OpenCV ({cv2.__version__}) cannot load {model.name} as FaceDetectorYN: {error}"
            ) from error

    def detect(self, image: ImageBGR) -> Rows:
        """Shrink, detect, and scale back."""
        import cv2

        height, width = image.shape[:2]
        size = (max(1, round(width * self._scale)), max(1, round(height * self._scale)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if self._scale < 1 else image
        self._detector.setInputSize(size)
        found = self._detector.detect(small)[1]
        if found is None:
            return np.zeros((0, 15), np.float32)
        rows: Rows = np.asarray(found, np.float32).copy()
        rows[:, :14] /= size[0] / width
        return rows


class OpenCvEmbedder:
    """An ONNX embedder in ``cv2.dnn``, one crop a call: its engine keeps the batch of the file."""

    def __init__(self, model: Path, mean: Sequence[float], std: Sequence[float]) -> None:
        import cv2

        try:
            self._net: Any = cv2.dnn.readNetFromONNX(str(model))
        except cv2.error as error:
            raise BackendUnavailableError(
                f"This OpenCV ({cv2.__version__}) cannot load {model.name}: {error}"
            ) from error
        self._mean, self._std = np.asarray(mean, np.float32), np.asarray(std, np.float32)

    def embed(self, crops: Sequence[ImageRGB]) -> NDArray[np.float32]:
        """(N, D) rows of unit length."""
        rows = [self._one(crop) for crop in crops]
        return np.stack(rows) if rows else np.zeros((0, 1), np.float32)

    def _one(self, crop: ImageRGB) -> NDArray[np.float32]:
        scaled = (crop.astype(np.float32) - self._mean) / self._std
        self._net.setInput(np.ascontiguousarray(scaled.transpose(2, 0, 1)[None]))
        vector = np.asarray(self._net.forward(), np.float32).ravel()
        unit: NDArray[np.float32] = vector / np.linalg.norm(vector)
        return unit
