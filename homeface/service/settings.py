"""Settings that were changed while homeface ran: they stand above the file, survive a restart, and take
effect at once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from homeface.adapters.store import Store
from homeface.config import Config, live
from homeface.config import document as documents
from homeface.errors import ConfigError, InvalidRequestError

if TYPE_CHECKING:
    from homeface.adapters.web.models_settings import Settings
    from homeface.service.life import Life

_LOG = logging.getLogger(__name__)


def effective(config: Config, store: Store) -> Config:
    """The configuration with what was changed since. Blocks. What no longer fits is told and left out."""
    return _above(config, store.settings(), logging.WARNING)


def _above(config: Config, changes: Mapping[str, object], level: int) -> Config:
    for key, value in changes.items():
        try:
            config = live.changed(config, key, value)
        except ConfigError as error:
            _LOG.log(
                level,
                "%s was set to %r on the page, which no longer fits (%s); the configuration file holds.",
                key,
                value,
                error.problems[0].message,
            )
    return config


class LiveSettings:
    """The page's desk for settings of a life."""

    def __init__(self, life: Life, environ: Mapping[str, str]) -> None:
        self._life = life
        self._file = life.file_config
        self._environ = environ
        self._order = asyncio.Lock()

    async def all(self) -> Settings:
        """Every setting: value, default, and where it comes from."""
        stored = await asyncio.to_thread(self._life.store.settings)
        return await asyncio.to_thread(self._read, stored)

    async def change(self, changes: Mapping[str, object]) -> Settings:
        """All of them or none; None resets one. Raises InvalidRequestError with the key."""
        async with self._order:
            stored = await asyncio.to_thread(self._life.store.settings)
            wanted = dict(changes)
            for key in changes:
                other = live.rival(key)
                if other is not None and changes[key] is not None and other not in changes:
                    wanted[other] = None
            await asyncio.to_thread(self._check, wanted)
            merged = {key: value for key, value in {**stored, **wanted}.items() if value is not None}
            config = await asyncio.to_thread(_above, self._file, merged, logging.DEBUG)
            await asyncio.to_thread(self._life.store.change_settings, wanted, time.time())
            await self._life.apply(config)
        return await self.all()

    def _check(self, wanted: Mapping[str, object]) -> None:
        known = {entry.key for entry in live.entries(self._file)}
        for key, value in wanted.items():
            if key not in known or not live.is_live(key):
                raise InvalidRequestError(
                    f"{key} cannot be changed here; change it in the configuration file.", field=key
                )
            if value is None:
                continue
            try:
                live.changed(self._file, key, value)
            except ConfigError as error:
                raise InvalidRequestError(str(error.problems[0].message), field=key) from error

    def _read(self, stored: Mapping[str, object]) -> Settings:
        from homeface.adapters.web.models_settings import Place, Setting, Settings

        lines = self._lines()
        written = {entry.key: entry.value for entry in live.entries(self._file)}
        found = []
        for entry in live.entries(self._life.config):
            changed = entry.live and entry.key in stored
            in_file = entry.location in lines
            found.append(
                Setting(
                    key=entry.key,
                    kind=entry.kind,
                    value=entry.value,
                    file_value=written.get(entry.key),
                    default=entry.default,
                    source="page" if changed else "file" if in_file else "default",
                    choices=list(entry.choices),
                    least=entry.least,
                    most=entry.most,
                    help=entry.help,
                    live=entry.live,
                    place=Place(file=str(self._life.config_path or ""), line=lines.get(entry.location)),
                )
            )
        return Settings(settings=found)

    def _lines(self) -> Mapping[documents.Location, int]:
        if self._life.config_path is None:
            return {}
        try:
            return live.lines(self._life.config_path, self._environ)
        except ConfigError as error:  # being edited just now
            _LOG.debug("%s", error)
            return {}
