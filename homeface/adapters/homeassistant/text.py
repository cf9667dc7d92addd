"""Values as Home Assistant can take them: short clean text, finite numbers, times in UTC."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Mapping, Sequence

MAX_STATE = 255
"""Home Assistant refuses longer states."""
_MAX_NAME = 100
_RESERVED_STATES = {"unknown", "unavailable", "none", ""}


def clean(text: str, limit: int = _MAX_NAME) -> str:
    """``text`` on one line, without control signs and halves of surrogate pairs, cut to ``limit`` signs."""
    shown = "".join(sign if sign.isprintable() else " " for sign in text)
    shown = re.sub(r"\s+", " ", shown.encode("utf-8", "replace").decode()).strip()
    return shown if len(shown) <= limit else shown[: limit - 1].rstrip() + "…"


def state_text(text: str) -> str:
    """``text`` as a state; what Home Assistant would take for "no value" is put in quotes."""
    shown = clean(text, MAX_STATE)
    return f'"{shown}"' if shown.lower() in _RESERVED_STATES else shown


def join_names(names: Sequence[str]) -> str:
    """Names with commas, at most ``MAX_STATE`` signs: those that do not fit are counted (``+3``)."""
    shown = [clean(name) for name in names]
    for kept in range(len(shown), 0, -1):
        rest = len(shown) - kept
        text = ", ".join(shown[:kept]) + (f", +{rest}" if rest else "")
        if len(text) <= MAX_STATE - 2:
            return state_text(text)
    return state_text("")


def iso(seconds: float | None) -> str | None:
    """A time in seconds since the epoch as ISO 8601 in UTC with milliseconds; None for "never"."""
    if not seconds or not math.isfinite(seconds):
        return None
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="milliseconds")


def rounded(value: float | None, digits: int = 2) -> float | None:
    """``value`` rounded; None for what JSON cannot carry."""
    return None if value is None or not math.isfinite(value) else round(value, digits)


def to_json(data: Mapping[str, object]) -> str:
    """Compact JSON, the same text for the same data."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
