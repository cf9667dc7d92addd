"""The page of a whole life over TCP: real config, store, MQTT and presence, painted faces."""

from __future__ import annotations

import io
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
from PIL import Image

from homeface.adapters.store import Store
from homeface.adapters.web.accounts import Accounts
from homeface.core.types import ImageBGR
from homeface.inference.engine import Engine
from homeface.service.life import Life
from tests.fakes.engine import FakeEngine
from tests.support.life import house_config, living
from tests.support.mosquitto import Mosquitto, free_port
from tests.support.web import CHEAP, Browser, Clock, WebHome


@dataclass
class WebLife:
    """A life and its page."""

    life: Life
    home: WebHome
    owner: Browser


@asynccontextmanager
async def web_living(
    folder: Path,
    broker: Mosquitto,
    engine: FakeEngine | Engine,
    store: Store,
    *,
    web: Any = None,
    **changes: Any,
) -> AsyncIterator[WebLife]:
    """One life with its page on a free port, and the owner's browser."""
    section = {"enabled": True, "port": free_port(), **(web or {})}
    config = await house_config(folder, broker, web=section, **changes)
    async with living(config, engine, store) as life:
        server = life._web
        assert server is not None
        services = replace(server._services, accounts=Accounts(store, time.time, CHEAP))
        home = WebHome(store, server, services, Clock())
        yield WebLife(life, home, await home.owner())


def png(image: ImageBGR) -> bytes:
    """Without loss: painted faces must arrive as they are."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image[..., ::-1])).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def form(*files: tuple[str, bytes], **fields: str) -> aiohttp.FormData:
    """A form with photos, and text fields before them."""
    data = aiohttp.FormData()
    for name, value in fields.items():
        data.add_field(name, value)
    for name, content in files:
        data.add_field("photos", content, filename=name, content_type="image/png")
    return data


class Stream:
    """Server-sent events of an open page, as they come."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer
        self.status = answer.status

    async def line(self) -> bytes:
        """The next line; empty when the stream has ended."""
        return await self._answer.content.readline()

    async def next(self, *names: str) -> tuple[str, Any]:
        """The next event of one of these names (none: of any)."""
        while True:
            lines = [(await self._answer.content.readline()).decode().rstrip("\n") for _ in range(3)]
            event, data = lines[0].removeprefix("event: "), lines[1].removeprefix("data: ")
            if not names or event in names:
                return event, json.loads(data)


@asynccontextmanager
async def events_of(browser: Browser) -> AsyncIterator[Stream]:
    """An open page that listens."""
    headers = {"Cookie": f"{browser.home.services.settings.cookie}={browser.session}"}
    timeout = aiohttp.ClientTimeout(total=30)
    async with (
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), timeout=timeout) as client,
        client.get(browser.home.url("/api/v1/events"), headers=headers) as answer,
    ):
        yield Stream(answer)
