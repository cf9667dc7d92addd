"""Encryption by a certificate of our own, or by files."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import socket
import ssl
from asyncio import to_thread
from collections.abc import Collection
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509

from homeface.adapters.web import certificates, door
from homeface.adapters.web.settings import TlsSettings, WebSettings
from homeface.errors import HomefaceError
from tests.support.waiting import until
from tests.support.web import API, PASSWORD, Browser, WebHome, web_home

NOW = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)


def own(folder: Path) -> TlsSettings:
    return TlsSettings(folder / "tls" / "server.pem", folder / "tls" / "server.key", own_ca=folder / "tls")


def renew(folder: Path, names: Collection[str] = (), now: dt.datetime = NOW) -> bool:
    tls = own(folder)
    return certificates.renew(folder / "tls", tls.certificate, tls.key, names, now)


def said(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def trusting(folder: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=folder / "tls" / "ca.pem")


async def test_whoever_trusts_the_authority_sees_no_warning(tmp_path: Path) -> None:
    async with web_home(tmp_path, WebSettings(tls=own(tmp_path))) as home:
        context = await to_thread(trusting, tmp_path)
        async with aiohttp.ClientSession() as client:
            for host in ("127.0.0.1", "localhost"):
                url = f"https://{host}:{home.server.port}/healthz"
                async with client.get(url, ssl=context) as answer:
                    assert answer.status == 200
        browser = Browser(home)
        assert (await browser.post(f"{API}/setup", {"password": PASSWORD})).status == 200
        assert "Secure" in browser.set_cookie
        info = (await browser.get(f"{API}/info")).json
        assert (info["tls"], info["secure_context_hint"]) == (True, None)
        ca = await Browser(home).get(f"{API}/ca.crt")
        assert b"PRIVATE" not in ca.data
        assert ca.data == await to_thread((tmp_path / "tls" / "ca.pem").read_bytes)


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def _hold(home: WebHome, count: int) -> list[asyncio.StreamWriter]:
    """Connections that say nothing."""
    return [(await asyncio.open_connection("127.0.0.1", home.server.port))[1] for _ in range(count)]


async def _is_hung_up_on(home: WebHome, source: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", home.server.port, local_addr=(source, 0))
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
    writer.close()


async def test_handshakes_that_never_end_do_not_take_all_file_descriptors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "MAX_HANDSHAKES", 3)
    async with web_home(tmp_path, WebSettings(tls=own(tmp_path))) as home:
        assert home.server._door is not None
        handshakes = home.server._door
        files = _open_files()
        held = await _hold(home, 3)
        await until(lambda: handshakes.handshakes == 3)
        await _is_hung_up_on(home, "127.0.0.1")
        for writer in held:
            writer.close()
        await until(lambda: handshakes.handshakes == 0, what="who hangs up is not counted any more")
        with monkeypatch.context() as hasty:
            hasty.setattr(door, "HANDSHAKE_SECONDS", 0.1)
            reader, writer = await asyncio.open_connection("127.0.0.1", home.server.port)
            async with asyncio.timeout(5):
                assert await reader.read() == b"", "given up"
            writer.close()
        for _ in range(5):
            assert (await Browser(home).get("/healthz")).status == 200
        assert handshakes.handshakes == 0, "those that succeed are not counted"
        await until(lambda: _open_files() <= files, what="nothing is left of them")


async def test_one_address_cannot_take_all_handshakes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "MAX_HANDSHAKES", 5)
    monkeypatch.setattr(door, "MAX_HANDSHAKES_OF_ONE", 2)
    async with web_home(tmp_path, WebSettings(tls=own(tmp_path))) as home:
        monkeypatch.setattr(home.server._door, "_crowds", lambda address: address == "127.0.0.3")
        handshakes = home.server._door
        assert handshakes is not None
        held = await _hold(home, 2)
        await until(lambda: handshakes.handshakes == 2)
        await _is_hung_up_on(home, "127.0.0.1")
        context = await to_thread(trusting, tmp_path)
        for source in ("127.0.0.2", "127.0.0.3"):
            for _ in range(3):
                reader, writer = await asyncio.open_connection(
                    "localhost", home.server.port, family=socket.AF_INET, local_addr=(source, 0), ssl=context
                )
                writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                assert (await reader.readline()).split(b" ")[1] == b"200", source
                writer.close()
        held[0].close()
        await until(lambda: handshakes.handshakes == 1, what="who hangs up is not counted any more")
        assert (await Browser(home).get("/healthz")).status == 200
    assert handshakes.handshakes == 0, "none outlives the page"
    held[1].close()


async def test_what_is_no_handshake_is_hung_up_on_without_a_trace(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with web_home(tmp_path, WebSettings(tls=own(tmp_path))) as home:
        caplog.clear()
        for said in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"\0" * 70_000, None):
            reader, writer = await asyncio.open_connection("127.0.0.1", home.server.port)
            writer.write(said or b"")
            if said is None:
                writer.write_eof()
            async with asyncio.timeout(5):
                with contextlib.suppress(ConnectionResetError):
                    await reader.read()
            writer.close()
        assert (await Browser(home).get("/healthz")).status == 200
        assert not caplog.records


async def test_a_request_right_behind_the_handshake_is_answered(tmp_path: Path) -> None:
    """In one packet with the handshake's last message: nothing of it is lost on the way to the server."""
    async with web_home(tmp_path, WebSettings(tls=own(tmp_path))) as home:
        context = await to_thread(trusting, tmp_path)
        reader, writer = await asyncio.open_connection("127.0.0.1", home.server.port)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        async with asyncio.timeout(10):
            while True:
                try:
                    client.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    writer.write(outgoing.read())
                    incoming.write(await reader.read(65_536))
            client.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            writer.write(outgoing.read())
            while True:
                try:
                    answer = client.read(100)
                    break
                except ssl.SSLWantReadError:
                    incoming.write(await reader.read(65_536))
        assert answer.startswith(b"HTTP/1.1 200")
        writer.close()


async def test_without_encryption_there_is_no_authority(tmp_path: Path) -> None:
    async with web_home(tmp_path) as home:
        assert (await Browser(home).get(f"{API}/ca.crt")).status == 404


def test_keys_are_readable_by_the_owner_alone(tmp_path: Path) -> None:
    assert renew(tmp_path)
    assert {
        path.name: oct(path.stat().st_mode & 0o777) for path in (tmp_path / "tls").iterdir()
    } == dict.fromkeys(("ca.pem", "ca.key", "server.pem", "server.key"), "0o600")


def test_a_certificate_is_made_anew_when_it_must_be(tmp_path: Path) -> None:
    assert renew(tmp_path, {"home.local"})
    authority = said(tmp_path / "tls" / "ca.pem")
    assert not renew(tmp_path, {"home.local"})
    assert not renew(tmp_path, {"home.local"}, NOW + dt.timedelta(days=360))
    assert renew(tmp_path, {"home.local"}, NOW + dt.timedelta(days=370))  # ends soon
    assert renew(tmp_path, {"home.local", "face.local"}, NOW + dt.timedelta(days=370))
    assert said(tmp_path / "tls" / "ca.pem") == authority  # phones need not trust a new one
    (tmp_path / "tls" / "server.key").write_bytes(b"broken")
    assert renew(tmp_path, {"home.local", "face.local"}, NOW + dt.timedelta(days=370))
    assert renew(tmp_path, {"home.example"})  # a name that the authority may not vouch for
    assert said(tmp_path / "tls" / "ca.pem") != authority


def test_the_authority_can_vouch_for_a_home_alone(tmp_path: Path) -> None:
    renew(tmp_path, {"home.local"})
    constraints = said(tmp_path / "tls" / "ca.pem").extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    names = [
        name.value for name in constraints.value.permitted_subtrees or () if isinstance(name, x509.DNSName)
    ]
    assert "home.local" in names
    assert not any(name in {"com", "org", ""} for name in names)


async def test_files_of_ones_own(tmp_path: Path) -> None:
    await to_thread(renew, tmp_path, (), dt.datetime.now(dt.UTC))
    tls = TlsSettings(tmp_path / "tls" / "server.pem", tmp_path / "tls" / "server.key")
    async with web_home(tmp_path, WebSettings(tls=tls)) as home:
        assert (await Browser(home).get("/healthz")).status == 200


@pytest.mark.parametrize("broken", ["missing", "foreign key", "no pem"])
async def test_files_that_cannot_be_used_are_told(tmp_path: Path, broken: str) -> None:
    await to_thread(renew, tmp_path)
    tls = own(tmp_path)
    certificate, key = tls.certificate, tls.key
    if broken == "missing":
        await to_thread(key.unlink)
    elif broken == "foreign key":
        key = tmp_path / "tls" / "ca.key"
    else:
        await to_thread(certificate.write_bytes, b"hello")
    with pytest.raises(HomefaceError, match=r"server\.(pem|key)"):
        async with web_home(tmp_path, WebSettings(tls=TlsSettings(certificate, key))):
            pass
