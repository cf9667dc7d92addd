"""Engine, store and gallery for one command of the command line."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from homeface.adapters.store import Store, recover
from homeface.config import Config
from homeface.errors import GalleryError, StoreDamagedError, StoreError
from homeface.inference.engine import Engine
from homeface.service import wiring
from homeface.service.pipeline import Recognition
from homeface.service.recognition import recognition_of
from homeface.service.settings import effective

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Session:
    """What a command works with."""

    engine: Engine
    store: Store
    recognition: Recognition


def open_store(config: Config) -> Store:
    """The configured store, with the configured aliases. Raises ``StoreError``."""
    store = Store(wiring.database_path(config), key_file=config.storage.key_file)
    try:
        apply_aliases(store, config)
    except BaseException:
        store.close()
        raise
    return store


def open_or_recover(config: Config) -> Store:
    """The same for the one daemon: a damaged database gives way to the newest whole copy beside it.

    Raises ``StoreError`` when there is none: faces must not be lost without anybody noticing.
    """
    path = wiring.database_path(config)
    try:
        return open_store(config)
    except StoreDamagedError as error:
        found = recover(path)
        if found is None:
            raise
        made = time.strftime("%Y-%m-%d %H:%M", time.localtime(found.copied_at))
        _LOG.error(
            "%s\nThe damaged file was set aside as %s. The copy of %s (%s) takes its place: who was enrolled "
            "or renamed since then has to be again.",
            error,
            found.aside,
            made,
            found.copy.name,
        )
    store = open_store(config)
    store.note_act("daemon", "recover", found.copy.name)
    return store


@contextmanager
def only_daemon(config: Config) -> Iterator[None]:
    """Hold the lock of the one daemon on this database. Raises ``StoreError`` when another one has it."""
    path = wiring.database_path(config).with_suffix(".lock")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = path.open("w")
    except OSError as error:
        raise StoreError(f"{path} cannot be written ({error.strerror}): check storage.folder.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreError(
                f"Another homeface daemon is running on {path.with_suffix('.db')}: stop it first "
                "(systemctl stop homeface), or give this one another storage.folder."
            ) from error
        yield


def apply_aliases(store: Store, config: Config) -> None:
    """Give enrolled people their configured aliases; one that somebody else has is told and left out."""
    for name, person in config.people.items():
        subject = store.find_subject(name)
        if subject is None or set(subject.aliases) == set(person.aliases):
            continue
        try:
            store.set_aliases(subject.subject_id, person.aliases)
        except GalleryError as error:
            _LOG.warning("The aliases of %s in the configuration are not used: %s", name, error)


@asynccontextmanager
async def open_session(config: Config, environ: Mapping[str, str]) -> AsyncIterator[Session]:
    """Load models and gallery, and free them afterwards. Raises ``ModelError`` and ``StoreError``."""
    store = await asyncio.to_thread(open_store, config)
    try:
        engine = Engine(wiring.engine_settings(config, environ))
        await engine.start()
        try:
            gallery = await asyncio.to_thread(store.gallery, engine.model_id)
            config = await asyncio.to_thread(effective, config, store)
            recognition = await asyncio.to_thread(recognition_of, gallery, config)
            yield Session(engine, store, recognition)
        finally:
            await engine.aclose()
    finally:
        await asyncio.to_thread(store.close)
