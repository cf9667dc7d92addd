"""Words for what is wrong in a configuration."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_SHOWN_CHARACTERS = 60
_CREDENTIALS = re.compile(r"(?<=://)\S*@")
_PASSWORD_VALUE = re.compile(r"(?i)((?:user(?:name)?|pass(?:word|wd)?|pwd|token|secret|auth|key)=)[^\s&/;]*")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`` (did you mean 'x'?)`` or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""


def without_credentials(text: str) -> str:
    """The text with ``user:password@`` and values such as ``password=…`` masked."""
    return _PASSWORD_VALUE.sub(r"\1***", _CREDENTIALS.sub("***@", text))


def shown(value: object) -> str:  # noqa: PLR0911 - a table
    """A value as a person may see it in a message: short, and without credentials of URLs."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value) if abs(value) < 10**15 else "a huge number"
        case str():
            text = without_credentials(value)
            return repr(text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…")
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
    return f"a {type(value).__name__}"


def kind(value: object) -> str:
    """What sort of value this is, for values that must not be shown."""
    match value:
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "text (not shown)" if value else "empty text"
    return shown(value)
