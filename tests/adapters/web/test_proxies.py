"""Behind a reverse proxy, under a sub-path, and in Home Assistant's ingress."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import multidict
import pytest

from homeface.adapters.web import brakes
from homeface.adapters.web.settings import WebSettings
from tests.support.web import API, PASSWORD, Browser, WebHome, web_home

HERE = ("127.0.0.0/8",)
PROXY = WebSettings(base_path="/homeface", trusted_proxies=HERE, host_names=frozenset({"home.example"}))
BY_PROXY = {
    "X-Forwarded-For": "192.168.1.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "home.example",
    "Origin": "https://home.example",
}
INGRESS = WebSettings(ingress_proxies=HERE)
BY_INGRESS = {
    "X-Ingress-Path": "/api/hassio_ingress/abc_-1",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "ha.example:8123",
    "Origin": "https://ha.example:8123",
}


async def log_in(home: WebHome, path: str, headers: Mapping[str, str]) -> Browser:
    if await home.accounts.setup_needed():
        await home.accounts.add_account("owner", "owner", PASSWORD, None)
    browser = Browser(home)
    answer = await browser.post(path, {"password": PASSWORD}, headers=headers)
    assert answer.status == 200, answer.text
    return browser


@pytest.mark.parametrize("prefix", ["", "/homeface"])  # some proxies cut it off, some do not
async def test_under_a_sub_path(tmp_path: Path, prefix: str) -> None:
    async with web_home(tmp_path, PROXY) as home:
        browser = await log_in(home, f"{prefix}{API}/session", BY_PROXY)
        assert "Path=/homeface/" in browser.set_cookie
        assert "Secure" in browser.set_cookie
        invite = await browser.post(f"{prefix}{API}/invites", {"name": "Ben"}, headers=BY_PROXY)
        assert invite.json["url"].startswith("https://home.example/homeface/invite/")
        assert (await browser.get(f"{prefix}{API}/info", headers=BY_PROXY)).json["tls"]
        document = (await Browser(home).get(f"{prefix}/api/openapi.json", headers=BY_PROXY)).json
        assert document["servers"] == [{"url": "/homeface"}]
        assert (await browser.get("/other/api/v1/info", headers=BY_PROXY)).status == 404


async def test_a_foreign_name_is_refused_behind_a_proxy_as_well(tmp_path: Path) -> None:
    async with web_home(tmp_path, PROXY) as home:
        for changes in ({"X-Forwarded-Host": "evil.example"}, {"X-Forwarded-Host": ""}):
            assert (await Browser(home).get("/healthz", headers={**BY_PROXY, **changes})).status == 421


async def test_a_foreign_origin_is_refused_behind_a_proxy_as_well(tmp_path: Path) -> None:
    async with web_home(tmp_path, PROXY) as home:
        for origin in ("http://home.example", "https://home.example:444", "https://evil.example"):
            body = {"password": PASSWORD}
            answer = await Browser(home).post(f"{API}/setup", body, headers={**BY_PROXY, "Origin": origin})
            assert (answer.status, answer.key) == (403, "foreign_page")


async def test_who_is_no_proxy_of_ours_is_not_believed(tmp_path: Path) -> None:
    settings = WebSettings(trusted_proxies=("10.9.9.9",), ingress_proxies=("10.9.9.9",))
    async with web_home(tmp_path, settings) as home:
        browser = await log_in(home, f"{API}/session", {})
        invite = await browser.post(
            f"{API}/invites", {"name": "Ben"}, headers={**BY_INGRESS, "Origin": home.url("")}
        )
        assert invite.json["url"].startswith(home.url("/invite/"))
        answer = await browser.get(f"{API}/info", headers=BY_INGRESS)
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


async def test_the_proxys_own_line_counts_not_the_first(tmp_path: Path) -> None:
    """Some proxies add a line of their own below the one that the client has sent."""
    async with web_home(tmp_path, WebSettings(trusted_proxies=HERE)) as home:
        await home.owner()
        for number in range(7):
            headers = multidict.CIMultiDict(
                [("X-Forwarded-For", f"1.2.3.{number}"), ("X-Forwarded-For", "9.9.9.9")]
            )
            answer = await Browser(home).post(f"{API}/session", {"password": "wrong"}, headers=headers)
        assert answer.status == 429
        failed = await asyncio.to_thread(home.store.failures, 0)
        assert {source.partition(" ")[0] for source, _ in failed} == {"9.9.9.9"}


async def test_set_up_through_a_proxy_needs_the_code(tmp_path: Path) -> None:
    """The proxy stands on this machine; who asks does not."""
    async with web_home(tmp_path, PROXY) as home:
        answer = await Browser(home).post(f"{API}/setup", {"password": PASSWORD}, headers=BY_PROXY)
        assert (answer.status, answer.key) == (403, "code_needed")


async def test_in_home_assistants_ingress(tmp_path: Path) -> None:
    async with web_home(tmp_path, INGRESS) as home:
        browser = await log_in(home, f"{API}/session", BY_INGRESS)
        assert "Path=/api/hassio_ingress/abc_-1/" in browser.set_cookie
        answer = await browser.get(f"{API}/info", headers=BY_INGRESS)
        assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
        login = await Browser(home).get("/people", headers=BY_INGRESS)
        assert (login.status, login.headers["Location"]) == (303, "./login?next=people")


@pytest.mark.parametrize("path", ["//evil.example", "/a;Domain=evil", "/a b", "/a/../b\\", "x", "/a,b", "/ä"])
async def test_an_odd_ingress_path_is_not_taken(tmp_path: Path, path: str) -> None:
    async with web_home(tmp_path, INGRESS) as home:
        headers = {**BY_INGRESS, "X-Ingress-Path": path}
        browser = await log_in(home, f"{API}/session", headers)
        assert "Path=/;" in f"{browser.set_cookie};"


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.168.1.7", "192.168.1.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.168.1.7", "192.168.1.7"),
        ("", "unknown"),
        ("nonsense", "unknown"),
    ],
)
def test_what_counts_as_one_source(address: str, source: str) -> None:
    assert brakes.source_name(address) == source


def test_the_brakes() -> None:
    now = 10_000.0
    assert brakes.wait_seconds([("a", now)] * 4, "a", now) == 0
    waits = [brakes.wait_seconds([("a", now)] * count, "a", now) for count in range(5, 20)]
    assert waits[:4] == [30, 60, 120, 240]
    assert max(waits) == 3600
    assert brakes.wait_seconds([("a", now)] * 5, "b", now) == 0
    many = [(f"{number}", now) for number in range(60)]
    assert brakes.wait_seconds(many, "me", now) == 60
    assert brakes.wait_seconds(many, "me", now + 61) <= 0
    assert brakes.wait_seconds([("a", now + 1e6)] * 5, "a", now) == 30  # the clock was set back
