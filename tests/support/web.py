"""The web page over TCP on loopback, with a real store on disk and cheap password hashes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import aiohttp
from argon2 import PasswordHasher
from multidict import CIMultiDict

from homeface.adapters.store import Store
from homeface.adapters.web.access import Scope
from homeface.adapters.web.accounts import Accounts
from homeface.adapters.web.links import Links
from homeface.adapters.web.models import Info
from homeface.adapters.web.ports import Services
from homeface.adapters.web.report import HealthReport
from homeface.adapters.web.routes import ROUTES
from homeface.adapters.web.routing import Route
from homeface.adapters.web.server import WebServer
from homeface.adapters.web.settings import WebSettings
from homeface.adapters.web.uploads import Uploads
from homeface.errors import NotThereError

API = "/api/v1"
PASSWORD = "correct horse battery"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@dataclass
class PaintedHouse:
    """A house that says what the test sets."""

    health: HealthReport = field(default_factory=lambda: HealthReport(ready=True, healthy=True))

    async def metrics(self) -> bytes:
        return b"homeface_ready 1.0\n"

    def report(self) -> HealthReport:
        return self.health

    def info(self) -> Info:
        return Info(
            name="Home", version="0", node_id="homeface", model_id="m", detector="d", device="cpu",
            instance_id="i", cameras_live=False,
        )  # fmt: skip


class Nothing:
    """A desk at which nothing is ever found."""

    def __getattr__(self, name: str) -> Any:
        raise NotThereError("There is nothing here.")


class Clock:
    """Wall-clock time that only moves when told."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class WebHome:
    """A running page. ``clock`` moves only when told."""

    def __init__(self, store: Store, server: WebServer, services: Services, clock: Clock) -> None:
        self.store = store
        self.server = server
        self.services = services
        self.clock = clock

    @property
    def accounts(self) -> Accounts:
        return self.services.accounts

    @property
    def house(self) -> PaintedHouse:
        house = self.services.house
        assert isinstance(house, PaintedHouse)
        return house

    def url(self, path: str) -> str:
        return url_of(self.server, path)

    @property
    def cookie(self) -> str:
        return self.services.settings.cookie

    async def owner(self) -> Browser:
        """The owner's browser; the first call makes the owner."""
        if await self.accounts.setup_needed():
            await self.accounts.add_account("owner", "owner", PASSWORD, None)
        browser = Browser(self)
        answer = await browser.post(f"{API}/session", {"password": PASSWORD})
        assert answer.status == 200, answer.text
        return browser

    async def program(self, *scopes: Scope) -> Browser:
        """A program with a token of these scopes."""
        known = await self.accounts.tokens()
        _, secret = await self.accounts.add_token(f"program {len(known)}", scopes)
        return Browser(self, token=secret)

    async def member(self, subject_id: str | None = None) -> Browser:
        """A family member's browser."""
        name = f"member {len(await self.accounts.everybody())}"
        account = await self.accounts.add_account("member", name, PASSWORD, subject_id)
        return Browser(self, session=await self.accounts.open_session(account_id=account.account_id))


def url_of(server: WebServer, path: str) -> str:
    """Where a page is."""
    scheme = "http" if server.settings.tls is None else "https"
    return f"{scheme}://127.0.0.1:{server.port}{path}"


class Site(Protocol):
    """A page to look at."""

    @property
    def cookie(self) -> str:
        """Name of its session's cookie."""

    def url(self, path: str) -> str:
        """Where it is."""


@dataclass(frozen=True)
class Reply:
    """An answer, read to the end."""

    status: int
    headers: Mapping[str, str]
    data: bytes
    json: Any = None

    @property
    def text(self) -> str:
        return self.data.decode("utf-8", "replace")

    @property
    def key(self) -> str:
        """The key of an error."""
        return str(self.json["error"]["key"])


class Browser:
    """Keeps the cookie, sends the CSRF token as the page's own script does (or a program's token)."""

    def __init__(self, home: Site, *, session: str = "", token: str = "") -> None:
        self.home = home
        self.session = session
        self.token = token
        self.set_cookie = ""

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        csrf: str | None = None,
    ) -> Reply:
        """One request; redirects are not followed. ``csrf``: instead of the right one."""
        sent: dict[str, str] = {}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        if self.session:
            sent["Cookie"] = f"{self.home.cookie}={self.session}"
            sent["X-CSRF-Token"] = self.csrf if csrf is None else csrf
        more = {"json": body} if body is not None else {"data": data} if data is not None else {}
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client,
            client.request(
                method, self.home.url(path), headers=_joined(sent, headers), allow_redirects=False,
                ssl=False, **more,
            ) as answer,
        ):  # fmt: skip
            data = await answer.read()
            self._keep(answer)
            json = await answer.json() if answer.content_type == "application/json" else None
            return Reply(answer.status, answer.headers.copy(), data, json)

    async def get(self, path: str, **more: Any) -> Reply:
        return await self.ask("GET", path, **more)

    async def post(self, path: str, body: object = None, **more: Any) -> Reply:
        return await self.ask("POST", path, body, **more)

    async def patch(self, path: str, body: object = None, **more: Any) -> Reply:
        return await self.ask("PATCH", path, body, **more)

    async def delete(self, path: str, **more: Any) -> Reply:
        return await self.ask("DELETE", path, **more)

    @property
    def csrf(self) -> str:
        from homeface.adapters.web.accounts import csrf_of

        return csrf_of(self.session)

    def _keep(self, answer: aiohttp.ClientResponse) -> None:
        cookie = answer.cookies.get(self.home.cookie)
        if cookie is not None:
            self.session = cookie.value
            self.set_cookie = answer.headers["Set-Cookie"]


def _joined(sent: Mapping[str, str], more: Mapping[str, str] | None) -> CIMultiDict[str]:
    """All of them; a multidict may hold a name twice."""
    joined = CIMultiDict(sent)
    for name in more or {}:
        joined.pop(name, None)
    joined.extend(more or {})
    return joined


@asynccontextmanager
async def web_home(
    folder: Path,
    settings: WebSettings | None = None,
    routes: Sequence[Route] = ROUTES,
    **ports: Any,
) -> AsyncIterator[WebHome]:
    """The page of an empty store in ``folder``; ``ports`` replaces parts of ``Services``."""
    store = await asyncio.to_thread(Store, folder / "homeface.db")
    clock = Clock()
    services = Services(
        settings=replace(settings or WebSettings(), port=0),
        accounts=Accounts(store, clock, CHEAP),
        links=Links(store, clock),
        uploads=ports.pop("uploads", None) or Uploads(),
        house=ports.pop("house", None) or PaintedHouse(),
        settings_desk=ports.pop("settings_desk", None) or Nothing(),
        backups=ports.pop("backups", None) or Nothing(),
        **{name: ports.pop(name, None) or Nothing() for name in ("live", "people", "rounds", "visits")},
        **ports,
    )
    server = WebServer(services, routes)
    await server.start()
    try:
        yield WebHome(store, server, services, clock)
    finally:
        await server.aclose()
        await asyncio.to_thread(store.close)
