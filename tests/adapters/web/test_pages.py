"""Pages for people: who is sent where, languages, files, and that they work below any path."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from homeface.adapters.web.page_files import page_files
from homeface.adapters.web.page_texts import LANGUAGES, chosen_language, texts
from homeface.adapters.web.page_view import PAGES
from homeface.adapters.web.settings import WebSettings
from tests.support.web import Browser, WebHome, web_home

_ADDRESS = re.compile(r'(?:href|src|data-root|data-files)="([^"]*)"')


async def test_before_there_is_an_owner_everything_leads_to_the_set_up(home: WebHome) -> None:
    browser = Browser(home)
    assert (await browser.get("/")).headers["Location"] == "./setup"
    assert (await browser.get("/login")).headers["Location"] == "./setup"
    assert (await browser.get("/setup")).status == 200


async def test_afterwards_nobody_can_set_up_again(home: WebHome) -> None:
    await home.owner()
    answer = await Browser(home).get("/setup")
    assert (answer.status, answer.headers["Location"]) == (303, "./login")


async def test_who_must_log_in_first_comes_back_to_where_they_wanted(home: WebHome) -> None:
    await home.owner()
    answer = await Browser(home).get("/settings/tokens")
    assert (answer.status, answer.headers["Location"]) == (303, "../login?next=settings/tokens")


async def test_a_family_member_gets_a_page_that_says_no(home: WebHome) -> None:
    answer = await (await home.member()).get("/settings")
    assert answer.status == 403
    assert "This is not for you" in answer.text
    assert answer.headers["Content-Type"].startswith("text/html")


async def test_a_wrong_address_is_explained_to_people_and_told_to_programs(home: WebHome) -> None:
    browser, wanted = Browser(home), {"Accept": "text/html,*/*"}
    answer = await browser.ask("GET", "/peple/somebody", headers=wanted)
    assert answer.status == 404
    assert "There is nothing here" in answer.text
    assert 'href="../static/' in answer.text
    german = await browser.ask("GET", "/peple", headers=wanted | {"Accept-Language": "de"})
    assert "Hier ist nichts" in german.text
    assert (await browser.get("/peple")).key == "http_404"
    assert (await browser.ask("GET", "/api/v1/nothing", headers=wanted)).key == "http_404"


async def test_the_sub_path_without_its_slash_leads_on(tmp_path: Path) -> None:
    async with web_home(tmp_path, WebSettings(base_path="/a/home")) as home:
        answer = await Browser(home).ask("GET", "/a/home", headers={"Accept": "text/html"})
        assert (answer.status, answer.headers["Location"]) == (303, "home/")


async def test_addresses_are_relative_and_nothing_comes_from_elsewhere(home: WebHome) -> None:
    owner = await home.owner()
    for page in PAGES:
        answer = await owner.get(page.path.replace("{person_id}", "abc"))
        assert answer.status == 200, page.path
        found = [address for address in _ADDRESS.findall(answer.text) if not address.startswith("#")]
        assert found
        up = page.path.count("/") - 1
        assert {address for address in found if not address.startswith("../" * up or "./")} == set(), (
            page.path
        )


async def test_pages_hold_no_inline_code_or_style(home: WebHome) -> None:
    owner = await home.owner()
    for page in PAGES:
        text = (await owner.get(page.path.replace("{person_id}", "abc"))).text
        inline = [tag for tag in re.findall(r"<script[^>]*>", text) if "src=" not in tag]
        assert inline == ['<script type="application/json" id="messages">'], page.path
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", text), page.path


async def test_files_may_be_kept_for_ever_at_an_address_that_changes_with_them(home: WebHome) -> None:
    browser, version = Browser(home), page_files().version
    answer = await browser.get(f"/static/{version}/js/pages/now.js")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert "immutable" in answer.headers["Cache-Control"]
    assert "immutable" not in (await browser.get("/static/old/mark.svg")).headers["Cache-Control"]


@pytest.mark.parametrize("path", ["nothing.js", "..", "js/..", "templates/base.html.j2", "%2e%2e/pages.py"])
async def test_other_files_are_not_served(home: WebHome, path: str) -> None:
    assert (await Browser(home).get(f"/static/{page_files().version}/{path}")).status == 404


def test_every_file_a_script_asks_for_is_there() -> None:
    files = page_files().by_path
    for path, file in files.items():
        if not path.endswith(".js"):
            continue
        for wanted in re.findall(r'\bfrom ?"(\.[^"]+)"', file.content.decode()):
            parts = path.split("/")[:-1]
            for part in wanted.split("/"):
                if part == "..":
                    parts.pop()
                elif part != ".":
                    parts.append(part)
            assert "/".join(parts) in files, f"{path} asks for {wanted}"


def test_every_icon_that_is_used_is_in_the_sprite() -> None:
    files = page_files().by_path
    known = set(re.findall(r'<symbol id="([\w-]+)"', files["vendor/icons.svg"].content.decode()))
    used = {
        name
        for path, file in files.items()
        if path.startswith("js/")
        for name in re.findall(r'\bicon\("([\w-]+)"\)', file.content.decode())
    }
    assert used
    assert used <= known


async def test_the_browsers_language_is_spoken(home: WebHome) -> None:
    await home.owner()
    answer = await Browser(home).ask(
        "GET", "/login", headers={"Accept-Language": "fr, de-AT;q=0.8, en;q=0.5"}
    )
    assert '<html lang="de"' in answer.text
    assert "Anmelden" in answer.text


@pytest.mark.parametrize(
    ("cookie", "configured", "accepted", "code"),
    [
        ("de", "en", "en", "de"),
        ("", "de", "en", "de"),
        ("xx", "auto", "fr, de;q=0.2", "de"),
        ("", "auto", "de;q=0, en;q=0.1", "en"),
        ("", "auto", "de;q=nonsense, ;;;,,", "en"),
        ("", "auto", "", "en"),
    ],
)
def test_language_is_chosen_in_this_order(cookie: str, configured: str, accepted: str, code: str) -> None:
    assert chosen_language(cookie, configured, accepted) == code


def test_every_language_can_be_read() -> None:
    for code, _ in LANGUAGES:
        assert texts(code).language == code
    with pytest.raises(KeyError):
        texts("xx")
