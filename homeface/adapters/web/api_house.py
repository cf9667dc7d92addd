"""The house now: health pages for monitoring, and what runs here."""

from __future__ import annotations

from aiohttp import web

from homeface.adapters.web.access import MONITOR, READ
from homeface.adapters.web.context import Context
from homeface.adapters.web.models import HealthAnswer, Info
from homeface.adapters.web.routing import Route, api

INSECURE = "Without https browsers give a page no camera. Switch on web.tls, or send photos instead."


async def get_healthz(context: Context) -> web.Response:
    """Does the daemon make progress?"""
    report = context.services.house.report()
    return _health(report.healthy, "healthy", dict(report.details))


async def get_readyz(context: Context) -> web.Response:
    """Does it do its whole job?"""
    report = context.services.house.report()
    return _health(report.ready and report.healthy, "ready", dict(report.details))


async def get_info(context: Context) -> Info:
    """What runs here."""
    source = context.source
    trusted = source.secure or source.host.partition(":")[0] in {"localhost", "127.0.0.1"}
    info = context.services.house.info()
    return info.model_copy(
        update={"tls": source.secure, "secure_context_hint": None if trusted else INSECURE}
    )


def _health(good: bool, word: str, details: dict[str, str]) -> web.Response:
    body = HealthAnswer(status=word if good else f"not {word}", details=details)
    return web.json_response(text=body.model_dump_json(), status=200 if good else 503)


ROUTES = (
    Route("GET", "/healthz", get_healthz, MONITOR, "Does it make progress", answer=HealthAnswer),
    Route("GET", "/readyz", get_readyz, MONITOR, "Does it do its whole job", answer=HealthAnswer),
    api("GET", "/info", get_info, READ, "What runs here", answer=Info),
)
