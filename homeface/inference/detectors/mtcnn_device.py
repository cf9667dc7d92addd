"""MTCNN on a GPU: batches of frames, each stage in few passes, all boxes at once, nothing fetched in between.

The same steps as ``MtcnnDetector``, over tensors that hold the boxes of all frames; ``frame`` tells whose.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from homeface.core.types import Detection, ImageBGR
from homeface.errors import ModelError
from homeface.inference.detectors import as_detections
from homeface.inference.detectors.mtcnn import CELL_PX, CROP_PX, PYRAMID_FACTOR, STRIDE_PX, MtcnnSettings
from homeface.inference.detectors.on_device import (
    Pile,
    Upload,
    best_of_each,
    by_size,
    halved,
    interpolated,
    suppress,
    suppress_inner,
)
from homeface.inference.detectors.pyramid import Canvas, canvas_of
from homeface.inference.runtimes.graphs import Replayed


class MtcnnOnDevice:
    """Faces with landmarks from ``min_face_px`` up; the networks take pictures as they are."""

    name = "mtcnn"

    def __init__(
        self,
        networks: tuple[Replayed, Replayed, Replayed],
        settings: MtcnnSettings,
    ) -> None:
        self.min_face_px = settings.min_face_px
        self._settings = settings
        self._upload = Upload(networks[0].device)
        self._networks = list(networks)
        self._levels: dict[tuple[int, int], torch.Tensor] = {}

    def detect(self, images: Sequence[ImageBGR]) -> list[list[Detection]]:
        """Faces of each picture, best first; pictures may differ in size, those of one size share passes."""
        return by_size(images, self._detect)

    def close(self) -> None:
        """Free the networks."""
        self._networks = []
        self._levels.clear()

    def _detect(self, images: Sequence[ImageBGR]) -> list[list[Detection]]:
        if not self._networks:
            raise ModelError("The detector is closed.")
        levels = [self._upload(images)]
        while min(levels[-1].shape[1:3]) >= 2 * CELL_PX:
            levels.append(halved(levels[-1]))
        size = int(levels[0].shape[1]), int(levels[0].shape[2])
        canvas = canvas_of(size, CELL_PX / self.min_face_px, PYRAMID_FACTOR, CELL_PX)
        if canvas is None:
            return [[] for _ in images]
        boxes, frame = self._propose(levels, canvas, size)
        pile = Pile(levels)
        boxes, frame = self._refine(pile, boxes, frame, size)
        rows, numbers = (value.cpu().numpy() for value in self._finish(pile, boxes, frame, size))
        return [_detections(rows[numbers == number]) for number in range(len(images))]

    def _propose(
        self, levels: Sequence[torch.Tensor], canvas: Canvas, size: tuple[int, int]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        painted = levels[0].new_zeros((len(levels[0]), *canvas.size, 3))
        for (height, width), (top, left) in zip(canvas.sizes, canvas.corners, strict=True):
            source = levels[_level_of(size[0] / height, len(levels))]
            painted[:, top : top + height, left : left + width] = interpolated(source, (height, width))
        out = self._networks[0].rows(painted)
        level_map = self._level_map(canvas, size)
        score = out[1][:, 1, : level_map.shape[0], : level_map.shape[1]].float()
        frame, rows, columns = ((score >= self._settings.thresholds[0]) & (level_map >= 0)).nonzero(
            as_tuple=True
        )
        level, best = level_map[rows, columns], score[frame, rows, columns]
        corners = score.new_tensor(canvas.corners)[level].flip(1)
        cells = torch.stack((columns, rows), 1).float() * STRIDE_PX - corners
        scale = score.new_tensor(canvas.scales)[level][:, None]
        boxes = torch.cat([((cells + 1) / scale).floor(), ((cells + CELL_PX) / scale).floor()], 1)
        kept = suppress(boxes, best, frame * len(canvas.scales) + level, 0.5)
        kept = kept[suppress(boxes[kept], best[kept], frame[kept], 0.7)]
        kept = kept[best_of_each(frame[kept], best[kept], self._settings.max_candidates)]
        shifts = out[0].float()[frame[kept], :, rows[kept], columns[kept]]
        boxes, frame = boxes[kept], frame[kept]
        return _square(boxes + shifts * (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)), frame

    def _refine(
        self, pile: Pile, boxes: torch.Tensor, frame: torch.Tensor, size: tuple[int, int]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        boxes, parts, frame = _inside(boxes, frame, size)
        shift, score = self._networks[1].rows(self._cut(pile, parts, frame, size, CROP_PX[0]))
        passed = (score[:, 1].float() > self._settings.thresholds[1]).nonzero()[:, 0]
        boxes, frame, best, shift = (
            boxes[passed],
            frame[passed],
            score[passed, 1].float(),
            shift[passed].float(),
        )
        kept = suppress(boxes, best, frame, 0.7)
        return _square(_shifted(boxes[kept], shift[kept])), frame[kept]

    def _finish(
        self, pile: Pile, boxes: torch.Tensor, frame: torch.Tensor, size: tuple[int, int]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(F, 15) corners, score and points, and whose they are."""
        boxes, parts, frame = _inside(boxes, frame, size)
        shift, points, score = self._networks[2].rows(self._cut(pile, parts, frame, size, CROP_PX[1]))
        passed = (score[:, 1].float() > self._settings.thresholds[2]).nonzero()[:, 0]
        boxes, frame, best = boxes[passed], frame[passed], score[passed, 1].float()
        share = points[passed].float().reshape(-1, 2, 5).transpose(1, 2)
        sides = boxes[:, 2:] - boxes[:, :2] + 1
        places = boxes[:, None, :2] + share * sides[:, None, :] - 1
        boxes = _shifted(boxes, shift[passed].float())
        kept = suppress_inner(boxes, best, frame, 0.7)
        return torch.cat((boxes, best[:, None], places.flatten(1)), 1)[kept], frame[kept]

    def _cut(
        self, pile: Pile, parts: torch.Tensor, frame: torch.Tensor, size: tuple[int, int], side: int
    ) -> torch.Tensor:
        sides = parts[:, 2:] - parts[:, :2]
        steps = (torch.arange(side, device=parts.device) + 0.5) / side
        factors = (sides.amax(1) / side).clamp(min=1.0)
        level = factors.log2().floor().long().clamp(max=len(pile.heights) - 1)
        columns = (parts[:, :1] + steps * sides[:, :1]) * (pile.widths[level] / size[1])[:, None] - 0.5
        rows = (parts[:, 1:2] + steps * sides[:, 1:]) * (pile.heights[level] / size[0])[:, None] - 0.5
        return pile.cut(frame, level, rows, columns)

    def _level_map(self, canvas: Canvas, size: tuple[int, int]) -> torch.Tensor:
        if size not in self._levels:
            if len(self._levels) > 32:
                self._levels.clear()
            self._levels[size] = torch.from_numpy(canvas.level_of(CELL_PX, STRIDE_PX)).to(
                self._networks[0].device
            )
        return self._levels[size]


def _level_of(factor: float, count: int) -> int:
    return min(int(np.floor(np.log2(max(factor, 1.0)))), count - 1)


def _square(boxes: torch.Tensor) -> torch.Tensor:
    sides = boxes[:, 2:] - boxes[:, :2]
    longest = sides.amax(1, keepdim=True)
    corner = boxes[:, :2] + sides / 2 - longest / 2
    return torch.cat((corner, corner + longest), 1)


def _shifted(boxes: torch.Tensor, shifts: torch.Tensor) -> torch.Tensor:
    return boxes + shifts * (boxes[:, 2:] - boxes[:, :2] + 1).repeat(1, 2)


def _inside(
    boxes: torch.Tensor, frame: torch.Tensor, size: tuple[int, int]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    whole = boxes.trunc()
    end = boxes.new_tensor(size[::-1])
    parts = torch.cat((whole[:, :2].clamp(min=1) - 1, torch.minimum(whole[:, 2:], end)), 1)
    within = (parts[:, 2:] > parts[:, :2]).all(1).nonzero()[:, 0]
    return boxes[within], parts[within], frame[within]


def _detections(rows: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> list[Detection]:
    return as_detections(rows[:, :4], rows[:, 4], rows[:, 5:])
