"""The kinds of value a configuration may hold: durations with units, rates, slugs, topics, paths.

A validator's ValueError says only what was *expected*; what was found is added (or withheld, when it is
secret) by ``homeface.config.explain``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationInfo,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

_UNIT_SECONDS: Mapping[str, float] = {
    "ms": 0.001,
    "s": 1.0,
    "sec": 1.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "day": 86400.0,
    "days": 86400.0,
}
_DURATION = re.compile(r"\s*(\d{1,12}(?:\.\d{1,9})?)\s*([A-Za-z]+)\s*", re.ASCII)
_BARE_NUMBER = re.compile(r"\s*[-+]?[\d.]+\s*", re.ASCII)
_RATE = re.compile(r"\s*(\d{1,9})\s*(?:/|\s+in\s+)\s*(\d{1,12})(?:\s+visits?)?\s*", re.ASCII)
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def parse_duration(value: object) -> float:
    """Seconds of ``30s``, ``5min``, ``2h``, ``1.5s``, ``14d``. ValueError says what was expected."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number or (isinstance(value, str) and _BARE_NUMBER.fullmatch(value)):
        raise ValueError("a duration; say a unit, e.g. 30s (units: ms, s, min, h, d)")
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None or found[2].lower() not in _UNIT_SECONDS:
        raise ValueError("a duration such as 30s, 5min, 2h or 14d (units: ms, s, min, h, d)")
    return float(found[1]) * _UNIT_SECONDS[found[2].lower()]


def format_duration(seconds: float) -> str:
    """The duration in the largest unit that needs no fraction: 90s, 2min, 1h."""
    for unit in ("d", "h", "min", "s"):
        if seconds >= _UNIT_SECONDS[unit] and seconds % _UNIT_SECONDS[unit] == 0:
            return f"{seconds / _UNIT_SECONDS[unit]:.0f}{unit}"
    return "0s" if seconds == 0 else f"{seconds * 1000:g}ms" if seconds < 1 else f"{seconds:g}s"


def parse_rate(value: object) -> float:
    """``1 in 1000 visits`` or ``1/1000`` as a probability. ValueError says what was expected."""
    found = _RATE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("a rate such as '1 in 1000 visits' or '1/1000'")
    wrong, visits = int(found[1]), int(found[2])
    if wrong == 0 or visits < 2 * wrong:
        raise ValueError("a rate above zero and of at most 1 in 2, such as '1 in 1000 visits'")
    return wrong / visits


def format_rate(rate: float) -> str:
    """``1 in 1000 visits``; the closest such rate, when the file said it with another number than 1."""
    return f"1 in {max(2, round(1 / rate))} visits"


@dataclass(frozen=True)
class Within:
    """Marks a float field as a duration with a unit, within limits (inclusive); the value is in seconds."""

    low: str = "0s"
    high: str = "3650d"

    def parse(self, value: object) -> float:
        """Parse and check the limits."""
        seconds = parse_duration(value)
        if not parse_duration(self.low) <= seconds <= parse_duration(self.high):
            raise ValueError(f"a duration from {self.low} to {self.high}")
        return seconds

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        """Replace the float by the parser."""
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(self, _: CoreSchema, __: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Text with a unit."""
        return {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*(ms|s|sec|min|h|d|day|days)\s*$"}


@dataclass(frozen=True)
class RateMark:
    """Marks a float field as a rate; the value is a probability."""

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        """Replace the float by the parser."""
        return core_schema.no_info_plain_validator_function(parse_rate)

    def __get_pydantic_json_schema__(self, _: CoreSchema, __: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Text such as 1 in 1000 visits."""
        return {"type": "string", "pattern": r"^\s*\d+\s*(/|\s+in\s+)\s*\d+(\s+visits?)?\s*$"}


def _slug(value: str) -> str:
    if not _SLUG.fullmatch(value):
        raise ValueError("a short id of lower-case letters, digits, _ and - (it becomes part of MQTT topics)")
    return value


def _line_of_text(value: str) -> str:
    text = value.strip()
    if not text or not text.isprintable() or len(text) > 200:
        raise ValueError("one line of text, not empty")
    return text


def _no_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a number, not true or false")  # noqa: TRY004 - pydantic wants ValueError
    return value


def _topic(value: str) -> str:
    wrong = not value or any(sign in value for sign in "+#\0") or value.startswith("/") or value.endswith("/")
    if wrong or not value.isprintable() or len(value.encode()) > 1024:
        raise ValueError("an MQTT topic: not empty, without + and #, and without / at its ends")
    return value


def _payload(value: object) -> object:
    """MQTT payloads are text, whatever YAML made of them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str | int | float) else value


def _path(value: object, info: ValidationInfo) -> Path:
    """Absolute; relative paths belong to the folder of the configuration file, ~ to the home folder."""
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise ValueError("a path")
    context: Mapping[str, Any] = info.context or {}
    text = value.strip()
    if text == "~" or text.startswith("~/"):
        home = context.get("home")
        if home is None:
            raise ValueError("a path without ~, because HOME is not set")
        return Path(home, text[2:])
    return Path(context.get("folder", "."), text)


Slug = Annotated[str, AfterValidator(_slug)]
Text = Annotated[str, AfterValidator(_line_of_text)]
Topic = Annotated[str, AfterValidator(_topic)]
Whole = Annotated[int, BeforeValidator(_no_boolean)]
Number = Annotated[float, BeforeValidator(_no_boolean), Field(allow_inf_nan=False)]
Payload = Annotated[str, BeforeValidator(_payload)]
Payloads = Annotated[tuple[Payload, ...], BeforeValidator(_one_or_many), Field(min_length=1)]
PathTo = Annotated[Path, BeforeValidator(_path)]
Rate = Annotated[float, RateMark()]


def setting(description: str, default: object = ..., *, key: str | None = None, **limits: Any) -> Any:
    """A field: what it means (with its unit), its default as one would write it, its key in the file."""
    return Field(default=default, validate_default=True, description=description, alias=key, **limits)


class Section(BaseModel):
    """A frozen part of the configuration. ``key:`` with nothing below it means all defaults."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=False
    )

    @model_validator(mode="before")
    @classmethod
    def _nothing_means_defaults(cls, value: object) -> object:
        return {} if value is None else value
