"""Where a request comes from: directly, through a reverse proxy, or through Home Assistant's ingress."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

from aiohttp import web

from homeface.adapters.web.settings import WebSettings, is_loopback

_FORWARDING = ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Real-IP", "Via")
_PREFIX = re.compile(r"(/[A-Za-z0-9_.~-]+)+")


@dataclass(frozen=True, slots=True)
class Source:
    """``address``: the browser's, as far as trusted proxies tell. ``local``: on this machine, no proxy.

    ``host``: host and port as the browser wrote them; ``base``: what stands before our paths there.
    """

    address: str
    local: bool
    secure: bool
    host: str
    base: str
    vouched: bool

    @property
    def origin(self) -> str:
        """As browsers write it in ``Origin``."""
        return f"{'https' if self.secure else 'http'}://{self.host.lower()}"


def source_of(request: web.Request, settings: WebSettings) -> Source:
    """Headers of forwarding are believed from the proxies that the configuration names, from nobody else."""
    peer = _peer(request)
    headers = request.headers
    ingress = within(peer, settings.ingress_proxies)
    proxied = ingress or within(peer, settings.trusted_proxies)
    address, secure, host = peer, settings.tls is not None, headers.get("Host", "")
    base = settings.base_path
    if proxied:
        address = _client(",".join(headers.getall("X-Forwarded-For", [])), peer, settings)
        secure = headers.get("X-Forwarded-Proto", "").lower() == "https"
        host = headers.get("X-Forwarded-Host", host)
    if ingress:
        given = headers.get("X-Ingress-Path", "").rstrip("/")
        base = given if _PREFIX.fullmatch(given) else ""
    direct = not any(name in headers for name in _FORWARDING)
    return Source(
        address=address,
        local=is_loopback(peer) and direct and not proxied,
        secure=secure,
        host=host,
        base=base,
        vouched=ingress,
    )


def is_known_host(source: Source, settings: WebSettings) -> bool:
    """Whether this machine answers to that name: a web page on a rebound DNS name must not read from us.

    Addresses cannot be rebound; they count when we listen beyond this machine.
    """
    if source.vouched:
        return True
    try:
        parts = urlsplit(f"//{source.host}")
        name = (parts.hostname or "").rstrip(".")
        parts.port  # noqa: B018 - raises ValueError for a port that is none
    except ValueError:
        return False
    if "@" in source.host or not name:
        return False
    if is_loopback(name) or name in settings.host_names:
        return True
    return not is_loopback(settings.host) and _is_address(name)


def _peer(request: web.Request) -> str:
    """The address of the other end; a Unix socket has none and is never local."""
    return (request.remote or "").partition("%")[0]


def _client(forwarded: str, peer: str, settings: WebSettings) -> str:
    """The nearest address that is not itself a proxy of ours."""
    for text in reversed(forwarded.split(",")):
        address = text.strip().removeprefix("[").partition("]")[0]
        if not _is_address(address):
            return peer
        if not within(address, settings.trusted_proxies + settings.ingress_proxies):
            return address
    return peer


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def within(address: str, networks: tuple[str, ...]) -> bool:
    """True for an address in one of these networks."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return any(ip in _network(text) for text in networks)


@cache
def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text, strict=False)
