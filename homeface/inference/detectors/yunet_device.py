"""YuNet on a GPU: from frames to faces with landmarks without a frame or a box coming back in between."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from homeface.core.types import Detection, ImageBGR
from homeface.errors import ModelError
from homeface.inference.detectors import BATCH, as_detections
from homeface.inference.detectors.landmarks import SAME_FACE
from homeface.inference.detectors.letterbox import STRIDE_PX
from homeface.inference.detectors.on_device import Pile, Upload, best_of_each, resized, suppress
from homeface.inference.detectors.yunet import (
    CLOSEUP,
    OVERLAP_THRESHOLD,
    SCORE_THRESHOLD,
    SMALLEST_FACE_PX,
    STRIDES,
)
from homeface.inference.manifest import ModelSpec
from homeface.inference.runtimes.graphs import Replayed

_KINDS = ("cls", "obj", "bbox", "kps")
_BOX, _SCORE, _POINTS = slice(0, 4), 4, slice(5, 15)
Faces = torch.Tensor
"""(F, 15) float32: corners, score, five points, in pixels."""


class YuNetOnDevice:
    """As ``YuNetDetector``, in torch; for networks that take pictures of any size."""

    def __init__(self, spec: ModelSpec, network: Replayed, names: Sequence[str], min_face_px: int) -> None:
        """``network`` takes BGR pixels and gives its outputs by these ``names``."""
        wanted = [f"{kind}_{stride}" for stride in STRIDES for kind in _KINDS]
        missing = [name for name in wanted if name not in names]
        if missing:
            raise ModelError(f"{spec.name} is no YuNet: it lacks the output {missing[0]}.")
        self.name = spec.name
        self.min_face_px = min_face_px
        self._places = [names.index(name) for name in wanted]
        self._scale = min(1.0, SMALLEST_FACE_PX / min_face_px)
        self._upload = Upload(network.device)
        self._network: Replayed | None = network

    def detect(self, images: Sequence[ImageBGR]) -> list[list[Detection]]:
        """Faces of each picture, best first; pictures may differ in size, those of one size share a pass."""
        found: list[list[Detection]] = [[] for _ in images]
        same_size: dict[tuple[int, ...], list[int]] = {}
        for index, image in enumerate(images):
            same_size.setdefault(image.shape, []).append(index)
        with torch.inference_mode():
            for indices in same_size.values():
                for start in range(0, len(indices), BATCH):
                    part = indices[start : start + BATCH]
                    for index, faces in zip(part, self._detect([images[i] for i in part]), strict=True):
                        found[index] = faces
        return found

    def close(self) -> None:
        """Free the network."""
        self._network = None

    def _detect(self, images: Sequence[ImageBGR]) -> list[list[Detection]]:
        frames = self._upload(images)
        height, width = frames.shape[1:3]
        inner = max(1, round(height * self._scale)), max(1, round(width * self._scale))
        faces, frame = self._look(resized(frames, inner))
        faces[:, _BOX] /= self._scale
        faces[:, _POINTS] /= self._scale
        self._refine(frames, faces, frame)
        rows, numbers = faces.cpu().numpy(), frame.cpu().numpy()
        return [_detections(rows[numbers == number]) for number in range(len(images))]

    def _look(self, pictures: torch.Tensor) -> tuple[Faces, torch.Tensor]:
        """Faces of pictures (N, h, w, 3), in their pixels, and the number of each one's picture."""
        if self._network is None:
            raise ModelError("The detector is closed.")
        height, width = pictures.shape[1:3]
        planes = pictures.permute(0, 3, 1, 2).to(self._network.dtype)
        planes = functional.pad(planes, (0, -width % STRIDE_PX, 0, -height % STRIDE_PX))
        out = self._network.rows(planes)
        ordered = [out[place] for place in self._places]
        faces, frame = _decoded(ordered, planes.shape[3])
        kept = suppress(faces[:, _BOX], faces[:, _SCORE], frame, OVERLAP_THRESHOLD)
        return faces[kept], frame[kept]

    def _refine(self, frames: torch.Tensor, faces: Faces, frame: torch.Tensor) -> None:
        """Give small faces the landmarks of a closer look, as ``landmarks.with_landmarks_of`` does."""
        sides = (faces[:, 2:4] - faces[:, :2]).amax(1)
        limit = min(CLOSEUP.below_px / self._scale, 2.0 * CLOSEUP.face_px)
        small = (sides >= CLOSEUP.above_px / self._scale) & (sides < limit)
        chosen = (small & (faces[:, _SCORE] >= CLOSEUP.score)).nonzero()[:, 0]
        if not len(chosen):
            return
        chosen = chosen[best_of_each(frame[chosen], faces[chosen, _SCORE], CLOSEUP.most)]
        zoom = CLOSEUP.face_px / sides[chosen]
        corner = (faces[chosen, :2] + faces[chosen, 2:4]) / 2 - CLOSEUP.side_px / 2 / zoom[:, None]
        steps = (torch.arange(CLOSEUP.side_px, device=faces.device) + 0.5) / zoom[:, None] - 0.5
        level = torch.zeros_like(chosen)
        cuts = Pile([frames]).cut(frame[chosen], level, corner[:, 1:] + steps, corner[:, :1] + steps)
        seen, picture = self._look(cuts)
        if not len(seen):
            return
        seen[:, _BOX] = seen[:, _BOX] / zoom[picture, None] + corner[picture].repeat(1, 2)
        seen[:, _POINTS] = seen[:, _POINTS] / zoom[picture, None] + corner[picture].repeat(1, 5)
        overlap = _overlap(seen[:, _BOX], faces[chosen[picture], _BOX])
        best = best_of_each(picture, overlap, 1)
        best = best[overlap[best] >= SAME_FACE]
        faces[chosen[picture[best]], _POINTS] = seen[best, _POINTS]


def _decoded(values: Sequence[torch.Tensor], width: int) -> tuple[Faces, torch.Tensor]:
    """Faces of all cells that reach the threshold, and the number of each one's picture."""
    faces, frames = [], []
    for level, stride in enumerate(STRIDES):
        cls, obj, box, points = (value.float() for value in values[4 * level : 4 * level + 4])
        both = cls[..., 0].clamp(0, 1) * obj[..., 0].clamp(0, 1)
        frame, cell = (both >= SCORE_THRESHOLD**2).nonzero(as_tuple=True)
        across = width // stride
        corner = torch.stack((cell % across, cell // across), 1)
        centre = (corner + box[frame, cell, :2]) * stride
        half = box[frame, cell, 2:].exp() * stride / 2
        shifts = points[frame, cell].reshape(-1, 5, 2)
        places = ((shifts + corner[:, None]) * stride).flatten(1)
        score = both[frame, cell].sqrt()[:, None]
        faces.append(torch.cat((centre - half, centre + half, score, places), 1))
        frames.append(frame)
    return torch.cat(faces), torch.cat(frames)


def _overlap(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Intersection over union, row by row."""
    sides = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0)
    common = sides.prod(1)
    areas = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1)
    return common / (areas - common)


def _detections(rows: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> list[Detection]:
    return as_detections(rows[:, _BOX], rows[:, _SCORE], rows[:, _POINTS])
