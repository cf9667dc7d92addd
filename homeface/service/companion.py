"""Telling Home Assistant's companion integration where the web page is: at the broker, and in the network.

Nothing is told of a page that others cannot reach. The broker is told when the page listens beyond this
machine, or when the broker itself is on this machine alone: whoever hears that is here, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from homeface import __version__
from homeface.adapters import local_network
from homeface.adapters.web.settings import is_loopback

if TYPE_CHECKING:
    from homeface.adapters.store import Store
    from homeface.adapters.web.server import WebServer
    from homeface.config import Config
    from homeface.service.publisher import Publisher

OwnAddress = Callable[..., str | None]


async def tell(config: Config, server: WebServer, store: Store, publisher: Publisher) -> None:
    """Until cancelled; returns at once when nobody is to be told."""
    if not config.mqtt.discovery:
        return
    host, tls = server.settings.host, server.settings.tls is not None
    address = await asyncio.to_thread(reachable_address, host, config.mqtt.host)
    if address is None:
        return
    instance_id = await asyncio.to_thread(store.instance_id)
    shown = f"[{address}]" if ":" in address else address
    publisher.set_page(f"{'https' if tls else 'http'}://{shown}:{server.port}", instance_id)
    if is_loopback(host) or not config.web.announce:
        return
    page = local_network.Page(
        instance_id=instance_id,
        name=config.home.name,
        node_id=config.home.node_id,
        version=__version__,
        port=server.port,
        tls=tls,
        addresses=local_network.addresses_of(host, (address,)),
    )
    await local_network.announce(page)


def reachable_address(
    host: str, broker: str, own_address: OwnAddress = local_network.own_address
) -> str | None:
    """By which address others reach a page that listens on ``host``; None: by none. May block."""
    if is_loopback(host):
        return host if is_loopback(broker) else None
    if local_network.addresses_of(host):
        return host
    return own_address() if is_loopback(broker) else own_address(broker) or own_address()
