"""The key of one database: found, made at first use, followed when another process changes it, and changed.

A new key is written beside the old one as ``<name>.next`` before anything is sealed with it, and takes its
place after that is on the disk. Whatever interrupts this, one of the two files opens the database.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from homeface.adapters.store.database import Database
from homeface.adapters.store.sealing import reseal
from homeface.adapters.vault import (
    KEY_BYTES,
    SealBrokenError,
    Vault,
    create_key,
    read_key,
    sync_folder,
    write_private,
)
from homeface.errors import StoreError, StoreKeyError

_log = logging.getLogger(__name__)
_CONTEXT = "meta:key_check"
_PLAIN = b"homeface"


class Keys:
    """Holds the vault of an open database; every transaction makes sure that it is still the right one."""

    def __init__(self, database: Database, key_file: Path) -> None:
        """Find the key, or make one for a database that has none. Raises StoreError."""
        self.key_file = key_file
        self._database = database
        self._key = bytes(KEY_BYTES)  # until the first transaction
        self._check = self._missed = b""
        self.vault = Vault(self._key)
        with database.read() as connection:
            is_new = key_check(connection) is None
        if is_new:
            self._begin()
        database.on_begin = self._follow
        with database.read():
            pass

    def key(self) -> bytes:
        """The bytes of the key in use (for a backup). Raises StoreError."""
        with self._database.read():
            return self._key

    def rotate(self) -> tuple[int, int]:
        """Seal everything with a new key; returns how many values, and how many did not open before.

        Raises StoreError, and then the old key is still the right one.
        """
        following = self._next
        try:
            with self.held():
                with self._database.read() as connection:
                    check = key_check(connection) or b""
                self._settle(check)  # a change that was interrupted after it counted
                following.unlink(missing_ok=True)  # one that was interrupted before
                key = secrets.token_bytes(KEY_BYTES)
                write_private(following, key.hex().encode() + b"\n")
                with self._database.write() as connection:
                    counts = _seal_anew(connection, self.vault, Vault(key))
        except OSError as error:
            raise StoreError(
                f"The key {self.key_file} cannot be changed here ({error.strerror}); the old one stays. "
                "A key that systemd passes on as a credential is changed as docs/safety.md says."
            ) from error
        with self._database.read():  # follows: uses the new key, and puts it into its place
            pass
        try:
            self._database.forget_deleted()
        except StoreError as error:  # it is done all the same
            _log.warning("What the old key had sealed is not overwritten on the disk yet: %s", error)
        return counts

    def drop_file(self, key: bytes) -> bool:
        """Delete the key's file, which is kept elsewhere now, and a next one that came to nothing.

        False: ``key`` is not the one in use any more, and nothing is deleted. Raises StoreError.
        """
        try:
            with self.held():
                with self._database.read() as connection:
                    check = key_check(connection) or b""
                self._settle(check)
                if not _opens(key, check) or _read(self.key_file) not in (key, None):
                    return False
                self.key_file.unlink(missing_ok=True)
                self._next.unlink(missing_ok=True)
                sync_folder(self.key_file.parent)
        except OSError as error:
            raise StoreError(f"The key {self.key_file} cannot be deleted: {error.strerror}.") from error
        return True

    @contextmanager
    def held(self) -> Iterator[None]:
        """No process changes the key meanwhile. Raises OSError."""
        with _held(self.key_file.parent):
            yield

    @property
    def _next(self) -> Path:
        return self.key_file.with_name(f"{self.key_file.name}.next")

    def _begin(self) -> None:
        """A database without a key: it gets the one that lies there, or a new one."""
        try:
            key = read_key(self.key_file)
        except FileNotFoundError:
            key = create_key(self.key_file)
        with self._database.write() as connection:
            if key_check(connection) is None:  # another process may have been faster
                check = Vault(key).seal(_PLAIN, _CONTEXT)
                connection.execute("INSERT INTO meta VALUES ('key_check', ?)", (check,))

    def _follow(self, connection: sqlite3.Connection) -> bool:
        """Use the key of the state that this transaction sees. False: it may be older than the key files;
        begin again. Raises StoreKeyError when the key is lost.
        """
        check = key_check(connection)
        if check is None or check == self._check:
            return True
        key = self._find(check)
        if key is None:
            # Another process may change the key a second time between this state and the look at the files.
            # Then a newer state lies in the database. One that is still the newest has lost its key.
            if check == self._missed:
                raise self._lost(_names(connection))
            self._missed = check
            return False
        self.vault.rekey(key)
        self._key, self._check = key, check
        return True

    def _find(self, check: bytes) -> bytes | None:
        """The key that ``check`` was sealed with.

        The first place is looked at twice: the next key may take it after the first look.
        """
        for path in (self.key_file, self._next, self.key_file):
            key = _read(path)
            if key is not None and _opens(key, check):
                if path == self._next:
                    self._promote(check)
                return key
        return None

    def _lost(self, people: list[str]) -> StoreKeyError:
        """What is lost without the key, and what helps."""
        what = (
            f"{self.key_file} is not the key this database was written with."
            if self.key_file.exists()
            else f"The key file {self.key_file} is missing."
        )
        return StoreKeyError(
            f"{what} Without it the face templates and photos in {self._database.path} cannot be read "
            f"({', '.join(sorted(people)) or 'nobody is enrolled yet'}); names and sightings are not "
            "affected. Put the right key file back, for example from a backup (homeface restore FILE brings "
            f"people and photos back without it). If it is lost for ever, move {self._database.path} away "
            "and enrol everybody again."
        )

    def _promote(self, check: bytes) -> None:
        """Put the next key into its place, unless somebody is at it."""
        with contextlib.suppress(OSError), _held(self.key_file.parent, wait=False):
            self._settle(check)

    def _settle(self, check: bytes) -> None:
        """Inside ``held``: the next key takes its place, if the database has it already."""
        following = _read(self._next)
        if following is not None and _opens(following, check):
            self._next.replace(self.key_file)
            sync_folder(self.key_file.parent)
            _log.info("The key %s was changed.", self.key_file)


def key_check(connection: sqlite3.Connection) -> bytes | None:
    """What the right key opens; None: the database has none yet."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'key_check'").fetchone()
    return row[0] if row else None


def opens_with(connection: sqlite3.Connection, key: bytes) -> bool:
    """Whether this is the database's key."""
    check = key_check(connection)
    return check is not None and _opens(key, check)


def seal_anew(connection: sqlite3.Connection, old: bytes, new: Vault) -> tuple[int, int]:
    """Inside a transaction on a copy: what ``old`` sealed is sealed with ``new``; counts as in ``rotate``."""
    return _seal_anew(connection, Vault(old), new)


def _seal_anew(connection: sqlite3.Connection, old: Vault, new: Vault) -> tuple[int, int]:
    counts = reseal(connection, old, new)
    connection.execute("UPDATE meta SET value = ? WHERE key = 'key_check'", (new.seal(_PLAIN, _CONTEXT),))
    return counts


def _names(connection: sqlite3.Connection) -> list[str]:
    return [row[0] for row in connection.execute("SELECT name FROM subject_name WHERE position = 0")]


def _read(path: Path) -> bytes | None:
    try:
        return read_key(path)
    except FileNotFoundError:
        return None


def _opens(key: bytes, check: bytes) -> bool:
    try:
        return Vault(key).open(check, _CONTEXT) == _PLAIN
    except SealBrokenError:
        return False


@contextmanager
def _held(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """One process at a time changes a key in this folder. Raises BlockingIOError unless ``wait``."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(handle)
