"""Small video files with known contents: frame ``i`` is a grey of level ``level(i)``."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def level(index: int) -> int:
    """Grey level of frame ``index``; the codec keeps it within a few levels."""
    return 40 + (index * 20) % 160


def write_clip(
    path: Path,
    frames: int = 30,
    fps: int = 15,
    size: tuple[int, int] = (320, 240),
    codec: str = "libx264",
    options: dict[str, str] | None = None,
) -> Path:
    """Encode a clip; a key frame each second."""
    quiet = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    with av.open(str(path), mode="w") as container:
        stream = container.add_stream(codec, rate=fps, options={"g": str(fps), **quiet, **(options or {})})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.time_base = Fraction(1, fps)
        for index in range(frames):
            image = np.full((size[1], size[0], 3), level(index), np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
