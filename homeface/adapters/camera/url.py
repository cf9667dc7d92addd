"""URLs of cameras: credentials go in quoted."""

from __future__ import annotations

import re
from urllib.parse import quote

_PARTS = re.compile(r"(?:[^/?#]*@)?(?P<host>[^/?#]*)(?P<rest>.*)", re.DOTALL)


def with_credentials(url: str, username: str | None, password: str | None) -> str:
    """The URL with these credentials in place of its own; unchanged when no username is given."""
    if not username or "://" not in url:
        return url
    scheme, rest = url.split("://", 1)
    parts = _PARTS.fullmatch(rest)
    host, after = (parts["host"], parts["rest"]) if parts is not None else (rest, "")
    secret = f":{quote(password, safe='')}" if password is not None else ""
    return f"{scheme}://{quote(username, safe='')}{secret}@{host}{after}"


def is_stream(url: str) -> bool:
    """True for a network stream, False for a path or ``file:`` URL."""
    return "://" in url and not url.lower().startswith("file:")
