"""Arrays on their way into the device: shape checks, and pictures as network input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homeface.errors import ImageError


@dataclass(frozen=True, slots=True)
class Pixels:
    """What a network wants of pictures, told to its session: that then takes (N, h, w, 3) uint8.

    ``swap`` reverses the order of the colours; ``mean`` and ``std`` are in the resulting order.
    """

    swap: bool
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def batch(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, 3, h, w) float32 as the network itself takes it."""
        return as_batch(list(pictures), swap=self.swap, mean=self.mean, std=self.std)


def require_image(image: object, what: str = "image") -> None:
    """Raise ``ImageError`` unless ``image`` is a non-empty (h, w, 3) uint8 array."""
    if not isinstance(image, np.ndarray):
        raise ImageError(
            f"The {what} must be a numpy array of (height, width, 3), not {type(image).__name__}."
        )
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ImageError(
            f"The {what} must be uint8 of shape (height, width, 3); "
            f"this one is {image.dtype} of shape {tuple(image.shape)}."
        )


def as_batch(
    images: Sequence[NDArray[np.uint8]],
    *,
    swap: bool,
    mean: Sequence[float],
    std: Sequence[float],
) -> NDArray[np.float32]:
    """(N, 3, h, w) float32, (x - mean) / std per channel, from N pictures of one size.

    ``swap`` reverses the channel order first; ``mean`` and ``std`` are in the resulting order.
    """
    batch = np.stack(images)
    if swap:
        batch = batch[..., ::-1]
    scaled = (batch.astype(np.float32) - np.asarray(mean, np.float32)) / np.asarray(std, np.float32)
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))
