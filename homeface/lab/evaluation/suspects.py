"""Labels that look wrong: one person under two names, or a picture in the wrong folder.

A rule from the data alone, the same for every embedding. *Likeness to one's own*: the cosine of a picture to
the mean of the other pictures in its folder. Two folders are suspected to be one person when their mean faces
are more alike than one picture in twenty is to its own; a picture is suspected when it is liker to another
folder than to its own, and less like its own than 98 of 100 pictures are.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from homeface.errors import ImageError
from homeface.lab.evaluation.faces import FaceSet
from homeface.lab.evaluation.household import usable

_ALIKE_QUANTILE, _ODD_QUANTILE = 0.05, 0.02
_LEAST_PICTURES = 40


@dataclass(frozen=True, slots=True)
class Suspects:
    """Pairs of people's numbers and numbers of pictures; with sentences for people, in the same order."""

    pairs: tuple[tuple[int, int], ...] = ()
    pictures: tuple[int, ...] = ()
    told: tuple[str, ...] = ()
    alike_from: float = float("inf")
    odd_below: float = float("-inf")

    @property
    def found(self) -> bool:
        """True when there is any."""
        return bool(self.pairs or self.pictures)


def find_suspects(faces: FaceSet) -> Suspects:
    """Suspicious labels among the clean, usable pictures; none when there are too few pictures to tell."""
    rows = np.flatnonzero(usable(faces) & faces.clean)
    vectors, person = faces.vectors[rows].astype(np.float64), faces.person[rows]
    count = np.bincount(person, minlength=len(faces.names))
    sums = np.zeros((len(faces.names), vectors.shape[1]))
    np.add.at(sums, person, vectors)
    rest = sums[person] - vectors
    own = np.full(len(rows), np.nan)
    several = count[person] >= 2
    own[several] = (rest * vectors)[several].sum(axis=1) / np.maximum(
        np.linalg.norm(rest[several], axis=1), 1e-9
    )
    if several.sum() < _LEAST_PICTURES or (count > 0).sum() < 3:
        return Suspects()
    alike_from = float(np.nanquantile(own, _ALIKE_QUANTILE))
    odd_below = float(np.nanquantile(own, _ODD_QUANTILE))
    means = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    pairs = _alike(means, count > 0, alike_from)
    others = vectors @ means.T
    others[np.arange(len(rows)), person] = -1.0
    others[:, count == 0] = -1.0
    best = others.max(axis=1)
    odd = np.flatnonzero(several & (own < best) & (own < odd_below))
    odd = odd[np.argsort(own[odd])]
    return Suspects(
        pairs=tuple((a, b) for a, b, _ in pairs),
        pictures=tuple(int(faces.picture[rows[number]]) for number in odd),
        told=(
            *(f"{faces.names[a]} and {faces.names[b]}: likeness {likeness:.2f}" for a, b, likeness in pairs),
            *(
                f"{_name(faces, int(rows[number]))}: likeness {own[number]:.2f} to its own, "
                f"{best[number]:.2f} to {faces.names[int(others[number].argmax())]}"
                for number in odd.tolist()
            ),
        ),
        alike_from=alike_from,
        odd_below=odd_below,
    )


def _alike(
    means: NDArray[np.float64], there: NDArray[np.bool_], least: float
) -> list[tuple[int, int, float]]:
    """(person, person, likeness) of mean faces, the most alike first; in blocks, for many people."""
    found: list[tuple[int, int, float]] = []
    people = np.flatnonzero(there)
    for start in range(0, len(people), 1000):
        part = people[start : start + 1000]
        likeness = means[part] @ means[people].T
        first, second = np.nonzero((likeness >= least) & (people[None, :] > part[:, None]))
        found += [
            (int(part[a]), int(people[b]), float(likeness[a, b])) for a, b in zip(first, second, strict=True)
        ]
    return sorted(found, key=lambda item: -item[2])


def _name(faces: FaceSet, row: int) -> str:
    if faces.files:
        path = faces.files[int(faces.picture[row])]
        return f"{path.parent.name}/{path.name}"
    return f"picture {int(faces.picture[row])} of {faces.names[int(faces.person[row])]}"


def read_suspects(file: Path, faces: FaceSet) -> Suspects:
    """Suspects from a text file.

    One a line: two people with a space, comma or tab between them, or one picture as
    ``person/picture.jpg``; ``#`` begins a remark. Raises ImageError for a line that names nobody here.
    """
    number = {name: index for index, name in enumerate(faces.names)}
    pictures = {f"{path.parent.name}/{path.name}": index for index, path in enumerate(faces.files)}
    pairs: list[tuple[int, int]] = []
    odd: list[int] = []
    told: list[str] = []
    for place, raw in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        line = raw.partition("#")[0].strip()
        if not line:
            continue
        names = line.replace(",", " ").split()
        if len(names) == 2 and names[0] in number and names[1] in number:
            pairs.append((number[names[0]], number[names[1]]))
        elif line in pictures:
            odd.append(pictures[line])
        else:
            raise ImageError(
                f"{file}:{place}: {line!r} is neither two people of the folder nor one of its pictures "
                "(person/picture.jpg)."
            )
        told.append(line)
    return Suspects(tuple(pairs), tuple(odd), tuple(told))
