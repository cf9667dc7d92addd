"""Decoded frames to BGR pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from homeface.core.types import ImageBGR

if TYPE_CHECKING:
    from av.video.frame import VideoFrame


def convert(frame: VideoFrame, max_side_px: int | None = None) -> ImageBGR:
    """(height, width, 3) BGR, upright (a phone's rotation applied), no side longer than ``max_side_px``."""
    width, height = frame.width, frame.height
    if max_side_px is not None and max(width, height) > max_side_px:
        scale = max_side_px / max(width, height)
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
        image = frame.to_ndarray(format="bgr24", threads=1, width=width, height=height, interpolation="AREA")
    else:
        image = frame.to_ndarray(format="bgr24", threads=1)
    turns = round(frame.rotation / 90) % 4
    return (
        np.ascontiguousarray(np.rot90(image, turns), dtype=np.uint8)
        if turns
        else image.astype(np.uint8, copy=False)
    )
