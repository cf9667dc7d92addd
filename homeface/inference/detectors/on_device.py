"""Frames and boxes as torch tensors: detection on a GPU, without a frame leaving it between the stages.

The arithmetic is that of the detectors on a processor (``letterbox``, ``pyramid``, ``landmarks``); everything
also runs on torch's ``cpu``, where the tests compare both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import torch
from torch.nn import functional

from homeface.core.types import Detection, ImageBGR
from homeface.inference.detectors import BATCH

Faces = list[list[Detection]]
"""Of each picture."""


def by_size(images: Sequence[ImageBGR], detect: Callable[[Sequence[ImageBGR]], Faces]) -> Faces:
    """``detect`` for at most ``BATCH`` pictures of one size at a time; answers in the order of ``images``."""
    found: Faces = [[] for _ in images]
    same_size: dict[tuple[int, ...], list[int]] = {}
    for index, image in enumerate(images):
        same_size.setdefault(image.shape, []).append(index)
    with torch.inference_mode():
        for indices in same_size.values():
            for start in range(0, len(indices), BATCH):
                part = indices[start : start + BATCH]
                for index, faces in zip(part, detect([images[i] for i in part]), strict=True):
                    found[index] = faces
    return found


class Upload:
    """Frames of one size to the device, through memory that the device reads by itself."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._pinned = torch.empty(0, dtype=torch.uint8)

    def __call__(self, images: Sequence[ImageBGR]) -> torch.Tensor:
        """(N, h, w, 3) uint8."""
        sent = torch.empty((len(images), *images[0].shape), dtype=torch.uint8, device=self._device)
        self.into(sent, images)
        return sent

    def into(self, place: torch.Tensor, images: Sequence[ImageBGR]) -> None:
        """Into the first rows of ``place``. The caller may use its frames again after the detection."""
        if not self._device.startswith("cuda"):
            for row, image in zip(place, images, strict=False):
                row.copy_(_tensor(image))
            return
        shape = (len(images), *images[0].shape)
        count = shape[0] * shape[1] * shape[2] * shape[3]
        if self._pinned.numel() < count:
            self._pinned = torch.empty(count, dtype=torch.uint8, pin_memory=True)
        staged = self._pinned[:count].view(shape)
        for index, image in enumerate(images):
            staged[index].copy_(_tensor(image))
            place[index].copy_(staged[index], non_blocking=True)  # while the next one is staged


def _tensor(image: ImageBGR) -> torch.Tensor:
    """The picture's own memory where torch takes it: not mirrored, not read-only."""
    plain = image.flags.writeable and min(image.strides) >= 0
    return torch.from_numpy(image if plain else image.copy())


def halved(frames: torch.Tensor) -> torch.Tensor:
    """(N, h, w, 3) uint8 in half the size, by the rounded mean of what falls on each pixel."""
    height, width = frames.shape[1:3]
    if height % 2 == 0 and width % 2 == 0:
        whole = frames.to(torch.int16)
        rows = whole[:, ::2] + whole[:, 1::2]
        return ((rows[:, :, ::2] + rows[:, :, 1::2] + 2) >> 2).to(torch.uint8)
    down, across = (_averaging(side, frames.device) for side in (height, width))
    planes = frames.permute(0, 3, 1, 2).float()
    return (down @ planes @ across.T).add(0.5).to(torch.uint8).permute(0, 2, 3, 1)


@lru_cache(maxsize=64)
def _averaging(side: int, device: torch.device) -> torch.Tensor:
    """(side // 2, side): the share of each pixel in those that are left, an odd one shared by two."""
    count = side // 2
    edges = torch.arange(count + 1, dtype=torch.float64) * (side / count)
    pixels = torch.arange(side, dtype=torch.float64)
    overlap = torch.minimum(edges[1:, None], pixels + 1) - torch.maximum(edges[:-1, None], pixels)
    return (overlap.clamp(min=0) * (count / side)).float().to(device)


def resized(frames: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """(N, h, w, 3) uint8 in (height, width) ``size``, halved as often as possible, the rest interpolated."""
    while size[0] * 2 <= frames.shape[1] and size[1] * 2 <= frames.shape[2]:
        frames = halved(frames)
    return interpolated(frames, size)


def interpolated(frames: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """(N, h, w, 3) uint8 in (height, width) ``size``, bilinear."""
    if tuple(frames.shape[1:3]) == size:
        return frames
    planes = frames.permute(0, 3, 1, 2).float()
    shrunk = functional.interpolate(planes, size=size, mode="bilinear", align_corners=False)
    return shrunk.add(0.5).to(torch.uint8).permute(0, 2, 3, 1)


class Pile:
    """Pictures of several sizes, one after the other in one block, to cut from many of them at once."""

    def __init__(self, levels: Sequence[torch.Tensor]) -> None:
        """``levels``: (N, h, w, 3) uint8 each, with the same N frames."""
        flat = [level.reshape(-1, 3) for level in levels]
        self._pixels = flat[0] if len(flat) == 1 else torch.cat(flat)
        device = self._pixels.device
        sizes = [level.shape[:3] for level in levels]
        starts = [0]
        for count, height, width in sizes[:-1]:
            starts.append(starts[-1] + count * height * width)
        self._starts = torch.tensor(starts, device=device)
        self.heights = torch.tensor([height for _, height, _ in sizes], device=device)
        self.widths = torch.tensor([width for _, _, width in sizes], device=device)

    def cut(
        self, frame: torch.Tensor, level: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor
    ) -> torch.Tensor:
        """(M, S, S, 3) uint8, bilinear, the edge repeated.

        ``frame``, ``level``: (M,) which picture; ``rows``, ``columns``: (M, S) where, in that picture's
        pixels, counted from the centre of the first.
        """
        heights, widths = self.heights[level], self.widths[level]
        start = self._starts[level] + frame * heights * widths
        upper, down = _split(rows, heights[:, None])
        left, across = _split(columns, widths[:, None])
        lower = torch.minimum(upper + 1, heights[:, None] - 1)
        right = torch.minimum(left + 1, widths[:, None] - 1)

        def at(y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
            return self._pixels[
                start[:, None, None] + y[:, :, None] * widths[:, None, None] + x[:, None, :]
            ].float()

        across = across[:, None, :, None]
        above = torch.lerp(at(upper, left), at(upper, right), across)
        below = torch.lerp(at(lower, left), at(lower, right), across)
        return torch.lerp(above, below, down[:, :, None, None]).add(0.5).to(torch.uint8)


def suppress(
    boxes: torch.Tensor, scores: torch.Tensor, groups: torch.Tensor, threshold: float
) -> torch.Tensor:
    """Indices kept, best first, by overlap over union; boxes of different ``groups`` do not compete."""
    from torchvision.ops import batched_nms

    kept: torch.Tensor = batched_nms(boxes[:, :4], scores, groups, threshold)
    return kept


def suppress_inner(
    boxes: torch.Tensor, scores: torch.Tensor, groups: torch.Tensor, threshold: float
) -> torch.Tensor:
    """As ``suppress``, by overlap over the smaller box, whose corners include the last pixel.

    Greedy suppression as a fixed point: a box stays unless a better one that stays covers it. Each round
    settles at least one more box of each chain.
    """
    order = torch.argsort(scores, descending=True, stable=True)
    corners, group = boxes[order, :4], groups[order]
    areas = (corners[:, 2] - corners[:, 0] + 1) * (corners[:, 3] - corners[:, 1] + 1)
    top_left = torch.maximum(corners[:, None, :2], corners[None, :, :2])
    bottom_right = torch.minimum(corners[:, None, 2:], corners[None, :, 2:])
    common = (bottom_right - top_left + 1).clamp(min=0).prod(2)
    covers = common / torch.minimum(areas[:, None], areas[None, :]) > threshold
    covers &= group[:, None] == group[None, :]
    covers = covers.triu(1)
    kept = torch.ones(len(order), dtype=torch.bool, device=boxes.device)
    while True:
        settled = ~(covers & kept[:, None]).any(0)
        if torch.equal(settled, kept):
            return order[kept]
        kept = settled


def best_of_each(groups: torch.Tensor, scores: torch.Tensor, most: int) -> torch.Tensor:
    """Indices of the ``most`` best of each group, by group, best first."""
    order = torch.argsort(scores, descending=True, stable=True)
    order = order[torch.argsort(groups[order], stable=True)]
    sorted_groups = groups[order]
    place = torch.arange(len(order), device=groups.device)
    first = torch.searchsorted(sorted_groups, sorted_groups)
    return order[place - first < most]


def _split(where: torch.Tensor, size: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The pixel before, and the share of the next one; places outside fall on the edge."""
    inside = torch.minimum(where.clamp(min=0), (size - 1).to(where.dtype))
    whole = inside.floor()
    return whole.long(), inside - whole
