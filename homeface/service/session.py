"""Engine, store and gallery for one command of the command line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from homeface.adapters.store import Store
from homeface.config import Config
from homeface.inference.engine import Engine
from homeface.service import wiring
from homeface.service.pipeline import Recognition
from homeface.service.recognition import recognition_of


@dataclass(frozen=True, slots=True)
class Session:
    """What a command works with."""

    engine: Engine
    store: Store
    recognition: Recognition


def open_store(config: Config) -> Store:
    """The configured store. Raises ``StoreError``."""
    return Store(wiring.database_path(config), key_file=config.storage.key_file)


@asynccontextmanager
async def open_session(config: Config, environ: Mapping[str, str]) -> AsyncIterator[Session]:
    """Load models and gallery, and free them afterwards. Raises ``ModelError`` and ``StoreError``."""
    store = await asyncio.to_thread(open_store, config)
    try:
        engine = Engine(wiring.engine_settings(config, environ))
        await engine.start()
        try:
            gallery = await asyncio.to_thread(store.gallery, engine.model_id)
            recognition = await asyncio.to_thread(recognition_of, gallery, config)
            yield Session(engine, store, recognition)
        finally:
            await engine.aclose()
    finally:
        await asyncio.to_thread(store.close)
