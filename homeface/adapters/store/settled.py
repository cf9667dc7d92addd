"""What people have settled since a backup was made, and a restore must not undo."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settled:
    """``paused``: ids of people whom nobody is to recognise. ``inbox``: ids of the visits without a name that
    are still kept; None on a new machine, where nobody has settled any."""

    paused: Sequence[tuple[str]]
    inbox: Sequence[tuple[str]] | None


def settled_of(connection: sqlite3.Connection) -> Settled:
    """As it is in this database."""
    used = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM subject) OR EXISTS (SELECT 1 FROM removed_subject) "
        "OR EXISTS (SELECT 1 FROM unknown_visit)"
    ).fetchone()[0]
    return Settled(
        paused=connection.execute("SELECT id FROM subject WHERE paused = 1").fetchall(),
        inbox=connection.execute("SELECT id FROM unknown_visit").fetchall() if used else None,
    )


def keep_settled(connection: sqlite3.Connection, ours: Settled) -> None:
    """In the restored database: who was paused here stays so, and faces that left the inbox here (forgotten,
    named, too old, or of somebody who was removed) stay away.
    """
    connection.executemany("UPDATE subject SET paused = 1 WHERE id = ?", ours.paused)
    if ours.inbox is None:
        return
    kept = {row[0] for row in ours.inbox}
    ids = connection.execute("SELECT id FROM unknown_visit").fetchall()
    connection.executemany(
        "DELETE FROM unknown_visit WHERE id = ?", [row for row in ids if row[0] not in kept]
    )
