"""Faces of a household, and what is nobody of it: strangers' faces, and pieces of pictures without a face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from homeface.core.types import ImageBGR
from homeface.errors import DatasetError
from homeface.lab.evaluation.faces import Sampling, pictures_of
from homeface.lab.evaluation.looking import read_picture
from homeface.lab.training.embedding.aligned import WIDE_PX, Aligned

Faces = NDArray[np.uint8]
LEAST_PHOTOS = 8
_EVERY = 4
"""One photo in so many is not learned from."""


@dataclass(frozen=True, slots=True, eq=False)
class Lot:
    """(N, 3, WIDE_PX, WIDE_PX) RGB and the class of each, the last class being everybody else."""

    faces: Faces
    labels: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class HouseholdData:
    """What is learned, and what judges; no photo and no stranger is in both."""

    names: tuple[str, ...]
    learned: Lot
    judged: Lot


def some_strangers(found: list[tuple[str, Path]], people: int, seed: int) -> list[tuple[str, Path]]:
    """The first picture of so many people, drawn by ``seed``: more are not looked at."""
    first: dict[str, Path] = {}
    for person, picture in found:
        first.setdefault(person, picture)
    names = sorted(first)
    drawn = np.random.default_rng(seed).permutation(len(names))[:people]
    return [(names[int(number)], first[names[int(number)]]) for number in sorted(drawn)]


def household_data(
    members: Aligned, strangers: Aligned, pictures: Path | None, unknown: int, seed: int
) -> HouseholdData:
    """``unknown``: strangers' faces that are learned; half as many others judge, and half as many non-faces.

    ``pictures``: the strangers' folder, out of which pieces without a face are cut; None: none are. Raises
    DatasetError naming who has too few photos, and when there are too few strangers.
    """
    by_name: dict[str, list[int]] = {}
    for number, face in enumerate(members.faces):
        by_name.setdefault(face.person, []).append(number)
    few = [f"{name} ({len(own)})" for name, own in by_name.items() if len(own) < LEAST_PHOTOS]
    if few:
        raise DatasetError(
            f"Too few photos with a face: {', '.join(few)}. A classifier needs {LEAST_PHOTOS} of each "
            "member, 20 to 30 are good; with fewer, enrol them: the gallery needs no training."
        )
    names = tuple(by_name)
    dice = np.random.default_rng(seed)
    learned, judged = _others(strangers, names, unknown, dice)
    nothing = _non_faces(pictures, unknown // 2 + unknown // 4, dice) if pictures is not None else []
    parts: dict[bool, tuple[list[Faces], list[int]]] = {True: ([], []), False: ([], [])}

    def put(face: Faces, label: int, *, learn: bool) -> None:
        parts[learn][0].append(face)
        parts[learn][1].append(label)

    for label, own in enumerate(by_name.values()):
        for place, number in enumerate(own):
            put(_planes(members.read(members.faces[number])), label, learn=place % _EVERY != _EVERY - 1)
    for faces, learn in ((learned, True), (judged, False)):
        for number in faces:
            put(_planes(strangers.read(strangers.faces[number])), len(names), learn=learn)
    for number, piece in enumerate(nothing):
        put(_planes(piece), len(names), learn=number < unknown // 2)
    return HouseholdData(names, _lot(parts[True]), _lot(parts[False]))


def _others(
    strangers: Aligned, names: Sequence[str], unknown: int, dice: np.random.Generator
) -> tuple[list[int], list[int]]:
    """Numbers of strangers' faces to learn from and to judge by: one of each person, nobody in both."""
    own = {name.casefold() for name in names}
    first: dict[str, int] = {}
    for number, face in enumerate(strangers.faces):
        if face.person.casefold() not in own:
            first.setdefault(face.person, number)
    drawn = [int(number) for number in dice.permutation(list(first.values()))]
    if len(drawn) < 30:
        raise DatasetError(
            f"There are {len(drawn)} strangers: 'nobody of us' is learned from thirty other people or more, "
            "a hundred are good. Name a folder with more of them (--strangers)."
        )
    count = min(unknown, 2 * len(drawn) // 3)
    return drawn[:count], drawn[count : count + max(10, unknown // 2)]


def _non_faces(folder: Path, count: int, dice: np.random.Generator) -> list[Faces]:
    """Corners of pictures whose face is in the middle, at different sizes."""
    found = pictures_of(folder, Sampling(least=1, most=1))
    pieces: list[Faces] = []
    for number in dice.permutation(len(found))[:count]:
        picture = read_picture(found[int(number)][1])
        if picture is not None:
            pieces.append(_corner(picture, dice))
    return pieces


def _corner(picture: ImageBGR, dice: np.random.Generator) -> Faces:
    """(WIDE_PX, WIDE_PX, 3) RGB."""
    import cv2

    height, width = picture.shape[:2]
    side = max(8, int(min(height, width) * dice.uniform(0.15, 0.25)))
    top, left = dice.integers(2) * (height - side), dice.integers(2) * (width - side)
    piece = cv2.resize(picture[top : top + side, left : left + side], (WIDE_PX, WIDE_PX))
    return np.ascontiguousarray(piece[:, :, ::-1])


def _planes(face: Faces) -> Faces:
    return np.ascontiguousarray(face.transpose(2, 0, 1))


def _lot(part: tuple[list[Faces], list[int]]) -> Lot:
    return Lot(np.stack(part[0]), np.array(part[1], np.int64))
