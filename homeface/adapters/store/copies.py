"""The copies that lie beside the database, by name: all hold people, so removal must reach them all."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from homeface.adapters.store import schema

FOLDER_PREFIX = ".homeface-"
"""Of the private folders in which a backup or a restore is made ready, beside the database."""
_SIDE_FILES = ("", "-wal", "-shm")
_LEFT_SECONDS = 3600.0


def before_migration(path: Path, version: int) -> Path:
    """The copy made before an update of the schema."""
    return path.with_name(f"{path.name}.v{version}.backup")


def daily(path: Path) -> Path:
    """The copy that the daemon makes every day."""
    return path.with_name(f"{path.name}.daily.backup")


def before_restore(path: Path) -> Path:
    """What was there before a backup was restored."""
    return path.with_name(f"{path.name}.before-restore.backup")


def whole_copies(path: Path) -> list[Path]:
    """Copies that can take the database's place, the newest first; each is read through."""
    found = sorted(path.parent.glob(f"{path.name}.*.backup"), key=lambda copy: -copy.stat().st_mtime)
    return [copy for copy in found if is_whole(copy)]


def all_copies(path: Path) -> list[Path]:
    """Every file beside the database that holds people, whole or damaged."""
    names = (f"{path.name}.*.backup", f"{path.name}.damaged-*")
    return sorted(copy for name in names for copy in path.parent.glob(name))


def clear_left(path: Path) -> None:
    """Delete what a process left that was killed while it copied the database: nobody has written to it for
    an hour. It holds people, too. Raises OSError.
    """
    before = time.time() - _LEFT_SECONDS
    folders = [left for left in path.parent.glob(f"{FOLDER_PREFIX}????????") if left.is_dir()]
    files = [
        left for name in (".*.part*", ".recovering*") for left in path.parent.glob(f".{path.name}{name}")
    ]
    for left in (*folders, *files):
        try:
            if max(one.stat().st_mtime for one in (left, *left.glob("*"))) >= before:
                continue
            if left in folders:
                shutil.rmtree(left)
            else:
                left.unlink()
        except FileNotFoundError:
            continue  # whoever made it is alive, and has just cleared it away


def set_aside(path: Path) -> Path:
    """Move a database away, with what belongs to it; returns its new place. Raises OSError."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    place = next(candidate for candidate in _places(path, stamp) if not candidate.exists())
    for suffix in reversed(_SIDE_FILES):
        side = path.with_name(path.name + suffix)
        if side.exists():
            side.rename(place.with_name(place.name + suffix))
    return place


def _places(path: Path, stamp: str) -> Iterator[Path]:
    yield path.with_name(f"{path.name}.damaged-{stamp}")
    for number in range(2, 1000):
        yield path.with_name(f"{path.name}.damaged-{stamp}-{number}")


def is_whole(copy: Path) -> bool:
    """Read through: whether it is a sound database of ours, of a schema that this version knows."""
    try:
        address = f"{copy.absolute().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as connection:
            owner = connection.execute("PRAGMA application_id").fetchone()[0]
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            sound = connection.execute("PRAGMA integrity_check(1)").fetchone()[0] == "ok"
    except sqlite3.Error:
        return False
    return bool(sound and owner == schema.APPLICATION_ID and 0 < version <= len(schema.MIGRATIONS))
