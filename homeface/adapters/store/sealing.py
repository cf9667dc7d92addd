"""Vectors and crops as encrypted blobs. The context binds each one to its row and its owner."""

from __future__ import annotations

import json
import sqlite3
import struct
from collections.abc import Callable
from dataclasses import asdict

import numpy as np

from homeface.adapters.store.records import FaceCrop
from homeface.adapters.vault import SealBrokenError, Vault
from homeface.core.types import Box, Quality, Reason, Vector

_GEOMETRY = struct.Struct("<14d")  # box, then five points


Row = tuple[str, ...]

SEALED: tuple[tuple[str, str, tuple[str, ...], Callable[[Row], str]], ...] = (
    (
        "template",
        "vector",
        ("id", "subject_id", "model_id"),
        lambda row: f"template:{row[0]}:{row[1]}:{row[2]}",
    ),
    ("unknown_face", "vector", ("id", "visit_id", "model_id"), lambda row: ":".join(("template", *row))),
    ("unknown_face", "picture", ("id", "visit_id"), lambda row: ":".join(("crop.picture", *row))),
    ("unknown_face", "geometry", ("id", "visit_id"), lambda row: ":".join(("crop.geometry", *row))),
    ("crop", "picture", ("id", "subject_id"), lambda row: ":".join(("crop.picture", *row))),
    ("crop", "geometry", ("id", "subject_id"), lambda row: ":".join(("crop.geometry", *row))),
)
"""Every sealed column: table, column, the columns its context is made of (the first one is the key), context.
A change of the key seals them all anew, so a column that is missing here would be lost."""


def reseal(connection: sqlite3.Connection, old: Vault, new: Vault) -> tuple[int, int]:
    """In a transaction: seal every value anew. Returns how many, and how many did not open (they stay)."""
    done = broken = 0
    for table, column, keys, context in SEALED:
        rows = connection.execute(f"SELECT {', '.join(keys)} FROM {table}").fetchall()  # noqa: S608 - our names
        for row in rows:
            where = context(row)
            sealed = connection.execute(
                f"SELECT {column} FROM {table} WHERE {keys[0]} = ?",  # noqa: S608
                row[:1],
            ).fetchone()[0]
            try:
                anew = new.seal(old.open(sealed, where), where)
            except SealBrokenError:
                broken += 1
                continue
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE {keys[0]} = ?", (anew, row[0]))  # noqa: S608
            done += 1
    return done, broken


def seal_vector(vault: Vault, vector: Vector, row: tuple[str, str, str]) -> bytes:
    """``row``: template, subject and model id. Raises ValueError unless (D,), finite and of unit length."""
    array = np.asarray(vector, dtype="<f4")
    if array.ndim != 1 or not np.isfinite(array).all() or abs(float(np.linalg.norm(array)) - 1) > 1e-3:
        raise ValueError(f"a template must be a finite vector of unit length, not one of shape {array.shape}")
    return vault.seal(array.tobytes(), _vector_context(row))


def open_vector(vault: Vault, sealed: bytes, row: tuple[str, str, str]) -> Vector:
    """The vector. Raises SealBrokenError."""
    plain = vault.open(sealed, _vector_context(row))
    return np.frombuffer(plain, dtype="<f4").astype(np.float32)


def seal_crop(vault: Vault, crop: FaceCrop, row: tuple[str, str]) -> tuple[bytes, bytes]:
    """(picture, geometry); ``row``: crop id, subject id."""
    points = np.asarray(crop.landmarks, dtype=np.float64)
    if points.shape != (5, 2):
        raise ValueError(f"landmarks must be (5, 2), not {points.shape}")
    geometry = _GEOMETRY.pack(*crop.box, *points.ravel())
    return (
        vault.seal(crop.jpeg, f"crop.picture:{row[0]}:{row[1]}"),
        vault.seal(geometry, f"crop.geometry:{row[0]}:{row[1]}"),
    )


def open_crop(vault: Vault, picture: bytes, geometry: bytes, row: tuple[str, str]) -> FaceCrop:
    """The crop. Raises SealBrokenError."""
    numbers = _GEOMETRY.unpack(vault.open(geometry, f"crop.geometry:{row[0]}:{row[1]}"))
    return FaceCrop(
        jpeg=vault.open(picture, f"crop.picture:{row[0]}:{row[1]}"),
        box=Box(*numbers[:4]),
        landmarks=np.array(numbers[4:], dtype=np.float32).reshape(5, 2),
    )


def quality_to_json(quality: Quality) -> str:
    """All measurements, for people who ask why a template is weak."""
    return json.dumps(asdict(quality))


def quality_from_json(text: str) -> Quality:
    """The reverse; what a later version no longer knows as a reason is left out."""
    data = json.loads(text)
    known = set(Reason)
    reasons = tuple(Reason(reason) for reason in data.pop("reasons", ()) if reason in known)
    return Quality(**data, reasons=reasons)


def _vector_context(row: tuple[str, str, str]) -> str:
    return f"template:{row[0]}:{row[1]}:{row[2]}"
