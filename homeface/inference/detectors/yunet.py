"""YuNet: a small one-shot detector in an ONNX file.

Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023. Outputs for each of the strides 8, 16, 32
and each cell of the grid: class and objectness (score = √(class · object)), box as centre shift and log size,
five landmarks as shifts, all in strides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from homeface.core.geometry import nms
from homeface.core.types import Detection, ImageBGR
from homeface.errors import ModelError
from homeface.inference.arrays import as_batch
from homeface.inference.detectors import as_detections
from homeface.inference.detectors.letterbox import letterbox
from homeface.inference.manifest import ModelSpec
from homeface.inference.runtimes.onnx import OnnxSession
from homeface.inference.types import Tensor

STRIDES = (8, 16, 32)
SMALLEST_FACE_PX = 24
"""Side of the smallest face in the network's input; the frame is shrunk accordingly.

YuNet-n still finds faces of 16 px (3 of 105 missed, against 1), but its landmarks are a quarter worse there.
"""
SCORE_THRESHOLD, OVERLAP_THRESHOLD, MAX_CANDIDATES = 0.6, 0.4, 750


class YuNetDetector:
    """Boxes, scores and landmarks of faces from ``min_face_px`` up."""

    def __init__(self, spec: ModelSpec, session: OnnxSession, min_face_px: int) -> None:
        missing = {f"{kind}_{s}" for kind in ("cls", "obj", "bbox", "kps") for s in STRIDES}
        missing -= set(session.output_names)
        if missing:
            raise ModelError(f"{spec.name} is no YuNet: it lacks the output {sorted(missing)[0]}.")
        self.name = spec.name
        self._spec = spec
        self._session = session
        self._max_scale = min(1.0, SMALLEST_FACE_PX / min_face_px)

    def detect(self, images: Sequence[ImageBGR]) -> list[list[Detection]]:
        """Faces of each picture, best first; pictures may differ in size."""
        return [self._detect(image) for image in images]

    def close(self) -> None:
        """Free the network."""
        self._session.close()

    def _detect(self, image: ImageBGR) -> list[Detection]:
        spec = self._spec
        fit = letterbox(image, self._session.fixed_side, self._max_scale)
        batch = as_batch([fit.image], swap=spec.colour == "rgb", mean=spec.mean, std=spec.std)
        out = self._session.run({self._session.input_names[0]: batch})
        boxes, scores, points = decode(out, fit.image.shape[1])
        best = np.argsort(-scores, kind="stable")[:MAX_CANDIDATES]
        kept = best[nms(boxes[best], scores[best], OVERLAP_THRESHOLD)]
        return as_detections(boxes[kept] / fit.scale, scores[kept], points[kept] / fit.scale)


def decode(out: Mapping[str, Tensor], width: int) -> tuple[Tensor, Tensor, Tensor]:
    """(N, 4) corners, (N,) scores, (N, 5, 2) points in input pixels of cells that reach the threshold."""
    boxes, scores, points = [], [], []
    for stride in STRIDES:
        both = np.clip(out[f"cls_{stride}"][0, :, 0], 0, 1) * np.clip(out[f"obj_{stride}"][0, :, 0], 0, 1)
        score = np.sqrt(both)
        cells = np.flatnonzero(score >= SCORE_THRESHOLD)
        corner = np.stack((cells % (width // stride), cells // (width // stride)), axis=1)
        box = out[f"bbox_{stride}"][0, cells]
        centre = (corner + box[:, :2]) * stride
        half = np.exp(box[:, 2:]) * stride / 2
        boxes.append(np.hstack([centre - half, centre + half]))
        scores.append(score[cells])
        points.append((out[f"kps_{stride}"][0, cells].reshape(-1, 5, 2) + corner[:, None]) * stride)
    return np.concatenate(boxes), np.concatenate(scores), np.concatenate(points)
