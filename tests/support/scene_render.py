"""Renders a planned scene: people over a still room, in YUV, straight into an H.264 file.

Only the region of each person is composed; the room, the noise and every picture at its size are made once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from tests.support.scene_people import Colour, Portrait, acting_portraits, clothes, cut_out
from tests.support.scene_rooms import PILLAR, Light, noise_bank, room_picture

if TYPE_CHECKING:
    from tests.support.scene import Scene, Visit

Plane = NDArray[np.uint8]
_TRUTH_WIDTH = 1920


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """A picture as planar YUV 4:2:0."""

    y: Plane
    u: Plane
    v: Plane


@dataclass(frozen=True, slots=True, eq=False)
class Sprite:
    """A person at one size in one light: per plane the colour times alpha, and 255 − alpha (uint16)."""

    planes: tuple[tuple[NDArray[np.uint16], NDArray[np.uint16]], ...]
    anchor: tuple[float, float]


def frames(plan: Scene, room: str, size: tuple[int, int], fps: int) -> Iterator[NDArray[np.uint8]]:
    """Every frame of a room as (height·3/2, width) planar YUV 4:2:0."""
    width, height = size
    stage = _Stage(plan, room, size)
    for index in range(round(plan.duration * fps)):
        time = index / fps
        light = plan.light_at(room, time)
        planes = stage.background(light)
        for visit in sorted(plan.visits_in(room, time), key=lambda visit: visit.face_px):
            stage.draw(planes, visit, time, light)
        bank = noise_bank(light.noise, size)
        luma = cv2.add(planes.y, bank[index % len(bank)], dtype=cv2.CV_8U)
        chroma = np.concatenate((planes.u.reshape(-1), planes.v.reshape(-1)))
        yield np.concatenate((luma.reshape(-1), chroma)).reshape(height * 3 // 2, width)


def render(plan: Scene, room: str, path: Path, size: tuple[int, int], fps: int) -> Path:
    """Write the room as H.264 (yuv420p, a key frame each second, no B-frames, as cameras do)."""
    part = path.with_suffix(f".{os.getpid()}.part.mp4")
    options = {"preset": "veryfast", "crf": "26", "bf": "0", "sc_threshold": "0", "threads": "2"}
    with av.open(str(part), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps, options=options)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.gop_size = fps
        stream.time_base = Fraction(1, fps)
        for index, picture in enumerate(frames(plan, room, size, fps)):
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return part.replace(path)


class _Stage:
    """A room with its caches; ``draw`` puts people into a copy of it."""

    def __init__(self, plan: Scene, room: str, size: tuple[int, int]) -> None:
        self._size = size
        self._scale = size[0] / _TRUTH_WIDTH
        self._empty = _to_yuv(room_picture(room, plan.seed, size))
        self._lit: dict[str, Planes] = {}
        self._sprites: dict[tuple[Visit, str, str], Sprite] = {}

    def background(self, light: Light) -> Planes:
        """A fresh copy of the empty room in this light."""
        if light.name not in self._lit:
            self._lit[light.name] = _relight(self._empty, light)
        lit = self._lit[light.name]
        return Planes(lit.y.copy(), lit.u.copy(), lit.v.copy())

    def draw(self, planes: Planes, visit: Visit, time: float, light: Light) -> None:
        """Compose one person into the planes, cut off by the walls on both sides."""
        centre = visit.centre_at(time)
        if centre is None:
            return
        sprite = self._sprite(visit, visit.picture_at(time), light)
        left = 2 * round((centre[0] * self._scale - sprite.anchor[0]) / 2)
        top = 2 * round((centre[1] * self._scale - sprite.anchor[1]) / 2)
        wall = 2 * round(PILLAR * self._size[0] / 2)
        parts = zip((planes.y, planes.u, planes.v), sprite.planes, (1, 2, 2), strict=True)
        for plane, (colour, rest), factor in parts:
            limits = (wall // factor, (self._size[0] - wall) // factor)
            _blend(plane, colour, rest, (left // factor, top // factor), limits)

    def _sprite(self, visit: Visit, name: str, light: Light) -> Sprite:
        key = (visit, name, light.name)
        if key not in self._sprites:
            if len(self._sprites) > 40:
                self._sprites.clear()
            by_name = {portrait.path.name: portrait for portrait in acting_portraits(visit.person)}
            cloth = clothes(by_name[visit.pictures[0][1]])
            self._sprites[key] = _make_sprite(by_name[name], cloth, visit.face_px * self._scale, light)
        return self._sprites[key]


def _make_sprite(portrait: Portrait, cloth: Colour, face_px: float, light: Light) -> Sprite:
    cutout = cut_out(portrait, cloth)
    scale = face_px / cutout.face_size[1]
    height, width = cutout.alpha.shape
    size = (2 * round(width * scale / 2), 2 * round(height * scale / 2))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    planes = _relight(_to_yuv(cv2.resize(cutout.bgr, size, interpolation=method)), light)
    alpha = cv2.resize(cutout.alpha, size, interpolation=cv2.INTER_LINEAR)
    half = cv2.resize(alpha, (size[0] // 2, size[1] // 2), interpolation=cv2.INTER_AREA)
    pairs = tuple(
        (plane.astype(np.uint16) * cover, 255 - cover.astype(np.uint16))
        for plane, cover in ((planes.y, alpha), (planes.u, half), (planes.v, half))
    )
    return Sprite(pairs, (cutout.anchor[0] * scale, cutout.anchor[1] * scale))


def _blend(
    plane: Plane,
    colour: NDArray[np.uint16],
    rest: NDArray[np.uint16],
    corner: tuple[int, int],
    limits: tuple[int, int],
) -> None:
    """plane = (colour·alpha + plane·(255 − alpha)) / 255 where the sprite lies inside the limits."""
    height, width = colour.shape
    x1, x2 = max(corner[0], limits[0]), min(corner[0] + width, limits[1])
    y1, y2 = max(corner[1], 0), min(corner[1] + height, plane.shape[0])
    if x1 >= x2 or y1 >= y2:
        return
    there = (slice(y1, y2), slice(x1, x2))
    here = (slice(y1 - corner[1], y2 - corner[1]), slice(x1 - corner[0], x2 - corner[0]))
    plane[there] = (colour[here] + plane[there] * rest[here]) // 255


def _to_yuv(picture: NDArray[np.uint8]) -> Planes:
    """BGR (h, w, 3) with even sides to planes."""
    height, width = picture.shape[:2]
    flat = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420)
    quarter = height * width // 4
    rest = flat[height:].reshape(-1)
    shape = (height // 2, width // 2)
    return Planes(flat[:height], rest[:quarter].reshape(shape), rest[quarter:].reshape(shape))


def _relight(planes: Planes, light: Light) -> Planes:
    luma, chroma = light.luma_table(), light.chroma_table()
    return Planes(luma[planes.y], chroma[planes.u], chroma[planes.v])
