"""YuNet on a GPU: a pass over frames, and one over the small faces in them; each is one recorded graph.

Shrinking, network, decoding and suppression are in the graph; what comes back is a few candidates a frame.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from homeface.core.geometry import nms
from homeface.core.types import Detection, ImageBGR
from homeface.errors import ModelError
from homeface.inference.detectors import as_detections
from homeface.inference.detectors.landmarks import SAME_FACE
from homeface.inference.detectors.letterbox import STRIDE_PX
from homeface.inference.detectors.on_device import Pile, Upload, by_size, resized
from homeface.inference.detectors.yunet import (
    CLOSEUP,
    MAX_CANDIDATES,
    OVERLAP_THRESHOLD,
    SCORE_THRESHOLD,
    SMALLEST_FACE_PX,
    STRIDES,
)
from homeface.inference.manifest import ModelSpec
from homeface.inference.runtimes.graphs import Replayed, rows_for
from homeface.inference.runtimes.onnx_modules import OnnxModule

_KINDS = ("cls", "obj", "bbox", "kps")
_BOX, _SCORE, _POINTS, _KEPT, _SETTLED = slice(0, 4), 4, slice(5, 15), 15, 16
_ROUNDS = 8
"""Of suppression: one more than the longest chain of boxes that each cover the next. What is not settled
after them is suppressed on the processor."""
Rows = NDArray[np.float32]
"""(F, 17): corners, score, five points, in pixels; whether it is kept, whether suppression was settled."""


class YuNetOnDevice:
    """As ``YuNetDetector``, in torch; for networks that take pictures of any size."""

    def __init__(
        self, spec: ModelSpec, module: OnnxModule, device: str, dtype: torch.dtype, min_face_px: int
    ) -> None:
        wanted = [f"{kind}_{stride}" for stride in STRIDES for kind in _KINDS]
        missing = [name for name in wanted if name not in module.output_names]
        if missing:
            raise ModelError(f"{spec.name} is no YuNet: it lacks the output {missing[0]}.")
        self.name = spec.name
        self.min_face_px = min_face_px
        self._scale = min(1.0, SMALLEST_FACE_PX / min_face_px)
        decoding = _Decoding(module, [module.output_names.index(name) for name in wanted])
        self._first: Replayed | None = Replayed(decoding, device, dtype=dtype, enter=self._shrunk)
        self._closer: Replayed | None = Replayed(decoding, device, dtype=dtype, enter=_padded)
        self._upload = Upload(device)

    def detect(self, images: Sequence[ImageBGR]) -> list[list[Detection]]:
        """Faces of each picture, best first; pictures may differ in size, those of one size share a pass."""
        return by_size(images, self._detect)

    def close(self) -> None:
        """Free the network."""
        self._first = self._closer = None

    def _detect(self, images: Sequence[ImageBGR]) -> list[list[Detection]]:
        if self._first is None or self._closer is None:
            raise ModelError("The detector is closed.")
        slot = self._first.slot((rows_for(len(images)), *images[0].shape))
        self._upload.into(slot.input, images)
        found = [_kept(rows) for rows in slot.run()[0][: len(images)].cpu().numpy()]
        for rows in found:
            rows[:, _BOX] /= self._scale
            rows[:, _POINTS] /= self._scale
        self._refine(self._closer, slot.input, found)
        return [as_detections(rows[:, _BOX], rows[:, _SCORE], rows[:, _POINTS]) for rows in found]

    def _shrunk(self, frames: torch.Tensor) -> torch.Tensor:
        height, width = frames.shape[1:3]
        inner = max(1, round(height * self._scale)), max(1, round(width * self._scale))
        return _padded(resized(frames, inner))

    def _refine(self, closer: Replayed, frames: torch.Tensor, found: Sequence[Rows]) -> None:
        """Give small faces the landmarks of a closer look, as ``landmarks.with_landmarks_of`` does."""
        chosen = [self._small(rows) for rows in found]
        faces = np.concatenate([rows[own] for rows, own in zip(found, chosen, strict=True)])
        if not len(faces):
            return
        frame = np.repeat(np.arange(len(found)), [len(own) for own in chosen])
        zoom = CLOSEUP.face_px / (faces[:, 2:4] - faces[:, :2]).max(axis=1)
        corner = (faces[:, :2] + faces[:, 2:4]) / 2 - CLOSEUP.side_px / 2 / zoom[:, None]
        steps = (np.arange(CLOSEUP.side_px, dtype=np.float32) + 0.5) / zoom[:, None] - 0.5
        places = np.stack([corner[:, 1:] + steps, corner[:, :1] + steps]).astype(np.float32)
        rows, columns = torch.from_numpy(places).to(frames.device)
        number = torch.from_numpy(frame).to(frames.device)
        cuts = Pile([frames]).cut(number, torch.zeros_like(number), rows, columns)
        seen: Rows = closer.rows(cuts)[0].cpu().numpy()
        boxes = seen[..., _BOX] / zoom[:, None, None] + np.tile(corner, 2)[:, None]
        overlap = np.where(seen[..., _KEPT] > 0, _overlap(boxes, faces[:, None, _BOX]), 0.0)
        best = overlap.argmax(axis=1)
        points = seen[np.arange(len(seen)), best, _POINTS] / zoom[:, None] + np.tile(corner, 5)
        same = overlap[np.arange(len(seen)), best] >= SAME_FACE
        faces[same, _POINTS] = points[same]
        for index, own in enumerate(chosen):
            found[index][own] = faces[frame == index]

    def _small(self, rows: Rows) -> NDArray[np.intp]:
        """Which faces of a picture are looked at again, the best of them."""
        sides = (rows[:, 2:4] - rows[:, :2]).max(axis=1, initial=0)
        limit = min(CLOSEUP.below_px / self._scale, 2.0 * CLOSEUP.face_px)
        small = (sides >= CLOSEUP.above_px / self._scale) & (sides < limit)
        return np.flatnonzero(small & (rows[:, _SCORE] >= CLOSEUP.score))[: CLOSEUP.most]


class _Decoding(nn.Module):
    """The network, and its best candidates as ``Rows`` of each picture, best first."""

    def __init__(self, network: OnnxModule, places: Sequence[int]) -> None:
        super().__init__()
        self._network = network
        self._places = tuple(places)

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        """(N, K, 17) float32, of pictures (N, 3, h, w)."""
        out = self._network(planes)
        rows = torch.cat(
            [
                _decoded([out[place] for place in self._places[4 * n : 4 * n + 4]], stride, planes.shape[3])
                for n, stride in enumerate(STRIDES)
            ],
            dim=1,
        )
        scores, order = rows[..., _SCORE].topk(min(MAX_CANDIDATES, rows.shape[1]), dim=1)
        rows = rows.gather(1, order[..., None].expand(-1, -1, rows.shape[2]))
        boxes = rows[..., _BOX]
        covers = _overlaps(boxes) > OVERLAP_THRESHOLD
        covers = covers.triu(1)
        sure = scores >= SCORE_THRESHOLD
        before = kept = sure
        for _ in range(_ROUNDS):
            before, kept = kept, sure & ~(covers & kept[:, :, None]).any(1)
        settled = (before == kept).all(1, keepdim=True).expand_as(kept)
        return torch.cat((rows, torch.stack((kept, settled), 2).float()), 2)


def _decoded(values: Sequence[torch.Tensor], stride: int, width: int) -> torch.Tensor:
    """(N, cells, 15) of one stride."""
    cls, obj, box, points = (value.float() for value in values)
    score = (cls.clamp(0, 1) * obj.clamp(0, 1)).sqrt()
    cells = torch.arange(box.shape[1], device=box.device)
    across = width // stride
    corner = torch.stack((cells % across, cells // across), 1)
    centre = (corner + box[..., :2]) * stride
    half = box[..., 2:].exp() * stride / 2
    places = (points.reshape(*points.shape[:2], 5, 2) + corner[:, None]) * stride
    return torch.cat((centre - half, centre + half, score, places.flatten(2)), 2)


def _overlaps(boxes: torch.Tensor) -> torch.Tensor:
    """(N, K, K) intersection over union of (N, K, 4)."""
    low = torch.maximum(boxes[:, :, None, :2], boxes[:, None, :, :2])
    high = torch.minimum(boxes[:, :, None, 2:], boxes[:, None, :, 2:])
    common = (high - low).clamp(min=0).prod(3)
    areas = (boxes[..., 2:] - boxes[..., :2]).prod(2)
    return common / (areas[:, :, None] + areas[:, None, :] - common)


def _padded(pictures: torch.Tensor) -> torch.Tensor:
    """(N, 3, h, w) of whole strides, from (N, h, w, 3)."""
    height, width = pictures.shape[1:3]
    planes = pictures.permute(0, 3, 1, 2)
    return functional.pad(planes, (0, -width % STRIDE_PX, 0, -height % STRIDE_PX))


def _kept(rows: Rows) -> Rows:
    """The faces of one picture."""
    if len(rows) and not rows[0, _SETTLED]:
        rows = rows[rows[:, _SCORE] >= SCORE_THRESHOLD]
        return rows[nms(rows[:, _BOX], rows[:, _SCORE], OVERLAP_THRESHOLD)]
    return rows[rows[:, _KEPT] > 0]


def _overlap(a: Rows, b: Rows) -> NDArray[np.float32]:
    """Intersection over union of boxes in the last axis."""
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    common = np.clip(sides, 0, None).prod(axis=-1)
    areas = (a[..., 2:] - a[..., :2]).prod(axis=-1) + (b[..., 2:] - b[..., :2]).prod(axis=-1)
    overlap: NDArray[np.float32] = common / np.maximum(areas - common, 1e-6)
    return overlap
