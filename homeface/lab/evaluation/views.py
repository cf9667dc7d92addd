"""How a picture is looked at: as it is, as a home camera sees it, or under one named condition.

A face's size is the side of the detector's box (√(width · height)); on upright faces the eyes are
``1 / FACE_PER_EYES`` of it apart. Every view is a function of the picture's bytes and the view's name:
the same picture is always degraded alike.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np

from homeface.core.types import ImageBGR
from homeface.lab.evaluation.degradation import CLEAN, Condition, degrade, home_camera

FACE_PER_EYES = 2.55
"""Side of a face's box in distances between the eyes (median of YuNet's boxes on LFW)."""


@dataclass(frozen=True, slots=True)
class View:
    """One way of looking. ``condition`` None: a random home camera, drawn anew for every picture."""

    name: str
    condition: Condition | None = None
    text: str = ""


CLEAN_VIEW = View("clean", CLEAN, "the picture as it is")


def camera_views(count: int) -> tuple[View, ...]:
    """So many random looks of a home camera."""
    return tuple(
        View(f"camera-{number + 1}", None, "a random look of a home camera") for number in range(count)
    )


def _eyes(face_px: float) -> float:
    return face_px / FACE_PER_EYES


CONDITIONS: tuple[View, ...] = (
    *(
        View(
            f"face-{side}px",
            Condition(f"face-{side}px", interocular_px=_eyes(side), noise=2.0),
            f"a face {side} px wide",
        )
        for side in (24, 32, 48, 64, 96)
    ),
    View(
        "motion-blur",
        Condition("motion-blur", interocular_px=_eyes(64), motion_px=6.0, motion_angle=0.35, noise=2.0),
        "64 px, moved by 6 px during the exposure",
    ),
    View(
        "noise",
        Condition("noise", interocular_px=_eyes(64), noise=16.0),
        "64 px, sensor noise of 16 grey levels",
    ),
    View(
        "dim",
        Condition("dim", interocular_px=_eyes(64), gain=0.25, noise=5.0),
        "64 px, a quarter of the light, noise of 5",
    ),
    View(
        "infrared",
        Condition("infrared", interocular_px=_eyes(64), gain=0.9, noise=4.0, infrared=True),
        "64 px, grey as under infra-red light",
    ),
    View(
        "infrared-48px",
        Condition("infrared-48px", interocular_px=_eyes(48), gain=0.8, noise=5.0, infrared=True),
        "48 px, grey as under infra-red light",
    ),
    View(
        "h264",
        Condition("h264", interocular_px=_eyes(64), noise=3.0, h264_bits=0.12),
        "64 px, H.264 at 0.12 bits a pixel of the face",
    ),
    View(
        "h264-48px",
        Condition("h264-48px", interocular_px=_eyes(48), noise=3.0, h264_bits=0.12),
        "48 px, the same H.264",
    ),
)
"""What homes do to faces. Turned heads are not made but chosen, by the yaw measured (``degraded``)."""


def seed_of(digest: str, view: str) -> int:
    """The random seed of one picture under one view."""
    return int.from_bytes(hashlib.sha256(f"{digest}|{view}".encode()).digest()[:8], "big")


def look_through(image: ImageBGR, interocular_px: float, view: View, digest: str) -> ImageBGR:
    """The picture as ``view`` shows it; ``interocular_px`` is the distance of the eyes in ``image``."""
    if view.condition == CLEAN:
        return image
    generator = np.random.default_rng(seed_of(digest, view.name))
    condition = view.condition if view.condition is not None else home_camera(generator)
    return degrade(image, max(interocular_px, math.ulp(1.0)), condition, generator)
