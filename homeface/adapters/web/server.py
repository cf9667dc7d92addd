"""The listening socket: start, stop, TLS."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import ssl
import time
from collections.abc import Sequence

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from homeface.adapters.web.app import build_app
from homeface.adapters.web.door import Door
from homeface.adapters.web.ports import Services
from homeface.adapters.web.routes import ROUTES
from homeface.adapters.web.routing import Route
from homeface.adapters.web.settings import WebSettings, is_loopback
from homeface.adapters.web.source import within
from homeface.adapters.web.wrapper import HttpHandler
from homeface.errors import HomefaceError

_LOG = logging.getLogger(__name__)
_SWEEP_INTERVAL_SECONDS = 10.0
_KEEP_ALIVE_SECONDS = 30.0
_LINGERING_SECONDS = 2.0  # for a sender to see that the rest is not wanted
_RENEW_INTERVAL_SECONDS = 6 * 3600.0


class WebServer:
    """Serves the table of routes."""

    def __init__(self, services: Services, routes: Sequence[Route] = ROUTES) -> None:
        self._services = services
        self._routes = routes
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None
        self._door: Door | None = None
        self._context: ssl.SSLContext | None = None
        self._spoken: set[object] = set()
        self._silent: set[web.RequestHandler] = set()

    @property
    def port(self) -> int:
        """The TCP port that is bound (port 0 lets the system choose)."""
        if self._server is not None and self._server.sockets:
            return int(self._server.sockets[0].getsockname()[1])
        return self._services.settings.port

    @property
    def settings(self) -> WebSettings:
        """How it is served."""
        return self._services.settings

    async def start(self) -> None:
        """Bind and serve. Raises HomefaceError when port or certificate cannot be used."""
        settings = self._services.settings
        context = await self._tls()
        app = build_app(self._services, self._routes)
        app.middlewares.insert(0, self._listen)
        runner = web.AppRunner(
            app,
            access_log=None,
            logger=_http_log(),
            handle_signals=False,
            shutdown_timeout=1.0,
            keepalive_timeout=_KEEP_ALIVE_SECONDS,
            lingering_time=_LINGERING_SECONDS,
            auto_decompress=False,  # nobody needs it, and a small body could become a huge one,
        )
        await runner.setup()
        try:
            server = runner.server
            assert server is not None  # noqa: S101 - set by ``setup``
            self._door = Door(server, context, self._may_crowd)
            self._server = await asyncio.get_running_loop().create_server(
                self._door.visitor,
                None if settings.host == "::" else settings.host,  # there asyncio would leave out IPv4
                settings.port,
                reuse_address=True,
            )
        except OSError as error:
            await runner.cleanup()
            reason = error.strerror or str(error)
            raise HomefaceError(
                f"The page cannot listen on {settings.host} port {settings.port}: {reason}. "
                "Choose another web.port, or stop what uses it."
            ) from error
        self._runner = runner

    async def run(self) -> None:
        """Whatever is to be done while it serves; runs for ever."""
        renewed = time.monotonic()
        while True:
            await asyncio.sleep(_SWEEP_INTERVAL_SECONDS)
            self.sweep()
            if self._context is not None and time.monotonic() - renewed > _RENEW_INTERVAL_SECONDS:
                renewed = time.monotonic()
                try:
                    await asyncio.to_thread(self._renew)
                except HomefaceError as error:
                    _LOG.warning("%s", error)

    def sweep(self) -> None:
        """Hang up on those who were silent at the last sweep and are still: they only take places."""
        server = self._runner.server if self._runner is not None else None
        if server is None:
            return
        self._spoken &= set(server.connections)
        silent = {connection for connection in server.connections if connection not in self._spoken}
        for connection in silent & self._silent:
            connection.force_close()
        self._silent = silent - self._silent

    async def aclose(self) -> None:
        """Stop serving; a second call does nothing."""
        runner, self._runner = self._runner, None
        server, self._server = self._server, None
        if server is not None:
            server.close()
        if self._door is not None:
            await self._door.aclose()
        if runner is not None:
            await runner.cleanup()
            self._services.uploads.close()

    @web.middleware
    async def _listen(self, request: web.Request, handler: HttpHandler) -> web.StreamResponse:
        """Whoever has asked something is no silent connection."""
        self._spoken.add(request.protocol)
        return await handler(request)

    def _may_crowd(self, address: str) -> bool:
        """This machine, and proxies: they come for many."""
        settings = self.settings
        return is_loopback(address) or within(address, settings.trusted_proxies + settings.ingress_proxies)

    async def _tls(self) -> ssl.SSLContext | None:
        if self.settings.tls is None:
            return None
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        await asyncio.to_thread(self._renew)
        return self._context

    def _renew(self) -> None:
        """Certificates end, and files of others are renewed: use what is there now. Blocks."""
        from homeface.adapters.web import certificates

        tls, context = self.settings.tls, self._context
        assert tls is not None  # noqa: S101 - the caller has looked
        assert context is not None  # noqa: S101 - set by ``_tls``
        if tls.own_ca is not None:
            now = dt.datetime.now(dt.UTC)
            names = self.settings.host_names
            if certificates.renew(tls.own_ca, tls.certificate, tls.key, names, now):
                _LOG.info("A certificate for the page was made in %s.", tls.own_ca)
        certificates.load_into(context, tls.certificate, tls.key)


class _NotOurFault(logging.Filter):
    """Whoever sends what is no HTTP must not fill the log with tracebacks."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let all else pass."""
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, HttpProcessingError)


def _http_log() -> logging.Logger:
    log = logging.getLogger(f"{__name__}.http")
    if not log.filters:
        log.addFilter(_NotOurFault())
    return log
