"""Backup and restore: everything the store holds, and the key that opens it, in one file under a password.

A backup says who is in it before anything is restored. What is restored is made ready in a file of its own
(checked, brought to the present schema, sealed with the key of *this* machine, without those who were removed
since) and then takes the place of everything at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from homeface import __version__
from homeface.adapters.sealed_file import open_file, seal_file
from homeface.adapters.store import copies, schema
from homeface.adapters.store.access import Access, access_of, keep_access
from homeface.adapters.store.database import Database
from homeface.adapters.store.failures import told
from homeface.adapters.store.keys import Keys, opens_with, seal_anew
from homeface.adapters.store.people import remove_gone, trace_of
from homeface.adapters.store.settled import Settled, keep_settled, settled_of
from homeface.adapters.vault import sync_folder
from homeface.errors import BackupError, StoreError

_MOST_HEAD_BYTES = 1 << 20
_BUSY_SECONDS = 5.0
_TRIES = 20


@dataclass(frozen=True, slots=True)
class BackupInfo:
    """What a backup holds. ``created_at``: seconds since the epoch."""

    created_at: float
    version: str
    schema: int
    people: tuple[str, ...]
    templates: int
    sightings: int
    database_bytes: int


@dataclass(frozen=True, slots=True)
class _Ours:
    """What this machine keeps when a backup is restored; compared, to see what is written meanwhile."""

    removed: list[tuple[str, float]]
    settled: Settled
    access: Access
    state: list[tuple[Any, ...]]
    acts: list[tuple[Any, ...]]
    version: int

    def forgot_since(self, before: _Ours) -> bool:
        """Whether something that a copy of then holds was removed on purpose."""
        inbox = set(before.settled.inbox or ()) - set(self.settled.inbox or ())
        return bool(inbox) or self.removed != before.removed


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did: names that are there now, how many were left out because they had been removed
    since, and how many values did not open (they had been damaged before the backup was made)."""

    info: BackupInfo
    people: tuple[str, ...]
    left_out: int
    broken: int


def write_backup(database: Database, keys: Keys, target: Path, password: str) -> BackupInfo:
    """Write a new file (mode 0600); never over another one. Raises BackupError, StoreError."""
    if target.exists():
        raise BackupError(f"{target} is there already; homeface does not write over it. Choose another name.")
    partial = target.with_name(f".{target.name}.part")
    try:
        with _beside(database.path) as copy, _new_file(partial) as file:
            database.copy_to(copy)
            info, key = _look(copy), keys.key()
            with closing(sqlite3.connect(copy)) as connection:
                if not opens_with(connection, key):
                    raise BackupError("The key was changed during the backup; start it again.")
            seal_file(file, _content(copy, info, key), password)
        os.link(partial, target)  # unlike a rename, this never replaces a file
        sync_folder(target.parent)
    except FileExistsError as error:
        raise BackupError(f"{target} is there already; homeface does not write over it.") from error
    except OSError as error:
        raise BackupError(f"The backup {target} cannot be written: {error.strerror or error}.") from error
    finally:
        partial.unlink(missing_ok=True)
    return info


def read_backup(source: Path, password: str) -> BackupInfo:
    """What is in it; the whole file is read and verified. Raises BackupError."""
    with _opened(source) as file:
        return _unpack(file, password, None)[0]


def restore_backup(database: Database, keys: Keys, source: Path, password: str) -> Restored:
    """Replace everything by what the backup holds; what was there is copied beside the database before.

    All or nothing. The last presence of the house stays what it is now: an old one would be a lie. Raises
    BackupError and StoreError, and then nothing has changed.
    """
    with _beside(database.path) as ready, told(database.path):
        with _opened(source) as file, _new_file(ready) as target:
            info, key = _unpack(file, password, target)
        _bring_up_to_date(ready)
        with keys.held(), closing(sqlite3.connect(ready, isolation_level=None)) as connection:
            broken = _make_ready(connection, database, keys, key)
            left_out = _take_place(connection, database, ready)
            people = _people(connection)
    return Restored(info, people, left_out, broken)


def _content(copy: Path, info: BackupInfo, key: bytes) -> Iterator[bytes]:
    head = json.dumps({**asdict(info), "key": key.hex()}).encode()
    yield len(head).to_bytes(4, "big") + head
    with copy.open("rb") as file:
        while piece := file.read(1 << 20):
            yield piece


def _unpack(file: BinaryIO, password: str, target: BinaryIO | None) -> tuple[BackupInfo, bytes]:
    """Head and key; the database goes to ``target``. Nothing of it may be used unless this returns."""
    pieces = open_file(file, password)
    start = next(pieces)
    length = int.from_bytes(start[:4], "big")
    if length > min(len(start) - 4, _MOST_HEAD_BYTES):
        raise BackupError("The backup is of a form that this version does not know.")
    info, key = _head(start[4 : 4 + length])
    written = 0
    for piece in _chain(start[4 + length :], pieces):
        written += len(piece)
        if target is not None:
            target.write(piece)
    if written != info.database_bytes:
        raise BackupError("The backup is not whole. Take another copy of it.")
    if info.schema > len(schema.MIGRATIONS):
        raise BackupError(
            f"The backup was made by a newer homeface ({info.version}); update this one ({__version__})."
        )
    return info, key


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _head(text: bytes) -> tuple[BackupInfo, bytes]:
    try:
        fields = json.loads(text)
        key = bytes.fromhex(fields.pop("key"))
        return BackupInfo(**{**fields, "people": tuple(fields["people"])}), key
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BackupError("The backup is of a form that this version does not know.") from error


def _look(copy: Path) -> BackupInfo:
    with closing(sqlite3.connect(copy)) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        people = _people(connection)
        templates, sightings = (
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - fixed names
            for table in ("template", "sighting")
        )
    return BackupInfo(time.time(), __version__, version, people, templates, sightings, copy.stat().st_size)


def _people(connection: sqlite3.Connection) -> tuple[str, ...]:
    rows = connection.execute("SELECT name FROM subject_name WHERE position = 0 ORDER BY name_key")
    return tuple(row[0] for row in rows)


def _bring_up_to_date(ready: Path) -> None:
    """Check it, and migrate it; what SQLite leaves beside it is folded in."""
    try:
        Database(ready, _BUSY_SECONDS).close()
    except StoreError as error:
        raise BackupError(f"The database in the backup cannot be used: {error}") from error
    for copy in copies.all_copies(ready):  # made before a migration: nobody needs it
        copy.unlink()


def _make_ready(connection: sqlite3.Connection, database: Database, keys: Keys, key: bytes) -> int:
    """Seal everything with our key, which takes a while; returns how many values did not open."""
    with database.read():
        vault = keys.vault
    if not opens_with(connection, key):
        raise BackupError("The backup is damaged: its key does not open its database.")
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("BEGIN IMMEDIATE")
    _, broken = seal_anew(connection, key, vault)
    connection.execute("COMMIT")
    return broken


def _take_place(connection: sqlite3.Connection, database: Database, ready: Path) -> int:
    """Let ``ready`` (open as ``connection``) take the place of everything; returns how many were left out.

    The house goes on meanwhile: when it writes what we keep, we take that over again, and so nobody who is
    removed during a restore comes back.
    """
    place, left_out = copies.before_restore(database.path), 0
    copied: _Ours | None = None
    for _ in range(_TRIES):
        with database.read() as live:
            ours = _ours_of(live)
        if copied is None or ours.forgot_since(copied):
            database.copy_to(place)
            copied = ours
            continue  # that took a while, too
        left_out += _keep_ours(connection, ours)
        if database.take_over(ready, _unchanged(ours)):
            return left_out
    place.unlink(missing_ok=True)
    raise BackupError("Too much was written during the restore; nothing has changed. Start it again.")


def _unchanged(ours: _Ours) -> Callable[[sqlite3.Connection], bool]:
    return lambda live: _ours_of(live) == ours


def _ours_of(live: sqlite3.Connection) -> _Ours:
    version = live.execute("SELECT value FROM meta WHERE key = 'gallery_version'").fetchone()
    return _Ours(
        removed=live.execute("SELECT hash, at FROM removed_subject ORDER BY hash").fetchall(),
        settled=settled_of(live),
        access=access_of(live),
        state=live.execute("SELECT id, state FROM presence_state").fetchall(),
        acts=live.execute("SELECT at, who, what, subject FROM audit ORDER BY id").fetchall(),
        version=0 if version is None else int(version[0]),
    )


def _keep_ours(connection: sqlite3.Connection, ours: _Ours) -> int:
    """Removed people out, our presence, who may use the page; returns how many people were left out.

    May be done again with what is newer.
    """
    connection.execute("BEGIN IMMEDIATE")
    gone = {row[0] for row in ours.removed}
    ids = [row[0] for row in connection.execute("SELECT id FROM subject")]
    left_out = [subject_id for subject_id in ids if trace_of(subject_id) in gone]
    connection.executemany("DELETE FROM subject WHERE id = ?", [(subject_id,) for subject_id in left_out])
    remove_gone(connection, gone)
    connection.executemany("INSERT OR IGNORE INTO removed_subject VALUES (?, ?)", ours.removed)
    keep_access(connection, ours.access)
    keep_settled(connection, ours.settled)
    connection.execute("DELETE FROM presence_state")
    connection.executemany("INSERT INTO presence_state VALUES (?, ?)", ours.state)
    first = ours.acts[0][0] if ours.acts else float("inf")
    connection.execute("DELETE FROM audit WHERE at >= ?", (first,))
    connection.executemany("INSERT INTO audit (at, who, what, subject) VALUES (?, ?, ?, ?)", ours.acts)
    _outrun(connection, ours.version)
    connection.execute("COMMIT")
    return len(left_out)


def _outrun(connection: sqlite3.Connection, ours: int) -> None:
    """A version of the gallery that nobody has seen yet, so that everybody loads it."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'gallery_version'").fetchone()
    newer = max(ours, int(row[0]) if row else 0) + 1
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('gallery_version', ?)", (newer,))


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A place for a database in a private folder on the same disk, cleared away afterwards."""
    with told(path):
        folder = tempfile.TemporaryDirectory(prefix=copies.FOLDER_PREFIX, dir=path.parent)
    with folder as name:
        yield Path(name) / "homeface.db"


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        yield file
        file.flush()
        with contextlib.suppress(OSError):
            os.fsync(file.fileno())


@contextmanager
def _opened(source: Path) -> Iterator[BinaryIO]:
    try:
        with source.open("rb") as file:
            yield file
    except OSError as error:
        raise BackupError(f"The backup {source} cannot be read: {error.strerror or error}.") from error
