"""What a route is. Routing, checks and the OpenAPI document all come from ``routes.ROUTES``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from aiohttp import web
from pydantic import BaseModel

from homeface.adapters.web.access import Access

if TYPE_CHECKING:
    from homeface.adapters.web.context import Context

API = "/api/v1"
JSON_MAX_BYTES = 64 * 1024

Answer: TypeAlias = BaseModel | web.StreamResponse | None
"""What a handler gives back: a model (JSON), a response of its own, or nothing (204)."""

Handler: TypeAlias = Callable[["Context"], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Raw:
    """A body of one file, read into ``Context.raw``."""

    media: str
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Files:
    """A multipart form with files (and text fields); the handler reads it with ``Context.files()``."""

    what: str = "files"
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Media:
    """An answer that is not JSON."""

    type: str


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path. ``path`` may hold ``{names}``; they match one part of letters, digits, _.-

    ``body``: what is read before the handler runs; ``query``: a model for the query string;
    ``answer``: what comes back with ``status``; None means 204 without a body. ``page``: for people, not in
    the API document, and who is not logged in is sent to the log-in page.
    """

    method: str
    path: str
    handler: Handler
    access: Access
    summary: str
    body: type[BaseModel] | Raw | Files | None = None
    query: type[BaseModel] | None = None
    answer: type[BaseModel] | Media | None = None
    status: int = 200
    page: bool = False

    @property
    def changes(self) -> bool:
        """True when a browser must show that its own page asked."""
        return self.method not in {"GET", "HEAD"}

    @property
    def operation(self) -> str:
        """A name for programs: the handler's."""
        return str(getattr(self.handler, "__name__", self.path))


def api(method: str, path: str, handler: Handler, access: Access, summary: str, **more: Any) -> Route:
    """A route below ``/api/v1``."""
    return Route(method, API + path, handler, access, summary, **more)


def page(path: str, handler: Handler, access: Access, summary: str, **more: Any) -> Route:
    """A page for people."""
    return Route("GET", path, handler, access, summary, answer=Media("text/html"), page=True, **more)
