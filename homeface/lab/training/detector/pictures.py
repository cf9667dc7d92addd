"""Pictures on their way into training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from homeface.core.types import ImageBGR
from homeface.errors import DatasetError
from homeface.lab.training.detector.augmentation import Augmentation, augmented, fitted
from homeface.lab.training.detector.labels import Corners, FacePicture
from homeface.lab.training.task import Dice

Batch: TypeAlias = tuple[Tensor, list[Tensor]]
"""(N, 3, side, side) uint8, red first, and for each picture the (K, 4) corners of its faces."""


class FaceData:
    """Augmented pictures; each is drawn ``repeat`` times an epoch, every time in another way."""

    def __init__(self, pictures: Sequence[FacePicture], how: Augmentation, repeat: int = 1) -> None:
        self._pictures, self._how, self._repeat = pictures, how, repeat

    def __len__(self) -> int:
        """Samples of an epoch."""
        return len(self._pictures) * self._repeat

    def order(self, dice: Dice) -> Sequence[int]:
        """All of them, shuffled."""
        return [int(index) for index in dice.permutation(len(self))]

    def sample(self, index: int, dice: Dice) -> tuple[ImageBGR, Corners]:
        """One picture, cut and changed. Raises ``DatasetError`` when its file is gone."""
        picture = self._pictures[index % len(self._pictures)]
        return augmented(read_picture(picture), picture.boxes, self._how, dice)

    def collate(self, samples: list[Any]) -> Batch:
        """Stack the pictures."""
        return _batch(samples)


def whole_pictures(
    pictures: Sequence[FacePicture], side_px: int, batch: int
) -> Iterator[tuple[Batch, list[float]]]:
    """Whole pictures shrunk into squares, and by what each was multiplied."""
    for begin in range(0, len(pictures), batch):
        samples, scales = [], []
        for picture in pictures[begin : begin + batch]:
            image = read_picture(picture)
            samples.append(fitted(image, picture.boxes, side_px))
            scales.append(side_px / max(image.shape[:2]))
        yield _batch(samples), scales


def read_picture(picture: FacePicture) -> ImageBGR:
    """The picture's pixels. Raises ``DatasetError``."""
    import cv2

    image = cv2.imread(str(picture.path))
    if image is None:
        raise DatasetError(
            f"{picture.path} cannot be read any more; it was a picture when the training began."
        )
    return image  # type: ignore[return-value]


def targets_of(boxes: Sequence[Tensor]) -> list[dict[str, Tensor]]:
    """In torchvision's words: class 1 is a face."""
    return [
        {"boxes": each, "labels": torch.ones(len(each), dtype=torch.int64, device=each.device)}
        for each in boxes
    ]


def _batch(samples: Sequence[tuple[ImageBGR, Corners]]) -> Batch:
    stacked = np.stack([image[..., ::-1] for image, _ in samples]).transpose(0, 3, 1, 2)
    pictures = torch.from_numpy(np.ascontiguousarray(stacked))
    return pictures, [torch.from_numpy(np.ascontiguousarray(boxes, np.float32)) for _, boxes in samples]
