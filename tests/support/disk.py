"""What can still be read on the disk of what should be gone: SQLite spreads large values over pages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

_SLICE = 48


def everything_on(folder: Path) -> bytes:
    """All bytes of all files below a folder."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def pieces(blob: bytes) -> list[bytes]:
    """Short pieces of a value, of which most lie within one page."""
    return [blob[start : start + _SLICE] for start in range(0, len(blob) - _SLICE + 1, 200)]


def all_there(blobs: Sequence[bytes], folder: Path) -> bool:
    """Whether something of every value can be read."""
    disk = everything_on(folder)
    return bool(blobs) and all(any(piece in disk for piece in pieces(blob)) for blob in blobs)


def none_there(blobs: Sequence[bytes], folder: Path) -> bool:
    """Whether nothing of any value can be read."""
    disk = everything_on(folder)
    return not any(piece in disk for blob in blobs for piece in pieces(blob))
