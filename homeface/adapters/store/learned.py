"""Templates learned from visits: marked as such, bounded, and forgotten on demand."""

from __future__ import annotations

import sqlite3

from homeface.adapters.store import sealing
from homeface.adapters.store.database import Database
from homeface.adapters.store.people import leave_trace, new_id, touch
from homeface.adapters.store.records import LearnedRecord
from homeface.adapters.vault import Vault
from homeface.core.templates import ADAPTED_PER_KIND
from homeface.core.types import Lesson

REST_SECONDS = 20 * 3600.0
"""A person teaches at most one template in this time: about one a day, whatever the hour."""


class LearnedTables:
    """What visits taught. Blocking and thread-safe; encrypted as every template is, and without a picture."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def learn(self, lesson: Lesson) -> bool:
        """Keep what a visit taught. False when the person is gone or has taught within ``REST_SECONDS``.

        Beyond ``ADAPTED_PER_KIND`` the oldest of the same kind is forgotten. Raises StoreError.
        """
        infrared = int(lesson.quality.infrared)
        with self._database.write() as connection:
            if not _may_teach(connection, lesson):
                return False
            template_id, model_id = new_id(), lesson.embedding.model_id
            row = (template_id, lesson.subject_id, model_id)
            connection.execute(
                "INSERT INTO template (id, subject_id, model_id, vector, infrared, quality, created_at, "
                "source, visit_id) VALUES (?, ?, ?, ?, ?, ?, ?, 'adapted', ?)",
                (
                    *row,
                    sealing.seal_vector(self._vault, lesson.embedding.vector, row),
                    infrared,
                    sealing.quality_to_json(lesson.quality),
                    lesson.seen_at,
                    lesson.visit_id,
                ),
            )
            forgotten = connection.execute(
                "DELETE FROM template WHERE id IN (SELECT id FROM template WHERE source = 'adapted' "
                "AND subject_id = ? AND model_id = ? AND infrared = ? "
                "ORDER BY created_at DESC, id LIMIT -1 OFFSET ?)",
                (lesson.subject_id, model_id, infrared, ADAPTED_PER_KIND),
            ).rowcount
            touch(connection)
        if forgotten:
            self._database.forget_deleted()
        return True

    def learned(self, subject_id: str | None = None) -> list[LearnedRecord]:
        """What was learned of one person (None: of all), oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT id, subject_id, model_id, infrared, quality, created_at, visit_id FROM template "
                "WHERE source = 'adapted' AND (?1 IS NULL OR subject_id = ?1) ORDER BY created_at, id",
                (subject_id,),
            ).fetchall()
        return [
            LearnedRecord(
                template_id=row[0],
                subject_id=row[1],
                model_id=row[2],
                infrared=bool(row[3]),
                quality=sealing.quality_from_json(row[4]).score,
                seen_at=row[5],
                visit_id=row[6],
            )
            for row in rows
        ]

    def forget_learned(self, subject_id: str | None = None, *, but_model: str | None = None) -> int:
        """Forget what was learned of one person (None: of all); returns how many templates that were.

        ``but_model``: only what was learned with other models than this one.
        """
        which = "source = 'adapted' AND (?1 IS NULL OR subject_id = ?1) AND (?2 IS NULL OR model_id <> ?2)"
        with self._database.write() as connection:
            rows = connection.execute(
                f"DELETE FROM template WHERE {which} RETURNING id",  # noqa: S608 - a fixed text
                (subject_id, but_model),
            ).fetchall()
            count = len(rows)
            if count:
                leave_trace(connection, [row[0] for row in rows])
                touch(connection)
        if count:
            self._database.forget_deleted()
        return count


def _may_teach(connection: sqlite3.Connection, lesson: Lesson) -> bool:
    if connection.execute("SELECT 1 FROM subject WHERE id = ?", (lesson.subject_id,)).fetchone() is None:
        return False
    # abs: a clock that was set back must not let every visit teach, nor forbid it for ever
    near = connection.execute(
        "SELECT 1 FROM template WHERE source = 'adapted' AND subject_id = ? AND abs(created_at - ?) < ?",
        (lesson.subject_id, lesson.seen_at, REST_SECONDS),
    )
    return near.fetchone() is None
