"""Whether anything moved: the cheap question before the expensive one.

The gate compares a small grey picture with a slowly adapting background. It may be wrong in one direction
only: when in doubt something moved, and at the latest after ``max_quiet_seconds`` a full look is due,
so that a person who sits still is found as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homeface.core.thumbnail import thumbnail
from homeface.core.types import ImageBGR

GREY_HEIGHT = 90
GREY_WIDTH = 160


@dataclass(frozen=True, slots=True)
class MotionSettings:
    """``noise_levels`` smallest change of a pixel that counts (grey levels of 255); ``noise_factor`` the
    same in multiples of the picture's own noise; ``min_area`` share of pixels that must change;
    ``light_levels`` change of the whole picture that counts as a light switched; ``adapt_seconds`` time
    constant of the background, ``absorb_seconds`` the same where something changed; ``max_quiet_seconds``
    longest time without a full look."""

    noise_levels: float = 10.0
    noise_factor: float = 5.0
    min_area: float = 0.0015
    light_levels: float = 12.0
    adapt_seconds: float = 10.0
    absorb_seconds: float = 60.0
    max_quiet_seconds: float = 5.0


def small_grey(image: ImageBGR, height: int = GREY_HEIGHT, width: int = GREY_WIDTH) -> NDArray[np.uint8]:
    """(h, w) uint8 of about that size from (H, W, 3): green, four samples averaged in each cell."""
    return thumbnail(image[:, :, 1], height, width)


class MotionGate:
    """One camera's gate. Clock-free: ``now`` comes with each picture, in seconds."""

    def __init__(self, settings: MotionSettings | None = None) -> None:
        self._settings = settings or MotionSettings()
        self._background: NDArray[np.float32] | None = None
        self._seen_at = 0.0
        self._looked_at = 0.0

    def moved(self, grey: NDArray[np.uint8], now: float) -> bool:
        """True when the picture is worth a full look: motion, a light, or too long since the last look.

        ``grey`` is (h, w) uint8; another size than before starts afresh.
        """
        if grey.ndim != 2:
            raise ValueError(f"a grey picture has two axes, not {grey.ndim}")
        look = self._changed(grey, now) or not 0 <= now - self._looked_at < self._settings.max_quiet_seconds
        if look:
            self._looked_at = now
        return look

    def _changed(self, grey: NDArray[np.uint8], now: float) -> bool:
        settings = self._settings
        picture = grey.astype(np.float32)
        background = self._background
        elapsed, self._seen_at = now - self._seen_at, now
        if background is None or background.shape != picture.shape:
            self._background = picture
            return True
        difference = picture - background
        light = float(np.median(difference))
        if abs(light) >= settings.light_levels:
            self._background = picture
            return True
        difference -= light  # a cloud, or the camera's own exposure, moves all pixels alike
        size = np.abs(difference)
        noise = 1.4826 * float(
            np.median(size)
        )  # standard deviation of normal noise from the median deviation
        changed = size > max(settings.noise_levels, settings.noise_factor * noise)
        slow, fast = (
            1 - math.exp(-max(0.0, elapsed) / seconds)
            for seconds in (settings.absorb_seconds, settings.adapt_seconds)
        )
        background += np.where(changed, slow, fast) * (picture - background)
        return float(np.mean(changed)) >= settings.min_area
