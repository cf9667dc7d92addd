"""The training list as samples: wide aligned faces and the number of each one's person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from homeface.errors import DatasetError, ImageError
from homeface.lab.training.embedding.aligned import WIDE_PX, read_face
from homeface.lab.training.task import Dice

_FACE_BYTES = 3 * WIDE_PX * WIDE_PX


@dataclass(frozen=True, slots=True)
class Listed:
    """A training list. ``labels`` number people from 0 without gaps; ``ids`` are those of the list."""

    files: tuple[Path, ...]
    labels: tuple[int, ...]
    ids: tuple[str, ...]

    @property
    def people(self) -> int:
        """How many different people."""
        return len(self.ids)


Entries = Sequence[tuple[Path, str]]
"""Faces and the ids of their people."""


def read_list(file: Path, folder: Path) -> Entries:
    """Lines ``path id``, paths within ``folder``; ids may be any words, and numbers may have gaps.

    Raises DatasetError naming file and line of what is wrong.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"The training list {file} cannot be read: {error}.") from error
    entries: list[tuple[Path, str]] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        path, _, identity = line.strip().rpartition(" ")
        if not path:
            raise DatasetError(f"{file}:{number}: expected 'path id', such as 'Ada/1.jpg 0', not {line!r}.")
        place = folder / path.strip()
        if not place.is_file():
            raise DatasetError(f"{file}:{number}: there is no picture {place}.")
        entries.append((place, identity))
    return entries


def chosen(entries: Entries, least: int, where: str) -> Listed:
    """People with ``least`` faces or more, numbered in the order of the list. Raises DatasetError."""
    counts: dict[str, int] = {}
    for _, identity in entries:
        counts[identity] = counts.get(identity, 0) + 1
    ids = tuple(identity for identity, count in counts.items() if count >= least)
    if len(ids) < 2:
        raise DatasetError(
            f"{where}: {len(ids)} of {len(counts)} people have {least} faces or more; a network learns from "
            "two people at least. Add people, or lower --least."
        )
    number = {identity: index for index, identity in enumerate(ids)}
    kept = [(path, number[identity]) for path, identity in entries if identity in number]
    return Listed(tuple(path for path, _ in kept), tuple(label for _, label in kept), ids)


class FaceData:
    """Samples of a list: (wide face as (3, WIDE_PX, WIDE_PX) uint8, label).

    ``groups``: an epoch's order has so many faces of each person next to each other (triplets need pairs), 1
    for any order; ``repeat``: an epoch shows every face so many times. ``memory_bytes``: lists that are not
    larger are decoded once and kept; see ``stack``.
    """

    def __init__(
        self, listed: Listed, *, groups: int = 1, repeat: int = 1, memory_bytes: int = 2_000_000_000
    ) -> None:
        self._listed, self._groups, self._repeat = listed, groups, repeat
        self.labels: NDArray[np.int64] = np.array(listed.labels, np.int64)
        self.fits = len(listed.files) * _FACE_BYTES <= memory_bytes
        self._by_person = [np.flatnonzero(self.labels == number) for number in range(listed.people)]

    def __len__(self) -> int:
        return len(self._listed.files)

    def order(self, dice: Dice) -> Sequence[int]:
        """Every face, shuffled; in groups of one person where that is asked for."""
        return [index for _ in range(self._repeat) for index in self._once(dice)]

    def _once(self, dice: Dice) -> list[int]:
        if self._groups == 1:
            return [int(index) for index in dice.permutation(len(self))]
        groups: list[NDArray[np.int64]] = []
        for own in self._by_person:
            mixed = dice.permutation(own)
            full = -(-len(mixed) // self._groups) * self._groups
            filled = np.concatenate([mixed, dice.choice(own, full - len(mixed))])
            groups += list(filled.reshape(-1, self._groups))
        return [int(index) for number in dice.permutation(len(groups)) for index in groups[number]]

    def sample(self, index: int, dice: Dice) -> tuple[Any, int]:  # noqa: ARG002 - views are drawn on the device
        """The face, or its number where all faces are kept in memory. Raises DatasetError."""
        if self.fits:
            return index, int(self.labels[index])
        return torch.from_numpy(self._face(index)), int(self.labels[index])

    def collate(self, samples: list[tuple[Any, int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """(N, 3, WIDE_PX, WIDE_PX) uint8 or (N,) numbers of faces, and (N,) labels."""
        faces = [face for face, _ in samples]
        together = torch.tensor(faces) if self.fits else torch.stack(faces)
        return together, torch.tensor([label for _, label in samples])

    def stack(self) -> torch.Tensor:
        """(N, 3, WIDE_PX, WIDE_PX) uint8, every face decoded. Raises DatasetError naming a broken one."""
        return torch.from_numpy(np.stack([self._face(index) for index in range(len(self))]))

    def _face(self, index: int) -> NDArray[np.uint8]:
        try:
            face = read_face(self._listed.files[index])
        except ImageError as error:
            raise DatasetError(str(error)) from error
        return np.ascontiguousarray(face.transpose(2, 0, 1))
