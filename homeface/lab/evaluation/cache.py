"""Embeddings kept on disk, by the content of the pictures: moved or renamed files are not looked at again."""

from __future__ import annotations

import hashlib
import inspect
import os
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from homeface.core import geometry, quality
from homeface.errors import StoreError
from homeface.inference import alignment
from homeface.lab.evaluation import degradation, views
from homeface.lab.evaluation.looking import QUALITY_FIELDS, Rows

FIELDS = ("found", "vectors", "quality", "box", "score")


@cache
def code_version() -> str:
    """Changes with the code that cuts, degrades and judges a face: figures of other code are not taken up."""
    sources = (
        geometry.similarity_transform,
        geometry.head_pose,
        geometry.interocular,
        quality,
        alignment,
        degradation,
        views,
    )
    text = "".join(inspect.getsource(source) for source in sources)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def digest_of(path: Path) -> str:
    """SHA-256 of a file's bytes; of nothing when it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Rows by digest: ``where`` gives the row of the arrays."""

    where: dict[str, int]
    found: NDArray[np.bool_]
    vectors: NDArray[np.float32]
    quality: NDArray[np.float64]
    box: NDArray[np.float64]
    score: NDArray[np.float64]


class Shelf:
    """The rows of one look under one view, as files of a folder that only ever gains files."""

    def __init__(self, cache_folder: Path, key: str) -> None:
        """Raises ``StoreError`` when the folder cannot be made."""
        name = hashlib.sha256(f"{key}|{code_version()}".encode()).hexdigest()[:20]
        self._folder = cache_folder / name
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"Embeddings cannot be kept in {cache_folder} ({error}): name another folder with --cache."
            ) from error

    def add(self, rows: Rows) -> None:
        """Keep these rows. A process that dies meanwhile leaves no half file behind under its final name."""
        if not rows.digests:
            return
        width = max((len(vector) for vector in rows.vectors), default=0)
        vectors = np.zeros((len(rows.vectors), width), np.float32)
        for number, vector in enumerate(rows.vectors):
            vectors[number, : len(vector)] = vector
        path = self._folder / f"{uuid.uuid4().hex}.npz"
        unfinished = path.with_suffix(".part")
        try:
            with unfinished.open("wb") as file:
                np.savez(
                    file,
                    digests=np.array(rows.digests, dtype="S64"),
                    found=np.array(rows.found, np.bool_),
                    vectors=vectors,
                    quality=np.array(rows.quality, np.float64).reshape(-1, QUALITY_FIELDS),
                    box=np.array(rows.box, np.float64).reshape(-1, 4),
                    score=np.array(rows.score, np.float64),
                )
            unfinished.replace(path)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise StoreError(f"Embeddings cannot be kept in {self._folder}: {error}.") from error

    def load(self) -> Table:
        """Everything kept so far; files that are damaged are removed and their pictures looked at again."""
        chunks: list[dict[str, NDArray[np.generic]]] = []
        for path in sorted(self._folder.glob("*.npz")):
            try:
                with np.load(path) as data:
                    chunks.append({name: data[name] for name in ("digests", *FIELDS)})
            except (OSError, ValueError, KeyError, EOFError):
                path.unlink(missing_ok=True)
        return _table(chunks)

    def compact(self) -> None:
        """One file in place of many."""
        paths = sorted(self._folder.glob("*.npz"))
        if len(paths) < 2:
            return
        table = self.load()
        rows = Rows(
            list(table.where),
            table.found.tolist(),
            list(table.vectors),
            [tuple(row) for row in table.quality.tolist()],
            [tuple(row) for row in table.box.tolist()],
            table.score.tolist(),
        )
        self.add(rows)
        for path in paths:
            path.unlink(missing_ok=True)


def _table(chunks: Sequence[dict[str, NDArray[np.generic]]]) -> Table:
    width = max((chunk["vectors"].shape[1] for chunk in chunks), default=0)
    where: dict[str, int] = {}
    kept: list[int] = []
    first = 0
    for chunk in chunks:
        for offset, digest in enumerate(chunk["digests"].tolist()):
            name = digest.decode()
            if name not in where:
                where[name] = len(kept)
                kept.append(first + offset)
        first += len(chunk["digests"])
    index = np.array(kept, np.int64)

    def joined(name: str, empty: tuple[int, ...], dtype: type) -> NDArray[np.generic]:
        parts = [_wide(chunk[name], width) if name == "vectors" else chunk[name] for chunk in chunks]
        everything = np.concatenate(parts) if parts else np.zeros(empty, dtype)
        return np.asarray(everything[index], dtype)

    return Table(
        where=where,
        found=np.asarray(joined("found", (0,), np.bool_), np.bool_),
        vectors=np.asarray(joined("vectors", (0, 0), np.float32), np.float32),
        quality=np.asarray(joined("quality", (0, QUALITY_FIELDS), np.float64), np.float64),
        box=np.asarray(joined("box", (0, 4), np.float64), np.float64),
        score=np.asarray(joined("score", (0,), np.float64), np.float64),
    )


def _wide(vectors: NDArray[np.generic], width: int) -> NDArray[np.generic]:
    """Chunks in which nobody was found have vectors of no length."""
    if vectors.shape[1] == width:
        return vectors
    return np.zeros((len(vectors), width), np.float32)


def missing(shelf: Table, digests: Iterable[str]) -> set[str]:
    """Digests that the table does not have."""
    return {digest for digest in digests if digest not in shelf.where}


def default_folder() -> Path:
    """``$XDG_CACHE_HOME/homeface/evaluation``."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "homeface" / "evaluation"
