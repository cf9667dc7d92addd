"""Procedural rooms for rendered scenes: the still picture of a room, its light, and sensor noise."""

from __future__ import annotations

import functools
import zlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

PILLAR = 0.10
"""Share of the picture's width on either side that a wall covers: people come from behind it."""


@dataclass(frozen=True, slots=True)
class Light:
    """How a room looks to its camera: output = 255·gain·(input/255)^gamma, luma noise in grey levels."""

    name: str
    gain: float = 1.0
    gamma: float = 1.0
    noise: float = 1.6
    colour: float = 1.0

    def luma_table(self) -> NDArray[np.uint8]:
        """256 entries; maps luma in good light to luma in this light."""
        values = 255 * self.gain * (np.arange(256) / 255) ** self.gamma
        return np.clip(values + 4, 0, 255).astype(np.uint8)

    def chroma_table(self) -> NDArray[np.uint8]:
        """256 entries; maps chroma in good light to chroma in this light."""
        values = 128 + (np.arange(256) - 128) * self.colour
        return np.clip(np.round(values), 0, 255).astype(np.uint8)


NORMAL = Light("normal")
DIM = Light("dim", gain=0.52, gamma=1.1, noise=2.4, colour=0.6)
BRIGHT = Light("bright", gain=1.22, gamma=0.9, noise=1.2, colour=0.9)
INFRARED = Light("infrared", gain=0.95, gamma=0.95, noise=2.2, colour=0.0)
LIGHTS = {light.name: light for light in (NORMAL, DIM, BRIGHT, INFRARED)}


@functools.lru_cache(maxsize=8)
def room_picture(room: str, seed: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The empty room (height, width, 3) BGR in good light; the same for the same name, seed and size."""
    width, height = size
    random = np.random.default_rng([seed, zlib.crc32(room.encode())])
    wall = random.uniform(135, 195) + random.uniform(-16, 16, 3)
    floor = random.uniform(70, 115) + np.array([-22, -4, 14]) * random.uniform(0.3, 1.2)
    horizon = round(random.uniform(0.62, 0.72) * height)
    down = np.linspace(1.05, 0.9, height, dtype=np.float32)[:, None, None]
    across = (1 + 0.1 * np.cos(np.linspace(-1.4, 1.8, width)))[None, :, None]
    picture = np.empty((height, width, 3), np.float32)
    picture[:horizon], picture[horizon:] = wall, floor
    picture *= down * across.astype(np.float32)
    _boards(picture, horizon, random)
    for _ in range(int(random.integers(5, 9))):
        _furniture(picture, horizon, random)
    picture = cv2.GaussianBlur(picture, (0, 0), width / 900)
    grain = random.normal(0, 1, (height // 4 + 1, width // 4 + 1)).astype(np.float32)
    texture = cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC)[..., None] * 2.5
    picture += texture
    _pillars(picture, wall * 0.82)
    return np.clip(picture, 8, 247).astype(np.uint8)


def _boards(picture: NDArray[np.float32], horizon: int, random: np.random.Generator) -> None:
    """A skirting board and floor boards that run towards the camera."""
    height, width = picture.shape[:2]
    picture[horizon - height // 60 : horizon] *= 1.15
    middle = width * random.uniform(0.4, 0.6)
    board = tuple((picture[-1, 0] * 0.85).tolist())
    for share in np.linspace(-1.5, 2.5, 25):
        start = (round(middle + (share - 0.5) * width * 0.6), horizon)
        cv2.line(picture, start, (round(share * width), height), board, 2, cv2.LINE_AA)


def _furniture(picture: NDArray[np.float32], horizon: int, random: np.random.Generator) -> None:
    """One piece: a picture on the wall, a cupboard or a low board, with a shadow and a lighter edge."""
    height, width = picture.shape[:2]
    kind = random.integers(0, 3)
    wide = random.uniform(0.06, 0.2) * width
    left = random.uniform(PILLAR, 1 - PILLAR) * width - wide / 2
    if kind == 0:
        top, bottom = 0.08 * height, random.uniform(0.2, 0.4) * height
    elif kind == 1:
        top, bottom = random.uniform(0.2, 0.45) * height, horizon + 0.03 * height
    else:
        top, bottom = random.uniform(0.5, 0.6) * height, horizon + random.uniform(0.02, 0.1) * height
    colour = random.uniform(60, 170) + np.array([-25, -2, 20]) * random.uniform(-0.8, 1.3)
    x1, y1, x2, y2 = (round(value) for value in (left, top, left + wide, bottom))
    shadow = max(2, width // 150)
    area = picture[max(0, y1) : y2 + shadow, max(0, x1 + shadow) : x2 + shadow]
    area *= 0.8
    cv2.rectangle(picture, (x1, y1), (x2, y2), tuple(colour.tolist()), -1)
    cv2.rectangle(picture, (x1, y1), (x2, y2), tuple((colour * 1.25).tolist()), max(1, width // 500))
    if kind == 1:
        cv2.line(picture, ((x1 + x2) // 2, y1), ((x1 + x2) // 2, y2), tuple((colour * 0.7).tolist()), 2)


def _pillars(picture: NDArray[np.float32], colour: NDArray[np.float64]) -> None:
    """The walls on both sides, nearer to the camera, that people come from behind."""
    width = picture.shape[1]
    edge = round(PILLAR * width)
    fall = np.linspace(0.75, 1.0, edge, dtype=np.float32)[None, :, None]
    picture[:, :edge] = colour.astype(np.float32) * fall
    picture[:, -edge:] = colour.astype(np.float32) * fall[:, ::-1]


@functools.lru_cache(maxsize=4)
def noise_bank(sigma: float, size: tuple[int, int], count: int = 5) -> tuple[NDArray[np.int8], ...]:
    """Luma noise frames (height, width) int8, to be used in turn."""
    random = np.random.default_rng(7)
    width, height = size
    shape = (height, width)
    scaled = (random.standard_normal(shape, np.float32) * sigma for _ in range(count))
    return tuple(np.clip(np.round(frame), -127, 127).astype(np.int8) for frame in scaled)
