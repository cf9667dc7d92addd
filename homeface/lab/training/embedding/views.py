"""From wide aligned faces to what a network is fed, a whole batch at once, on the device of the batch.

A network's own cut is a fixed affine map of a wide face. Augmentation turns, shifts and scales within that
map, so that each pixel is sampled once; then colour, light, blur, a small camera picture, infra-red, noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as f
from torch import nn

from homeface.errors import ModelError
from homeface.inference.alignment import PointTemplate, template_named
from homeface.lab.training.embedding.aligned import WIDE_PLACES, WIDE_PX
from homeface.lab.training.embedding.networks import Backbone

_SHRINKS = 0.62
"""Below this scale the wide face is averaged down first: sampling four of its pixels would alias."""
_BLUR_PX = 9


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How much pictures are changed. Angles in degrees, shifts and scales in shares of the crop's side, the
    other figures in shares of full light; ``*_chance`` is the share of pictures that is changed so at all."""

    turn: float = 12.0
    lying_chance: float = 0.0
    bent_chance: float = 0.2
    shift: float = 0.03
    scale: float = 0.08
    flip_chance: float = 0.5
    light: float = 0.3
    contrast: float = 0.3
    colour: float = 0.3
    grey_chance: float = 0.15
    blur_chance: float = 0.2
    small_chance: float = 0.25
    noise: float = 0.03


NOTHING = Augmentation(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
_LYING_DEGREES, _BENT = 80.0, 0.2


class Cutter(nn.Module):
    """(N, 3, WIDE_PX, WIDE_PX) uint8 RGB to a backbone's (N, 3, input_px, input_px) pixels in 0..1.

    Raises ``ModelError`` for a backbone whose faces are not cut by their landmarks.
    """

    theta: torch.Tensor
    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        template = template_named(backbone.template)
        if not isinstance(template, PointTemplate):
            raise ModelError(
                f"Faces cut as {backbone.template!r} have no landmarks at fixed places: train with "
                "arcface_112 or stretched."
            )
        matrix = template.matrix(WIDE_PLACES.astype(np.float64), backbone.input_px)
        self.side = backbone.input_px
        self.shrinks = float(np.linalg.norm(matrix[:, :2], ord=2)) < _SHRINKS
        whole = np.vstack([matrix, [0, 0, 1]])
        # from the grid of the crop (-1..1 over a side) to its pixels, to those of the wide face, to its grid
        half = self.side / 2
        to_crop = np.array([[half, 0, half - 0.5], [0, half, half - 0.5], [0, 0, 1]])
        share = 2 / WIDE_PX
        to_grid = np.array([[share, 0, share / 2 - 1], [0, share, share / 2 - 1], [0, 0, 1]])
        theta = to_grid @ np.linalg.inv(whole) @ to_crop
        self.register_buffer("theta", torch.from_numpy(theta).float(), persistent=False)
        self.register_buffer("mean", torch.tensor(backbone.mean)[None, :, None, None] / 255, persistent=False)
        self.register_buffer("std", torch.tensor(backbone.std)[None, :, None, None] / 255, persistent=False)

    def cut(self, wide: torch.Tensor, moved: torch.Tensor | None = None) -> torch.Tensor:
        """Pixels in 0..1. ``moved`` (N, 3, 3): where each pixel of a wide face is taken from, in units of
        half its side about its centre."""
        pixels = wide.to(self.theta.dtype) / 255
        if self.shrinks:
            pixels = f.avg_pool2d(pixels, 2)  # the grid counts in shares of the picture: nothing moves
        thetas = self.theta.expand(len(pixels), 3, 3) if moved is None else moved.to(self.theta) @ self.theta
        size = [len(pixels), 3, self.side, self.side]
        grid = f.affine_grid(thetas[:, :2].contiguous(), size, align_corners=False)
        return f.grid_sample(pixels, grid, padding_mode="border", align_corners=False)

    def normalised(self, pixels: torch.Tensor) -> torch.Tensor:
        """As the backbone wants them; channels last, which is twice as fast."""
        return ((pixels - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    def forward(self, wide: torch.Tensor) -> torch.Tensor:
        """The plain cut, normalised: what the daemon feeds."""
        return self.normalised(self.cut(wide))


def movements(count: int, how: Augmentation) -> torch.Tensor:
    """(count, 3, 3) random turns, scales, shifts, flips and bendings about the centre, on the CPU.

    Like everything random here they are torch's own, on the CPU: a seed repeats them on any device.
    """
    angle = _uniform(count, math.radians(how.turn))
    lying = _chance(count, how.lying_chance)
    angle = torch.where(lying, angle + _uniform(count, 1.0).sign() * math.radians(_LYING_DEGREES), angle)
    size = torch.exp(_uniform(count, how.scale))
    # a head that bends towards or from the camera looks lower
    bent = torch.where(_chance(count, how.bent_chance), 1 + torch.rand(count) * _BENT, torch.ones(count))
    mirror = torch.where(_chance(count, how.flip_chance), -1.0, 1.0)
    moved = torch.zeros(count, 3, 3)
    moved[:, 0, 0], moved[:, 0, 1] = angle.cos() * size * mirror, -angle.sin() * size * bent
    moved[:, 1, 0], moved[:, 1, 1] = angle.sin() * size * mirror, angle.cos() * size * bent
    moved[:, 0, 2], moved[:, 1, 2] = _uniform(count, 2 * how.shift), _uniform(count, 2 * how.shift)
    moved[:, 2, 2] = 1
    return moved


def _uniform(count: int, spread: float) -> torch.Tensor:
    return (torch.rand(count) * 2 - 1) * spread


def _chance(count: int, share: float) -> torch.Tensor:
    return torch.rand(count) < share


@dataclass(frozen=True, slots=True)
class Weather:
    """What light and camera do to each picture of a batch: drawn once, two networks can be shown the same."""

    light: torch.Tensor
    contrast: torch.Tensor
    colour: torch.Tensor
    grey: torch.Tensor
    small: torch.Tensor
    kernels: torch.Tensor
    noise: float


def weather(count: int, how: Augmentation) -> Weather:
    """Random light, contrast, saturation, infra-red, small pictures and motion blur, on the CPU."""
    return Weather(
        light=_each(1 + _uniform(count, how.light)),
        contrast=_each(1 + _uniform(count, how.contrast)),
        colour=_each(1 + _uniform(count, how.colour)),
        grey=_each(_chance(count, how.grey_chance)),
        small=_each(_chance(count, how.small_chance)),
        kernels=_motion_kernels(count, how.blur_chance),
        noise=how.noise,
    )


def _each(values: torch.Tensor) -> torch.Tensor:
    return values[:, None, None, None]


def weathered(pixels: torch.Tensor, what: Weather) -> torch.Tensor:
    """Pixels in 0..1 as a home camera would have shown them."""
    device = pixels.device
    light, contrast, colour = (t.to(device) for t in (what.light, what.contrast, what.colour))
    weights = torch.tensor([0.299, 0.587, 0.114], device=device)[None, :, None, None]
    luma = (pixels * weights).sum(dim=1, keepdim=True)
    pixels = torch.where(what.grey.to(device), luma, luma + (pixels - luma) * colour)
    middle = pixels.mean(dim=(1, 2, 3), keepdim=True)
    pixels = ((pixels - middle) * contrast + middle) * light
    small = f.interpolate(
        f.interpolate(pixels, scale_factor=0.45, mode="bilinear", antialias=True),
        size=pixels.shape[-2:],
        mode="bilinear",
    )
    pixels = torch.where(what.small.to(device), small, pixels)
    kernels = what.kernels.to(device).repeat_interleave(3, dim=0)[:, None]
    shape = pixels.shape
    flat = f.pad(pixels, [_BLUR_PX // 2] * 4, mode="replicate").reshape(
        1, -1, *[s + _BLUR_PX - 1 for s in shape[2:]]
    )
    pixels = f.conv2d(flat, kernels, groups=len(kernels)).reshape(shape)
    if what.noise:
        pixels = pixels + torch.randn_like(pixels) * what.noise
    return pixels.clamp(0, 1)


def _motion_kernels(count: int, share: float) -> torch.Tensor:
    """(count, 9, 9) lines of random length and direction; a single point for pictures without motion."""
    angle = torch.rand(count, 1, 1) * math.pi
    length = torch.rand(count, 1, 1) * (_BLUR_PX // 2)
    length = torch.where(torch.rand(count, 1, 1) < share, length, torch.zeros(()))
    at = torch.arange(_BLUR_PX) - _BLUR_PX // 2
    y, x = torch.meshgrid(at, at, indexing="ij")
    along = x * angle.cos() + y * angle.sin()
    across = -x * angle.sin() + y * angle.cos()
    line = ((along.abs() <= length + 0.5) & (across.abs() <= 0.71)).float()
    point = ((x == 0) & (y == 0)).float()
    line = torch.where(length > 0, line, point)
    return line / line.sum(dim=(1, 2), keepdim=True).clamp_min(1)
