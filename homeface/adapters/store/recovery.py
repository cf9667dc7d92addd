"""A damaged database is set aside, and the newest whole copy beside it takes its place."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from homeface.adapters.store import copies
from homeface.adapters.store.database import new_private_file
from homeface.adapters.store.failures import told
from homeface.adapters.vault import sync_folder


@dataclass(frozen=True, slots=True)
class Recovered:
    """Where the damaged file lies now, which copy took its place, and when (seconds since the epoch) that
    was made: what changed since is lost."""

    aside: Path
    copy: Path
    copied_at: float


def recover(path: Path) -> Recovered | None:
    """Replace the database at ``path``, which nobody may have open. None: there is no whole copy, and nothing
    has changed. Raises StoreError.

    The presence in the copy is old, and is left out: a room must not be told as it was yesterday.
    """
    whole = copies.whole_copies(path)
    if not whole:
        return None
    ready = path.with_name(f".{path.name}.recovering")
    with told(path):
        ready.unlink(missing_ok=True)
        new_private_file(ready)
        shutil.copyfile(whole[0], ready)
        with closing(sqlite3.connect(ready)) as connection, connection:
            connection.execute("DELETE FROM presence_state")
        aside = copies.set_aside(path)
        ready.replace(path)
        sync_folder(path.parent)
        return Recovered(aside, whole[0], whole[0].stat().st_mtime)
