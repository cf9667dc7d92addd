"""Everything homeface keeps, in one encrypted place."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

from homeface.adapters.store import copies
from homeface.adapters.store.accounts import AccountTables
from homeface.adapters.store.audit import AuditTables
from homeface.adapters.store.backup import BackupInfo, Restored, restore_backup, write_backup
from homeface.adapters.store.database import Database
from homeface.adapters.store.journal import JournalTables, forget_in_state
from homeface.adapters.store.keys import Keys
from homeface.adapters.store.learned import LearnedTables
from homeface.adapters.store.links import LinkTables, SettingTables
from homeface.adapters.store.people import PeopleTables, touch, trace_of
from homeface.adapters.store.records import Counts
from homeface.adapters.store.unknown import UnknownTables
from homeface.adapters.vault import write_private
from homeface.core.gallery import Template
from homeface.errors import GalleryError, StoreError

BUSY_TIMEOUT_SECONDS = 5.0
DAY_SECONDS = 86400.0


class Store(
    PeopleTables,
    LearnedTables,
    UnknownTables,
    JournalTables,
    AuditTables,
    AccountTables,
    LinkTables,
    SettingTables,
):
    """Subjects, templates, crops, sightings, unknown visits, the last state, administrative acts, accounts.

    Blocking and thread-safe: from asyncio call it with ``asyncio.to_thread``. Every method raises
    StoreError when the disk or the file fails, and then nothing was changed. Use it as a context
    manager or call ``close``.
    """

    def __init__(
        self, path: Path, *, key_file: Path | None = None, busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS
    ) -> None:
        """Open or create. ``key_file``: where the encryption key lies (by default beside the database as
        ``<name>.key``); it is made at first use. Raises StoreError.
        """
        self.path = path
        self.key_file = key_file or path.with_suffix(".key")
        database = Database(path, busy_timeout_seconds)
        try:
            self._keys = Keys(database, self.key_file)
        except BaseException:
            database.close()
            raise
        PeopleTables.__init__(self, database, self._keys.vault)
        LearnedTables.__init__(self, database, self._keys.vault)
        UnknownTables.__init__(self, database, self._keys.vault)
        JournalTables.__init__(self, database)
        AuditTables.__init__(self, database)
        AccountTables.__init__(self, database)
        LinkTables.__init__(self, database)
        SettingTables.__init__(self, database)

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Fold everything into the one file. May be called twice."""
        self._database.close()

    def counts(self) -> Counts:
        """How much is stored."""
        with self._database.read() as connection:
            numbers = [
                connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 (fixed names)
                for table in ("subject", "template", "crop", "sighting")
            ]
        return Counts(*numbers)

    def instance_id(self) -> str:
        """32 hexadecimal digits that tell this installation from every other one; made at the first call."""
        with self._database.write() as connection:
            connection.execute("INSERT OR IGNORE INTO meta VALUES ('instance_id', ?)", (uuid.uuid4().hex,))
            row = connection.execute("SELECT value FROM meta WHERE key = 'instance_id'").fetchone()
        return str(row[0])

    def remove_subject(self, subject_id: str) -> None:
        """Forget a person: templates, crops, sightings, place in the stored state, and the copies beside
        the database, since they hold the person too; a backup that is restored later brings nobody back.
        Raises GalleryError when there is no such subject.
        """
        with self._database.write() as connection:
            if not connection.execute("DELETE FROM subject WHERE id = ?", (subject_id,)).rowcount:
                raise GalleryError(
                    f"There is no subject {subject_id}; `homeface people list` shows who there is."
                )
            forget_in_state(connection, subject_id)
            connection.execute(
                "INSERT INTO removed_subject VALUES (?, ?)", (trace_of(subject_id), time.time())
            )
            touch(connection)
        self._database.forget_deleted()
        self._forget_copies("person")

    def remove_template(self, template_id: str) -> None:
        """Forget one photo, crop included, here and in the copies beside the database. Raises GalleryError
        when there is no such template.
        """
        super().remove_template(template_id)
        self._forget_copies("photo")

    def forget_learned(self, subject_id: str | None = None, *, but_model: str | None = None) -> int:
        """Forget what visits taught, here and in the copies beside the database, which might have to take its
        place; returns how many templates that were.
        """
        count = super().forget_learned(subject_id, but_model=but_model)
        if count:
            self._forget_copies("lesson")
        return count

    def remove_unknown_visits(self, visit_ids: Sequence[str] | None = None) -> int:
        """Forget these visits (None: all), here and in the copies beside the database; returns how many."""
        gone = super().remove_unknown_visits(visit_ids)
        self._forget_copies("visit")
        return gone

    def export(self, subject_id: str, folder: Path) -> list[Path]:
        """Write ``exported`` into ``folder``, which must be new or empty, readable by the owner alone.

        Returns the files. Raises StoreError, GalleryError.
        """
        return _write_folder(folder, self.exported(subject_id))

    def exported(self, subject_id: str) -> dict[str, bytes]:
        """All that is known of a person by file name: crops as JPEG, and ``subject.json``.

        Raises GalleryError when there is no such subject.
        """
        subject = self.require_subject(subject_id)
        files: dict[str, bytes] = {}
        described = []
        for number, template in enumerate(self.templates(subject_id=subject.subject_id), start=1):
            entry = self._described(template)
            crop = self.crop(template.template_id)
            if crop is not None:
                file = f"{number:03d}.jpg"
                files[file] = crop.jpeg
                box = [round(value, 1) for value in crop.box]
                entry["crop"] = {"file": file, "box": box, "landmarks": crop.landmarks.round(1).tolist()}
            described.append(entry)
        sightings = self.sightings(subject_id=subject.subject_id, limit=-1)
        files["subject.json"] = _json(
            {
                "subject_id": subject.subject_id,
                "name": subject.name,
                "aliases": subject.aliases,
                "templates": described,
                "sightings": [
                    {"room": item.room, "camera": item.camera, "from": item.first_seen, "to": item.last_seen}
                    for item in sightings
                ],
            }
        )
        return files

    def back_up(self, target: Path, password: str) -> BackupInfo:
        """Everything, and the key, in one new file under a password. Raises BackupError, StoreError."""
        return write_backup(self._database, self._keys, target, password)

    def restore(self, source: Path, password: str) -> Restored:
        """Replace everything by a backup, at once or not at all; a daemon that runs goes on with it.

        Whoever was removed here since stays removed. Raises BackupError, StoreError.
        """
        return restore_backup(self._database, self._keys, source, password)

    def make_daily_copy(self, now: float) -> bool:
        """Copy the database beside itself when the last copy is a day old or gone: a damaged file is replaced
        by it at the next start. ``now``: seconds since the epoch. Raises StoreError.
        """
        place = copies.daily(self.path)
        if place.exists() and 0 <= now - place.stat().st_mtime < DAY_SECONDS:
            return False
        self._database.copy_to(place)
        return True

    def copied_at(self) -> float | None:
        """When the daily copy was made (seconds since the epoch); None: there is none. Raises OSError."""
        place = copies.daily(self.path)
        return place.stat().st_mtime if place.exists() else None

    def has_whole_copy(self) -> bool:
        """Whether a copy lies beside the database that could take its place (it is read through)."""
        return bool(copies.whole_copies(self.path))

    def key(self) -> bytes:
        """The key that opens this database. Never log or show it. Raises StoreError."""
        return self._keys.key()

    def drop_key_file(self, key: bytes) -> bool:
        """Delete the plain key, which is kept elsewhere; False, and nothing is done, when ``key`` is not the
        one in use any more. Raises StoreError.
        """
        return self._keys.drop_file(key)

    def rotate_key(self) -> tuple[int, int]:
        """Seal everything with a new key, and delete the copies that the old one opens.

        Returns how many values were sealed anew, and how many had not opened before (they stay as they are).
        Other processes follow by themselves. Raises StoreError, and then the old key is still the right one.
        """
        counts = self._keys.rotate()
        self._forget_copies("old key")
        return counts

    def forget_old_copies(self, older_than: float) -> int:
        """Delete copies beside the database from before ``older_than`` (seconds since the epoch): retention
        is for them, too. What a killed process left goes as well. Returns how many copies. Raises StoreError.
        """
        try:
            old = [copy for copy in copies.all_copies(self.path) if copy.stat().st_mtime < older_than]
            for copy in old:
                copy.unlink(missing_ok=True)
            copies.clear_left(self.path)
        except OSError as error:
            raise StoreError(f"An old copy of the database cannot be deleted: {error}.") from error
        return len(old)

    def set_password(self, account_id: str, password: str, *, keep_session: bytes | None = None) -> None:
        """Another password (already hashed), which the old one must not come back instead of."""
        super().set_password(account_id, password, keep_session=keep_session)
        self._renew_daily_copy()

    def remove_account(self, account_id: str) -> bool:
        """Remove a member and their sessions, from the daily copy as well; False when there is none."""
        gone = super().remove_account(account_id)
        self._renew_daily_copy()
        return gone

    def remove_token(self, token_id: str) -> bool:
        """Take a token back, from the daily copy as well; False when there is none."""
        gone = super().remove_token(token_id)
        self._renew_daily_copy()
        return gone

    def remove_link(self, link_id: str) -> bool:
        """The link and its sessions end, in the daily copy as well; False when there is none."""
        gone = super().remove_link(link_id)
        self._renew_daily_copy()
        return gone

    def _renew_daily_copy(self) -> None:
        """What was taken away must not come back with the copy, when that has to take the file's place."""
        if copies.daily(self.path).exists():
            self._database.copy_to(copies.daily(self.path))

    def _forget_copies(self, what: str) -> None:
        had_daily = copies.daily(self.path).exists()
        try:
            for copy in copies.all_copies(self.path):
                copy.unlink(missing_ok=True)
            copies.clear_left(self.path)
        except OSError as error:
            raise StoreError(
                f"The {what} was removed, but not from an old copy of the database ({error}); delete it."
            ) from error
        if had_daily:
            self._database.copy_to(copies.daily(self.path))

    def _described(self, template: Template) -> dict[str, object]:
        quality = self.quality(template.template_id)
        return {
            "template_id": template.template_id,
            "source": "adapted" if template.adapted else "photo",
            "model_id": template.model_id,
            "created_at": template.created_at,
            "quality": asdict(quality) if quality else None,
            "vector": [round(float(value), 7) for value in template.vector],
        }


def _write_folder(folder: Path, files: dict[str, bytes]) -> list[Path]:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise StoreError(f"The folder {folder} is not empty; choose a new one for the export.")
        for name, content in files.items():
            write_private(folder / name, content)
    except OSError as error:
        raise StoreError(
            f"The export into {folder} failed: {error}. Files written so far may be deleted."
        ) from error
    return [folder / name for name in files]


def _json(value: object) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n"
