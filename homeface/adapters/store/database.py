"""One SQLite file: opened, checked and migrated; transactions for one process's threads.

The file is examined through a read-only connection first, so that a damaged one is never written to.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from homeface.adapters.store import copies, schema
from homeface.adapters.store.failures import corrupted, told
from homeface.adapters.vault import own_as, sync_folder
from homeface.errors import StoreDamagedError, StoreError

_log = logging.getLogger(__name__)


class _ChangedError(Exception):
    """Somebody wrote since the caller looked."""


class Database:
    """A connection behind a lock. Blocking: call it from a worker thread.

    WAL, so that a second process (the command line beside the daemon) can read while one writes.
    """

    def __init__(self, path: Path, busy_timeout_seconds: float) -> None:
        """Open, check, migrate. Raises StoreError."""
        self.path = path
        self.on_begin: Callable[[sqlite3.Connection], bool] = lambda _connection: True
        """Called at the beginning of each transaction, inside it. False: begin again, with a newer state."""
        self._lock = threading.RLock()
        self._busy_timeout_seconds = busy_timeout_seconds
        self._closed = False
        with told(path):
            _prepare_file(path)
            examine(path, busy_timeout_seconds)
            self._connection = self._connect()
            try:
                self._migrate()
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Fold the WAL into the file and close. May be called twice."""
        with self._lock, told(self.path):
            if not self._closed:
                self._closed = True
                self._connection.close()

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """One transaction: all or nothing. ``durable``: on the disk when this ends, whatever happens next.

        Without it a power loss may take back the last seconds (never harm the file): right for what is
        written often and is soon old. Raises StoreError; other errors roll back and pass through.
        """
        with self._lock, told(self.path):
            connection = self._open_connection()
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            try:
                self._begin(connection, "BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            finally:
                _roll_back(connection)

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Several SELECTs that see one and the same state. Raises StoreError."""
        with self._lock, told(self.path):
            connection = self._open_connection()
            try:
                self._begin(connection, "BEGIN")
                yield connection
            finally:
                _roll_back(connection)

    def forget_deleted(self) -> bool:
        """Drop the WAL, in which deleted rows can still be read. False when another reader prevents it."""
        with self._lock, told(self.path):
            busy, _, _ = self._open_connection().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            _log.warning(
                "Deleted rows stay readable in %s-wal until the other program that uses it lets go.",
                self.path,
            )
        return not busy

    def copy_to(self, final: Path) -> None:
        """Write all there is now into another file, whole or not at all; it replaces one of that name.

        Raises StoreError; StoreDamagedError rather than replacing a good copy by a damaged one.
        """
        partial = final.with_name(f".{final.name}.part")
        with self._lock, told(final):
            partial.unlink(missing_ok=True)
            try:
                new_private_file(partial)
                with closing(sqlite3.connect(partial)) as copy:
                    self._open_connection().backup(copy)
                if not copies.is_whole(partial):
                    raise StoreDamagedError(corrupted(self.path, "found while it was copied"))
                partial.replace(final)
                sync_folder(final.parent)
            finally:
                partial.unlink(missing_ok=True)

    def take_over(self, source: Path, still: Callable[[sqlite3.Connection], bool]) -> bool:
        """Replace everything by what another database of the same schema holds: at once, or not at all.

        ``still`` is asked while nobody else can write, with a connection that sees what is there. False from
        it: nothing changes, and this returns False. Raises StoreError.
        """
        try:
            with self._lock, told(self.path), closing(sqlite3.connect(source)) as other:
                self._copy_if(other, still)
        except _ChangedError:
            return False
        self.forget_deleted()
        return True

    def _copy_if(self, other: sqlite3.Connection, still: Callable[[sqlite3.Connection], bool]) -> None:
        """Raises _ChangedError."""
        connection = self._open_connection()
        connection.execute("PRAGMA synchronous = FULL")
        shared = connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        pages = other.execute("PRAGMA page_count").fetchone()[0]
        with closing(sqlite3.connect(self.path, timeout=self._busy_timeout_seconds)) as beside:

            def look(status: int = sqlite3.SQLITE_OK, *_counts: int) -> None:
                if status == sqlite3.SQLITE_OK and not still(beside):
                    raise _ChangedError

            if not shared:  # then nobody can read any more once the copying has begun
                look()
            # The first step takes the lock that others write with; nothing counts before the last one.
            other.backup(connection, pages=max(1, pages - 1), progress=look if shared else None)

    def _begin(self, connection: sqlite3.Connection, how: str) -> None:
        connection.execute(how)
        while not self.on_begin(connection):
            connection.execute("ROLLBACK")
            connection.execute(how)

    def _open_connection(self) -> sqlite3.Connection:
        if self._closed:
            raise StoreError(f"The database {self.path} is closed.")
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, isolation_level=None, check_same_thread=False, timeout=self._busy_timeout_seconds
        )
        try:
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA temp_store = MEMORY")
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        except BaseException:
            connection.close()
            raise
        if mode != "wal":
            _log.warning("The disk of %s cannot share it with other programs (mode %s).", self.path, mode)
        return connection

    def _migrate(self) -> None:
        target = len(schema.MIGRATIONS)
        found = _version(self._connection)
        if 0 < found < target:  # a new file holds nothing yet
            self.copy_to(copies.before_migration(self.path, found))
        while (version := _version(self._connection)) < target:
            with self.write() as connection:
                now = _version(connection)
                _refuse_newer(now, self.path)
                if now != version:
                    continue  # another process was faster
                for statement in schema.MIGRATIONS[version]:
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {version + 1}")
            _log.info("The database %s is now at schema %d.", self.path, version + 1)


def examine(path: Path, busy_timeout_seconds: float) -> None:
    """Look only: a sound database of ours, not of a newer version. Raises StoreError, StoreDamagedError."""
    address = f"{path.absolute().as_uri()}?mode=ro"
    with (
        told(path),
        closing(
            sqlite3.connect(address, uri=True, isolation_level=None, timeout=busy_timeout_seconds)
        ) as connection,
    ):
        version = _version(connection)
        is_new = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
        owner = connection.execute("PRAGMA application_id").fetchone()[0]
        problems = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
        if problems != ["ok"]:
            raise StoreDamagedError(corrupted(path, "; ".join(problems)))
        if not is_new and owner != schema.APPLICATION_ID:
            raise StoreError(
                f"{path} is the database of another program; homeface has not changed it. "
                "Choose another file for homeface."
            )
        _refuse_newer(version, path)


def new_private_file(path: Path) -> None:
    """An empty file with mode 0600. Raises FileExistsError, OSError."""
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    try:
        own_as(handle, path.parent)
    finally:
        os.close(handle)


def _prepare_file(path: Path) -> None:
    """Folder and file are private from the start (SQLite would use the umask); side files copy the mode."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        new_private_file(path)
        sync_folder(path.parent)
    except FileExistsError:
        if path.is_dir():
            raise StoreError(f"{path} is a folder; the database must be a file.") from None
        if path.stat().st_uid == os.getuid() and path.stat().st_mode & 0o077:
            path.chmod(0o600)


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:  # not after a commit; and a full disk may have rolled it back already
        connection.execute("ROLLBACK")


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _refuse_newer(version: int, path: Path) -> None:
    if version > len(schema.MIGRATIONS):
        raise StoreError(
            f"The database {path} was written by a newer homeface (schema {version}, this one knows "
            f"{len(schema.MIGRATIONS)}). Update homeface, or restore the copy made before the update "
            f"({path.name}.v*.backup)."
        )
