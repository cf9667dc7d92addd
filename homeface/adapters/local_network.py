"""Being found in the local network: an mDNS (zeroconf) announcement of the web page."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zeroconf.asyncio import AsyncServiceInfo

SERVICE_TYPE = "_homeface._tcp.local."
_LOG = logging.getLogger(__name__)
_RETRY_SECONDS = 60.0
_ANYWHERE = "192.0.2.1"
"""An address that is nobody's (RFC 5737): only asked for the way there, never sent to."""


@dataclass(frozen=True, slots=True)
class Page:
    """What is announced. ``addresses``: IP addresses by which others reach the page."""

    instance_id: str
    name: str
    node_id: str
    version: str
    port: int
    tls: bool
    addresses: tuple[str, ...]


def own_address(towards: str = _ANYWHERE) -> str | None:
    """This machine's address on the way to a host; None when there is no way. Resolves names: may block.

    Nothing is sent.
    """
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(towards, 9, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as asker:
            asker.connect(place)
            return str(asker.getsockname()[0])
    except OSError:
        return None


async def announce(page: Page, interfaces: Sequence[str] | None = None) -> None:
    """Answer whoever looks for us, until cancelled. Trouble of the network is told once, and tried again.

    ``interfaces``: addresses of those to speak on; those of the page when None.
    """
    told = False
    while True:
        try:
            await _announce(page, interfaces)
        except OSError as error:
            level, told = (logging.DEBUG if told else logging.WARNING), True
            _LOG.log(level, "The page cannot be announced in the local network (%s).", error)
        await asyncio.sleep(_RETRY_SECONDS)


async def _announce(page: Page, interfaces: Sequence[str] | None) -> None:
    from zeroconf import Error
    from zeroconf.asyncio import AsyncZeroconf

    zeroconf = AsyncZeroconf(interfaces=list(page.addresses if interfaces is None else interfaces))
    try:
        try:
            await (await zeroconf.async_register_service(service_info(page), allow_name_change=True))
        except Error as error:
            raise OSError(str(error) or type(error).__name__) from error
        await asyncio.Event().wait()
    finally:
        await zeroconf.async_unregister_all_services()
        await zeroconf.async_close()


def service_info(page: Page) -> AsyncServiceInfo:
    """The record; the keys of its properties are part of the interface with Home Assistant's companion."""
    from zeroconf.asyncio import AsyncServiceInfo

    short = page.instance_id[:8]
    return AsyncServiceInfo(
        SERVICE_TYPE,
        f"homeface-{short}.{SERVICE_TYPE}",
        port=page.port,
        server=f"homeface-{short}.local.",
        parsed_addresses=list(page.addresses),
        properties={
            "instance_id": page.instance_id,
            "name": page.name,
            "node_id": page.node_id,
            "version": page.version,
            "tls": "1" if page.tls else "0",
            "path": "",
        },
    )


def addresses_of(host: str, fallback: Sequence[str] = ()) -> tuple[str, ...]:
    """The addresses behind a listen address: itself, or ``fallback`` when it stands for every address."""
    return tuple(fallback) if host in {"0.0.0.0", "::"} else (host,)  # noqa: S104 - only compared
