"""Who may use the page: passwords, sessions, tokens, and what was tried. Secrets are kept as hashes alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from homeface.adapters.store.database import Database
from homeface.adapters.store.links import LINK_COLUMNS, link_of
from homeface.adapters.store.names import clean_name
from homeface.adapters.store.records import AccountRecord, SessionRecord, TokenRecord
from homeface.core.names import name_key
from homeface.errors import GalleryError

_ACCOUNT = "account.id, account.role, account.name, account.subject_id, account.password, account.created_at"
MOST_SESSIONS_OF_A_LINK = 8
"""Browsers that stay logged in by one link; a new one puts the oldest out."""


class AccountTables:
    """Accounts, sessions, tokens and failed logins. Blocking and thread-safe; times are epoch seconds.

    ``key`` is always the hash of a secret. Every method raises StoreError when the disk fails.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    # accounts

    def add_account(self, account: AccountRecord) -> None:
        """Raises GalleryError when there is an owner already, or the name is taken."""
        row = (account.account_id, account.role, clean_name(account.name), name_key(account.name))
        with self._database.write() as connection:
            _refuse_taken(connection, account)
            connection.execute(
                "INSERT INTO account VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*row, account.subject_id, account.password, account.created_at),
            )

    def accounts(self) -> list[AccountRecord]:
        """Everybody with a password, the owner first."""
        with self._database.read() as connection:
            rows = connection.execute(f"SELECT {_ACCOUNT} FROM account ORDER BY role DESC, name_key")  # noqa: S608
            return [AccountRecord(*row) for row in rows]

    def owner(self) -> AccountRecord | None:
        """The owner, once there is one."""
        with self._database.read() as connection:
            row = connection.execute(f"SELECT {_ACCOUNT} FROM account WHERE role = 'owner'").fetchone()  # noqa: S608
        return AccountRecord(*row) if row else None

    def account_named(self, name: str) -> AccountRecord | None:
        """The account of that name; case does not matter."""
        with self._database.read() as connection:
            row = connection.execute(
                f"SELECT {_ACCOUNT} FROM account WHERE name_key = ?",  # noqa: S608
                (name_key(name),),
            ).fetchone()
        return AccountRecord(*row) if row else None

    def set_password(self, account_id: str, password: str, *, keep_session: bytes | None = None) -> None:
        """Another password (already hashed); every session of the account but one ends."""
        with self._database.write() as connection:
            connection.execute("UPDATE account SET password = ? WHERE id = ?", (password, account_id))
            connection.execute(
                "DELETE FROM web_session WHERE account_id = ? AND key IS NOT ?", (account_id, keep_session)
            )

    def remove_account(self, account_id: str) -> bool:
        """Remove a member and their sessions; False when there is none. The owner stays."""
        with self._database.write() as connection:
            found = connection.execute(
                "DELETE FROM account WHERE id = ? AND role = 'member'", (account_id,)
            ).rowcount
        return bool(found)

    # sessions

    def add_session(
        self, key: bytes, *, account_id: str | None, link_id: str | None, now: float, expires_at: float
    ) -> None:
        """Let a browser in, by an account or a link (exactly one of them). Old sessions are forgotten."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM web_session WHERE expires_at < ?", (now,))
            connection.execute(
                "INSERT INTO web_session VALUES (?, ?, ?, ?, ?, ?)",
                (key, account_id, link_id, now, now, expires_at),
            )
            if link_id is not None:  # whoever has it could come in again and again
                connection.execute(
                    "DELETE FROM web_session WHERE link_id = ?1 AND key NOT IN (SELECT key FROM web_session "
                    "WHERE link_id = ?1 ORDER BY created_at DESC, rowid DESC LIMIT ?2)",
                    (link_id, MOST_SESSIONS_OF_A_LINK),
                )

    def session(self, key: bytes, now: float) -> SessionRecord | None:
        """A session that has not ended."""
        with self._database.read() as connection:
            row = connection.execute(
                f"SELECT {_ACCOUNT}, {LINK_COLUMNS}, web_session.created_at, seen_at, web_session.expires_at "  # noqa: S608
                "FROM web_session LEFT JOIN account ON account.id = account_id "
                "LEFT JOIN link ON link.id = link_id WHERE web_session.key = ? "
                "AND web_session.expires_at > ? AND (link.expires_at IS NULL OR link.expires_at > ?)",
                (key, now, now),
            ).fetchone()
        if row is None:
            return None
        account = AccountRecord(*row[:6]) if row[0] is not None else None
        link = link_of(row[6:13]) if row[6] is not None else None
        return SessionRecord(account, link, *row[13:])

    def prolong_session(self, key: bytes, now: float, expires_at: float) -> None:
        """Seen again: it lasts longer."""
        with self._database.write(durable=False) as connection:
            connection.execute(
                "UPDATE web_session SET seen_at = ?, expires_at = ? WHERE key = ?", (now, expires_at, key)
            )

    def end_session(self, key: bytes) -> None:
        """Log out."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM web_session WHERE key = ?", (key,))

    def end_sessions(self, account_id: str) -> None:
        """Log out everywhere."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM web_session WHERE account_id = ?", (account_id,))

    # tokens

    def add_token(self, key: bytes, token: TokenRecord) -> None:
        """Raises GalleryError when the name is taken."""
        with self._database.write() as connection:
            if connection.execute("SELECT 1 FROM web_token WHERE name = ?", (token.name,)).fetchone():
                raise GalleryError(f"There is a token called {token.name!r} already; choose another name.")
            connection.execute(
                "INSERT INTO web_token VALUES (?, ?, ?, ?, ?, NULL)",
                (token.token_id, key, token.name, " ".join(token.scopes), token.created_at),
            )

    def tokens(self) -> list[TokenRecord]:
        """All tokens, by name."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT id, name, scopes, created_at, last_used FROM web_token ORDER BY name"
            )
            return [_token(row) for row in rows]

    def token(self, key: bytes) -> TokenRecord | None:
        """The token with that secret."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT id, name, scopes, created_at, last_used FROM web_token WHERE key = ?", (key,)
            ).fetchone()
        return _token(row) if row else None

    def note_token_used(self, token_id: str, now: float) -> None:
        """Remember when a token was last used."""
        with self._database.write(durable=False) as connection:
            connection.execute("UPDATE web_token SET last_used = ? WHERE id = ?", (now, token_id))

    def remove_token(self, token_id: str) -> bool:
        """False when there is none."""
        with self._database.write() as connection:
            found = connection.execute("DELETE FROM web_token WHERE id = ?", (token_id,)).rowcount
        return bool(found)

    # failed logins

    def note_failure(self, source: str, now: float, keep_seconds: float) -> None:
        """One wrong password from ``source``; those older than ``keep_seconds`` are forgotten."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM login_failure WHERE at < ?", (now - keep_seconds,))
            connection.execute("INSERT INTO login_failure VALUES (?, ?)", (source, now))

    def failures(self, since: float) -> list[tuple[str, float]]:
        """(source, when) of each wrong password since then, oldest first."""
        with self._database.read() as connection:
            return connection.execute(
                "SELECT source, at FROM login_failure WHERE at >= ? ORDER BY at", (since,)
            ).fetchall()

    def forget_failures(self, source: str | None = None) -> None:
        """The right password came from there; None: forget all of them."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM login_failure WHERE ?1 IS NULL OR source = ?1", (source,))


def _refuse_taken(connection: sqlite3.Connection, account: AccountRecord) -> None:
    if (
        account.role == "owner"
        and connection.execute("SELECT 1 FROM account WHERE role = 'owner'").fetchone()
    ):
        raise GalleryError("There is an owner already; log in, or run: homeface web password")
    if account.subject_id is not None:
        found = connection.execute("SELECT 1 FROM subject WHERE id = ?", (account.subject_id,)).fetchone()
        if not found:
            raise GalleryError(f"There is no subject {account.subject_id}.")
    taken = "SELECT 1 FROM account WHERE name_key = ?"
    if connection.execute(taken, (name_key(account.name),)).fetchone():
        raise GalleryError(f"There is an account called {account.name!r} already; choose another name.")


def _token(row: Sequence[object]) -> TokenRecord:
    token_id, name, scopes, created_at, last_used = row
    return TokenRecord(
        str(token_id),
        str(name),
        tuple(str(scopes).split()),
        float(str(created_at)),
        None if last_used is None else float(str(last_used)),
    )
