"""MTCNN: facenet-pytorch's three networks under a driver of our own. Imported by the device thread only.

Zhang et al., "Joint Face Detection and Alignment using Multi-task Cascaded Convolutional Networks", 2016.
The driver differs from facenet-pytorch's in what it costs, not in what it computes: pictures are shrunk as
bytes by OpenCV instead of as floats by torch, the pyramid starts at the smallest face that recognition can
use, and the number of candidates is bounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import facenet_pytorch
import numpy as np
import torch
from facenet_pytorch.models.mtcnn import ONet, PNet, RNet
from numpy.typing import NDArray
from torchvision.ops import nms as torch_nms  # type: ignore[import-untyped]

from homeface.core.types import Detection, ImageBGR
from homeface.errors import WeightsUnavailableError
from homeface.inference.arrays import as_batch
from homeface.inference.detectors import as_detections
from homeface.inference.runtimes.torch import TorchSession, load_state
from homeface.inference.types import Session

Boxes = NDArray[np.float32]

CELL_PX, STRIDE_PX = 12, 2
PYRAMID_FACTOR = 0.709
MEAN, STD = (127.5,) * 3, (128.0,) * 3


@dataclass(frozen=True, slots=True)
class MtcnnSettings:
    """``min_face_px``: smallest face side in the frame. Scores below a stage's threshold end there.

    ``max_candidates``: boxes that may go on from the first stage to the second, the best ones. On half of the
    WIDER sample (167 faces from 44 px) facenet-pytorch's first threshold of 0.6 and 400 candidates find the
    same 139 faces, and four false ones more.
    """

    min_face_px: int = 40
    thresholds: tuple[float, float, float] = (0.7, 0.7, 0.7)
    max_candidates: int = 200


class MtcnnDetector:
    """Boxes, scores and landmarks of faces from ``min_face_px`` up."""

    name = "mtcnn"

    def __init__(self, pnet: Session, rnet: Session, onet: Session, settings: MtcnnSettings) -> None:
        self._pnet, self._rnet, self._onet = pnet, rnet, onet
        self._settings = settings

    @classmethod
    def load(cls, device: str, settings: MtcnnSettings) -> MtcnnDetector:
        """The networks with the weights inside facenet-pytorch, in float32 on every device."""
        return cls(
            TorchSession(_with_weights(PNet, "pnet.pt"), device, ("shift", "score"), half=False),
            TorchSession(_with_weights(RNet, "rnet.pt"), device, ("shift", "score"), half=False),
            TorchSession(_with_weights(ONet, "onet.pt"), device, ("shift", "points", "score"), half=False),
            settings,
        )

    def detect(self, images: Sequence[ImageBGR]) -> list[list[Detection]]:
        """Faces of each picture, best first; pictures may differ in size."""
        return [self._detect(image) for image in images]

    def close(self) -> None:
        """Free the networks."""
        for session in (self._pnet, self._rnet, self._onet):
            session.close()

    def _detect(self, image: ImageBGR) -> list[Detection]:
        boxes = self._propose(image)
        if len(boxes):
            boxes = self._refine(image, boxes)
        if not len(boxes):
            return []
        return self._finish(image, boxes)

    def _propose(self, image: ImageBGR) -> Boxes:
        """First stage: a pyramid of the picture through P-Net; (N, 5) square boxes with score."""
        found = [
            self._propose_at(level, scale) for level, scale in _pyramid(image, self._settings.min_face_px)
        ]
        candidates = np.concatenate(found) if found else np.zeros((0, 9), np.float32)
        candidates = candidates[_nms(candidates, 0.7)][: self._settings.max_candidates]
        boxes = candidates[:, :5].copy()
        # P-Net's shifts count in the box's own width and height, without the pixel the later stages add.
        sides = np.tile(boxes[:, 2:4] - boxes[:, :2], 2)
        boxes[:, :4] += candidates[:, 5:] * sides
        return _square(boxes)

    def _propose_at(self, level: ImageBGR, scale: float) -> Boxes:
        """P-Net on one level: (N, 9) box in the frame, score, shifts."""
        threshold = self._settings.thresholds[0]
        out = self._pnet.run({"image": as_batch([level], swap=True, mean=MEAN, std=STD)})
        scores = out["score"][0, 1]
        rows, columns = np.nonzero(scores >= threshold)
        cells = np.stack((columns, rows), axis=1).astype(np.float32) * STRIDE_PX
        best = scores[rows, columns]
        shifts = out["shift"][0][:, rows, columns].T
        corners = np.hstack([np.floor((cells + 1) / scale), np.floor((cells + CELL_PX) / scale)])
        candidates = np.hstack([corners, best[:, None], shifts]).astype(np.float32)
        return candidates[_nms(candidates, 0.5)]

    def _refine(self, image: ImageBGR, boxes: Boxes) -> Boxes:
        """Second stage: R-Net on each candidate; (N, 5) square boxes with score."""
        boxes, crops = _cut(image, boxes, 24)
        if not crops:
            return boxes
        out = self._rnet.run({"image": as_batch(crops, swap=True, mean=MEAN, std=STD)})
        passed = out["score"][:, 1] > self._settings.thresholds[1]
        boxes = np.hstack([boxes[passed, :4], out["score"][passed, 1:2]])
        kept = _nms(boxes, 0.7)
        return _square(_shift(boxes[kept], out["shift"][passed][kept]))

    def _finish(self, image: ImageBGR, boxes: Boxes) -> list[Detection]:
        """Third stage: O-Net gives the final box, score and landmarks."""
        boxes, crops = _cut(image, boxes, 48)
        if not crops:
            return []
        out = self._onet.run({"image": as_batch(crops, swap=True, mean=MEAN, std=STD)})
        passed = out["score"][:, 1] > self._settings.thresholds[2]
        boxes = np.hstack([boxes[passed, :4], out["score"][passed, 1:2]])
        share = out["points"][passed].reshape(-1, 2, 5).transpose(0, 2, 1)
        sides = boxes[:, 2:4] - boxes[:, :2] + 1
        points = boxes[:, None, :2] + share * sides[:, None, :] - 1
        boxes = _shift(boxes, out["shift"][passed])
        kept = _nms_of_smaller(boxes, 0.7)
        return as_detections(boxes[kept, :4], boxes[kept, 4], points[kept])


def _with_weights(network: type[torch.nn.Module], file: str) -> torch.nn.Module:
    path = Path(facenet_pytorch.__file__).parent / "data" / file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WeightsUnavailableError(
            f"{path} of facenet-pytorch cannot be read ({error.strerror}); install facenet-pytorch again."
        ) from error
    module = network(pretrained=False)
    module.load_state_dict(load_state(content, file))
    return module


def _pyramid(image: ImageBGR, min_face_px: int) -> list[tuple[ImageBGR, float]]:
    """Shrunk pictures and their factors: faces of ``min_face_px`` and each 1/0.709 larger fill a 12 px cell.

    Each level is averaged down from one at least twice as large, or from the frame.
    """
    import cv2

    height, width = image.shape[:2]
    levels: list[tuple[ImageBGR, float]] = []
    source = image
    scale = CELL_PX / min_face_px
    while min(height, width) * scale >= CELL_PX:
        size = (int(width * scale + 1), int(height * scale + 1))
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        level = cv2.resize(source, size, interpolation=interpolation)
        levels.append((level, scale))  # type: ignore[arg-type]
        if len(levels) % 3 == 0:
            source = levels[-3][0]
        scale *= PYRAMID_FACTOR
    return levels


def _cut(image: ImageBGR, boxes: Boxes, size: int) -> tuple[Boxes, list[ImageBGR]]:
    """The boxes that lie in the picture at all, and what is in them, stretched to ``size``."""
    import cv2

    height, width = image.shape[:2]
    whole = np.trunc(boxes[:, :4]).astype(np.int64)
    x1, y1 = np.maximum(whole[:, 0], 1) - 1, np.maximum(whole[:, 1], 1) - 1
    x2, y2 = np.minimum(whole[:, 2], width), np.minimum(whole[:, 3], height)
    inside = np.flatnonzero((x2 > x1) & (y2 > y1))
    crops = [
        cv2.resize(image[y1[i] : y2[i], x1[i] : x2[i]], (size, size), interpolation=cv2.INTER_AREA)
        for i in inside
    ]
    return boxes[inside], crops  # type: ignore[return-value]


def _shift(boxes: Boxes, shifts: Boxes) -> Boxes:
    """Move corners by shares of the box's size, where a box includes its last pixel."""
    moved = boxes.copy()
    moved[:, :4] += shifts * np.tile(boxes[:, 2:4] - boxes[:, :2] + 1, 2)
    return moved


def _square(boxes: Boxes) -> Boxes:
    """Grow the shorter side about the centre."""
    squared = boxes.copy()
    sides = boxes[:, 2:4] - boxes[:, :2]
    longest = sides.max(axis=1, keepdims=True) if len(boxes) else sides[:, :1]
    squared[:, :2] += sides / 2 - longest / 2
    squared[:, 2:4] = squared[:, :2] + longest
    return squared


def _nms(boxes: Boxes, threshold: float) -> NDArray[np.int64]:
    """Indices kept, best first, by overlap over union; ``boxes`` (N, 5+) with the score fifth."""
    tensor = torch.from_numpy(np.ascontiguousarray(boxes[:, :5], np.float32))
    kept: NDArray[np.int64] = torch_nms(tensor[:, :4], tensor[:, 4], threshold).numpy()
    return kept


def _nms_of_smaller(boxes: Boxes, threshold: float) -> NDArray[np.intp]:
    """Indices kept, best first, by overlap over the smaller box: also drops a box inside another."""
    areas = (boxes[:, 2] - boxes[:, 0] + 1) * (boxes[:, 3] - boxes[:, 1] + 1)
    order = np.argsort(-boxes[:, 4], kind="stable")
    kept = []
    while len(order):
        first, order = order[0], order[1:]
        kept.append(first)
        top_left = np.maximum(boxes[first, :2], boxes[order, :2])
        bottom_right = np.minimum(boxes[first, 2:4], boxes[order, 2:4])
        common = np.clip(bottom_right - top_left + 1, 0, None).prod(axis=1)
        order = order[common / np.minimum(areas[first], areas[order]) <= threshold]
    return np.array(kept, np.intp)
