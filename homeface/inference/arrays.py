"""Shape checks where arrays enter the device."""

from __future__ import annotations

import numpy as np

from homeface.errors import ImageError


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
