"""One request as handlers see it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

from aiohttp import web
from pydantic import BaseModel

from homeface.adapters.web import brakes
from homeface.adapters.web.access import Role, Who
from homeface.adapters.web.ports import Services
from homeface.adapters.web.settings import is_loopback
from homeface.adapters.web.source import Source
from homeface.adapters.web.uploads import Upload
from homeface.errors import NotAllowedError, NotLoggedInError

_M = TypeVar("_M", bound=BaseModel)
SERVICES = web.AppKey("services", Services)


@dataclass(slots=True)
class Context:
    """``body`` and ``query`` are of the route's models; ``raw`` is a ``Raw`` body.

    ``new_session``: the secret of a session to give the browser; empty text ends the one it has.
    """

    request: web.Request
    services: Services
    source: Source
    who: Who | None
    body: BaseModel | None = None
    query: BaseModel | None = None
    raw: bytes = b""
    session: str = ""
    new_session: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def part(self, name: str) -> str:
        """A ``{name}`` of the path."""
        return self.request.match_info[name]

    def taken(self, model: type[_M]) -> _M:
        """The body, as the model that the route declares."""
        assert isinstance(self.body, model)  # noqa: S101 - the route's table is wrong
        return self.body

    def asked(self, model: type[_M]) -> _M:
        """The query string, as the model that the route declares."""
        assert isinstance(self.query, model)  # noqa: S101 - the route's table is wrong
        return self.query

    def me(self) -> Who:
        """Who asks. Raises NotLoggedInError."""
        if self.who is None:
            raise NotLoggedInError("Log in first.")
        return self.who

    def require_own(self, subject_id: str | None) -> None:
        """Members and guests may only go on when this is about themselves. Raises NotAllowedError."""
        who = self.me()
        if who.role in {Role.MEMBER, Role.GUEST} and not who.owns(subject_id):
            raise NotAllowedError("You can only change what is about yourself.")

    async def still_in(self) -> bool:
        """Whether who asks is still let in: for answers that go on for long."""
        accounts, header = self.services.accounts, self.request.headers.get("Authorization", "")
        if self.session:
            return await accounts.by_session(self.session) is not None
        return await accounts.by_token(header.partition(" ")[2].strip()) is not None

    @property
    def brake_source(self) -> str:
        """What the brakes against guessing count as one source."""
        return brakes.source_name(self.source.address)

    def files(self) -> AsyncIterator[Upload]:
        """The parts of a form, one after the other, within the limits."""
        return self.services.uploads.files(self.request, self.me().name)

    async def note(self, what: str, subject: str = "") -> None:
        """Write to the log of acts who did this."""
        await self.services.accounts.note(self.who, what, subject)

    def link(self, path: str) -> str:
        """An absolute URL for another device: ``localhost`` would lead it to itself."""
        source, settings = self.source, self.services.settings
        if settings.url:
            return f"{settings.url}{path}"
        name = urlsplit(f"//{source.host}").hostname or ""
        host = source.host
        if is_loopback(name) and not is_loopback(settings.host) and settings.address:
            host = f"{settings.address}{source.host.removeprefix(name)}"
        return f"{'https' if source.secure else 'http'}://{host.lower()}{source.base}{path}"
