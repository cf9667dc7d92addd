"""Subjects, templates and crops in the database."""

from __future__ import annotations

import hashlib
import logging
import sqlite3
import time
import uuid
from collections.abc import Container, Iterable, Sequence

from homeface.adapters.store import sealing
from homeface.adapters.store.database import Database
from homeface.adapters.store.names import clean_names
from homeface.adapters.store.records import FaceCrop, NewTemplate, TemplateFacts
from homeface.adapters.vault import SealBrokenError, Vault
from homeface.core.gallery import Gallery, Subject, Template
from homeface.core.names import name_key
from homeface.core.types import Quality, Vector
from homeface.errors import GalleryError, NameTakenError

_log = logging.getLogger(__name__)


class PeopleTables:
    """The enrolled people. Blocking and thread-safe; every change is on the disk when the call returns."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    # who

    def add_subject(self, name: str, aliases: Sequence[str] = ()) -> Subject:
        """A new person. Raises GalleryError when the name or an alias is taken."""
        with self._database.write() as connection:
            return _insert_subject(connection, name, aliases)

    def rename(self, subject_id: str, name: str) -> Subject:
        """Another name for the same person; the aliases stay. Raises GalleryError when it is taken."""
        with self._database.write() as connection:
            subject = _require_subject(connection, subject_id)
            aliases = [alias for alias in subject.aliases if name_key(alias) != name_key(name)]
            return _write_names(connection, subject_id, clean_names(name, aliases))

    def set_aliases(self, subject_id: str, aliases: Sequence[str]) -> Subject:
        """Replace the aliases. Raises GalleryError when one is taken."""
        with self._database.write() as connection:
            subject = _require_subject(connection, subject_id)
            return _write_names(connection, subject_id, clean_names(subject.name, aliases))

    def change_subject(
        self,
        subject_id: str,
        *,
        name: str | None = None,
        aliases: Sequence[str] | None = None,
        paused: bool | None = None,
    ) -> Subject:
        """Change what is given, all of it or nothing. ``paused``: recognise them no longer, or again.

        Raises GalleryError when a name is taken or there is no such subject.
        """
        with self._database.write() as connection:
            subject = _require_subject(connection, subject_id)
            if name is not None or aliases is not None:
                wanted = subject.name if name is None else name
                kept = subject.aliases if aliases is None else aliases
                others = [alias for alias in kept if name_key(alias) != name_key(wanted)]
                subject = _write_names(connection, subject_id, clean_names(wanted, others))
            if paused is not None and paused is not subject.paused:
                connection.execute("UPDATE subject SET paused = ? WHERE id = ?", (int(paused), subject_id))
                touch(connection)
                subject = _require_subject(connection, subject_id)
        return subject

    def subjects(self) -> list[Subject]:
        """Everybody, by name."""
        with self._database.read() as connection:
            return _subjects(connection)

    def find_subject(self, text: str) -> Subject | None:
        """By id, name or alias; case and Unicode form do not matter."""
        with self._database.read() as connection:
            return _find(connection, text)

    def require_subject(self, text: str) -> Subject:
        """The same; raises GalleryError when there is nobody."""
        subject = self.find_subject(text)
        if subject is None:
            raise GalleryError(f"Nobody is enrolled as {text!r}. `homeface people list` shows who is.")
        return subject

    def gallery_version(self) -> int:
        """Changes whenever people or templates change, by this process or another."""
        with self._database.read() as connection:
            row = connection.execute("SELECT value FROM meta WHERE key = 'gallery_version'").fetchone()
        return int(row[0]) if row else 0

    # their templates

    def enrol(self, who: Subject | str, templates: Sequence[NewTemplate]) -> tuple[Subject, list[Template]]:
        """Store templates of a known subject, or of a new one called ``who``; all of it or nothing.

        Raises GalleryError when the subject is gone, the new name is taken, or there is no template.
        """
        if not templates:
            raise GalleryError("There is nothing to enrol: no photo was accepted.")
        with self._database.write() as connection:
            if isinstance(who, Subject):
                subject = _require_subject(connection, who.subject_id)
            else:
                subject = _insert_subject(connection, who, ())
            stored = [self._insert_template(connection, subject.subject_id, item) for item in templates]
        return subject, stored

    def add_template(self, subject_id: str, template: NewTemplate) -> Template:
        """One more template. Raises GalleryError when there is no such subject."""
        with self._database.write() as connection:
            _require_subject(connection, subject_id)
            return self._insert_template(connection, subject_id, template)

    def replace_template(self, template_id: str, vector: Vector, model_id: str, quality: Quality) -> Template:
        """The same face embedded by another model; the crop stays. Raises GalleryError when it is gone."""
        with self._database.write() as connection:
            row = connection.execute(
                "SELECT subject_id, created_at FROM template WHERE id = ? AND source = 'photo'",
                (template_id,),
            ).fetchone()
            if row is None:
                raise GalleryError(f"There is no template {template_id} any more.")
            subject_id, created_at = row
            connection.execute(
                "UPDATE template SET model_id = ?, vector = ?, infrared = ?, quality = ? WHERE id = ?",
                (
                    model_id,
                    sealing.seal_vector(self._vault, vector, (template_id, subject_id, model_id)),
                    int(quality.infrared),
                    sealing.quality_to_json(quality),
                    template_id,
                ),
            )
            touch(connection)
        return Template(
            template_id, subject_id, vector, model_id, quality.infrared, quality.score, created_at
        )

    def remove_template(self, template_id: str) -> None:
        """Forget one photo, crop included. Raises GalleryError when there is no such template."""
        with self._database.write() as connection:
            row = connection.execute("SELECT crop_id FROM template WHERE id = ?", (template_id,)).fetchone()
            if row is None:
                raise GalleryError(f"There is no template {template_id}.")
            connection.execute("DELETE FROM template WHERE id = ?", (template_id,))
            connection.execute("DELETE FROM crop WHERE id = ?", (row[0],))
            leave_trace(connection, [template_id])
            touch(connection)
        self._database.forget_deleted()

    def templates(self, model_id: str | None = None, subject_id: str | None = None) -> list[Template]:
        """Templates of one model (None: of all) and one subject (None: of all), oldest first."""
        with self._database.read() as connection:
            return self._templates(connection, model_id, subject_id)

    def stale_templates(self, model_id: str) -> list[Template]:
        """Templates made by other models than ``model_id``; to be made anew from their crops."""
        return [template for template in self.templates() if template.model_id != model_id]

    def gallery(self, model_id: str) -> Gallery:
        """Everybody with all templates; those of other models end up in ``gallery.mismatched``."""
        with self._database.read() as connection:
            return Gallery(_subjects(connection), self._templates(connection, None, None), model_id)

    def crop(self, template_id: str) -> FaceCrop | None:
        """The picture a template was made from, if it was kept. Raises SealBrokenError."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT crop.id, crop.subject_id, picture, geometry FROM crop "
                "JOIN template ON template.crop_id = crop.id WHERE template.id = ?",
                (template_id,),
            ).fetchone()
            if row is None:
                return None
            return sealing.open_crop(self._vault, row[2], row[3], (row[0], row[1]))

    def quality(self, template_id: str) -> Quality | None:
        """What the face of a template measured."""
        with self._database.read() as connection:
            row = connection.execute("SELECT quality FROM template WHERE id = ?", (template_id,)).fetchone()
        return sealing.quality_from_json(row[0]) if row else None

    def template_facts(self) -> list[TemplateFacts]:
        """Of all templates of everybody, oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT id, subject_id, quality, crop_id IS NOT NULL, source, created_at FROM template "
                "ORDER BY created_at, id"
            ).fetchall()
        return [
            TemplateFacts(
                row[0], row[1], sealing.quality_from_json(row[2]), bool(row[3]), row[4] == "adapted", row[5]
            )
            for row in rows
        ]

    def _insert_template(self, connection: sqlite3.Connection, subject_id: str, new: NewTemplate) -> Template:
        now = time.time()
        template_id, crop_id = new_id(), None
        if new.crop is not None:
            crop_id = new_id()
            picture, geometry = sealing.seal_crop(self._vault, new.crop, (crop_id, subject_id))
            connection.execute(
                "INSERT INTO crop VALUES (?, ?, ?, ?, ?)", (crop_id, subject_id, picture, geometry, now)
            )
        connection.execute(
            "INSERT INTO template (id, subject_id, model_id, vector, crop_id, infrared, quality, created_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                template_id,
                subject_id,
                new.model_id,
                sealing.seal_vector(self._vault, new.vector, (template_id, subject_id, new.model_id)),
                crop_id,
                int(new.quality.infrared),
                sealing.quality_to_json(new.quality),
                now,
            ),
        )
        touch(connection)
        return Template(
            template_id, subject_id, new.vector, new.model_id, new.quality.infrared, new.quality.score, now
        )

    def _templates(
        self, connection: sqlite3.Connection, model_id: str | None, subject_id: str | None
    ) -> list[Template]:
        rows = connection.execute(
            "SELECT id, subject_id, model_id, vector, infrared, quality, created_at, source FROM template "
            "WHERE (?1 IS NULL OR model_id = ?1) AND (?2 IS NULL OR subject_id = ?2) ORDER BY created_at, id",
            (model_id, subject_id),
        )
        templates = []
        for template_id, owner, model, sealed, infrared, quality, created_at, source in rows:
            try:
                vector = sealing.open_vector(self._vault, sealed, (template_id, owner, model))
            except SealBrokenError:
                # one damaged or tampered row must neither name anybody nor take recognition from the others
                _log.exception("Template %s of %s is left out; enrol the photo again.", template_id, owner)
                continue
            score = sealing.quality_from_json(quality).score
            learned = source == "adapted"
            templates.append(
                Template(template_id, owner, vector, model, bool(infrared), score, created_at, learned)
            )
        return templates


def new_id() -> str:
    """12 hexadecimal digits of a random UUID."""
    return uuid.uuid4().hex[:12]


def trace_of(gone_id: str) -> str:
    """What is kept of a removed subject or photo, so that no backup brings it back: a hash of its id."""
    return hashlib.sha256(f"removed:{gone_id}".encode()).hexdigest()


def leave_trace(connection: sqlite3.Connection, gone_ids: Iterable[str]) -> None:
    """Remember what was removed on purpose (the table is named after its first use)."""
    rows = [(trace_of(gone_id), time.time()) for gone_id in gone_ids]
    connection.executemany("INSERT OR IGNORE INTO removed_subject VALUES (?, ?)", rows)


def remove_gone(connection: sqlite3.Connection, traces: Container[str]) -> None:
    """Photos, with their pictures, and what visits taught, that were removed on purpose."""
    rows = connection.execute("SELECT id, crop_id FROM template").fetchall()
    gone = [(template_id, crop_id) for template_id, crop_id in rows if trace_of(template_id) in traces]
    connection.executemany("DELETE FROM template WHERE id = ?", [(template_id,) for template_id, _ in gone])
    connection.executemany("DELETE FROM crop WHERE id = ?", [(crop_id,) for _, crop_id in gone if crop_id])


def touch(connection: sqlite3.Connection) -> None:
    """Count a change of the gallery."""
    connection.execute(
        "INSERT INTO meta VALUES ('gallery_version', 1) ON CONFLICT (key) DO UPDATE SET value = value + 1"
    )


def _insert_subject(connection: sqlite3.Connection, name: str, aliases: Sequence[str]) -> Subject:
    subject_id = new_id()
    connection.execute("INSERT INTO subject (id, created_at) VALUES (?, ?)", (subject_id, time.time()))
    return _write_names(connection, subject_id, clean_names(name, aliases))


def _write_names(connection: sqlite3.Connection, subject_id: str, names: Sequence[str]) -> Subject:
    for name in names:
        other = _find(connection, name)
        if other is not None and other.subject_id != subject_id:
            raise NameTakenError(f"The name {name!r} is taken: {other.name} is already enrolled.")
    connection.execute("DELETE FROM subject_name WHERE subject_id = ?", (subject_id,))
    connection.executemany(
        "INSERT INTO subject_name VALUES (?, ?, ?, ?)",
        [(name_key(name), subject_id, name, position) for position, name in enumerate(names)],
    )
    touch(connection)
    return _require_subject(connection, subject_id)


def _find(connection: sqlite3.Connection, text: str) -> Subject | None:
    row = connection.execute(
        "SELECT id FROM subject WHERE id = ? "
        "UNION ALL SELECT subject_id FROM subject_name WHERE name_key = ?",
        (text, name_key(text)),
    ).fetchone()
    return _require_subject(connection, row[0]) if row else None


def _require_subject(connection: sqlite3.Connection, subject_id: str) -> Subject:
    names = [
        row[0]
        for row in connection.execute(
            "SELECT name FROM subject_name WHERE subject_id = ? ORDER BY position", (subject_id,)
        )
    ]
    if not names:
        raise GalleryError(f"There is no subject {subject_id}; `homeface people list` shows who there is.")
    return Subject(subject_id, names[0], tuple(names[1:]), subject_id in _paused(connection))


def _paused(connection: sqlite3.Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT id FROM subject WHERE paused = 1")}


def _subjects(connection: sqlite3.Connection) -> list[Subject]:
    grouped: dict[str, list[str]] = {}
    rows: Iterable[tuple[str, str]] = connection.execute(
        "SELECT subject_id, name FROM subject_name ORDER BY subject_id, position"
    )
    for subject_id, name in rows:
        grouped.setdefault(subject_id, []).append(name)
    paused = _paused(connection)
    subjects = [
        Subject(subject_id, names[0], tuple(names[1:]), subject_id in paused)
        for subject_id, names in grouped.items()
    ]
    return sorted(subjects, key=lambda subject: (name_key(subject.name), subject.subject_id))
