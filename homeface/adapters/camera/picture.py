"""Pictures as the decoder left them, and their way to grey and to BGR."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from homeface.core.thumbnail import thumbnail
from homeface.core.types import Grey, ImageBGR

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_PLANAR = [f"yuv{range_}{sampling}p" for range_ in ("", "j") for sampling in (420, 422, 444, 440, 411, 410)]
_LUMA_FIRST = frozenset([*_PLANAR, "nv12", "nv21", "nv16", "nv24", "gray"])
"""Formats whose first plane is luma, one byte a pixel. Its range (16..235 or 0..255) does not matter here."""


class DecodedPicture:
    """A ``Picture`` that keeps the decoder's own frame and converts when somebody asks.

    The frame's buffers are counted by FFmpeg: the decoder takes others while this one is held, and they
    outlive the decoder and the connection. So hold few: a 1080p frame is 3 MB, and 6 MB more as BGR.
    """

    __slots__ = ("_bgr", "_frame", "_height", "_lock", "_turns", "_width")

    def __init__(self, frame: VideoFrame, max_side_px: int | None = None) -> None:
        """``max_side_px``: longest side of ``bgr``, None for as decoded."""
        self._frame = frame
        self._turns = round(frame.rotation / 90) % 4
        width, height = frame.width, frame.height
        if max_side_px is not None and max(width, height) > max_side_px:
            scale = max_side_px / max(width, height)
            width, height = max(1, round(width * scale)), max(1, round(height * scale))
        self._width, self._height = width, height
        self._lock = threading.Lock()
        self._bgr: ImageBGR | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels, upright."""
        return (self._width, self._height) if self._turns % 2 else (self._height, self._width)

    def grey(self, height: int, width: int) -> Grey:
        """Samples of the luma plane; formats without one are scaled by FFmpeg."""
        if self._turns % 2:
            height, width = width, height
        luma = _luma(self._frame)
        if luma is not None:
            small = thumbnail(luma, height, width)
        else:
            width, height = min(width, self._frame.width), min(height, self._frame.height)
            with self._lock:
                small = self._frame.to_ndarray(
                    format="gray", threads=1, width=width, height=height, interpolation="AREA"
                ).astype(np.uint8, copy=False)
        return np.rot90(small, self._turns)

    def bgr(self) -> ImageBGR:
        """Upright (a phone's rotation applied), no side longer than asked for."""
        with self._lock:
            if self._bgr is None:
                self._bgr = self._converted()
            return self._bgr

    def _converted(self) -> ImageBGR:
        frame = self._frame
        if (self._width, self._height) == (frame.width, frame.height):
            image = frame.to_ndarray(format="bgr24", threads=1)
        else:
            image = frame.to_ndarray(
                format="bgr24", threads=1, width=self._width, height=self._height, interpolation="AREA"
            )
        image = image.astype(np.uint8, copy=False)
        return np.ascontiguousarray(np.rot90(image, self._turns)) if self._turns else image


def _luma(frame: VideoFrame) -> Grey | None:
    """(height, width) view of the luma plane, without its padding; None for formats that hide it."""
    if frame.format.name not in _LUMA_FIRST:
        return None
    plane = frame.planes[0]
    if plane.line_size < frame.width:  # negative: stored bottom up
        return None
    rows: Grey = np.frombuffer(memoryview(plane), np.uint8, plane.line_size * frame.height)
    return rows.reshape(frame.height, plane.line_size)[:, : frame.width]
