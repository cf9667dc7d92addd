"""The OpenAPI 3.1 document, made from the very table that is served."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from homeface import __version__
from homeface.adapters.web.access import ANYBODY, Access
from homeface.adapters.web.app import PART_PATTERN
from homeface.adapters.web.context import Context
from homeface.adapters.web.models import ErrorAnswer
from homeface.adapters.web.routing import Files, Media, Raw, Route

_PART = re.compile(r"\{([a-z_]+)\}")
_REF = "#/components/schemas/{model}"


def document(routes: Sequence[Route], base: str = "", cookie: str = "homeface_homeface") -> dict[str, Any]:
    """Every route that is not a page. ``base``: what stands before the paths; ``cookie``: name of the
    session's cookie.
    """
    routes = [route for route in routes if not route.page]
    schemas, definitions = models_json_schema(sorted(_models(routes), key=str), ref_template=_REF)
    refs = {(model, mode): schema for (model, mode), schema in schemas.items()}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, refs)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "homeface",
            "version": __version__,
            "summary": "Who is in which room, and everything that the page does.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": base or "/"}],
        "paths": paths,
        "components": {
            "schemas": definitions.get("$defs", {}),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": cookie},
            },
        },
    }


def _models(routes: Sequence[Route]) -> set[tuple[type[BaseModel], Any]]:
    found: set[tuple[type[BaseModel], Any]] = {(ErrorAnswer, "serialization")}
    for route in routes:
        if isinstance(route.body, type):
            found.add((route.body, "validation"))
        if isinstance(route.answer, type):
            found.add((route.answer, "serialization"))
    return found


def _operation(route: Route, refs: dict[tuple[Any, Any], Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.operation,
        "summary": route.summary,
        "description": f"{(route.handler.__doc__ or '').strip()} Who may: {who_may(route.access)}.",
        "responses": _responses(route, refs),
    }
    parameters = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": f"^{PART_PATTERN}$"},
        }
        for name in _PART.findall(route.path)
    ] + _query(route)
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": _content(route.body, refs)}
    if route.access.anybody:
        operation["security"] = []
    else:
        operation["security"] = [{"token": []}, {"session": []}]
    return operation


def _query(route: Route) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    schema = route.query.model_json_schema()
    required = set(schema.get("required", ()))
    return [
        {"name": name, "in": "query", "required": name in required, "schema": part}
        for name, part in schema.get("properties", {}).items()
    ]


def _content(body: type[BaseModel] | Raw | Files, refs: dict[tuple[Any, Any], Any]) -> dict[str, Any]:
    if isinstance(body, Raw):
        return {body.media: {"schema": {"type": "string", "format": "binary"}}}
    if isinstance(body, Files):
        fields: dict[str, Any] = {name: {"type": "string"} for name in body.fields}
        files = {"type": "array", "items": {"type": "string", "format": "binary"}}
        return {
            "multipart/form-data": {"schema": {"type": "object", "properties": {**fields, body.what: files}}}
        }
    return {"application/json": {"schema": refs[body, "validation"]}}


def _responses(route: Route, refs: dict[tuple[Any, Any], Any]) -> dict[str, Any]:
    error = {"content": {"application/json": {"schema": refs[ErrorAnswer, "serialization"]}}}
    if route.answer is None:
        good: dict[str, Any] = {"204": {"description": "Done."}}
    elif isinstance(route.answer, Media):
        good = {str(route.status): {"description": route.summary, "content": {route.answer.type: {}}}}
    else:
        content = {"application/json": {"schema": refs[route.answer, "serialization"]}}
        good = {str(route.status): {"description": route.summary, "content": content}}
        if route.path in {"/healthz", "/readyz"}:
            good["503"] = {"description": "Not so.", "content": content}
    return {**good, "4XX": {"description": "Refused; the body says why.", **error}}


def who_may(access: Access) -> str:
    """In words."""
    if access.anybody:
        return "anybody"
    words = ["the owner"]
    if access.scope is not None:
        words.append(f"tokens with the scope {access.scope}")
    if access.member:
        words.append("family members")
    if access.own:
        words.append("members and guests about themselves")
    if access.local:
        words.append("everybody on this machine")
    return ", ".join(words)


async def get_openapi(context: Context) -> web.Response:
    """This document."""
    from homeface.adapters.web.routes import ROUTES

    return web.json_response(document(ROUTES, context.source.base, context.services.settings.cookie))


api_document = Route(
    "GET",
    "/api/openapi.json",
    get_openapi,
    ANYBODY,
    "The API as OpenAPI 3.1",
    answer=Media("application/json"),
)
