"""Who may use the page after a restore: a backup must not bring back what was taken away since."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, TypeAlias

_TABLES = ("account", "link", "web_session", "web_token", "login_failure")
"""In an order in which rows may refer to earlier ones."""

Access: TypeAlias = Mapping[str, list[tuple[Any, ...]]]


def access_of(connection: sqlite3.Connection) -> Access:
    """Accounts, links, sessions, tokens and failed log-ins as they are."""
    return {
        table: connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - fixed names
        for table in _TABLES
    }


def keep_access(connection: sqlite3.Connection, ours: Access) -> None:
    """In the restored database, where this machine has an owner, passwords, links and tokens stay as now.

    Else the backup's hold; nobody's session comes from a backup. What belongs to a person whom the backup
    does not know is left out.
    """
    connection.execute("DELETE FROM web_session")
    if not any("owner" in row for row in ours["account"]):
        return
    for table in reversed(_TABLES):
        connection.execute(f"DELETE FROM {table}")  # noqa: S608 - fixed names
    for table in _TABLES:
        for row in ours[table]:
            _insert(connection, table, row)


def _insert(connection: sqlite3.Connection, table: str, row: tuple[Any, ...]) -> None:
    marks = ", ".join("?" * len(row))
    try:
        connection.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # noqa: S608 - fixed names
    except sqlite3.IntegrityError:
        return  # it refers to somebody who is not there: the statement alone is undone
