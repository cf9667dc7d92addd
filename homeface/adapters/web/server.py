"""The listening socket: start, stop, TLS, and a limit on connections."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import ssl
from collections.abc import Callable, Sequence

from aiohttp import web

from homeface.adapters.web.app import build_app
from homeface.adapters.web.ports import Services
from homeface.adapters.web.routes import ROUTES
from homeface.adapters.web.routing import Route
from homeface.adapters.web.settings import WebSettings
from homeface.errors import HomefaceError

_LOG = logging.getLogger(__name__)
_RENEW_INTERVAL_SECONDS = 6 * 3600.0
MAX_CONNECTIONS = 256
"""Cameras and the broker need file descriptors too."""


class WebServer:
    """Serves the table of routes."""

    def __init__(self, services: Services, routes: Sequence[Route] = ROUTES) -> None:
        self._services = services
        self._routes = routes
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None
        self._context: ssl.SSLContext | None = None

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
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        try:
            assert runner.server is not None  # noqa: S101 - set by ``setup``
            self._server = await asyncio.get_running_loop().create_server(
                _limited(runner.server), settings.host, settings.port, ssl=context, reuse_address=True
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
        while True:
            await asyncio.sleep(_RENEW_INTERVAL_SECONDS)
            if self._context is not None:
                try:
                    await asyncio.to_thread(self._renew)
                except HomefaceError as error:
                    _LOG.warning("%s", error)

    async def aclose(self) -> None:
        """Stop serving; a second call does nothing."""
        runner, self._runner = self._runner, None
        server, self._server = self._server, None
        if server is not None:
            server.close()
        if runner is not None:
            await runner.cleanup()
            self._services.uploads.close()

    async def _tls(self) -> ssl.SSLContext | None:
        if self.settings.tls is None:
            return None
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
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


class _Full(asyncio.Protocol):
    """Hangs up: there are too many connections."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """At once."""
        transport.close()


def _limited(server: web.Server) -> Callable[[], asyncio.BaseProtocol]:
    def connect() -> asyncio.BaseProtocol:
        return server() if len(server.connections) < MAX_CONNECTIONS else _Full()

    return connect
