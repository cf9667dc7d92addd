"""The house now: health pages for monitoring, and what runs here."""

from __future__ import annotations

import asyncio

from aiohttp import web

from homeface.adapters.metrics import CONTENT_TYPE
from homeface.adapters.web.access import ANYBODY, MONITOR, READ
from homeface.adapters.web.context import Context
from homeface.adapters.web.models import HealthAnswer, Info
from homeface.adapters.web.routing import Media, Route, api
from homeface.errors import NotThereError

INSECURE = "Without https browsers give a page no camera. Switch on web.tls, or send photos instead."


async def get_healthz(context: Context) -> web.Response:
    """Does the daemon make progress?"""
    report = context.services.house.report()
    return _health(report.healthy, "healthy", dict(report.details))


async def get_readyz(context: Context) -> web.Response:
    """Does it do its whole job?"""
    report = context.services.house.report()
    return _health(report.ready and report.healthy, "ready", dict(report.details))


async def get_metrics(context: Context) -> web.Response:
    """Figures of cameras, device, broker and storage for Prometheus; no names, nothing of who is where."""
    return web.Response(body=await context.services.house.metrics(), headers={"Content-Type": CONTENT_TYPE})


async def get_authority(context: Context) -> web.Response:
    """For people who want their phones to trust the page without a warning. It is no secret."""
    tls = context.services.settings.tls
    if tls is None or tls.own_ca is None:
        raise NotThereError("The page has no certificate authority of its own (web.tls: self-signed).")
    content = await asyncio.to_thread((tls.own_ca / "ca.pem").read_bytes)
    name = {"Content-Disposition": 'attachment; filename="homeface-ca.crt"'}
    return web.Response(body=content, content_type="application/x-x509-ca-cert", headers=name)


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
    Route("GET", "/metrics", get_metrics, MONITOR, "Figures for Prometheus", answer=Media("text/plain")),
    api("GET", "/ca.crt", get_authority, ANYBODY, "The authority behind the page's own certificate",
        answer=Media("application/x-x509-ca-cert")),
    api("GET", "/info", get_info, READ, "What runs here", answer=Info),
)  # fmt: skip
