"""The daemon as a process: start, signals, reload, watchdog, stop.

A *life* is everything between two configurations. A reload ends one life and begins the next: the engine is
kept when its settings are the same, and the presence is handed over through the store.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from homeface.adapters.systemd import Notifier
from homeface.config import Config, load, systemd_environment
from homeface.errors import HomefaceError
from homeface.inference.engine import Engine, EngineSettings
from homeface.service import wiring
from homeface.service.life import Life
from homeface.service.session import only_daemon, open_or_recover

_LOG = logging.getLogger(__name__)
_WATCHDOG_DEFAULT_SECONDS = 30.0


class Daemon:
    """``homeface run``. One instance a process."""

    def __init__(
        self,
        config: Config,
        config_path: Path,
        environ: Mapping[str, str],
        on_config: Callable[[Config], None] = lambda _config: None,
    ) -> None:
        self._config = config
        self._path = config_path
        self._environ = environ
        self._on_config = on_config
        around = systemd_environment(environ, os.getpid())
        self._notifier = Notifier(around.notify_socket)
        self._watchdog_seconds = around.watchdog_seconds or _WATCHDOG_DEFAULT_SECONDS
        self._previous: Config | None = None
        self._told = asyncio.Event()
        self._stopping = False
        self._reloading = False
        self._loading: asyncio.Timeout | None = None
        self._engine: Engine | None = None
        self._engine_settings: EngineSettings | None = None

    async def run(self) -> None:
        """Until SIGTERM or SIGINT. Raises the ``HomefaceError`` that prevents a start."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        try:
            while not self._stopping:
                await self._live_or_go_back()
        finally:
            _LOG.info("Stopping.")
            self._notifier.stopping()
            if self._engine is not None:
                await self._engine.aclose()

    async def _live_or_go_back(self) -> None:
        """One life; a reloaded configuration that cannot even begin gives way to the one before."""
        try:
            await self._one_life()
        except HomefaceError as error:
            if self._previous is None:
                raise
            _LOG.error("The new configuration cannot be used, the old one is back: %s", error)
            self._config, self._previous = self._previous, None
            self._on_config(self._config)

    def _stop(self) -> None:
        self._stopping = True
        self._told.set()
        if self._loading is not None and not self._loading.expired():
            self._loading.reschedule(asyncio.get_running_loop().time())

    def _reload(self) -> None:
        self._reloading = True
        self._told.set()

    async def _one_life(self) -> None:
        engine = await self._engine_for(self._config)
        if engine is None or self._stopping:
            return
        with only_daemon(self._config):
            store = await asyncio.to_thread(open_or_recover, self._config)
            try:
                life = Life(self._config, engine, store)
                life.config_path = self._path
                await life.begin()
                await self._run_life(life, engine)
            except ExceptionGroup as group:
                expected = _expected(group)
                if expected is None:
                    raise
                raise expected from group
            finally:
                await asyncio.to_thread(store.close)

    async def _run_life(self, life: Life, engine: Engine) -> None:
        async with asyncio.TaskGroup() as tasks:
            link, *others = [tasks.create_task(job, name=name) for name, job in life.jobs()]
            others.append(tasks.create_task(self._feed_watchdog(engine, life), name="watchdog"))
            self._previous = None
            self._notifier.ready()
            _LOG.info("Watching %d cameras in %d rooms.", len(life.watches), len(self._config.rooms))
            await self._until_told()
            for task in others:
                task.cancel()
            await asyncio.wait(others)
            await life.close()
            link.cancel()

    async def _until_told(self) -> None:
        """Return when this life is to end: told to stop, or to reload a configuration that is right."""
        while not self._stopping:
            await self._told.wait()
            self._told.clear()
            if self._reloading and not self._stopping:
                self._reloading = False
                if await self._accept_new_config():
                    return

    async def _accept_new_config(self) -> bool:
        """Read the configuration again; a bad one is refused and the old one stays."""
        self._notifier.reloading()
        try:
            config = await asyncio.to_thread(load, self._path, self._environ, wiring.known_names())
            wiring.engine_settings(config, self._environ)
        except HomefaceError as error:
            _LOG.error("The new configuration is refused, the old one stays:\n%s", error)
            self._notifier.ready()
            return False
        _LOG.info("The configuration was read again.")
        self._config, self._previous = config, self._config
        self._on_config(config)
        return True

    async def _engine_for(self, config: Config) -> Engine | None:
        """The running engine when its settings have not changed, else a new one; None: told to stop."""
        settings = wiring.engine_settings(config, self._environ)
        if self._engine is not None and settings == self._engine_settings:
            return self._engine
        if self._engine is not None:
            await self._engine.aclose()
            self._engine = None
        self._notifier.status("Loading models")
        _LOG.info("Loading models: %s and %s.", settings.detector, settings.embedder)
        self._notifier.watchdog()  # loading takes some of the time that systemd waits for the next sign
        engine = Engine(settings)
        try:
            async with asyncio.timeout(None) as self._loading:
                await engine.start()
        except TimeoutError:
            return None
        finally:
            self._loading = None
        self._engine, self._engine_settings = engine, settings
        _LOG.info("The models run in %s on %s.", engine.runtime, engine.device)
        return engine

    async def _feed_watchdog(self, engine: Engine, life: Life) -> None:
        """Tell systemd that we live: only while the loop runs and the device makes progress."""
        interval = self._watchdog_seconds / 3
        while True:
            silent = time.monotonic() - engine.heartbeat()
            if silent < self._watchdog_seconds:
                self._notifier.watchdog()
            else:
                _LOG.error("The device has made no progress for %.0f s; the watchdog is not fed.", silent)
            self._notifier.status(life.one_line())
            await asyncio.sleep(interval)


def _expected(group: ExceptionGroup[Exception]) -> HomefaceError | None:
    """The expected failure that ended a life, and nothing else did: a sentence serves better than a trace."""
    if group.split(HomefaceError)[1] is not None:
        return None
    error: Exception = group
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error if isinstance(error, HomefaceError) else None
