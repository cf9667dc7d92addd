"""Visits that got no name, kept for a while so that somebody can say who it was. Faces are sealed."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from homeface.adapters.store import sealing
from homeface.adapters.store.database import Database
from homeface.adapters.store.people import new_id
from homeface.adapters.store.records import UnknownFace, UnknownVisit
from homeface.adapters.vault import SealBrokenError, Vault
from homeface.core.types import Embedding

_log = logging.getLogger(__name__)

MOST_UNKNOWN_VISITS = 500
"""A camera towards a street must not fill the disk: beyond this the oldest go, first those without faces."""
_FaceRow: TypeAlias = tuple[str, str, str, bytes, bytes | None, bytes | None, str, float]
_COLUMNS = "id, room, camera, first_seen, last_seen, votes, reasons"


class UnknownTables:
    """The inbox of unknown visits. Blocking and thread-safe; changes are on the disk when a call ends."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def add_unknown_visit(self, visit: UnknownVisit) -> None:
        """Keep a visit; one with the same id is replaced. See ``MOST_UNKNOWN_VISITS``."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM unknown_visit WHERE id = ?", (visit.visit_id,))
            connection.execute(
                f"INSERT INTO unknown_visit ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 (fixed)
                (
                    visit.visit_id,
                    visit.room,
                    visit.camera,
                    visit.first_seen,
                    visit.last_seen,
                    visit.votes,
                    json.dumps(visit.reasons),
                ),
            )
            for position, face in enumerate(visit.faces):
                self._insert_face(connection, visit.visit_id, position, face)
            gone = connection.execute(
                "DELETE FROM unknown_visit WHERE id IN (SELECT id FROM unknown_visit ORDER BY EXISTS "
                "(SELECT 1 FROM unknown_face WHERE visit_id = unknown_visit.id) DESC, last_seen DESC, id "
                "LIMIT -1 OFFSET ?)",
                (MOST_UNKNOWN_VISITS,),
            ).rowcount
        if gone:
            self._database.forget_deleted()

    def unknown_visits(self) -> list[UnknownVisit]:
        """All that are kept, newest first, without the pictures.

        A face that does not open is left out and told in the log.
        """
        with self._database.read() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM unknown_visit ORDER BY last_seen DESC, id"  # noqa: S608 (fixed)
            ).fetchall()
            faces = connection.execute(
                "SELECT visit_id, id, model_id, vector, NULL, NULL, quality, seen_at FROM unknown_face "
                "ORDER BY visit_id, position"
            ).fetchall()
        opened: dict[str, list[UnknownFace]] = {}
        for face in faces:
            opened.setdefault(face[0], []).extend(self._opened([face]))
        return [_visit(row, opened.get(row[0], [])) for row in rows]

    def unknown_visit(self, visit_id: str) -> UnknownVisit | None:
        """One visit with its pictures; None when it is not there (any more)."""
        with self._database.read() as connection:
            row = connection.execute(
                f"SELECT {_COLUMNS} FROM unknown_visit WHERE id = ?",  # noqa: S608 (fixed)
                (visit_id,),
            ).fetchone()
            faces = connection.execute(
                "SELECT visit_id, id, model_id, vector, picture, geometry, quality, seen_at "
                "FROM unknown_face WHERE visit_id = ? ORDER BY position",
                (visit_id,),
            ).fetchall()
        return None if row is None else _visit(row, self._opened(faces))

    def remove_unknown_visits(self, visit_ids: Sequence[str] | None = None) -> int:
        """Forget these visits (None: all), pictures and vectors included; returns how many there were."""
        with self._database.write() as connection:
            if visit_ids is None:
                gone = connection.execute("DELETE FROM unknown_visit").rowcount
            else:
                gone = sum(
                    connection.execute("DELETE FROM unknown_visit WHERE id = ?", (visit_id,)).rowcount
                    for visit_id in set(visit_ids)
                )
        self._database.forget_deleted()
        return gone

    def purge_unknown_visits(self, older_than: float) -> int:
        """Forget visits that ended before ``older_than`` (seconds since the epoch); returns how many."""
        with self._database.write() as connection:
            gone = connection.execute("DELETE FROM unknown_visit WHERE last_seen < ?", (older_than,)).rowcount
        self._database.forget_deleted()
        return gone

    def _insert_face(
        self, connection: sqlite3.Connection, visit_id: str, position: int, face: UnknownFace
    ) -> None:
        if face.crop is None:
            raise ValueError("a face of an unknown visit is kept with its picture")
        face_id, model_id = new_id(), face.embedding.model_id
        picture, geometry = sealing.seal_crop(self._vault, face.crop, (face_id, visit_id))
        connection.execute(
            "INSERT INTO unknown_face VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                face_id,
                visit_id,
                position,
                model_id,
                sealing.seal_vector(self._vault, face.embedding.vector, (face_id, visit_id, model_id)),
                picture,
                geometry,
                sealing.quality_to_json(face.quality),
                face.seen_at,
            ),
        )

    def _opened(self, rows: Iterable[_FaceRow]) -> list[UnknownFace]:
        faces = []
        for visit_id, face_id, model_id, vector, picture, geometry, quality, seen_at in rows:
            try:
                opened = sealing.open_vector(self._vault, vector, (face_id, visit_id, model_id))
                crop = None
                if picture is not None and geometry is not None:
                    crop = sealing.open_crop(self._vault, picture, geometry, (face_id, visit_id))
            except SealBrokenError:
                _log.exception("Face %s of the unknown visit %s is left out.", face_id, visit_id)
                continue
            embedding = Embedding(opened, model_id)
            faces.append(UnknownFace(embedding, sealing.quality_from_json(quality), seen_at, crop))
        return faces


def _visit(row: tuple[str, str, str, float, float, int, str], faces: Sequence[UnknownFace]) -> UnknownVisit:
    return UnknownVisit(*row[:6], tuple(json.loads(row[6])), tuple(faces))
