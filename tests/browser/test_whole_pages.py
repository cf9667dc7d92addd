"""Every page: no violation of accessibility rules, usable by keyboard, whole on a phone and on a desk."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from homeface.adapters.web import page_view
from tests.browser.conftest import DESK, PHONE, Visitor, Visitors

PAGES = (
    "", "people", "visits", "health", "settings", "settings/invites", "settings/accounts", "settings/tokens",
    "settings/backup",
    "settings/audit", "account",
)  # fmt: skip


def settled(page: Page) -> Page:
    """Wait until nothing of the page is a placeholder any more."""
    expect(page.locator("main [aria-busy=true]")).to_have_count(0)
    expect(page.locator("main .skeleton")).to_have_count(0)
    return page


def some_person(visitor: Visitor) -> str:
    """Path of somebody's page; makes somebody when there is nobody."""
    people = visitor.context.request.get(f"{visitor.house.url}api/v1/people").json()
    if people:
        return f"people/{people[0]['id']}"
    session = visitor.context.request.get(f"{visitor.house.url}api/v1/session").json()
    made = visitor.context.request.post(
        f"{visitor.house.url}api/v1/people",
        data={"name": "Somebody"},
        headers={"X-CSRF-Token": session["csrf"]},
    )
    return f"people/{made.json()['id']}"


def test_the_list_holds_every_page_behind_the_log_in() -> None:
    """The others are looked at where they are used: test_entrance and test_people."""
    assert {page.path.lstrip("/") for page in page_view.PAGES} == {
        *PAGES, "people/{person_id}", "people/{person_id}/round",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("scheme", "phone", "locale"), [("light", False, "en-GB"), ("dark", True, "de-DE")], ids=["desk", "phone"]
)
def test_no_page_violates_a_rule_of_accessibility(
    visitors: Visitors, scheme: str, phone: bool, locale: str
) -> None:
    visitor = visitors.owner(viewport=PHONE if phone else DESK, phone=phone, scheme=scheme, locale=locale)
    for path in (*PAGES, some_person(visitor)):
        page = settled(visitor.open(path))
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{page.url} is wider than the screen by {wide} px"
        name = "person" if path.startswith("people/") else path.replace("/", "-") or "now"
        visitor.shoot(f"{name}-{'phone-dark-german' if phone else 'desk-light'}")
    page.locator("details.menu summary").click()
    visitor.shoot(f"menu-{scheme}")
    visitor.open("people").locator("#add").click()
    visitor.shoot(f"add-{scheme}")
    visitor.open("no/such/page")
    visitor.shoot(f"nowhere-{scheme}")


def test_no_page_for_strangers_violates_one_either(visitors: Visitors) -> None:
    visitors.owner()
    visitor = visitors.stranger(viewport=PHONE, phone=True)
    for path in ("login", "invite/nothing", "me/nothing"):
        settled(visitor.open(path))
        visitor.shoot(f"stranger-{path.partition('/')[0]}")


def test_the_keyboard_reaches_everything(visitors: Visitors) -> None:
    page = settled(visitors.owner().open("people"))
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Invite by phone")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_label("Name")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
