"""The tables, as the list of migrations that leads to them. Only append; a released one is never edited."""

from __future__ import annotations

from typing import TypeAlias

APPLICATION_ID = 0x484F4D46
"""``HOMF``: tells our file from another program's database."""

Migration: TypeAlias = tuple[str, ...]
"""SQL statements, run in one transaction."""

_FIRST: Migration = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT",
    "CREATE TABLE subject (id TEXT PRIMARY KEY, created_at REAL NOT NULL) STRICT",
    # one table for names and aliases: no two people can ever answer to the same word
    """CREATE TABLE subject_name (
        name_key TEXT PRIMARY KEY,
        subject_id TEXT NOT NULL REFERENCES subject(id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        position INTEGER NOT NULL,
        UNIQUE (subject_id, position)
    ) STRICT""",
    """CREATE TABLE crop (
        id TEXT PRIMARY KEY,
        subject_id TEXT NOT NULL REFERENCES subject(id) ON DELETE CASCADE,
        picture BLOB NOT NULL,
        geometry BLOB NOT NULL,
        created_at REAL NOT NULL
    ) STRICT""",
    """CREATE TABLE template (
        id TEXT PRIMARY KEY,
        subject_id TEXT NOT NULL REFERENCES subject(id) ON DELETE CASCADE,
        model_id TEXT NOT NULL,
        vector BLOB NOT NULL,
        crop_id TEXT REFERENCES crop(id) ON DELETE SET NULL,
        infrared INTEGER NOT NULL,
        quality TEXT NOT NULL,
        created_at REAL NOT NULL
    ) STRICT""",
    "CREATE INDEX template_subject ON template (subject_id)",
    "CREATE INDEX template_crop ON template (crop_id)",
    "CREATE INDEX crop_subject ON crop (subject_id)",
    """CREATE TABLE sighting (
        visit_id TEXT PRIMARY KEY,
        room TEXT NOT NULL,
        camera TEXT NOT NULL,
        subject_id TEXT REFERENCES subject(id) ON DELETE CASCADE,
        first_seen REAL NOT NULL,
        last_seen REAL NOT NULL,
        score REAL,
        margin REAL,
        votes INTEGER NOT NULL,
        reasons TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX sighting_last_seen ON sighting (last_seen)",
    "CREATE INDEX sighting_subject ON sighting (subject_id, last_seen)",
    "CREATE TABLE presence_state (id INTEGER PRIMARY KEY CHECK (id = 1), state TEXT NOT NULL) STRICT",
)

_LEARNED: Migration = (
    # templates made from a photo that somebody gave us, and those learned from a visit
    """ALTER TABLE template ADD COLUMN source TEXT NOT NULL DEFAULT 'photo'
        CHECK (source IN ('photo', 'adapted'))""",
    "ALTER TABLE template ADD COLUMN visit_id TEXT",
)

_AUDIT: Migration = (
    """CREATE TABLE audit (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at REAL NOT NULL,
        who TEXT NOT NULL,
        what TEXT NOT NULL,
        subject TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX audit_at ON audit (at)",
    """CREATE TRIGGER audit_is_never_rewritten BEFORE UPDATE ON audit
        BEGIN SELECT RAISE(ABORT, 'the log of administrative acts is never rewritten'); END""",
)

_UNKNOWN_VISITS: Migration = (
    """CREATE TABLE unknown_visit (
        id TEXT PRIMARY KEY,
        room TEXT NOT NULL,
        camera TEXT NOT NULL,
        first_seen REAL NOT NULL,
        last_seen REAL NOT NULL,
        votes INTEGER NOT NULL,
        reasons TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX unknown_visit_last_seen ON unknown_visit (last_seen)",
    """CREATE TABLE unknown_face (
        id TEXT PRIMARY KEY,
        visit_id TEXT NOT NULL REFERENCES unknown_visit(id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        model_id TEXT NOT NULL,
        vector BLOB NOT NULL,
        picture BLOB NOT NULL,
        geometry BLOB NOT NULL,
        quality TEXT NOT NULL,
        seen_at REAL NOT NULL
    ) STRICT""",
    "CREATE INDEX unknown_face_visit ON unknown_face (visit_id, position)",
)

_PAUSED_PEOPLE: Migration = (
    # known, but to be recognised by nobody for now
    "ALTER TABLE subject ADD COLUMN paused INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1))",
)
_REMOVED: Migration = (
    # whom no backup may bring back, as a hash: not even the id of somebody who was removed is kept
    "CREATE TABLE removed_subject (hash TEXT PRIMARY KEY, at REAL NOT NULL) STRICT",
)

_WEB: Migration = (
    # who may use the page; what proves it is kept as a hash alone
    """CREATE TABLE account (
        id TEXT PRIMARY KEY,
        role TEXT NOT NULL CHECK (role IN ('owner', 'member')),
        name TEXT NOT NULL,
        name_key TEXT NOT NULL UNIQUE,
        subject_id TEXT REFERENCES subject(id) ON DELETE CASCADE,
        password TEXT NOT NULL,
        created_at REAL NOT NULL
    ) STRICT""",
    "CREATE UNIQUE INDEX one_owner ON account (role) WHERE role = 'owner'",
    """CREATE TABLE link (
        id TEXT PRIMARY KEY,
        kind TEXT NOT NULL CHECK (kind IN ('invite', 'personal')),
        key BLOB NOT NULL UNIQUE,
        name TEXT NOT NULL,
        subject_id TEXT REFERENCES subject(id) ON DELETE CASCADE,
        created_at REAL NOT NULL,
        expires_at REAL,
        opened_at REAL
    ) STRICT""",
    """CREATE TABLE web_session (
        key BLOB PRIMARY KEY,
        account_id TEXT REFERENCES account(id) ON DELETE CASCADE,
        link_id TEXT REFERENCES link(id) ON DELETE CASCADE,
        created_at REAL NOT NULL,
        seen_at REAL NOT NULL,
        expires_at REAL NOT NULL,
        CHECK ((account_id IS NULL) <> (link_id IS NULL))
    ) STRICT""",
    """CREATE TABLE web_token (
        id TEXT PRIMARY KEY,
        key BLOB NOT NULL UNIQUE,
        name TEXT NOT NULL UNIQUE,
        scopes TEXT NOT NULL,
        created_at REAL NOT NULL,
        last_used REAL
    ) STRICT""",
    """CREATE TABLE consent (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        link_id TEXT REFERENCES link(id) ON DELETE SET NULL,
        subject_id TEXT REFERENCES subject(id) ON DELETE CASCADE,
        text TEXT NOT NULL,
        at REAL NOT NULL
    ) STRICT""",
    "CREATE TABLE login_failure (source TEXT NOT NULL, at REAL NOT NULL) STRICT",
    "CREATE INDEX login_failure_at ON login_failure (at)",
    "CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT NOT NULL, changed_at REAL NOT NULL) STRICT",
)

MIGRATIONS: tuple[Migration, ...] = (
    _FIRST,
    _LEARNED,
    _AUDIT,
    _UNKNOWN_VISITS,
    _PAUSED_PEOPLE,
    _REMOVED,
    _WEB,
)
