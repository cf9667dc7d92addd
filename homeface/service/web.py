"""The web page of a life: what it may ask, and its server."""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from homeface import __version__
from homeface.adapters.local_network import own_address
from homeface.adapters.metrics import render
from homeface.adapters.web.accounts import Accounts
from homeface.adapters.web.links import Links
from homeface.adapters.web.models import Info
from homeface.adapters.web.ports import Services
from homeface.adapters.web.report import HealthReport
from homeface.adapters.web.server import WebServer
from homeface.adapters.web.settings import is_loopback
from homeface.adapters.web.uploads import Uploads
from homeface.service import wiring
from homeface.service.backups import Backups
from homeface.service.readings import readings
from homeface.service.settings import LiveSettings
from homeface.service.web_desks import open_desks

if TYPE_CHECKING:
    from homeface.service.life import Life

_LOG = logging.getLogger(__name__)


class WebHouse:
    """What is true now, for the page."""

    def __init__(self, life: Life, instance_id: str) -> None:
        self._life = life
        self._instance_id = instance_id

    def report(self) -> HealthReport:
        """How the service is."""
        return self._life.health()

    async def metrics(self) -> bytes:
        """Figures for Prometheus."""
        return await asyncio.to_thread(render, readings(self._life))

    def info(self) -> Info:
        """What runs here."""
        config = self._life.config
        return Info(
            name=config.home.name,
            version=__version__,
            node_id=config.home.node_id,
            model_id=self._life.engine.model_id,
            detector=config.recognition.detector,
            device=self._life.engine.device,
            instance_id=self._instance_id,
            cameras_live=config.web.camera_pictures,
        )


async def open_web(life: Life) -> WebServer:
    """Bind and serve. Raises HomefaceError when the page cannot be served."""
    settings = wiring.web_settings(life.config)
    if not is_loopback(settings.host):
        address: str | None = await asyncio.to_thread(own_address)
        settings = replace(settings, address=address or "")
    accounts = Accounts(life.store)
    instance_id = await asyncio.to_thread(life.store.instance_id)
    desks = await open_desks(life)
    backups = Backups(life)
    await asyncio.to_thread(backups.clear)
    services = Services(
        settings=settings,
        accounts=accounts,
        links=Links(life.store),
        uploads=Uploads(),
        house=WebHouse(life, instance_id),
        settings_desk=LiveSettings(life, os.environ),
        backups=backups,
        live=desks.live,
        people=desks.people,
        rounds=desks.rounds,
        visits=desks.visits,
    )
    server = WebServer(services)
    await server.start()
    _LOG.info("The page is at %s", address_of(server))
    if not is_loopback(settings.host) and settings.tls is None:
        _LOG.warning("The page is open to the network without encryption: set web.tls.")
    if await accounts.setup_needed():
        _LOG.warning(
            "The page has no owner yet. Make the password with: homeface web password, or open the page on "
            "this machine, or from another one with the code %s.",
            accounts.setup_code,
        )
    return server


def address_of(server: WebServer) -> str:
    """Where a person can open the page."""
    settings = server.settings
    host = settings.address if settings.host in {"0.0.0.0", "::"} and settings.address else settings.host  # noqa: S104
    scheme = "http" if settings.tls is None else "https"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{server.port}{settings.base_path}/"
