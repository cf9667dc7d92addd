"""The aiohttp application, made from the table of routes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aiohttp import web

from homeface.adapters.web.context import SERVICES
from homeface.adapters.web.ports import Services
from homeface.adapters.web.routing import Route
from homeface.adapters.web.source import source_of
from homeface.adapters.web.wrapper import endpoint, guard

_PART = re.compile(r"\{([a-z_]+)\}")
PART_PATTERN = "[A-Za-z0-9_.-]{1,80}"
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
    )
)


def build_app(services: Services, routes: Sequence[Route]) -> web.Application:
    """Every route of the table, with and without ``base_path`` (some proxies keep it, some cut it off)."""
    app = web.Application(middlewares=[guard], client_max_size=1)  # bodies are read by ``uploads`` alone
    app[SERVICES] = services
    app.on_response_prepare.append(_headers)
    for route in routes:
        handler = endpoint(route)
        for prefix in dict.fromkeys(("", services.settings.base_path)):
            app.router.add_route(route.method, prefix + _pattern(route.path), handler)
    return app


def _pattern(path: str) -> str:
    """aiohttp's form, with each part limited to harmless characters."""
    return _PART.sub(rf"{{\1:{PART_PATTERN}}}", path)


async def _headers(request: web.Request, response: web.StreamResponse) -> None:
    """What every answer carries, errors too."""
    headers = response.headers
    source = source_of(request, request.app[SERVICES].settings)
    # Home Assistant shows its ingress pages in a frame of its own page
    frames = "'self'" if source.vouched else "'none'"
    headers["Content-Security-Policy"] = f"{CONTENT_SECURITY_POLICY}; frame-ancestors {frames}"
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    headers["X-Frame-Options"] = "SAMEORIGIN" if source.vouched else "DENY"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    headers["Permissions-Policy"] = "camera=(self), microphone=(), geolocation=()"
    headers.setdefault("Cache-Control", "no-store")
    headers.popall("Server", None)
