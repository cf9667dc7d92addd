"""The living room: a stranger comes and goes, is named in the inbox, and is called by name when next seen."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import Visitors


def test_visits_that_are_not_interesting_go(visitors: Visitors) -> None:
    """Runs first in this file: nobody knows the man in the living room yet."""
    page = visitors.owner().open("visits")
    group = page.locator("[data-group]").first
    expect(group).to_be_visible(timeout=40_000)
    gone = group.get_attribute("data-group")
    page.get_by_role("button", name="Delete all").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete all").click()
    expect(page.locator(f"[data-group='{gone}']")).to_have_count(0)


def test_an_unknown_visit_is_named_and_known_at_the_next(visitors: Visitors) -> None:
    visitor = visitors.owner()
    inbox = visitor.open("visits")
    expect(inbox.locator("[data-group]").first).to_be_visible(timeout=40_000)
    expect(inbox.locator("[data-group]").first).to_contain_text("Why no name:")
    expect(inbox.locator("[data-group]").first).to_contain_text(re.compile(r"\d+ looks"))
    visitor.shoot("visits")
    watcher = visitors.owner()
    now = watcher.open("")
    now.evaluate("window.never_loaded_again = true")
    expect(now.locator("#line")).to_have_text("Live")
    expect(now.locator("[data-room=living_room]")).to_contain_text("without a name", timeout=40_000)

    inbox.locator("[data-name-it]").first.click()
    inbox.get_by_label("Person").select_option("new")
    inbox.get_by_role("dialog").get_by_label("Name").fill("Barack")
    visitor.shoot("visit-named")
    inbox.get_by_role("button", name="Add the faces").click()
    expect(inbox.get_by_text("Barack is known by")).to_be_visible(timeout=30_000)

    expect(now.locator("[data-room=living_room]")).to_contain_text("Barack", timeout=40_000)
    expect(now.locator("#log")).to_contain_text("Barack came into Living room")
    expect(now.locator("#log li[data-kind=arrived]").first).to_contain_text(
        re.compile(r"score 0\.\d\d · margin \d\.\d\d · \d+ looks")
    )
    expect(now.locator("#log li[data-kind=unknown]").first).to_contain_text(
        re.compile(
            "not like anybody enrolled|nobody is enrolled yet"
        )  # as the tests before have left the house
    )
    card = visitor.open("people").locator("[data-person]", has_text="Barack")
    expect(card).to_contain_text("Living room")
    expect(card).to_contain_text(re.compile("photo"))
    expect(now.get_by_role("heading", level=1)).to_have_text("Barack is seen")
    watcher.shoot("now")
    expect(now.get_by_role("heading", level=1)).not_to_have_text("Barack is seen", timeout=40_000)
    assert now.evaluate("window.never_loaded_again") is True


def test_pausing_a_room_from_the_page(visitors: Visitors) -> None:
    visitor = visitors.owner()
    page = visitor.open("")
    room = page.locator("[data-room=living_room]")
    room.get_by_role("switch").click()
    expect(room).to_contain_text("Nothing is looked at here")
    room.get_by_role("switch").click()
    expect(room).not_to_contain_text("Nothing is looked at here")
    watcher = visitors.owner()
    settings = watcher.open("settings")
    settings.get_by_role("switch", name="Pause Living room").click()
    expect(room).to_contain_text("Nothing is looked at here")
    settings.get_by_role("switch", name="Pause Living room").click()
    settings.get_by_role("switch", name="Guests are here").click()
    expect(page.locator("#rooms")).to_contain_text("Guests are here")
    settings.get_by_role("switch", name="Guests are here").click()
    expect(page.locator("#rooms")).not_to_contain_text("Guests are here")
