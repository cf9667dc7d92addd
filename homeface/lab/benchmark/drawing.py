"""Frames and recordings made on the spot: faces pasted into a drawn room, so that where they are is known.

The face is by default ``skimage.data.astronaut()`` (NASA, public domain), or portraits of one's own.
Recordings are 1080p15 H.264 as a camera sends it: no B-frames, a key frame every two seconds, some noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from homeface.core.types import Box, ImageBGR
from homeface.errors import HomefaceError

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH, HEIGHT, FPS = 1920, 1080, 15
BIT_RATE = 3_000_000
_KEY_SECONDS = 1
"""As docs/install.md asks of a camera; none in between: cameras send none, and x264 takes noise for a cut."""
_NOISE_LEVELS, _NOISES = 2.0, 6
_WALK_SECONDS = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A face with its surroundings: ``image`` BGR, the face's ``box`` in it."""

    image: ImageBGR
    box: Box


def astronaut() -> Portrait:
    """The portrait of the demo, cut to head and shoulders."""
    try:
        from skimage.data import astronaut as picture
    except ImportError as error:
        raise HomefaceError(
            "Without pictures of your own (--frames, --data) the benchmark draws a portrait that comes with "
            "scikit-image: uv sync --extra demo (or pip install 'homeface[demo]')."
        ) from error
    image = np.ascontiguousarray(picture()[2:266, 99:351, 2::-1])  # type: ignore[no-untyped-call]
    return Portrait(image, Box(80.0, 60.0, 172.0, 174.0))


def draw_frame(
    portraits: Sequence[Portrait], faces: int, random: np.random.Generator
) -> tuple[ImageBGR, NDArray[np.float64]]:
    """A 1080p room with so many faces of 80 to 250 px, and their boxes (N, 4)."""
    columns, rows = (1, 1) if faces <= 1 else (4, 1) if faces <= 4 else (6, 3)
    largest = {1: 250, 4: 200, 6: 130}[columns]
    frame = _noisy(room(), random)
    cells = random.permutation(columns * rows)[:faces]
    boxes = []
    for cell in cells:
        portrait = portraits[int(random.integers(len(portraits)))]
        tile, box = _changed(portrait, float(random.uniform(80, largest)), random)
        cell_w, cell_h = WIDTH / columns, HEIGHT / rows
        x = (cell % columns) * cell_w + random.uniform(0, max(1.0, cell_w - tile.shape[1]))
        y = (cell // columns) * cell_h + random.uniform(0, max(1.0, cell_h - tile.shape[0]))
        left, top = int(min(x, WIDTH - tile.shape[1])), int(min(y, HEIGHT - tile.shape[0]))
        paste(frame, tile, max(0, left), max(0, top))
        boxes.append((box.x1 + left, box.y1 + top, box.x2 + left, box.y2 + top))
    return frame, np.array(boxes, np.float64).reshape(-1, 4)


def write_clip(
    path: Path,
    portraits: Sequence[Portrait],
    seconds: float,
    visits: Sequence[tuple[float, float]],
    *,
    walks: bool = True,
) -> Path:
    """A recording in which one person is about in each of ``visits`` (from, to; seconds) and else nobody.

    ``walks`` False: there at once, the whole face in sight.
    """
    import av

    with av.open(str(path), "w") as container:
        options = {"preset": "veryfast", "bf": "0", "g": str(_KEY_SECONDS * FPS), "sc_threshold": "0"}
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = WIDTH, HEIGHT, "yuv420p", BIT_RATE
        stream.codec_context.time_base = Fraction(1, FPS)
        for index, picture in enumerate(_clip(portraits, round(seconds * FPS), visits, walks)):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _clip(
    portraits: Sequence[Portrait], frames: int, visits: Sequence[tuple[float, float]], walks: bool
) -> Iterator[ImageBGR]:
    random = np.random.default_rng(5)
    empty = room()
    noisy = [_noisy(empty, random) for _ in range(_NOISES)]
    for index in range(frames):
        now = index / FPS
        picture = noisy[int(random.integers(_NOISES))]
        for number, (start, end) in enumerate(visits):
            if start <= now < end:
                picture = picture.copy()
                tile = _scaled(portraits[number % len(portraits)], 150.0)[0]
                left = _left(now, start, end, tile.shape[1]) if walks else _standing(now)
                paste(picture, tile, left, 260 + int(8 * np.sin(3 * now)))
        yield picture


def _left(now: float, start: float, end: float, width: int) -> int:
    """Walks in from the left, stands and sways a little, walks out to the right."""
    inward, outward = (now - start) / _WALK_SECONDS, (end - now) / _WALK_SECONDS
    rest = _standing(now)
    if inward < 1:
        return int(-width + (rest + width) * inward)
    return int(WIDTH + (rest - WIDTH) * outward) if outward < 1 else rest


def _standing(now: float) -> int:
    return int(860 + 25 * np.sin(1.3 * now))


def paste(frame: ImageBGR, tile: NDArray[np.uint8], left: int, top: int) -> None:
    """Blend a tile (h, w, 4: BGR and how opaque) into the frame, cut off at its edges."""
    x1, x2 = max(0, left), min(frame.shape[1], left + tile.shape[1])
    y1, y2 = max(0, top), min(frame.shape[0], top + tile.shape[0])
    if x2 <= x1 or y2 <= y1:
        return
    part = tile[y1 - top : y2 - top, x1 - left : x2 - left]
    weight = part[..., 3:].astype(np.float32) / 255
    region = frame[y1:y2, x1:x2]
    region[:] = (region * (1 - weight) + part[..., :3] * weight).astype(np.uint8)


def room() -> ImageBGR:
    """A wall, a floor, a window and a sofa."""
    import cv2

    rows = np.linspace(1.05, 0.7, HEIGHT, dtype=np.float32)[:, None, None]
    picture = np.array([148.0, 163.0, 172.0], np.float32) * rows * np.ones((1, WIDTH, 1), np.float32)
    picture[864:] = (62.0, 84.0, 112.0)
    picture[120:500, 1340:1740] = (228.0, 214.0, 196.0)
    picture[120:500, 1530:1550] = picture[300:318, 1340:1740] = (100.0, 110.0, 120.0)
    picture[700:960, 120:780] = (118.0, 104.0, 92.0)
    smooth: ImageBGR = cv2.GaussianBlur(np.clip(picture, 0, 255).astype(np.uint8), (5, 5), 0)
    return smooth


def _noisy(picture: ImageBGR, random: np.random.Generator) -> ImageBGR:
    noise = random.normal(0.0, _NOISE_LEVELS, (HEIGHT, WIDTH, 1)).astype(np.float32)
    noisy: ImageBGR = np.clip(picture + noise, 0, 255).astype(np.uint8)
    return noisy


def _changed(
    portrait: Portrait, face_px: float, random: np.random.Generator
) -> tuple[NDArray[np.uint8], Box]:
    """As another camera might see it: of another size, darker or lighter, perhaps mirrored or unsharp."""
    import cv2

    tile, box = _scaled(portrait, face_px)
    colours = tile[..., :3].astype(np.float32) * float(random.uniform(0.55, 1.15))
    if random.random() < 0.3:
        colours = np.asarray(cv2.GaussianBlur(colours, (0, 0), 0.012 * face_px), np.float32)
    tile[..., :3] = np.clip(colours, 0, 255).astype(np.uint8)
    if random.random() < 0.5:
        tile = np.ascontiguousarray(tile[:, ::-1])
        box = Box(tile.shape[1] - box.x2, box.y1, tile.shape[1] - box.x1, box.y2)
    return tile, box


def _scaled(portrait: Portrait, face_px: float) -> tuple[NDArray[np.uint8], Box]:
    """(h, w, 4) BGR with a soft oval, the face ``face_px`` high, and where it is."""
    import cv2

    scale = face_px / portrait.box.height
    height, width = (max(2, round(side * scale)) for side in portrait.image.shape[:2])
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    colours = cv2.resize(portrait.image, (width, height), interpolation=interpolation)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    opaque = np.clip((1.0 - np.sqrt(x**2 + y**2)) / 0.12, 0.0, 1.0) * 255
    tile = np.dstack([colours, opaque.astype(np.uint8)])
    return tile, Box(*(value * scale for value in portrait.box))
