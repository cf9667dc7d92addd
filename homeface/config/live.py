"""Settings that may be changed while homeface runs, and every setting as people see it.

A key is written as in the file, with dots between: ``presence.hold``, ``rooms.kitchen.leave``.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from homeface.config import document as documents
from homeface.config.document import Document, Location
from homeface.config.explain import explain
from homeface.config.schema import Config
from homeface.config.values import RateMark, Within, format_duration, format_rate
from homeface.errors import ConfigError

Kind = Literal["duration", "rate", "choice", "switch", "number", "text"]
Plain = str | int | float | bool | list[str] | None

LIVE = (
    "recognition.strictness",
    "recognition.false_names",
    "recognition.min_faces",
    "presence.*",
    "rooms.*.hold",
    "rooms.*.leave",
    "rooms.*.sensor_release",
    "storage.retention",
    "storage.keep_acts",
    "web.unknown_visits",
    "web.unknown_retention",
)
_RIVALS = {
    "recognition.strictness": "recognition.false_names",
    "recognition.false_names": "recognition.strictness",
}
"""Two ways to say the same: who sets one resets the other."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One setting. ``value`` and ``default`` as one would write them; secrets are not shown.

    ``location``: where it stands in the file. ``live``: it may be changed while homeface runs.
    """

    key: str
    location: Location
    kind: Kind
    value: Plain
    default: Plain
    choices: tuple[str, ...]
    least: float | str | None
    most: float | str | None
    help: str
    live: bool


def is_live(key: str) -> bool:
    """True when it may be changed while homeface runs."""
    return any(fnmatchcase(key, pattern) and key.count(".") == pattern.count(".") for pattern in LIVE)


def rival(key: str) -> str | None:
    """The other way to say the same, if there is one."""
    return _RIVALS.get(key)


def entries(config: Config) -> list[Entry]:
    """Every setting, in the order of the file's sections."""
    return list(_walk(config, ()))


def changed(config: Config, key: str, value: object) -> Config:
    """The configuration with one live setting as in the file's form. Raises ConfigError."""
    location = tuple(key.split("."))
    data: dict[str, Any] = {
        field.alias or name: getattr(config, name) for name, field in Config.model_fields.items()
    }
    document = Document("", data)
    known = {entry.key: entry for entry in entries(config)}
    if key not in known or not is_live(key):
        document.complain(location, "cannot be changed while homeface runs; see the configuration file")
        raise ConfigError(document.problems)
    section = _form(_section(config, location[:-1]))
    section[location[-1]] = value
    other = rival(key)
    if other is not None:
        section[other.rpartition(".")[2]] = known[other].default
    if len(location) == 2:
        data[location[0]] = section
    else:
        data[location[0]] = {**data[location[0]], location[1]: section}
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        explain(error, document)
    raise ConfigError(document.problems)


def lines(path: Path, environ: Mapping[str, str]) -> Mapping[Location, int]:
    """The line of every key that stands in the file. Blocks. Raises ConfigError."""
    return documents.read(path, environ).lines


def _section(config: Config, location: Location) -> BaseModel:
    found: Any = config
    for part in location:
        found = found[part] if isinstance(found, Mapping) else getattr(found, str(part))
    assert isinstance(found, BaseModel)  # noqa: S101 - the caller has looked the key up
    return found


def _walk(model: BaseModel, location: Location) -> Iterator[Entry]:
    for name, field in type(model).model_fields.items():
        value, place = getattr(model, name), (*location, field.alias or name)
        if isinstance(value, BaseModel):
            yield from _walk(value, place)
        elif isinstance(value, Mapping):
            for key, item in value.items():
                yield from _walk(item, (*place, key))
        elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
            for number, item in enumerate(value):
                yield from _walk(item, (*place, number))
        elif not isinstance(value, Mapping):
            yield _entry(field, value, place)


def _entry(field: FieldInfo, value: object, place: Location) -> Entry:
    marks = list(_marks(field))
    within = next((mark for mark in marks if isinstance(mark, Within)), None)
    key = ".".join(str(part) for part in place)
    return Entry(
        key=key,
        location=place,
        kind=_kind(field, marks),
        value=_plain(marks, value),
        default=_default(field, within),
        choices=tuple(_choices(field.annotation)),
        least=within.low if within else _limit(marks, "ge"),
        most=within.high if within else _limit(marks, "le"),
        help=field.description or "",
        live=is_live(key),
    )


def _limit(marks: list[object], name: str) -> float | None:
    return next((value for mark in marks if (value := getattr(mark, name, None)) is not None), None)


def _default(field: FieldInfo, within: Within | None) -> Plain:
    """As the values are written, so that the two can be compared."""
    if field.is_required():
        return None
    if within is not None and field.default is not None:
        return format_duration(within.parse(field.default))
    return _plain([], field.default)


def _form(section: BaseModel) -> dict[str, Any]:
    """The section as one would write it; what has no other form (paths, secrets) as it is."""
    form: dict[str, Any] = {}
    for name, field in type(section).model_fields.items():
        value, marks = getattr(section, name), list(_marks(field))
        marked = any(isinstance(mark, Within | RateMark) for mark in marks)
        form[field.alias or name] = _plain(marks, value) if marked else value
    return form


def _plain(marks: list[object], value: object) -> Plain:
    if isinstance(value, float) and any(isinstance(mark, Within) for mark in marks):
        return format_duration(value)
    if isinstance(value, float) and any(isinstance(mark, RateMark) for mark in marks):
        return format_rate(value)
    if isinstance(value, SecretStr):
        return "(not shown)"
    if isinstance(value, tuple | list):
        return [str(item) for item in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return str(value)


def _marks(field: FieldInfo) -> Iterator[object]:
    yield from field.metadata
    yield from _inner_marks(field.annotation)


def _inner_marks(annotation: object) -> Iterator[object]:
    yield from getattr(annotation, "__metadata__", ())
    for part in typing.get_args(annotation):
        yield from _inner_marks(part)


def _choices(annotation: object) -> Iterator[str]:
    if typing.get_origin(annotation) is Literal:
        yield from (str(part) for part in typing.get_args(annotation))
        return
    for part in typing.get_args(annotation):
        yield from _choices(part)


def _kind(field: FieldInfo, marks: list[object]) -> Kind:
    if any(isinstance(mark, Within) for mark in marks):
        return "duration"
    if any(isinstance(mark, RateMark) for mark in marks):
        return "rate"
    if any(True for _ in _choices(field.annotation)):
        return "choice"
    bare = _bare(field.annotation)
    if bool in bare:
        return "switch"
    return "number" if bare & {int, float} else "text"


def _bare(annotation: object) -> set[object]:
    parts = typing.get_args(annotation)
    return set().union(*(_bare(part) for part in parts)) if parts else {annotation}
