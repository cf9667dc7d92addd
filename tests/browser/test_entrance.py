"""First start, log-in, languages, light and dark, and what a page costs."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import PASSWORD, Visitors, set_up

MOST_BYTES = 200_000


def test_first_start_makes_the_owner(visitors: Visitors) -> None:
    """The first test of the folder: nobody owns this homeface yet."""
    visitor = visitors.stranger()
    page = visitor.open("people")
    expect(page).to_have_url(re.compile(r"/setup$"))
    visitor.shoot("setup")
    page.get_by_label("Password", exact=True).fill("short")
    page.get_by_role("button", name="Make it mine").click()
    expect(page.get_by_text("Choose a longer password: at least ten characters.")).to_be_visible()
    page.get_by_label("Password", exact=True).fill("aaaaaaaaaaaaaa")
    page.get_by_label("Once more").fill("aaaaaaaaaaaaab")
    page.get_by_role("button", name="Make it mine").click()
    expect(page.get_by_text("The two passwords differ.")).to_be_visible()
    page.get_by_label("Once more").fill("aaaaaaaaaaaaaa")
    page.get_by_role("button", name="Make it mine").click()
    expect(page.get_by_text(re.compile("four of them different"))).to_be_visible()
    set_up(visitor)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    visitor.house.owner.update(visitor.context.storage_state())


def test_log_in_and_out(visitors: Visitors) -> None:
    visitors.owner()
    visitor = visitors.stranger()
    page = visitor.open("settings/tokens")
    expect(page).to_have_url(re.compile(r"/login\?next="))
    page.get_by_label("Password").fill("not this one at all")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#password-error")).not_to_be_empty()
    visitor.shoot("login")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(re.compile(r"/settings/tokens$"))
    page.get_by_label("Look, language and account").click()
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(re.compile(r"/login$"))
    assert visitor.open("people").url.endswith("/login?next=people")


def test_a_link_cannot_lead_away_after_the_log_in(visitors: Visitors) -> None:
    visitors.owner()
    visitor = visitors.stranger()
    page = visitor.open("login?next=https://example.invalid/")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(visitor.house.url)


def test_german_for_who_asks_for_it_and_by_choice(visitors: Visitors) -> None:
    visitors.owner()
    page = visitors.owner(locale="de-DE").open("")
    expect(page.get_by_role("link", name="Personen")).to_be_visible()
    expect(page.locator("#log")).to_contain_text("Was homeface entscheidet")
    english = visitors.owner()
    page = english.open("")
    page.get_by_label("Look, language and account").click()
    page.get_by_role("button", name="Deutsch").click()
    expect(page.get_by_role("heading", name="Räume")).to_be_visible()
    english.shoot("now-german")


def test_light_and_dark(visitors: Visitors) -> None:
    visitor = visitors.owner(scheme="dark")
    page = visitor.open("")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    dark = page.evaluate(ground)
    page.get_by_label("Look, language and account").click()
    page.get_by_role("button", name="Light").click()
    light = page.evaluate(ground)
    assert light != dark
    page.reload()
    assert page.evaluate(ground) == light, "the choice is kept, and there before the first paint"


def test_the_first_page_is_small(visitors: Visitors) -> None:
    visitor = visitors.owner()
    session = visitor.context.new_cdp_session(visitor.page)
    session.send("Network.enable")
    received: list[float] = []
    session.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    page = visitor.open("")
    expect(page.locator("#rooms [data-room]").first).to_be_visible()
    timing = page.evaluate("performance.getEntriesByType('navigation')[0].toJSON()")
    shift = page.evaluate(
        "new Promise((done) => { let sum = 0; new PerformanceObserver((list) => { for (const entry of "
        "list.getEntries()) sum += entry.value; }).observe({ type: 'layout-shift', buffered: true }); "
        "requestAnimationFrame(() => setTimeout(() => done(sum), 50)); })"
    )
    print(
        f"\nfirst page: {sum(received):.0f} bytes in {len(received)} answers, "
        f"interactive after {timing['domInteractive']:.0f} ms, loaded after {timing['loadEventEnd']:.0f} ms, "
        f"layout shift {shift:.3f}"
    )
    assert 0 < sum(received) < MOST_BYTES
    assert shift < 0.1, "nothing jumps while the page fills"
