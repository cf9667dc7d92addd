"""The log of administrative acts: who did what, and when. Only ever added to, until it is old."""

from __future__ import annotations

import time

from homeface.adapters.store.database import Database
from homeface.adapters.store.records import Act

_LONGEST = 200  # characters; what comes from outside must not fill the disk


class AuditTables:
    """Acts, each on the disk when the call returns. Blocking and thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note_act(self, who: str, what: str, subject: str = "", at: float | None = None) -> None:
        """Add one act, now or ``at`` (seconds since the epoch). See ``Act`` for the words: no person's name.

        Raises StoreError.
        """
        row = (time.time() if at is None else at, _short(who), _short(what), _short(subject))
        with self._database.write() as connection:
            connection.execute("INSERT INTO audit (at, who, what, subject) VALUES (?, ?, ?, ?)", row)

    def acts(
        self, *, since: float = 0.0, subject: str | None = None, before: float | None = None, limit: int = 100
    ) -> list[Act]:
        """Acts from ``since`` until ``before`` (None: now), newest first; about one ``subject``, or all."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT at, who, what, subject FROM audit WHERE at >= ?1 AND (?2 IS NULL OR subject = ?2) "
                "AND (?3 IS NULL OR at < ?3) ORDER BY at DESC, id DESC LIMIT ?4",
                (since, subject, before, limit),
            ).fetchall()
        return [Act(*row) for row in rows]

    def forget_acts(self, older_than: float) -> int:
        """Forget acts from before ``older_than`` (seconds since the epoch); returns how many."""
        with self._database.write() as connection:
            return connection.execute("DELETE FROM audit WHERE at < ?", (older_than,)).rowcount


def _short(text: str) -> str:
    """One line of printable characters, not endless."""
    line = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(line.split())[:_LONGEST]
