"""A person is changed; who gets another name keeps the second opinion that was learned of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from homeface.adapters.store import Store
from homeface.config import Config
from homeface.core.gallery import Subject
from homeface.errors import ModelError
from homeface.inference.second_opinion import rename_in_opinion

_LOG = logging.getLogger(__name__)


def change_person(
    store: Store,
    subject_id: str,
    config: Config,
    *,
    name: str | None = None,
    aliases: Sequence[str] | None = None,
    paused: bool | None = None,
) -> Subject:
    """Blocks. As ``Store.change_subject``, and the name in the second opinion's file. Raises GalleryError and
    StoreError; a file that cannot be changed is told in the log.
    """
    old, file = store.require_subject(subject_id).name, config.recognition.second_opinion
    # the file first: a daemon reads it again as soon as the store has changed
    renamed = name is not None and file is not None and _renamed(file, old, name)
    try:
        return store.change_subject(subject_id, name=name, aliases=aliases, paused=paused)
    except BaseException:
        if renamed and name is not None and file is not None:
            _renamed(file, name, old)
        raise


def _renamed(file: Path, old: str, new: str) -> bool:
    try:
        return rename_in_opinion(file, old, new)
    except ModelError as error:
        _LOG.warning("The second opinion has nothing to say about whoever was renamed. %s", error)
        return False
