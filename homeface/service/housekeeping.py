"""What the daemon does every hour for what is stored: retention, and a copy in case the file is damaged."""

from __future__ import annotations

import logging
from collections.abc import Callable

from homeface.adapters.store import Store
from homeface.config import Storage
from homeface.errors import StoreError

_LOG = logging.getLogger(__name__)


def keep_house(store: Store, storage: Storage, now: float, oldest_unknown_visit: float = 0.0) -> None:
    """Forget what is older than its retention, and make the daily copy. Blocks.

    ``now``: seconds since the epoch; ``oldest_unknown_visit``: faces of strangers who were seen before then
    go (infinite: all of them). One thing that fails keeps nothing else from being done.
    """
    limit = now - storage.retention_seconds
    _do("Forgot %d visits older than the retention.", lambda: store.purge(limit))
    _do(
        "Forgot %d acts older than storage.keep_acts.",
        lambda: store.forget_acts(now - storage.keep_acts_seconds),
    )
    _do(
        "Deleted %d old copies of the database: the retention is for them, too.",
        lambda: store.forget_old_copies(limit),
    )
    _do(
        "Forgot %d visits without a name older than web.unknown_retention.",
        lambda: store.purge_unknown_visits(oldest_unknown_visit),
    )
    _do("", lambda: store.forget_what_is_over(now))
    _do("", lambda: int(store.make_daily_copy(now)))


def _do(sentence: str, work: Callable[[], int]) -> None:
    try:
        done = work()
    except StoreError as error:
        _LOG.warning("%s", error)
        return
    if done and sentence:
        _LOG.info(sentence, done)
