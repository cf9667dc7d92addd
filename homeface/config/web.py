"""The section about the web page and its API."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator

from homeface.config.values import PathTo, Section, Whole, Within, setting

_BASE_PATH = re.compile(r"(/[A-Za-z0-9_.~-]+)*")
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


def _listen_address(value: str) -> str:
    if value == "localhost":
        return value
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ValueError("an address of this machine, 0.0.0.0 (all of them) or localhost") from None


def _base_path(value: str) -> str:
    path = value.rstrip("/")
    if not _BASE_PATH.fullmatch(path):
        raise ValueError("a path such as /homeface")
    return path


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or parts.query or parts.fragment or "@" in parts.netloc or not value.isprintable():
        raise ValueError("an address such as https://home.example/homeface")
    return value.rstrip("/")


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError:
        raise ValueError("an address or network such as 192.168.1.2 or 172.16.0.0/12") from None


def _host_name(value: str) -> str:
    name = value.strip().lower().rstrip(".")
    if not _NAME.fullmatch(name):
        raise ValueError("a host name alone, such as home.example (no https://, no port)")
    return name


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Networks = Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], BeforeValidator(_listed)]
HostNames = Annotated[tuple[Annotated[str, AfterValidator(_host_name)], ...], BeforeValidator(_listed)]


class Web(Section):
    """The web page, its API, and health pages for monitoring."""

    enabled: bool = setting("Serve the page, /api, /healthz and /readyz.", False)
    host: Annotated[str, AfterValidator(_listen_address)] = setting(
        "Address to listen on; 0.0.0.0 for every address of this machine. Without a password of the owner "
        "only the set-up page is served.",
        "127.0.0.1",
    )
    port: Whole = setting(
        "TCP port to listen on; 0 lets the system choose one (it is logged).", 8477, ge=0, le=65535
    )
    tls: Literal["off", "self-signed", "files"] = setting(
        "Encryption: off, self-signed (a certificate made here; phones then let the page use their camera "
        "after one warning), or files (yours: certificate and certificate_key).",
        "off",
    )
    certificate: PathTo | None = setting(
        "With tls: files: the certificate and those that vouch for it (PEM).", None
    )
    certificate_key: PathTo | None = setting("With tls: files: the certificate's key (PEM).", None)
    base_path: Annotated[str, AfterValidator(_base_path)] = setting(
        "What stands before the page's own paths behind a reverse proxy, e.g. /homeface.", ""
    )
    trusted_proxies: Networks = setting(
        "Addresses or networks of reverse proxies whose X-Forwarded-For, -Proto and -Host are believed.", []
    )
    ingress_proxies: Networks = setting(
        "Addresses of Home Assistant's ingress (172.30.32.2 for an add-on), which says under which path and "
        "name the page is shown.",
        [],
    )
    allowed_hosts: HostNames = setting(
        "Further names this page is reached by, e.g. home.example. The machine's own name and addresses need "
        "not be listed.",
        [],
    )
    url: Annotated[str, AfterValidator(_url)] | None = setting(
        "Address that people's phones reach the page by, e.g. https://home.example/homeface; for invites and "
        "personal links. By default as whoever makes the link sees the page.",
        None,
    )
    announce: bool = setting(
        "Announce the page in the local network (mDNS), so that Home Assistant finds it; only when it "
        "listens beyond this machine.",
        True,
    )
    camera_pictures: bool = setting("true lets the owner see each camera's last picture.", False)
    unknown_visits: bool = setting(
        "Keep pictures of visits that got no name (encrypted), for the inbox of the page.", True
    )
    unknown_retention_seconds: Annotated[float, Within("1h", "365d")] = setting(
        "How long visits that got no name are kept.", "7d", key="unknown_retention"
    )
    language: Literal["auto", "en", "de"] = setting(
        "Language of the page: auto (what the browser asks for), en or de.", "auto"
    )
