"""Recordings of painted people, in a codec that keeps every pixel as it is."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from homeface.core.types import ImageBGR


def write_painted(path: Path, scenes: Sequence[tuple[ImageBGR, float]], fps: int = 5) -> Path:
    """Each picture for so many seconds; ``path`` should end in .mkv."""
    height, width = scenes[0][0].shape[:2]
    with av.open(str(path), mode="w") as container:
        stream = container.add_stream("ffv1", rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "bgr0"
        stream.codec_context.time_base = Fraction(1, fps)
        index = 0
        for image, seconds in scenes:
            for _ in range(round(seconds * fps)):
                frame = av.VideoFrame.from_ndarray(image, format="bgr24")
                frame.pts, frame.time_base = index, Fraction(1, fps)
                container.mux(stream.encode(frame))
                index += 1
        container.mux(stream.encode())
    return path


def portraits_on_a_wall(path: Path, pictures: Sequence[Path]) -> Path:
    """A grey wall, then each 250 × 250 picture for a second in front of it, in 640 × 360."""
    wall = np.full((360, 640, 3), 90, np.uint8)
    scenes = [(wall, 1.0)]
    for picture in pictures:
        scene = wall.copy()
        scene[55:305, 195:445] = cv2.imread(str(picture))
        scenes.append((scene, 1.0))
    return write_painted(path, scenes)
