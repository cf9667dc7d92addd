"""Invites: one person, once, fifteen minutes, and nothing else; and the personal link after it."""

from __future__ import annotations

from asyncio import to_thread
from pathlib import Path

import pytest

from homeface.adapters.store.accounts import MOST_SESSIONS_OF_A_LINK
from homeface.adapters.web.routes import ROUTES
from homeface.adapters.web.settings import WebSettings
from tests.adapters.web.test_routes import path_of
from tests.support.web import API, Browser, WebHome, web_home

OPEN = f"{API}/links/open"
AGREE = {"version": "1", "language": "de"}


async def invited(home: WebHome, **wanted: str) -> str:
    """The secret of a new invite."""
    made = await (await home.owner()).post(f"{API}/invites", wanted)
    assert made.status == 201, made.text
    assert made.json["qr_svg"].startswith("<svg")
    assert made.json["expires_at"] == home.clock.now + 900
    return str(made.json["url"]).rpartition("/invite/")[2]


async def came_in(home: WebHome, secret: str) -> Browser:
    guest = Browser(home)
    opened = await guest.post(OPEN, {"secret": secret})
    assert (opened.status, opened.json["role"]) == (200, "guest")
    return guest


async def test_an_invite_from_link_to_personal_link(home: WebHome) -> None:
    secret = await invited(home, name="Oma Ilse")
    looked = await Browser(home).post(f"{API}/links/look", {"secret": secret})
    assert (looked.json["kind"], looked.json["name"]) == ("invite", "Oma Ilse")
    guest = await came_in(home, secret)
    before = (await guest.get(f"{API}/me")).json
    assert (before["person_id"], before["consented"], before["consents"]) == (None, False, [])
    after = (await guest.post(f"{API}/me/consent", AGREE)).json
    assert after["consented"]
    assert after["consents"] == [{"version": "1", "language": "de", "at": home.clock.now}]
    again = (await guest.post(f"{API}/me/consent", AGREE)).json
    assert again["consents"] == after["consents"], "once is enough"
    person = (await to_thread(home.store.subjects))[0]
    assert (after["person_id"], person.name) == (person.subject_id, "Oma Ilse")
    link = await guest.post(f"{API}/people/{person.subject_id}/link")
    assert link.status == 201
    home.clock.now += 86400
    assert (await guest.get(f"{API}/me")).status == 401  # the invite is over
    back = await came_in(home, link.json["url"].rpartition("/me/")[2])
    assert (await back.get(f"{API}/me")).json["kind"] == "personal"


async def test_an_invite_opens_once(home: WebHome) -> None:
    secret = await invited(home, name="Ben")
    await came_in(home, secret)
    for path in (OPEN, f"{API}/links/look"):
        again = await Browser(home).post(path, {"secret": secret})
        assert (again.status, again.key) == (404, "link_over")


async def test_an_invite_is_over_after_fifteen_minutes(home: WebHome) -> None:
    secret = await invited(home, name="Ben")
    home.clock.now += 899
    assert (await Browser(home).post(f"{API}/links/look", {"secret": secret})).status == 200
    home.clock.now += 2
    assert (await Browser(home).post(OPEN, {"secret": secret})).status == 404
    owner = await home.owner()
    assert (await owner.get(f"{API}/invites")).json == {"invites": []}


async def test_who_began_in_time_can_finish(home: WebHome) -> None:
    secret = await invited(home, name="Ben")
    home.clock.now += 890
    guest = await came_in(home, secret)
    home.clock.now += 890
    assert (await guest.get(f"{API}/me")).status == 200
    home.clock.now += 20
    assert (await guest.get(f"{API}/me")).status == 401


async def test_an_invite_can_do_nothing_else(home: WebHome) -> None:
    other = await to_thread(home.store.add_subject, "Somebody else")
    guest = await came_in(home, await invited(home, name="Ben"))
    for agreed in (False, True):
        for route in ROUTES:
            access = route.access
            if access.anybody or access.local or access.guest:
                continue
            if agreed and access.own and "{person_id}" not in route.path:
                continue  # the handler looks whose it is
            path = path_of(route).replace("0123456789ab", other.subject_id)
            answer = await guest.ask(route.method, path)
            assert answer.status == 403, f"{route.method} {route.path} agreed={agreed}"
        await guest.post(f"{API}/me/consent", AGREE)


async def test_an_invite_that_is_taken_back_throws_out_who_came_by_it(home: WebHome) -> None:
    guest = await came_in(home, await invited(home, name="Ben"))
    owner = await home.owner()
    (invite,) = (await owner.get(f"{API}/invites")).json["invites"]
    assert (invite["name"], invite["opened_at"]) == ("Ben", home.clock.now)
    assert (await owner.delete(f"{API}/invites/{invite['id']}")).status == 204
    assert (await guest.get(f"{API}/me")).status == 401


async def test_taking_an_invite_back_also_ends_the_personal_link_made_by_it(home: WebHome) -> None:
    guest = await came_in(home, await invited(home, name="Ben"))
    person = (await guest.post(f"{API}/me/consent", AGREE)).json["person_id"]
    url = (await guest.post(f"{API}/people/{person}/link")).json["url"]
    back = await came_in(home, url.rpartition("/me/")[2])
    owner = await home.owner()
    (invite,) = (await owner.get(f"{API}/invites")).json["invites"]
    assert (await owner.delete(f"{API}/invites/{invite['id']}")).status == 204
    assert (await back.get(f"{API}/me")).status == 401
    again = await Browser(home).post(OPEN, {"secret": url.rpartition("/me/")[2]})
    assert (again.status, again.key) == (404, "link_over")


async def test_a_bug_tells_the_log_no_secret_of_a_link(
    home: WebHome, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> str:
        raise RuntimeError("a bug")

    monkeypatch.setattr("homeface.adapters.web.pages.render", fail)
    assert (await Browser(home).get("/me/very-secret-words")).status == 500
    assert "a bug" in caplog.text
    assert "very-secret-words" not in caplog.text


async def test_an_old_text_is_not_agreed_to(home: WebHome) -> None:
    guest = await came_in(home, await invited(home, name="Ben"))
    refused = await guest.post(f"{API}/me/consent", {"version": "0", "language": "de"})
    assert (refused.status, refused.key) == (403, "old_consent")
    assert await to_thread(home.store.subjects) == []


async def test_a_link_leads_another_device_to_this_machine(tmp_path: Path) -> None:
    async with web_home(tmp_path, WebSettings(host="0.0.0.0", address="192.168.1.5")) as home:
        owner = await home.owner()
        made = (await owner.post(f"{API}/invites", {"name": "Ben"})).json
        assert made["url"].startswith(f"http://192.168.1.5:{home.server.port}/invite/")
        assert made["reach"] == "network"
        headers = {"Host": "192.168.1.9:99"}
        made = (await owner.post(f"{API}/invites", {"name": "Ida"}, headers=headers)).json
        assert made["url"].startswith("http://192.168.1.9:99/invite/")


async def test_a_link_begins_as_the_configuration_says(tmp_path: Path) -> None:
    async with web_home(tmp_path, WebSettings(url="https://home.example/homeface")) as home:
        made = (await (await home.owner()).post(f"{API}/invites", {"name": "Ben"})).json
        assert made["url"].startswith("https://home.example/homeface/invite/")
        assert made["reach"] == "network"


async def test_a_page_on_this_machine_alone_says_so(home: WebHome) -> None:
    made = (await (await home.owner()).post(f"{API}/invites", {"name": "Ben"})).json
    assert made["reach"] == "machine"


@pytest.mark.parametrize("body", [{}, {"name": "Ben", "person_id": "x"}, {"name": " "}, {"name": "a" * 81}])
async def test_an_invite_is_for_exactly_one(home: WebHome, body: dict[str, str]) -> None:
    owner = await home.owner()
    assert (await owner.post(f"{API}/invites", body)).status == 422


async def test_an_invite_for_somebody_who_is_enrolled(home: WebHome) -> None:
    ben = await to_thread(home.store.add_subject, "Ben")
    owner = await home.owner()
    assert (await owner.post(f"{API}/invites", {"name": "ben"})).status == 409
    assert (await owner.post(f"{API}/invites", {"person_id": "nobody"})).status == 404
    guest = await came_in(home, await invited(home, person_id=ben.subject_id))
    own = f"{API}/people/{ben.subject_id}/link"
    assert (await guest.post(own)).status == 403  # not before they agree
    await guest.post(f"{API}/me/consent", AGREE)
    assert (await guest.post(own)).status == 201
    assert len(await to_thread(home.store.subjects)) == 1


async def test_a_link_that_is_opened_again_and_again_keeps_a_few_browsers(home: WebHome) -> None:
    ben = await to_thread(home.store.add_subject, "Ben")
    made = await (await home.owner()).post(f"{API}/people/{ben.subject_id}/link")
    secret = made.json["url"].rpartition("/me/")[2]
    guests = [await came_in(home, secret) for _ in range(MOST_SESSIONS_OF_A_LINK + 2)]
    statuses = [(await guest.get(f"{API}/me")).status for guest in guests]
    assert statuses == [401] * 2 + [200] * MOST_SESSIONS_OF_A_LINK


async def test_who_is_removed_loses_their_link(home: WebHome) -> None:
    ben = await to_thread(home.store.add_subject, "Ben")
    made = await (await home.owner()).post(f"{API}/people/{ben.subject_id}/link")
    guest = await came_in(home, made.json["url"].rpartition("/me/")[2])
    await to_thread(home.store.remove_subject, ben.subject_id)
    assert (await guest.get(f"{API}/me")).status == 401
    assert await to_thread(home.store.consents, subject_id=ben.subject_id) == []
