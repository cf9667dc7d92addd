"""Credentials out of text: what is logged, shown or told never holds a password."""

from __future__ import annotations

import re

HIDDEN = "***"
# Up to the last @ of the word: a password may itself hold @, / or # where nobody quoted it.
_USERINFO = re.compile(r"(?<=://)[^\s\"'<>]*@")
_URL_ALONE = re.compile(r"^(?P<scheme>[a-z][a-z0-9+.-]*://).*@", re.IGNORECASE | re.DOTALL)
_KEY = (
    r"(?:user(?:name|[-_]id|[-_]pw)?|usr|pass(?:word|wd)?|pwd|token|secret|auth|signature|(?:api[-_]?)?key)"
)
_SECRET_VALUE = re.compile(
    rf"(?P<key>\b{_KEY}\s*=\s*|[\"']{_KEY}[\"']\s*:\s*)(?P<value>\"[^\"]*\"|'[^']*'|[^\s&;,\"'<>]+)",
    re.IGNORECASE,
)
_AUTHORIZATION = re.compile(r"(?P<key>\bauthorization\s*[:=]\s*)\w+\s+[^\s\"',;]+", re.IGNORECASE)


def redact(text: str) -> str:
    """The text with every credential hidden: ``user:password@`` in URLs, ``password=…`` and its like."""
    text = _USERINFO.sub(f"{HIDDEN}@", _URL_ALONE.sub(rf"\g<scheme>{HIDDEN}@", text))
    text = _AUTHORIZATION.sub(rf"\g<key>{HIDDEN}", text)
    return _SECRET_VALUE.sub(rf"\g<key>{HIDDEN}", text)
