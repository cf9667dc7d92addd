"""YuNet: a small one-shot detector in an ONNX file.

Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023. Outputs for each of the strides 8, 16, 32
and each cell of the grid: class and objectness (score = √(class · object)), box as centre shift and log size,
five landmarks as shifts, all in strides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from homeface.core.geometry import nms
from homeface.core.types import Detection, ImageBGR
from homeface.errors import ModelError
from homeface.inference.detectors import as_detections, in_batches, placed
from homeface.inference.detectors.landmarks import Closeup, with_landmarks_of
from homeface.inference.detectors.letterbox import letterbox
from homeface.inference.manifest import ModelSpec
from homeface.inference.types import Network, Tensor

STRIDES = (8, 16, 32)
SMALLEST_FACE_PX = 20
"""Side of the smallest face in the network's input; the frame is shrunk accordingly (docs/decisions/0006)."""
CLOSEUP = Closeup(side_px=96, face_px=64, above_px=18, below_px=36)
"""Faces of 18 to 36 px in the network's input get their landmarks from a second, closer look."""
SCORE_THRESHOLD, OVERLAP_THRESHOLD, MAX_CANDIDATES = 0.6, 0.4, 750


class YuNetDetector:
    """Boxes, scores and landmarks of faces from ``min_face_px`` up.

    The session takes pictures as they are (``pixels_of`` the spec). Networks that take any size also look
    closer at small faces: the first look finds them, but its landmarks are too rough to recognise by.
    """

    def __init__(self, spec: ModelSpec, session: Network, min_face_px: int) -> None:
        missing = {f"{kind}_{s}" for kind in ("cls", "obj", "bbox", "kps") for s in STRIDES}
        missing -= set(session.output_names)
        if missing:
            raise ModelError(f"{spec.name} is no YuNet: it lacks the output {sorted(missing)[0]}.")
        self.name = spec.name
        self.min_face_px = min_face_px
        self._session = session
        self._max_scale = min(1.0, SMALLEST_FACE_PX / min_face_px)

    def detect(self, images: Sequence[ImageBGR]) -> list[list[Detection]]:
        """Faces of each picture, best first; pictures may differ in size."""
        side = self._session.fixed_side
        fits = [letterbox(image, side, self._max_scale) for image in images]
        seen = in_batches(self._look, [fit.image for fit in fits], self._session, self._session.fixed_batch)
        found = [
            [placed(face, 1 / fit.scale) for face in faces] for fit, faces in zip(fits, seen, strict=True)
        ]
        if side is not None:
            return found
        return [
            with_landmarks_of(self._look, image, faces, fit.scale, CLOSEUP)
            for image, faces, fit in zip(images, found, fits, strict=True)
        ]

    def close(self) -> None:
        """Free the network."""
        self._session.close()

    def _look(self, pictures: NDArray[np.uint8]) -> list[list[Detection]]:
        """Faces of pictures (N, h, w, 3) that fit the network, in their pixels."""
        out = self._session.run({self._session.input_names[0]: pictures})
        rows = ({name: value[row] for name, value in out.items()} for row in range(len(pictures)))
        return [_faces(values, pictures.shape[2]) for values in rows]


def _faces(values: Mapping[str, Tensor], width: int) -> list[Detection]:
    boxes, scores, points = decode(values, width)
    best = np.argsort(-scores, kind="stable")[:MAX_CANDIDATES]
    kept = best[nms(boxes[best], scores[best], OVERLAP_THRESHOLD)]
    return as_detections(boxes[kept], scores[kept], points[kept])


def decode(values: Mapping[str, Tensor], width: int) -> tuple[Tensor, Tensor, Tensor]:
    """(N, 4) corners, (N,) scores, (N, 5, 2) points in input pixels of cells that reach the threshold."""
    boxes, scores, points = [], [], []
    for stride in STRIDES:
        both = np.clip(values[f"cls_{stride}"][:, 0], 0, 1) * np.clip(values[f"obj_{stride}"][:, 0], 0, 1)
        cells = np.flatnonzero(both >= SCORE_THRESHOLD**2)
        corner = np.stack((cells % (width // stride), cells // (width // stride)), axis=1)
        box = values[f"bbox_{stride}"][cells]
        centre = (corner + box[:, :2]) * stride
        half = np.exp(box[:, 2:]) * stride / 2
        boxes.append(np.hstack([centre - half, centre + half]))
        scores.append(np.sqrt(both[cells]))
        points.append((values[f"kps_{stride}"][cells].reshape(-1, 5, 2) + corner[:, None]) * stride)
    return np.concatenate(boxes), np.concatenate(scores), np.concatenate(points)
