"""From SQLite's and the disk's errors to sentences for the person who has to act."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from homeface.errors import StoreDamagedError, StoreError

_PRIMARY_CODE = 0xFF  # extended result codes keep the primary one in the low byte
_LEAST_BYTES = 1 << 16
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn ``sqlite3.Error`` and ``OSError`` about the database at ``path`` into StoreError."""
    try:
        yield
    except sqlite3.Error as error:
        kind = StoreDamagedError if _code(error) in _DAMAGED else StoreError
        raise kind(sentence(error, path)) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(disk_full(path)) from error
        raise StoreError(f"The database {path} cannot be used: {error}.") from error


def sentence(error: sqlite3.Error, path: Path) -> str:
    """What happened, where, and what to do."""
    code = _code(error)
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(path)):
        return disk_full(path)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return (
            f"The database {path} is locked by another program. Close what has it open "
            "(another homeface, a backup, a database viewer) and try again. Nothing was changed."
        )
    if code in _DAMAGED:
        return corrupted(path, str(error))
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
        return (
            f"The database {path} cannot be opened for writing ({error}). "
            "Check that the file and its folder belong to the user homeface runs as."
        )
    if code == sqlite3.SQLITE_IOERR:
        return f"The disk failed while using the database {path} ({error}). Check the disk, then try again."
    return f"The database {path} cannot be used: {error}."


def _code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & _PRIMARY_CODE


def _is_full(path: Path) -> bool:
    """Even opening needs a few pages beside the file; SQLite takes their want for a failure of the disk."""
    try:
        return shutil.disk_usage(path.parent).free < _LEAST_BYTES
    except OSError:
        return False


def disk_full(path: Path) -> str:
    """The sentence for a full disk."""
    return (
        f"The disk that holds the database {path} is full. Free some space and try again. "
        "What was stored before is unharmed."
    )


def corrupted(path: Path, detail: str) -> str:
    """The sentence for a damaged file."""
    return (
        f"The database {path} is damaged ({detail}). homeface has not changed it. Restore it from a backup "
        f"(homeface restore FILE; the service itself takes a whole copy when one lies beside it as "
        f"{path.name}.*.backup), or move it away together with {path.name}-wal and start anew: everybody "
        "must then be enrolled again."
    )
