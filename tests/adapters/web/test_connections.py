"""Connections and requests from somebody in the network who means no good."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from homeface.adapters.web import door
from tests.support.waiting import until
from tests.support.web import API, Browser, WebHome


@pytest.mark.parametrize(
    "path",
    [
        f"{API}/people/..%2f..%2fetc%2fpasswd",
        f"{API}/people/%2e%2e/%2e%2e/etc/passwd",
        f"{API}/people/..\\..\\etc",
        f"{API}/tokens/%00",
        "/static/x/../../../../etc/passwd",
        "/static/x/%2e%2e/%2e%2e/settings.py",
        "/static/..%2f..%2fserver.py/x",
        "//etc/passwd",
        "/./../../etc/passwd",
    ],
)
async def test_no_path_leads_out(home: WebHome, path: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", home.server.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    assert answer.split(b" ")[1] in {b"400", b"401", b"404"}, answer[:200]
    assert b"root:" not in answer


@pytest.mark.parametrize(
    "request_text",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET " + b"/" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"a" * 50_000 + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"GET /api/v1/info HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \xff\r\n\r\n",
        b"GET /api/v1/info HTTP/1.1\r\nHost: localhost\r\nCookie: homeface_homeface=\xff\xfe\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: \xff\r\n\r\n",
        b"CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_refused_without_a_trace(
    home: WebHome, request_text: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", home.server.port)
    writer.write(request_text)
    async with asyncio.timeout(5):
        line = await reader.readline()
    writer.close()
    assert line.split(b" ")[1] in {b"400", b"401", b"404", b"405", b"421"}, line
    assert "Traceback" not in caplog.text


async def test_one_address_cannot_take_all_connections(
    home: WebHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "MAX_CONNECTIONS_OF_ONE", 3)
    monkeypatch.setattr(home.server._door, "_crowds", lambda address: address != "127.0.0.1")
    server = home.server._runner.server  # type: ignore[union-attr]
    assert server is not None
    held = []
    for count in range(1, 4):
        held.append(await asyncio.open_connection("127.0.0.1", home.server.port))
        await until(lambda count=count: len(server.connections) == count)  # type: ignore[misc]
    reader, writer = await asyncio.open_connection("127.0.0.1", home.server.port)
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()
    held[0][1].close()
    await until(lambda: len(server.connections) == 2)
    assert (await Browser(home).get("/healthz")).status == 200
    for _, writer in held[1:]:
        writer.close()


async def test_silent_connections_are_hung_up_on(home: WebHome) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", home.server.port)
    server = home.server._runner.server  # type: ignore[union-attr]
    assert server is not None
    await until(lambda: len(server.connections) == 1)
    writer.write(b"GET / HT")
    home.server.sweep()
    assert not writer.is_closing()
    home.server.sweep()
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
    writer.close()
    assert (await Browser(home).get("/healthz")).status == 200


async def test_too_many_connections_are_turned_away(home: WebHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "MAX_CONNECTIONS", 3)
    server = home.server._runner.server  # type: ignore[union-attr]
    assert server is not None
    held = [await asyncio.open_connection("127.0.0.1", home.server.port) for _ in range(3)]
    await until(lambda: len(server.connections) == 3)
    reader, writer = await asyncio.open_connection("127.0.0.1", home.server.port)
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()
    for _, other in held:
        other.close()
    await until(lambda: not server.connections)
    assert (await Browser(home).get("/healthz")).status == 200
