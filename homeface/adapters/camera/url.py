"""URLs of cameras: credentials go in quoted, and never come out again."""

from __future__ import annotations

import re
from urllib.parse import quote

_HIDDEN = "***"
# Up to the last @ of the word: a password may itself hold @, / or # where nobody quoted it.
_USERINFO = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^\s\"']*@", re.IGNORECASE)
_URL_ALONE = re.compile(r"^(?P<scheme>[a-z][a-z0-9+.-]*://).*@", re.IGNORECASE | re.DOTALL)
_PARTS = re.compile(r"(?:[^/?#]*@)?(?P<host>[^/?#]*)(?P<rest>.*)", re.DOTALL)
_SECRET_VALUE = re.compile(
    r"(?P<key>\b(?:user(?:name)?|usr|user[-_]id|user[-_]pw|pass(?:word|wd)?|pwd|token|secret|auth|(?:api[-_]?)?key)\s*=\s*)"
    r"(?P<value>\"[^\"]*\"|[^\s&;\"']+)",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """The text with all credentials hidden: ``user:password@`` in URLs, ``password=…`` and the like."""
    text = _URL_ALONE.sub(rf"\g<scheme>{_HIDDEN}@", text)
    text = _USERINFO.sub(rf"\g<scheme>{_HIDDEN}@", text)
    return _SECRET_VALUE.sub(rf"\g<key>{_HIDDEN}", text)


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
