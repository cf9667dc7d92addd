"""Health pages for monitoring: ``/healthz`` and ``/readyz``, on this machine alone, without personal data."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web

from homeface.adapters.web.report import HealthReport
from homeface.errors import HomefaceError

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class HealthServer:
    """Serves what ``report()`` says at the time of asking. Only loopback addresses may be bound."""

    def __init__(self, report: Callable[[], HealthReport], host: str = "127.0.0.1", port: int = 8477) -> None:
        if not is_loopback(host):
            raise HomefaceError(
                f"The health pages listen on this machine alone: {host!r} is not a loopback address."
            )
        self._report = report
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The TCP port that is bound (port 0 lets the system choose)."""
        if self._runner is not None and self._runner.addresses:
            return int(self._runner.addresses[0][1])
        return self._port

    async def start(self) -> None:
        """Bind and serve. Raises HomefaceError when the port cannot be had."""
        app = web.Application(middlewares=[_only_local_names])
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError as error:
            await runner.cleanup()
            reason = error.strerror or str(error)
            raise HomefaceError(
                f"The health pages cannot listen on {self._host} port {self._port}: {reason}. "
                "Choose another web.port, or stop what uses it."
            ) from error
        self._runner = runner

    async def aclose(self) -> None:
        """Stop serving; a second call does nothing."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _healthz(self, _request: web.Request) -> web.Response:
        report = self._report()
        return _answer(report.healthy, "healthy", report)

    async def _readyz(self, _request: web.Request) -> web.Response:
        report = self._report()
        return _answer(report.ready and report.healthy, "ready", report)


def is_loopback(host: str) -> bool:
    """True for localhost and addresses that only this machine can reach."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _answer(good: bool, word: str, report: HealthReport) -> web.Response:
    body = {"status": word if good else f"not {word}", "details": dict(report.details)}
    return web.json_response(body, status=200 if good else 503, headers={"Cache-Control": "no-store"})


@web.middleware
async def _only_local_names(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Refuse other host names: a web page on a rebound DNS name must not read from this machine."""
    try:
        name = urlsplit(f"//{request.headers.get('Host', '')}").hostname or ""
    except ValueError:
        name = ""
    if not is_loopback(name):
        return web.json_response({"status": "unknown host name"}, status=421)
    return await handler(request)
