"""The demo's recording: a public-domain portrait walks through a drawn living room.

The portrait is ``skimage.data.astronaut()`` (NASA, public domain), shipped inside scikit-image.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from homeface.core.types import ImageRGB
from homeface.errors import HomefaceError

WIDTH, HEIGHT, FPS = 1280, 720, 15
VISITS: tuple[tuple[float, float], ...] = ((2.0, 11.0), (21.0, 32.0))
"""From when to when (seconds) the visitor is in the picture."""
LENGTH_SECONDS = 36.0

_PORTRAIT_PX = 560
_WALK_SECONDS = 2.0


def portrait() -> ImageRGB:
    """The portrait, (512, 512, 3) RGB."""
    try:
        from skimage.data import astronaut
    except ImportError as error:
        raise HomefaceError(
            "The demo needs scikit-image and amqtt: uv run --extra demo homeface demo "
            "(or pip install 'homeface[demo]')."
        ) from error
    picture: ImageRGB = np.ascontiguousarray(astronaut()[..., :3])  # type: ignore[no-untyped-call]
    return picture


def write_clip(path: Path) -> None:
    """Render the clip as H.264 in MP4 (about 36 s, 1280×720, 15 fps)."""
    import av

    visitor, mask = _visitor()
    room = _room()
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "23"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.time_base = Fraction(1, FPS)
        for index in range(int(LENGTH_SECONDS * FPS)):
            picture = _compose(room, visitor, mask, index / FPS)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _visitor() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The portrait scaled to (P, P, 3), and its soft elliptical mask (P, P, 1) in 0..1."""
    import cv2

    scaled = cv2.resize(portrait(), (_PORTRAIT_PX, _PORTRAIT_PX), interpolation=cv2.INTER_AREA)
    y, x = np.mgrid[-1 : 1 : _PORTRAIT_PX * 1j, -1 : 1 : _PORTRAIT_PX * 1j]
    distance = np.sqrt((x + 0.12) ** 2 / 0.75**2 + y**2)
    mask = np.clip((1.0 - distance) / 0.12, 0.0, 1.0)[..., None]
    return scaled.astype(np.float32), mask.astype(np.float32)


def _room() -> NDArray[np.float32]:
    """A wall, a floor, a window and a sofa, (HEIGHT, WIDTH, 3)."""
    rows = np.linspace(0.0, 1.0, HEIGHT, dtype=np.float32)[:, None, None]
    room = (
        np.array([172.0, 163.0, 148.0], np.float32)
        * (1.05 - 0.35 * rows)
        * np.ones((1, WIDTH, 1), np.float32)
    )
    room[int(HEIGHT * 0.8) :] = (112.0, 84.0, 62.0)
    room[90:330, 900:1160] = (196.0, 214.0, 228.0)
    room[90:330, 1024:1036] = room[204:216, 900:1160] = (120.0, 110.0, 100.0)
    room[470:640, 80:520] = (92.0, 104.0, 118.0)
    noise = np.random.default_rng(7).normal(0.0, 3.0, (HEIGHT, WIDTH, 1)).astype(np.float32)
    return np.clip(room + noise, 0.0, 255.0)


def _compose(
    room: NDArray[np.float32], visitor: NDArray[np.float32], mask: NDArray[np.float32], seconds: float
) -> ImageRGB:
    left = _left_edge(seconds)
    picture = room
    if left is not None:
        top = int(145 + 10 * np.sin(seconds * 2.1))
        first, last = max(0, left), min(WIDTH, left + _PORTRAIT_PX)
        if last > first:
            picture = room.copy()
            inside = slice(first - left, last - left)
            light = 0.92 + 0.08 * np.sin(seconds * 0.9)
            patch = picture[top : top + _PORTRAIT_PX, first:last]
            weight = mask[:, inside]
            patch[:] = patch * (1.0 - weight) + visitor[:, inside] * light * weight
    result: ImageRGB = np.clip(picture, 0.0, 255.0).astype(np.uint8)
    return result


def _left_edge(seconds: float) -> int | None:
    """Where the visitor's picture begins; None when nobody is there. Walks in, sways, walks out."""
    for start, end in VISITS:
        if start <= seconds < end:
            resting = 520 + 40 * np.sin((seconds - start) * 0.8)
            inward = min(1.0, (seconds - start) / _WALK_SECONDS)
            outward = min(1.0, (end - seconds) / _WALK_SECONDS)
            share = min(inward, outward)
            outside = -_PORTRAIT_PX if inward < outward else WIDTH
            return int(outside + (resting - outside) * share)
    return None
