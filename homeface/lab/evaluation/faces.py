"""A folder of people turned into embeddings once, and kept: ``DIR/<person>/<pictures>``."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from homeface.core.quality import RECOGNITION_LIMITS, judge
from homeface.core.types import Quality, Reason
from homeface.errors import ImageError
from homeface.inference.types import Detector, Embedder
from homeface.lab.evaluation.cache import Shelf, Table, digest_of, missing
from homeface.lab.evaluation.looking import DLIB, Eyes, Recipe
from homeface.lab.evaluation.views import CLEAN_VIEW, View, camera_views
from homeface.lab.evaluation.workers import CHUNK, DLIB_LOOK, Answer, Task, perform, run_tasks

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".heic", ".avif"})

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class FaceSet:
    """Faces of many people as arrays of equal length.

    ``vectors`` (N, D) unit rows; ``person`` and ``picture`` number the folders and files;
    ``clean`` is True for the picture as it is, False for a degraded look;
    ``qualities`` are judged for recognition; ``missed`` counts the views in which nobody was found.
    ``view`` numbers ``views``; ``area`` is the face's box in square pixels; ``files`` are the pictures.
    """

    model_id: str
    names: tuple[str, ...]
    person: NDArray[np.int64]
    picture: NDArray[np.int64]
    clean: NDArray[np.bool_]
    vectors: NDArray[np.float32]
    qualities: tuple[Quality, ...]
    missed: int
    view: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    views: tuple[str, ...] = ("clean",)
    area: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0, np.float64))
    files: tuple[Path, ...] = ()

    def part(self, number: int, parts: int = 2) -> NDArray[np.bool_]:
        """True for the faces of people in one of several disjoint parts, drawn by a hash of the name."""
        of_name = np.array([int(hashlib.sha256(n.encode()).hexdigest(), 16) % parts for n in self.names])
        return np.asarray(of_name[self.person] == number)

    def of_view(self, name: str) -> NDArray[np.bool_]:
        """True for the faces of one view."""
        return np.asarray(self.view == self.views.index(name))


def people_digest(names: Iterable[str]) -> str:
    """A fingerprint of a set of people, by the names of their folders."""
    return hashlib.sha256("\n".join(sorted(set(names))).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which pictures of a folder are looked at, and how often each besides as it is.

    People with fewer than ``least`` pictures are left out; of the others the first ``most`` count
    (0: all).
    """

    looks: int = 1
    least: int = 3
    most: int = 9


def pictures_of(folder: Path, sampling: Sampling) -> list[tuple[str, Path]]:
    """(person, picture) in a fixed order. Raises ImageError when the folder holds none."""
    found: list[tuple[str, Path]] = []
    people = 0
    for person in sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != "."):
        pictures = sorted(path for path in person.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
        people += bool(pictures)
        if len(pictures) >= max(1, sampling.least):
            found += [(person.name, picture) for picture in pictures[: sampling.most or None]]
    if not found and people:
        raise ImageError(
            f"None of the {people} people in {folder} has {sampling.least} pictures: add pictures, "
            "or ask for fewer."
        )
    if not found:
        raise ImageError(f"There are no pictures in {folder}: expected {folder}/<person>/<picture>.jpg.")
    return found


def cores() -> int:
    """CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Library:
    """The pictures of some people, and every embedding of them that was asked for so far."""

    def __init__(self, found: Sequence[tuple[str, Path]], recipe: Recipe, cache: Path) -> None:
        self.found = list(found)
        self.digests = [digest_of(path) for _, path in self.found]
        self._recipe = recipe
        self._cache = cache

    def embed(
        self,
        views: Sequence[View],
        *,
        jobs: int = 1,
        pictures: NDArray[np.int64] | None = None,
        progress: Progress = lambda _done, _total: None,
    ) -> list[FaceSet]:
        """One set of faces for each look of the recipe. ``pictures``: only these, by number.

        Raises the ``ModelError`` and ``StoreError`` trees.
        """
        chosen = range(len(self.found)) if pictures is None else [int(number) for number in pictures]
        numbers = range(len(self._recipe.looks))
        self._fill([(look, view) for look in numbers for view in views], chosen, jobs, progress)
        return [
            assemble(
                self._recipe.looks[look].model_id,
                self.found,
                self.digests,
                [(view, self._shelf(look, view).load()) for view in views],
                chosen,
            )
            for look in numbers
        ]

    def describe(
        self,
        pictures: NDArray[np.int64],
        *,
        jobs: int = 1,
        progress: Progress = lambda _done, _total: None,
    ) -> NDArray[np.float32]:
        """(pictures of the library, 128) descriptors of dlib.

        NaN where it was not asked; infinite where dlib found nobody.
        """
        self._fill([(DLIB_LOOK, CLEAN_VIEW)], [int(number) for number in pictures], jobs, progress)
        table = self._shelf(DLIB_LOOK, CLEAN_VIEW).load()
        rows = np.full((len(self.found), 128), np.nan, np.float32)
        for number in pictures:
            row = table.where[self.digests[number]]
            rows[number] = table.vectors[row] if table.found[row] else np.inf
        return rows

    def _shelf(self, look: int, view: View) -> Shelf:
        recipe = self._recipe
        model = DLIB if look == DLIB_LOOK else recipe.looks[look].key
        detector = "" if look == DLIB_LOOK else f"{recipe.detector.name}|{recipe.min_face_px}"
        return Shelf(self._cache, f"{model}|{detector}|{view}")

    def _fill(
        self, wanted: Sequence[tuple[int, View]], chosen: Sequence[int], jobs: int, progress: Progress
    ) -> None:
        shelves = {(look, view.name): self._shelf(look, view) for look, view in wanted}
        paths = {self.digests[number]: self.found[number][1] for number in chosen}
        lacking = {key: missing(shelf.load(), paths) for key, shelf in shelves.items()}
        of_name = {view.name: view for _, view in wanted}
        tasks = _tasks(paths, lacking, of_name)
        steps = sum(len(digests) for digests in lacking.values())
        total = len(paths) * len(lacking)
        done = total - steps
        progress(done, total)
        recipe = replace(self._recipe, dlib=any(look == DLIB_LOOK for look, _ in wanted))
        if recipe.dlib:
            recipe = replace(recipe, looks=())
        for task, answer in run_tasks(recipe, tasks, jobs) if tasks else ():
            for key, rows in answer.items():
                shelves[key].add(rows)
            done += len(task.pictures) * len(task.views) * len(task.looks)
            progress(min(done, total), total)
        for shelf in shelves.values():
            shelf.compact()


def _tasks(
    paths: dict[str, Path], lacking: dict[tuple[int, str], set[str]], views: dict[str, View]
) -> list[Task]:
    """Pictures that lack the same looks and views, in small portions."""
    groups: dict[tuple[tuple[str, ...], tuple[int, ...]], list[tuple[str, Path]]] = {}
    for digest, path in paths.items():
        keys = [key for key, digests in lacking.items() if digest in digests]
        if keys:
            names = tuple(dict.fromkeys(view for _, view in keys))
            numbers = tuple(dict.fromkeys(look for look, _ in keys))
            groups.setdefault((names, numbers), []).append((digest, path))
    return [
        Task(tuple(pictures[start : start + CHUNK]), tuple(views[name] for name in names), numbers)
        for (names, numbers), pictures in groups.items()
        for start in range(0, len(pictures), CHUNK)
    ]


def assemble(
    model_id: str,
    found: Sequence[tuple[str, Path]],
    digests: Sequence[str],
    tables: Sequence[tuple[View, Table]],
    chosen: Sequence[int],
) -> FaceSet:
    """The faces of the chosen pictures, picture by picture, the views of each in order."""
    names = tuple(dict.fromkeys(person for person, _ in found))
    number_of = {name: index for index, name in enumerate(names)}
    places = [
        (picture, number, table, table.where[digests[picture]])
        for picture in chosen
        for number, (_, table) in enumerate(tables)
        if digests[picture] in table.where
    ]
    kept = [(picture, number, table, row) for picture, number, table, row in places if table.found[row]]
    width = max((table.vectors.shape[1] for _, table in tables), default=0)
    view = np.array([number for _, number, _, _ in kept], np.int64)
    clean = np.array([tables[number][0] == CLEAN_VIEW for number in view.tolist()], np.bool_)
    boxes = np.array([table.box[row] for _, _, table, row in kept], np.float64).reshape(-1, 4)
    return FaceSet(
        model_id=model_id,
        names=names,
        person=np.array([number_of[found[picture][0]] for picture, _, _, _ in kept], np.int64),
        picture=np.array([picture for picture, _, _, _ in kept], np.int64),
        clean=clean,
        vectors=np.array([table.vectors[row] for _, _, table, row in kept], np.float32).reshape(
            len(kept), width
        ),
        qualities=tuple(judged(table.quality[row], float(table.score[row])) for _, _, table, row in kept),
        missed=len(places) - len(kept),
        view=view,
        views=tuple(shown.name for shown, _ in tables),
        area=(boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]),
        files=tuple(path for _, path in found),
    )


def collect(
    folder: Path,
    detector: Detector,
    embedders: Sequence[Embedder],
    sampling: Sampling,
    cache: Path,
    progress: Progress = lambda _done, _total: None,
) -> list[FaceSet]:
    """Embed every picture as it is and as a home camera sees it, once per embedder, with loaded models."""
    found = pictures_of(folder, sampling)
    digests = [digest_of(path) for _, path in found]
    views = (CLEAN_VIEW, *camera_views(sampling.looks))
    keys = [f"{embedder.model_id}|{detector.name}" for embedder in embedders]
    shelves = {
        (number, view.name): Shelf(cache, f"{keys[number]}|{view}")
        for number in range(len(embedders))
        for view in views
    }
    paths = {digest: path for digest, (_, path) in zip(digests, found, strict=True)}
    lacking = {key: missing(shelf.load(), paths) for key, shelf in shelves.items()}
    eyes = Eyes(detector, [(embedder, False) for embedder in embedders], dlib=False)
    tasks = _tasks(paths, lacking, {view.name: view for view in views})
    for done, task in enumerate(tasks, 1):
        answer: Answer = perform(eyes, task)
        for key, rows in answer.items():
            shelves[key].add(rows)
        progress(done, len(tasks))
    everything = range(len(found))
    return [
        assemble(
            embedder.model_id,
            found,
            digests,
            [(view, shelves[number, view.name].load()) for view in views],
            everything,
        )
        for number, embedder in enumerate(embedders)
    ]


def judged(row: NDArray[np.float64], score: float) -> Quality:
    """A face's quality from the figures that were kept (``looking.quality_numbers``) and its detection's."""
    size, sharpness, yaw, pitch, roll, brightness, contrast, infrared, worth = row.tolist()
    unsure = (Reason.UNSURE_DETECTION,) if score < RECOGNITION_LIMITS.min_detection else ()
    measured = Quality(size, sharpness, yaw, pitch, roll, brightness, contrast, bool(infrared), worth, unsure)
    return judge(measured, RECOGNITION_LIMITS)


def fused(sets: Sequence[FaceSet]) -> FaceSet:
    """Several embedders' vectors of the same faces side by side: cosines become the mean of theirs.

    Raises ValueError when the sets are not of the same faces.
    """
    first = sets[0]
    for other in sets[1:]:
        if not (np.array_equal(first.picture, other.picture) and np.array_equal(first.view, other.view)):
            raise ValueError("only sets of the same faces can be joined")
    vectors = np.concatenate([faces.vectors for faces in sets], axis=1) / np.sqrt(np.float32(len(sets)))
    return replace(
        first, model_id=" & ".join(faces.model_id for faces in sets), vectors=vectors.astype(np.float32)
    )
