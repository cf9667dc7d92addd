"""Encryption by a certificate of our own, or by files."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ssl
from asyncio import to_thread
from collections.abc import Collection
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509

from homeface.adapters.web import certificates, handshakes
from homeface.adapters.web.settings import TlsSettings, WebSettings
from homeface.errors import HomefaceError
from tests.support.waiting import until
from tests.support.web import API, PASSWORD, Browser, web_home

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


async def test_handshakes_that_never_end_do_not_take_all_file_descriptors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshakes, "MAX_HANDSHAKES", 3)
    async with web_home(tmp_path, WebSettings(tls=own(tmp_path))) as home:
        context = home.server._context
        assert isinstance(context, handshakes.LimitedContext)
        files = _open_files()
        held = [await asyncio.open_connection("127.0.0.1", home.server.port) for _ in range(3)]
        await until(lambda: len(context.under_way) == 3)
        reader, writer = await asyncio.open_connection("127.0.0.1", home.server.port)
        async with asyncio.timeout(5):
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b"", "hung up on"
        monkeypatch.setattr(handshakes, "HANDSHAKE_SECONDS", 0.0)  # the time of those that are held is over
        for _ in range(5):
            assert (await Browser(home).get("/healthz")).status == 200
        assert not context.under_way, "those that succeed are not counted"
        for _, other in (*held, (reader, writer)):
            other.close()
        await until(lambda: _open_files() <= files, what="nothing is left of them")


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
