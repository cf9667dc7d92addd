"""The health pages, host names, and the port."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from homeface.adapters.web.access import Scope
from homeface.adapters.web.report import HealthReport
from homeface.adapters.web.server import WebServer
from homeface.adapters.web.settings import WebSettings, is_loopback
from homeface.adapters.web.uploads import Uploads
from homeface.errors import HomefaceError
from tests.support.mosquitto import free_port
from tests.support.web import API, Browser, WebHome, web_home

STATES = {
    "good": HealthReport(ready=True, healthy=True, details={"broker": "connected"}),
    "starting": HealthReport(ready=False, healthy=True),
    "stuck": HealthReport(ready=True, healthy=False, details={"engine": "no progress for 61 s"}),
}


@pytest.mark.parametrize(
    ("state", "path", "code", "word"),
    [
        ("good", "/healthz", 200, "healthy"),
        ("good", "/readyz", 200, "ready"),
        ("starting", "/healthz", 200, "healthy"),
        ("starting", "/readyz", 503, "not ready"),
        ("stuck", "/healthz", 503, "not healthy"),
        ("stuck", "/readyz", 503, "not ready"),
    ],
)
async def test_pages_tell_the_truth_of_the_moment(
    home: WebHome, state: str, path: str, code: int, word: str
) -> None:
    home.house.health = STATES[state]
    answer = await Browser(home).get(path)
    assert answer.status == code
    assert answer.json == {"status": word, "details": dict(STATES[state].details)}
    assert answer.headers["Cache-Control"] == "no-store"


async def test_metrics_are_for_this_machine_and_for_tokens(home: WebHome) -> None:
    answer = await Browser(home).get("/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert (await Browser(home).get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"})).status == 401


async def test_from_elsewhere_the_health_pages_need_a_token(home: WebHome) -> None:
    elsewhere = {"X-Forwarded-For": "127.0.0.1"}  # whoever says so is no proxy that we know
    assert (await Browser(home).get("/healthz", headers=elsewhere)).status == 401
    program = await home.program(Scope.READ)
    assert (await program.get("/healthz", headers=elsewhere)).status == 200


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8477", "127.0.0.1", "[::1]:8477", "LOCALHOST", "localhost."]
)
async def test_local_names_are_served(home: WebHome, host: str) -> None:
    assert (await Browser(home).get("/healthz", headers={"Host": host})).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.1",
        "localhost.evil.example:8477",
        "[::1",
        "localhost@x",
        "localhost:x",
    ],
)
@pytest.mark.parametrize("path", ["/healthz", f"{API}/session", "/nothing"])
async def test_rebound_names_are_refused(home: WebHome, host: str, path: str) -> None:
    answer = await Browser(home).get(path, headers={"Host": host})
    assert answer.status == 421
    assert "broker" not in answer.text


async def test_names_of_this_machine(tmp_path: Path) -> None:
    settings = WebSettings(host="0.0.0.0", host_names=frozenset({"home.example"}))
    async with web_home(tmp_path, settings) as home:
        for host, status in (
            ("home.example", 200), ("192.168.1.5:8477", 200), ("[fd00::1]", 200), ("evil.example", 421),
        ):  # fmt: skip
            assert (await Browser(home).get("/healthz", headers={"Host": host})).status == status


async def test_every_address_of_both_kinds(tmp_path: Path) -> None:
    port = free_port()
    async with web_home(tmp_path) as home:
        settings = WebSettings(host="::", port=port)
        server = WebServer(replace(home.services, settings=settings, uploads=Uploads()))
        await server.start()
        try:
            for address in ("127.0.0.1", "[::1]"):
                url = f"http://{address}:{port}/healthz"
                async with aiohttp.ClientSession() as client, client.get(url) as answer:
                    assert answer.status == 200
        finally:
            await server.aclose()


async def test_nothing_else_is_there(home: WebHome) -> None:
    missing = await Browser(home).get("/nothing")
    assert (missing.status, missing.key) == (404, "http_404")
    wrong = await Browser(home).post("/healthz")
    assert (wrong.status, wrong.headers["Allow"]) == (405, "GET")


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


async def test_a_taken_port_is_told(home: WebHome, taken_port: int) -> None:
    settings = replace(home.services.settings, port=taken_port)
    server = WebServer(replace(home.services, settings=settings))
    with pytest.raises(HomefaceError, match=rf"port {taken_port}: .*web\.port"):
        await server.start()
    await server.aclose()


async def test_closing_frees_the_port_and_may_be_repeated(home: WebHome) -> None:
    port = home.server.port
    await home.server.aclose()
    await home.server.aclose()
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))


@pytest.mark.parametrize(
    ("host", "local"), [("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("8.8.8.8", False)]
)
def test_is_loopback(host: str, local: bool) -> None:
    assert is_loopback(host) is local
