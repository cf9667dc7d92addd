"""Pictures with the boxes of their faces, and everything that is wrong with them."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from homeface.errors import DatasetError

Corners: TypeAlias = NDArray[np.float32]
"""(N, 4): x1, y1, x2, y2 in pixels of the picture."""
GROUPS = ("easy", "medium", "hard")
HEIGHTS_PX = {"easy": 50, "medium": 30, "hard": 10}
"""Least height of a face of each group where the labels do not say which faces belong to it."""
_OUT_PX = 2.0
"""Boxes that stick out of the picture by no more are cut silently: labels are rounded."""
_HELD_OUT = 5
"""Every so-manieth picture is kept for validation when no other data is given for it."""


@dataclass(frozen=True, slots=True, eq=False)
class FacePicture:
    """One picture. No box: a negative. ``groups``: (N,) masks of the faces that must be found, by name."""

    name: str
    path: Path
    boxes: Corners
    groups: Mapping[str, NDArray[np.bool_]]


@dataclass(slots=True)
class Labels:
    """Pictures that can be trained on, and sentences about what was left out or mended."""

    pictures: list[FacePicture] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def faces(self) -> int:
        """Boxes in all."""
        return sum(len(picture.boxes) for picture in self.pictures)


@dataclass(frozen=True, slots=True)
class RawBox:
    """A box as somebody wrote it: left, top, width, height; ``at`` says where, for people."""

    at: str
    xywh: tuple[float, float, float, float]
    invalid: bool = False


@dataclass(frozen=True, slots=True)
class RawPicture:
    """A picture as somebody listed it. ``groups``: numbers of the boxes of each, where that is said."""

    at: str
    name: str
    path: Path
    boxes: Sequence[RawBox]
    groups: Mapping[str, Sequence[int]] | None = None


def checked(raw: Iterable[RawPicture], problems: Sequence[str]) -> Labels:
    """Open every picture and look at every box; what cannot be used is left out and told.

    Raises ``DatasetError`` when nothing is left.
    """
    labels = Labels(problems=list(problems))
    pictures = list(raw)
    with ThreadPoolExecutor() as pool:
        sizes = pool.map(lambda one: _size(one.path), pictures)
        for picture, size in zip(pictures, sizes, strict=True):
            if isinstance(size, str):
                labels.problems.append(f"{picture.at}: {size}; the picture is left out.")
            else:
                labels.pictures.append(_with_boxes(picture, size, labels.problems))
    if not labels.pictures:
        told = f" First problem: {labels.problems[0]}" if labels.problems else ""
        raise DatasetError(f"There is no picture that could be trained on.{told}")
    return labels


def split(labels: Labels) -> tuple[list[FacePicture], list[FacePicture]]:
    """Four fifths to train on, one fifth to validate on: by name, so that a picture stays where it is."""
    held = [zlib.crc32(picture.name.encode()) % _HELD_OUT == 0 for picture in labels.pictures]
    pairs = list(zip(labels.pictures, held, strict=True))
    return [p for p, out in pairs if not out], [p for p, out in pairs if out]


def require_faces(pictures: Sequence[FacePicture], what: str) -> None:
    """Raises ``DatasetError`` for data in which there is nothing to find."""
    if not any(len(picture.boxes) for picture in pictures):
        raise DatasetError(
            f"No face is left in the {len(pictures)} pictures {what}: check their labels, and give more."
        )


def safe_name(text: str) -> str:
    """A path in a list, as it may be followed. Raises ``ValueError`` for one that leads elsewhere."""
    path = PurePosixPath(text.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.name:
        raise ValueError(f"{text!r} is no path inside of the folder of pictures")
    return str(path)


def by_height(boxes: Corners) -> dict[str, NDArray[np.bool_]]:
    """Groups by the height of the faces."""
    heights = boxes[:, 3] - boxes[:, 1]
    return {name: heights >= least for name, least in HEIGHTS_PX.items()}


def _size(path: Path) -> tuple[int, int] | str:
    """(width, height) of a picture, all of which was read; else what is wrong."""
    import cv2

    if not path.is_file():
        return f"there is no picture {path}"
    image = cv2.imread(str(path))
    if image is None:
        return f"{path} cannot be read as a picture"
    return image.shape[1], image.shape[0]


def _with_boxes(picture: RawPicture, size: tuple[int, int], problems: list[str]) -> FacePicture:
    kept: list[tuple[float, float, float, float]] = []
    numbers: list[int] = []
    for number, box in enumerate(picture.boxes):
        corners = _corners(box, size, problems)
        if corners is not None:
            kept.append(corners)
            numbers.append(number)
    boxes = np.array(kept, np.float32).reshape(-1, 4)
    if picture.groups is None:
        groups = by_height(boxes)
    else:
        groups = {name: np.isin(numbers, picture.groups.get(name, ())) for name in GROUPS}
    return FacePicture(picture.name, picture.path, boxes, groups)


def _corners(
    box: RawBox, size: tuple[int, int], problems: list[str]
) -> tuple[float, float, float, float] | None:
    """The box inside the picture, or None with the reason told."""
    x, y, wide, tall = box.xywh
    width, height = size
    text = " ".join(f"{value:g}" for value in box.xywh)
    if box.invalid:
        problems.append(f"{box.at}: the box {text} is marked invalid; it is left out.")
        return None
    if not np.isfinite(box.xywh).all() or wide <= 0 or tall <= 0:
        problems.append(f"{box.at}: the box {text} has no extent; it is left out.")
        return None
    x1, y1, x2, y2 = max(x, 0.0), max(y, 0.0), min(x + wide, width), min(y + tall, height)
    if x2 - x1 < 1 or y2 - y1 < 1:
        problems.append(
            f"{box.at}: the box {text} lies outside of {width} × {height} pixels; it is left out."
        )
        return None
    if max(x1 - x, y1 - y, x + wide - x2, y + tall - y2) > _OUT_PX:
        problems.append(f"{box.at}: the box {text} sticks out of {width} × {height} pixels; it is cut there.")
    return x1, y1, x2, y2
