"""How the page is served: plain values from the configuration."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """Certificate (with chain) and key, PEM. ``own_ca``: folder of a certificate authority of our own,

    which makes both; the files then are written there.
    """

    certificate: Path
    key: Path
    own_ca: Path | None = None


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Where and how to listen. ``trusted_proxies`` and ``ingress_proxies``: networks, such as 10.0.0.0/8.

    ``host_names``: further names that this machine is called by, in lower case. ``base_path``: what stands
    before our paths behind a reverse proxy, such as ``/homeface``; empty: nothing. ``address``: of this
    machine in the home's network, for links that other devices open; ``url``: what these begin with instead.
    """

    host: str = "127.0.0.1"
    port: int = 8477
    tls: TlsSettings | None = None
    base_path: str = ""
    trusted_proxies: tuple[str, ...] = ()
    ingress_proxies: tuple[str, ...] = ()
    host_names: frozenset[str] = field(default_factory=frozenset)
    node_id: str = "homeface"
    language: str = "auto"
    camera_pictures: bool = False
    address: str = ""
    url: str = ""

    @property
    def browser_warns(self) -> bool:
        """Whether browsers that follow a link of ours meet our own certificate, which they cannot know."""
        return self.tls is not None and self.tls.own_ca is not None and not self.url

    @property
    def reach(self) -> Literal["network", "machine"]:
        """Who can open a link to us: every device of the network, or this machine alone."""
        beyond = self.url or not is_loopback(self.host) or self.trusted_proxies or self.ingress_proxies
        return "network" if beyond else "machine"

    @property
    def cookie(self) -> str:
        """Name of the session's cookie: cookies do not tell ports apart, two homes on one host must."""
        return f"homeface_{self.node_id}"


def is_loopback(host: str) -> bool:
    """True for localhost and addresses that only this machine can reach."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
