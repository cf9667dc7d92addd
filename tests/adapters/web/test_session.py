"""Set-up, log-in, log-out, cookies, CSRF, and the brakes against guessing."""

from __future__ import annotations

import asyncio
import gzip
from asyncio import to_thread
from pathlib import Path

import pytest

from homeface.adapters.web.access import Role
from homeface.adapters.web.settings import WebSettings
from tests.support.web import API, PASSWORD, Browser, WebHome, web_home

SESSION = f"{API}/session"
WRONG = {"password": "something else"}
RIGHT = {"password": PASSWORD}


async def test_first_start_makes_the_owner_once(home: WebHome) -> None:
    browser = Browser(home)
    first = await browser.get(SESSION)
    assert (first.json["setup_needed"], first.json["role"], first.json["csrf"]) == (True, None, None)
    made = await browser.post(f"{API}/setup", {"password": PASSWORD})
    assert (made.status, made.json["role"], made.json["setup_needed"]) == (200, Role.OWNER, False)
    assert (await browser.get(SESSION)).json["csrf"] == made.json["csrf"]
    again = await Browser(home).post(f"{API}/setup", {"password": "another password"})
    assert (again.status, again.key) == (403, "already_set_up")


async def test_set_up_from_elsewhere_needs_the_code_of_the_log(tmp_path: Path) -> None:
    elsewhere = {"X-Forwarded-For": "192.168.1.7"}
    async with web_home(tmp_path) as home:
        browser = Browser(home)
        for code in (None, "", "0000-0000-0000"):
            refused = await browser.post(
                f"{API}/setup", {"password": PASSWORD, "code": code}, headers=elsewhere
            )
            assert refused.status in {403, 422}
        assert await home.accounts.setup_needed()
        body = {"password": PASSWORD, "code": home.accounts.setup_code.upper()}
        assert (await browser.post(f"{API}/setup", body, headers=elsewhere)).status == 200


@pytest.mark.parametrize("password", ["", "short", "aaaaaaaaaaaa", None, 12345678, "x" * 5000])
async def test_weak_passwords_are_refused(home: WebHome, password: object) -> None:
    refused = await Browser(home).post(f"{API}/setup", {"password": password})
    assert refused.status == 422
    assert refused.json["error"]["field"] == "password"
    assert await home.accounts.setup_needed()


async def test_log_in_and_out(home: WebHome) -> None:
    browser = await home.owner()
    assert "HttpOnly" in browser.set_cookie
    assert "SameSite=Lax" in browser.set_cookie
    assert "Secure" not in browser.set_cookie  # plain http on loopback
    assert (await browser.get(f"{API}/info")).status == 200
    stolen = Browser(home, session=browser.session)
    assert (await browser.delete(SESSION)).status == 204
    assert browser.session == ""
    assert (await stolen.get(f"{API}/info")).status == 401


async def test_log_out_on_every_device(home: WebHome) -> None:
    here, there, member = await home.owner(), await home.owner(), await home.member()
    assert (await here.delete(f"{API}/sessions")).status == 204
    for gone in (here, there):
        assert (await gone.get(f"{API}/info")).status == 401
    assert (await member.get(f"{API}/info")).status == 200


async def test_a_new_log_in_ends_the_session_before(home: WebHome) -> None:
    browser = await home.owner()
    before = Browser(home, session=browser.session)
    assert (await browser.post(SESSION, RIGHT)).status == 200
    assert browser.session != before.session
    assert (await before.get(f"{API}/info")).status == 401


async def test_sessions_end_by_themselves(home: WebHome) -> None:
    browser = await home.owner()
    home.clock.now += 29 * 86400
    assert (await browser.get(f"{API}/info")).status == 200
    home.clock.now += 29 * 86400
    assert (await browser.get(f"{API}/info")).status == 200
    home.clock.now += 31 * 86400
    assert (await browser.get(f"{API}/info")).status == 401


async def test_nothing_secret_is_in_the_database(home: WebHome, tmp_path: Path) -> None:
    browser = await home.owner()
    token = (await browser.post(f"{API}/tokens", {"name": "script", "scopes": ["read"]})).json["secret"]
    stored = await to_thread(everything_in, tmp_path)
    assert b"argon2id" in stored
    for secret in (PASSWORD, browser.session, token, browser.csrf):
        assert secret.encode() not in stored


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())


@pytest.mark.parametrize("csrf", ["", "0" * 32, "ü"])
async def test_changes_need_the_csrf_token(home: WebHome, csrf: str) -> None:
    browser = await home.owner()
    body = {"name": "script", "scopes": ["read"]}
    refused = await browser.post(f"{API}/tokens", body, csrf=csrf.encode().decode("latin-1"))
    assert (refused.status, refused.key) == (403, "csrf")
    assert (await browser.get(f"{API}/tokens")).json == {"tokens": []}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_other_pages_cannot_log_anybody_in(home: WebHome, headers: dict[str, str]) -> None:
    await home.owner()
    refused = await Browser(home).post(SESSION, RIGHT, headers=headers)
    assert (refused.status, refused.key) == (403, "foreign_page")


async def test_thirty_wrong_passwords(tmp_path: Path) -> None:
    async with web_home(tmp_path) as home:
        await home.owner()
        browser = Browser(home)
        answers = [await browser.post(SESSION, WRONG) for _ in range(30)]
        assert [answer.status for answer in answers] == [401] * 5 + [429] * 25
        assert int(answers[-1].headers["Retry-After"]) >= 29
        assert (await browser.post(SESSION, RIGHT)).key == "locked"  # the right one must not be told apart
        other = {"X-Forwarded-For": "192.168.1.7"}
        assert (await browser.post(SESSION, WRONG, headers=other)).key == "locked"  # nobody's proxy
        assert len(await to_thread(home.store.failures, 0)) == 5
    async with web_home(tmp_path) as home:  # a restart forgets nothing
        assert (await Browser(home).post(SESSION, RIGHT)).status == 429
        home.clock.now += 31
        assert (await Browser(home).post(SESSION, RIGHT)).status == 200
        assert (await Browser(home).post(SESSION, RIGHT)).status == 200


async def test_wrong_passwords_at_once_do_not_slip_through_together(home: WebHome) -> None:
    await home.owner()
    answers = await asyncio.gather(*(Browser(home).post(SESSION, WRONG) for _ in range(50)))
    assert sum(answer.status == 401 for answer in answers) <= 5
    assert {answer.status for answer in answers} == {401, 429}
    assert len(await to_thread(home.store.failures, 0)) == 5


async def test_a_right_password_forgets_the_wrong_ones(home: WebHome) -> None:
    browser = await home.owner()
    for _ in range(3):
        assert (await browser.post(SESSION, WRONG)).status == 401
    assert (await browser.post(SESSION, RIGHT)).status == 200
    assert await to_thread(home.store.failures, 0) == []


async def test_who_logs_in_between_guesses_at_another_account_is_braked_all_the_same(home: WebHome) -> None:
    await home.owner()
    await home.accounts.add_account("member", "Kid", "quite another one", None)
    guesses = []
    for _ in range(3):
        guesses += [(await Browser(home).post(SESSION, WRONG)).status for _ in range(4)]
        own = await Browser(home).post(SESSION, {"name": "Kid", "password": "quite another one"})
        assert (own.status, own.json["role"]) == (200, "member")
    assert guesses == [401] * 5 + [429] * 7


async def test_each_address_behind_a_proxy_has_its_own_brake(tmp_path: Path) -> None:
    async with web_home(tmp_path, WebSettings(trusted_proxies=("127.0.0.1/32",))) as home:
        await home.owner()
        browser = Browser(home)

        async def attempt(forwarded: str, body: dict[str, str]) -> int:
            return (await browser.post(SESSION, body, headers={"X-Forwarded-For": forwarded})).status

        # what the client itself claims stands to the left and counts for nothing
        assert [await attempt(f"1.2.3.{n}, 192.168.1.7", WRONG) for n in range(6)] == [401] * 5 + [429]
        assert await attempt("192.168.1.8", RIGHT) == 200
        assert [await attempt(f"fd00:1:2:3::{n:x}", WRONG) for n in range(6)] == [401] * 5 + [429]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b'{"password": NaN}',
        b'{"password": ' + b"9" * 5000 + b"}",
        b'{"password": "\\ud800"}',
        b'{"password": "\\u0000"}',
        b'{"password": "x", "more": 1}',
        b'{"password": "x", "password": ["y"]}',
        b"[" * 60_000,
        b"\xff\xfe\x00",
        b'{"password": "x", "name": "\\ud83d"}',
    ],
)
async def test_odd_bodies_are_refused(home: WebHome, body: bytes) -> None:
    await home.owner()
    answer = await Browser(home).post(SESSION, data=body, headers={"Content-Type": "application/json"})
    assert answer.status in {401, 415, 422}, answer.text
    assert answer.json["error"]["message"]


async def test_packed_bodies_are_not_unpacked(home: WebHome) -> None:
    await home.owner()
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    bomb = gzip.compress(b" " * 50_000_000 + b'{"password": "x"}')
    assert len(bomb) < 64 * 1024
    answer = await Browser(home).post(SESSION, data=bomb, headers=headers)
    assert (answer.status, answer.key) == (415, "not_json_text")


async def test_an_unknown_name_takes_the_same_way(home: WebHome) -> None:
    await home.owner()
    answer = await Browser(home).post(SESSION, {"name": "nobody", "password": "something"})
    assert (answer.status, answer.key) == (401, "wrong_password")


async def test_changing_the_password_ends_the_other_sessions(home: WebHome) -> None:
    browser = await home.owner()
    other = await home.owner()
    body = {"old_password": PASSWORD, "new_password": "a new password"}
    wrong = await browser.post(f"{SESSION}/password", {**body, "old_password": "no"})
    assert (wrong.status, wrong.key) == (403, "wrong_password")
    assert (await browser.post(f"{SESSION}/password", body)).status == 204
    assert (await browser.get(f"{API}/info")).status == 200
    assert (await other.get(f"{API}/info")).status == 401
    assert (await Browser(home).post(SESSION, RIGHT)).status == 401
    assert (await Browser(home).post(SESSION, {"password": "a new password"})).status == 200


async def test_tokens_are_shown_once_and_can_be_taken_back(home: WebHome) -> None:
    browser = await home.owner()
    made = (await browser.post(f"{API}/tokens", {"name": "script", "scopes": ["read"]})).json
    listed = (await browser.get(f"{API}/tokens")).json["tokens"]
    assert [(token["name"], token["scopes"], token["last_used"]) for token in listed] == [
        ("script", ["read"], None)
    ]
    assert made["secret"] not in str(listed)
    program = Browser(home, token=made["secret"])
    assert (await program.get(f"{API}/info")).status == 200
    assert (await browser.get(f"{API}/tokens")).json["tokens"][0]["last_used"] == home.clock.now
    assert (await browser.post(f"{API}/tokens", {"name": "script", "scopes": ["read"]})).status == 409
    assert (await browser.delete(f"{API}/tokens/{made['id']}")).status == 204
    assert (await program.get(f"{API}/info")).key == "unknown_token"
    assert (await browser.delete(f"{API}/tokens/{made['id']}")).status == 404


async def test_members_have_a_password_of_their_own(home: WebHome) -> None:
    browser = await home.owner()
    body = {"name": "Ada", "password": "the moon is green"}
    made = (await browser.post(f"{API}/accounts", body)).json
    assert (await browser.post(f"{API}/accounts", {**body, "name": "ADA"})).status == 409
    member = Browser(home)
    entered = await member.post(SESSION, {"name": "ada", "password": "the moon is green"})
    assert (entered.status, entered.json["role"]) == (200, "member")
    assert (await member.get(f"{API}/info")).status == 200
    assert (await member.get(f"{API}/accounts")).status == 403
    assert (await browser.delete(f"{API}/accounts/{made['id']}")).status == 204
    assert (await member.get(f"{API}/info")).status == 401
    owner = (await browser.get(f"{API}/accounts")).json["accounts"][0]
    assert (await browser.delete(f"{API}/accounts/{owner['id']}")).status == 404  # the owner stays


async def test_what_was_done_is_in_the_log(home: WebHome) -> None:
    browser = await home.owner()
    await browser.post(f"{API}/tokens", {"name": "script", "scopes": ["read"]})
    assert [(act.who, act.what) for act in await to_thread(home.store.acts)] == [
        ("web:owner", "add token"),
        ("web:owner", "log in"),
    ]
