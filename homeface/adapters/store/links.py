"""Invites, personal links, consents, and the settings that were changed on the page."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence

from homeface.adapters.store.database import Database
from homeface.adapters.store.records import LinkRecord
from homeface.errors import GalleryError

_log = logging.getLogger(__name__)

LINK_COLUMNS = (
    "link.id, link.kind, link.name, link.subject_id, link.created_at, link.expires_at, link.opened_at"
)


class LinkTables:
    """Links that open a page without a password. Blocking and thread-safe; times are epoch seconds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_link(self, key: bytes, link: LinkRecord) -> None:
        """``key``: hash of the link's secret. A personal link replaces that subject's earlier one."""
        with self._database.write() as connection:
            found = (
                link.subject_id is None
                or connection.execute("SELECT 1 FROM subject WHERE id = ?", (link.subject_id,)).fetchone()
            )
            if not found:
                raise GalleryError(f"There is no subject {link.subject_id}.")
            connection.execute(
                "DELETE FROM link WHERE expires_at < ? OR (kind = 'personal' AND ? = 'personal' "
                "AND subject_id = ?)",
                (link.created_at, link.kind, link.subject_id),
            )
            connection.execute(
                "INSERT INTO link VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    link.link_id,
                    link.kind,
                    key,
                    link.name,
                    link.subject_id,
                    link.created_at,
                    link.expires_at,
                    link.opened_at,
                ),
            )

    def open_link(self, key: bytes, kind: str, now: float, stay_seconds: float) -> LinkRecord | None:
        """The link with that secret, if it is still good. An invite is good once: this opens it.

        It then lasts at least ``stay_seconds`` longer, so that who has begun can finish.
        """
        with self._database.write() as connection:
            row = connection.execute(
                f"SELECT {LINK_COLUMNS} FROM link WHERE key = ? AND kind = ? "  # noqa: S608
                "AND (expires_at IS NULL OR expires_at > ?) AND (kind = 'personal' OR opened_at IS NULL)",
                (key, kind, now),
            ).fetchone()
            if row is None:
                return None
            ends = None if row[5] is None else max(row[5], now + stay_seconds)
            connection.execute(
                "UPDATE link SET opened_at = ?, expires_at = ? WHERE id = ?", (now, ends, row[0])
            )
        return link_of((*row[:5], ends, now))

    def peek_link(self, key: bytes, kind: str, now: float) -> LinkRecord | None:
        """The same without opening it."""
        with self._database.read() as connection:
            row = connection.execute(
                f"SELECT {LINK_COLUMNS} FROM link WHERE key = ? AND kind = ? "  # noqa: S608
                "AND (expires_at IS NULL OR expires_at > ?) AND (kind = 'personal' OR opened_at IS NULL)",
                (key, kind, now),
            ).fetchone()
        return link_of(row) if row else None

    def link(self, link_id: str) -> LinkRecord | None:
        """By its id."""
        with self._database.read() as connection:
            row = connection.execute(f"SELECT {LINK_COLUMNS} FROM link WHERE id = ?", (link_id,)).fetchone()  # noqa: S608
        return link_of(row) if row else None

    def links(self, kind: str, now: float) -> list[LinkRecord]:
        """Links of that kind that are not over, newest first."""
        with self._database.read() as connection:
            rows = connection.execute(
                f"SELECT {LINK_COLUMNS} FROM link WHERE kind = ? "  # noqa: S608
                "AND (expires_at IS NULL OR expires_at > ?) ORDER BY created_at DESC, id",
                (kind, now),
            )
            return [link_of(row) for row in rows]

    def give_link(self, link_id: str, subject_id: str) -> bool:
        """Somebody new has become this subject: link and consent are theirs. False when the link is gone."""
        with self._database.write() as connection:
            found = connection.execute(
                "UPDATE link SET subject_id = ? WHERE id = ? AND subject_id IS NULL", (subject_id, link_id)
            ).rowcount
            connection.execute(
                "UPDATE consent SET subject_id = ? WHERE link_id = ? AND subject_id IS NULL",
                (subject_id, link_id),
            )
        return bool(found)

    def forget_what_is_over(self, now: float) -> int:
        """Links that are over, with the names in them, and sessions; returns how many."""
        with self._database.write() as connection:
            links = connection.execute("DELETE FROM link WHERE expires_at < ?", (now,)).rowcount
            sessions = connection.execute("DELETE FROM web_session WHERE expires_at < ?", (now,)).rowcount
            return links + sessions

    def remove_link(self, link_id: str) -> bool:
        """The link and its sessions end; False when there is none.

        With an invite goes the personal link that was made since somebody came by it: they could have.
        """
        with self._database.write() as connection:
            connection.execute(
                "DELETE FROM link WHERE kind = 'personal' AND EXISTS (SELECT 1 FROM link AS invite WHERE "
                "invite.id = ? AND invite.kind = 'invite' AND invite.subject_id = link.subject_id "
                "AND invite.opened_at <= link.created_at)",
                (link_id,),
            )
            found = connection.execute("DELETE FROM link WHERE id = ?", (link_id,)).rowcount
        return bool(found)

    def note_consent(self, link_id: str, text: str, now: float) -> None:
        """Somebody agreed. ``text``: version and language of the words they saw."""
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO consent (link_id, subject_id, text, at) "
                "SELECT id, subject_id, ?, ? FROM link WHERE id = ?",
                (text, now, link_id),
            )

    def consents(
        self, *, link_id: str | None = None, subject_id: str | None = None
    ) -> list[tuple[str, float]]:
        """(version and language, when), oldest first."""
        with self._database.read() as connection:
            return connection.execute(
                "SELECT text, at FROM consent WHERE (?1 IS NULL OR link_id = ?1) "
                "AND (?2 IS NULL OR subject_id = ?2) ORDER BY at, id",
                (link_id, subject_id),
            ).fetchall()


class SettingTables:
    """Settings changed while running. They stand above the configuration file, until they are reset."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def settings(self) -> dict[str, object]:
        """Value (JSON types) by key; what cannot be read is told in the log and left out."""
        with self._database.read() as connection:
            rows = connection.execute("SELECT key, value FROM setting ORDER BY key").fetchall()
        found: dict[str, object] = {}
        for key, value in rows:
            try:
                found[key] = json.loads(value)
            except ValueError:
                _log.warning("The stored setting %s cannot be read; the configuration file holds.", key)
        return found

    def change_settings(self, changes: Mapping[str, object], now: float) -> None:
        """All of them or none; None resets one to what the file says."""
        with self._database.write() as connection:
            for key, value in changes.items():
                if value is None:
                    connection.execute("DELETE FROM setting WHERE key = ?", (key,))
                else:
                    connection.execute(
                        "INSERT INTO setting VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET "
                        "value = excluded.value, changed_at = excluded.changed_at",
                        (key, json.dumps(value, allow_nan=False), now),
                    )


def link_of(row: Sequence[object]) -> LinkRecord:
    """From a row of ``LINK_COLUMNS``."""
    link_id, kind, name, subject_id, created_at, expires_at, opened_at = row
    return LinkRecord(
        str(link_id),
        str(kind),
        str(name),
        None if subject_id is None else str(subject_id),
        float(str(created_at)),
        None if expires_at is None else float(str(expires_at)),
        None if opened_at is None else float(str(opened_at)),
    )
