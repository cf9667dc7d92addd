"""The log of sightings and the last known state of the house."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Collection, Iterable, Mapping

from homeface.adapters.store.database import Database
from homeface.adapters.store.records import SightingRecord
from homeface.core.types import Identified, Reason, Sighting

_log = logging.getLogger(__name__)

_UPSERT = """
INSERT INTO sighting VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (visit_id) DO UPDATE SET
    subject_id = excluded.subject_id, score = excluded.score, margin = excluded.margin,
    votes = excluded.votes, reasons = excluded.reasons,
    first_seen = min(first_seen, excluded.first_seen), last_seen = excluded.last_seen
WHERE excluded.last_seen >= last_seen
"""


class JournalTables:
    """What was seen. Blocking and thread-safe; a power loss may take back the last seconds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_sighting(self, sighting: Sighting) -> None:
        """Write what is known of a visit now; a later call for the same visit replaces it."""
        self.add_sightings([sighting])

    def add_sightings(self, sightings: Iterable[Sighting]) -> None:
        """The same for many, in one transaction. A sighting of a subject who was removed is dropped."""
        with self._database.write(durable=False) as connection:
            for sighting in sightings:
                row = _row(sighting)
                if row[3] is None or _exists(connection, row[3]):
                    connection.execute(_UPSERT, row)

    def sightings(
        self,
        *,
        since: float = 0.0,
        before: float | None = None,
        subject_id: str | None = None,
        room: str | None = None,
        limit: int = 1000,
    ) -> list[SightingRecord]:
        """Visits that lasted beyond ``since`` and ended before ``before`` (None: now), newest first."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT visit_id, room, camera, subject_id, first_seen, last_seen, score, margin, votes, "
                "reasons FROM sighting WHERE last_seen >= ?1 AND (?2 IS NULL OR subject_id = ?2) "
                "AND (?3 IS NULL OR room = ?3) AND (?5 IS NULL OR last_seen < ?5) "
                "ORDER BY last_seen DESC, visit_id LIMIT ?4",
                (since, subject_id, room, limit, before),
            ).fetchall()
        return [SightingRecord(*(*row[:9], tuple(json.loads(row[9])))) for row in rows]

    def visit_scores(self, visit_ids: Collection[str]) -> dict[str, float | None]:
        """The score of each of these visits, as far as they are written down."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT visit_id, score FROM sighting WHERE visit_id IN (SELECT value FROM json_each(?))",
                (json.dumps(list(visit_ids)),),
            ).fetchall()
        return dict(rows)

    def purge(self, older_than: float) -> int:
        """Forget visits that ended before ``older_than`` (seconds since the epoch); returns how many."""
        with self._database.write() as connection:
            removed = connection.execute("DELETE FROM sighting WHERE last_seen < ?", (older_than,)).rowcount
        self._database.forget_deleted()  # even if nothing was old: an earlier try may have been prevented
        return removed

    def save_state(self, state: Mapping[str, object]) -> None:
        """Keep one snapshot of JSON types; the one before is forgotten."""
        text = json.dumps(state, allow_nan=False)
        with self._database.write(durable=False) as connection:
            connection.execute(
                "INSERT INTO presence_state VALUES (1, ?) "
                "ON CONFLICT (id) DO UPDATE SET state = excluded.state",
                (text,),
            )

    def load_state(self) -> dict[str, object] | None:
        """The last snapshot; None when there is none, or when it cannot be read (told in the log)."""
        with self._database.read() as connection:
            row = connection.execute("SELECT state FROM presence_state").fetchone()
        if row is None:
            return None
        try:
            state = json.loads(row[0])
        except ValueError as error:
            _log.warning("The stored presence is not readable (%s); starting without it.", error)
            return None
        if not isinstance(state, dict):
            _log.warning("The stored presence is not an object; starting without it.")
            return None
        return state


def forget_in_state(connection: sqlite3.Connection, subject_id: str) -> None:
    """Take one subject out of the snapshot, whatever its layout; an unreadable one goes as a whole."""
    row = connection.execute("SELECT state FROM presence_state").fetchone()
    if row is None:
        return
    try:
        rest = _without(json.loads(row[0]), subject_id)
    except ValueError:
        rest = None
    if isinstance(rest, dict):
        connection.execute("UPDATE presence_state SET state = ?", (json.dumps(rest),))
    else:
        connection.execute("DELETE FROM presence_state")


def _without(value: object, subject_id: str) -> object:
    """``value`` without keys, list items and objects that stand for the subject."""
    if isinstance(value, dict):
        return {
            key: _without(item, subject_id)
            for key, item in value.items()
            if key != subject_id and not _is_about(item, subject_id)
        }
    if isinstance(value, list):
        return [
            _without(item, subject_id)
            for item in value
            if item != subject_id and not _is_about(item, subject_id)
        ]
    return value


def _is_about(item: object, subject_id: str) -> bool:
    return isinstance(item, dict) and item.get("subject_id") == subject_id


def _exists(connection: sqlite3.Connection, subject_id: object) -> bool:
    return connection.execute("SELECT 1 FROM subject WHERE id = ?", (subject_id,)).fetchone() is not None


def _row(sighting: Sighting) -> tuple[object, ...]:
    decision = sighting.decision
    subject_id, score, margin = None, None, None
    reasons: tuple[Reason, ...] = ()
    if isinstance(decision, Identified):
        subject_id, score, margin = decision.subject_id, decision.score, decision.margin
    else:
        reasons = decision.reasons
        score = decision.candidates[0].score if decision.candidates else None
    return (
        sighting.visit_id,
        sighting.room,
        sighting.camera,
        subject_id,
        sighting.first_seen,
        sighting.captured_at,
        score,
        margin,
        decision.votes,
        json.dumps(reasons),
    )
