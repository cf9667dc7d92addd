"""The health pages over TCP on loopback."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from homeface.adapters.web.health import HealthServer, is_loopback
from homeface.adapters.web.report import HealthReport
from homeface.errors import HomefaceError

STATES = {
    "good": HealthReport(ready=True, healthy=True, details={"broker": "connected"}),
    "starting": HealthReport(ready=False, healthy=True),
    "stuck": HealthReport(ready=True, healthy=False, details={"engine": "no progress for 61 s"}),
}


class Service:
    """What the pages ask, and where they are."""

    def __init__(self) -> None:
        self.state = STATES["good"]
        self.server = HealthServer(lambda: self.state, port=0)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server.port}{path}"


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    await service.server.start()
    yield service
    await service.server.aclose()


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


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
    service: Service, client: aiohttp.ClientSession, state: str, path: str, code: int, word: str
) -> None:
    service.state = STATES[state]
    async with client.get(service.url(path)) as answer:
        assert answer.status == code
        assert await answer.json() == {"status": word, "details": dict(STATES[state].details)}
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("host", ["localhost", "localhost:8477", "127.0.0.1", "[::1]:8477", "LOCALHOST"])
async def test_local_names_are_served(service: Service, client: aiohttp.ClientSession, host: str) -> None:
    async with client.get(service.url("/healthz"), headers={"Host": host}) as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.1",
        "localhost.evil.example:8477",
        "[::1",
        "localhost@x",
    ],
)
async def test_rebound_names_are_refused(service: Service, client: aiohttp.ClientSession, host: str) -> None:
    async with client.get(service.url("/healthz"), headers={"Host": host}) as answer:
        assert answer.status == 421
        assert "broker" not in await answer.text()


async def test_nothing_else_is_there(service: Service, client: aiohttp.ClientSession) -> None:
    async with client.get(service.url("/")) as answer:
        assert answer.status == 404
    async with client.post(service.url("/healthz")) as answer:
        assert answer.status == 405


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


async def test_a_taken_port_is_told(taken_port: int) -> None:
    server = HealthServer(lambda: STATES["good"], port=taken_port)
    with pytest.raises(HomefaceError, match=rf"port {taken_port}: .*web\.port"):
        await server.start()
    await server.aclose()


async def test_closing_frees_the_port_and_may_be_repeated(client: aiohttp.ClientSession) -> None:
    service = Service()
    await service.server.start()
    url = service.url("/healthz")
    await service.server.aclose()
    await service.server.aclose()
    with pytest.raises(aiohttp.ClientConnectorError):
        await client.get(url)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "home.example", ""])
def test_only_loopback_may_be_bound(host: str) -> None:
    with pytest.raises(HomefaceError, match="not a loopback address"):
        HealthServer(lambda: STATES["good"], host=host)


@pytest.mark.parametrize(
    ("host", "local"), [("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("8.8.8.8", False)]
)
def test_is_loopback(host: str, local: bool) -> None:
    assert is_loopback(host) is local
