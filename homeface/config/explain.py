"""Turns pydantic's findings into sentences: what was found, what was expected, did you mean."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from homeface.config.document import BROKEN, Document, Location
from homeface.config.problems import did_you_mean, kind
from homeface.config.schema import Config

_EXPECTED_BY_START = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "string": "text (a value that looks like a number needs quotes)",
    "model": "keys and values below it",
    "dict": "keys and values below it",
    "tuple": "a list",
    "list": "a list",
    "finite": "a number",
}


def explain(error: ValidationError, document: Document) -> None:
    """Note every finding in the document. Findings on values that could not be had are not repeated."""
    for finding in error.errors(include_url=False):
        location = tuple(part for part in finding["loc"] if part != "[key]")
        if finding["input"] is not BROKEN:
            document.complain(location, _sentence(finding, location, document))


def _sentence(finding: ErrorDetails, location: Location, document: Document) -> str:
    what = finding["type"]
    if what == "extra_forbidden":
        known = sorted(keys_at(location[:-1]))
        return f"unknown key{did_you_mean(str(location[-1]), known)}; known here: {', '.join(known)}"
    if what == "missing":
        field = field_at(location)
        about = (field.description or "").rstrip(".") if field else ""
        return f"is missing; expected: {about}" if about else "is missing"
    return f"found {_found(finding, location, document)}, expected {_expected(finding)}"


def _found(finding: ErrorDetails, location: Location, document: Document) -> str:
    value = finding["input"]
    field = field_at(location)
    hidden = field is not None and _holds_secret(field.annotation) and location not in document.origins
    return kind(value) if hidden else document.found(location, value)


def _expected(finding: ErrorDetails) -> str:
    what, context = finding["type"], finding.get("ctx", {})
    if what == "value_error":
        return str(context["error"])
    if what in {"literal_error", "enum"}:
        options = str(context["expected"])
        value = finding["input"]
        names = [name.strip(" '") for name in options.replace(" or ", ",").split(",")]
        return options + (did_you_mean(value, names) if isinstance(value, str) else "")
    if what in {"greater_than_equal", "less_than_equal"}:
        limit, word = (context["ge"], "at least") if "ge" in context else (context["le"], "at most")
        return f"{word} {limit:g}"
    if what == "too_short":
        return "at least one entry"
    if what == "too_long":
        return f"at most {context['max_length']} entries"
    return _EXPECTED_BY_START.get(what.split("_", 1)[0], finding["msg"])


def _holds_secret(annotation: object) -> bool:
    return annotation is SecretStr or any(_holds_secret(part) for part in typing.get_args(annotation))


def _fields(model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """Fields by the key that stands in the file."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and typing.get_origin(annotation) is None:
        if issubclass(annotation, BaseModel):
            yield annotation
        return
    for part in typing.get_args(annotation):
        yield from _models(part)


def _walk(location: Location) -> tuple[type[BaseModel] | None, FieldInfo | None]:
    """The model and the field at a place; a place inside a mapping or list of models skips its key."""
    model: type[BaseModel] | None = Config
    field: FieldInfo | None = None
    parts = list(location)
    while parts and model is not None:
        field = _fields(model).get(str(parts.pop(0)))
        if field is None:
            return None, None
        annotation: Any = field.annotation
        model = next(_models(annotation), None)
        if model is not None and typing.get_origin(annotation) in {dict, tuple}:
            if not parts:
                return None, field
            parts.pop(0)
            field = field if parts else None
    return (model, field) if not parts else (None, field)


def field_at(location: Location) -> FieldInfo | None:
    """The field whose value stands there, if the place is known."""
    return _walk(location)[1]


def keys_at(location: Location) -> frozenset[str]:
    """The keys that may stand below this place."""
    model = _walk(location)[0]
    return frozenset(_fields(model)) if model else frozenset()
