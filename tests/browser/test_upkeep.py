"""The owner's own pages: settings, tokens, backup; a cut line; and the page below another path."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import INGRESS_ADDRESS, PASSWORD, ROOM, Visitors
from tests.browser.pictures import photos
from tests.browser.proxy import proxied
from tests.browser.test_people import add_person, take_photos

MEMBER_PASSWORD = "a member has one too"
BACKUP_PASSWORD = "a backup that nobody reads"


def test_a_setting_changes_at_once_and_goes_back(visitors: Visitors) -> None:
    visitor = visitors.owner()
    page = visitor.open("settings")
    hold = page.locator("[data-setting='presence.hold']")
    hold.get_by_role("textbox").fill("forty")
    hold.get_by_role("button", name="Save").click()
    expect(hold.get_by_role("alert")).to_contain_text("duration")
    hold.get_by_role("textbox").fill("40s")
    hold.get_by_role("button", name="Save").click()
    expect(hold).to_contain_text("set here")
    page.reload()
    expect(hold.get_by_role("textbox")).to_have_value("40s")
    hold.get_by_role("button", name=re.compile("back to the file")).click()
    expect(hold).not_to_contain_text("set here")
    expect(hold.get_by_role("textbox")).to_have_value("2min")


def test_a_token_is_shown_once_and_can_be_withdrawn(visitors: Visitors) -> None:
    visitor = visitors.owner()
    page = visitor.open("settings/tokens")
    page.get_by_role("button", name="New token").click()
    page.get_by_role("dialog").get_by_role("textbox", name="Name").fill("A script")
    page.get_by_role("button", name="Make it").click()
    secret = page.locator("#secret").inner_text()
    page.get_by_role("button", name="Done").click()
    program = visitors.stranger().context.request
    headers = {"Authorization": f"Bearer {secret}"}
    now = f"{visitor.house.url}api/v1/now"
    assert program.get(now, headers=headers).status == 200
    assert program.delete(f"{visitor.house.url}api/v1/visits/unknown", headers=headers).status == 403
    page.reload()
    expect(page.get_by_text("A script")).to_be_visible()
    expect(page.get_by_text(secret)).to_have_count(0)
    page.get_by_role("button", name="Withdraw A script").click()
    page.get_by_role("dialog").get_by_role("button", name="Withdraw").click()
    expect(page.get_by_text("No tokens")).to_be_visible()
    assert program.get(now, headers=headers).status == 401


def test_a_family_member_sees_the_house_and_settles_their_own(visitors: Visitors) -> None:
    owner = visitors.owner()
    page = add_person(owner, "Vicente")
    path = page.url.removeprefix(owner.house.url)
    page = owner.open("settings/accounts")
    page.locator("#add-account").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Name to log in with").fill("vicente")
    form.get_by_label("Is this person").select_option(label="Vicente")
    form.get_by_label("Password").fill(MEMBER_PASSWORD)
    form.get_by_role("button", name="Add").click()
    expect(page.get_by_text("Family member, is Vicente")).to_be_visible()
    member = visitors.stranger()
    page = member.open("login")
    page.get_by_role("button", name="I am a family member").click()
    page.get_by_label("Name").fill("vicente")
    page.get_by_label("Password").fill(MEMBER_PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.locator(f"[data-room={ROOM}]")).to_be_visible()
    expect(page.locator(f"[data-room={ROOM}]").get_by_role("switch")).to_have_count(0)
    assert page.locator(".tabs a").all_inner_texts() == ["Now", "People", "My data"]
    page.get_by_role("link", name="My data").click()
    expect(page.get_by_role("heading", level=1, name="Vicente")).to_be_visible()
    take_photos(page, photos("Vicente_Fox", 3))
    assert member.open("settings").get_by_role("heading", level=1).inner_text() == "This is not for you"
    member.open(path)
    member.page.locator("#remove-person").click()
    member.page.get_by_role("button", name="Remove for good").click()
    expect(member.page.get_by_text("Everything about Vicente is gone.")).to_be_visible()


def test_a_backup_brings_back_what_was_there(visitors: Visitors) -> None:
    visitor = visitors.owner()
    page = add_person(visitor, "Silvio")
    take_photos(page, photos("Silvio_Berlusconi", 10))
    person = page.url
    page = visitor.open("settings/backup")
    page.locator("#backup-password").fill(BACKUP_PASSWORD)
    with page.expect_download() as download:
        page.get_by_role("button", name="Make and download").click()
    file = visitor.house.folder / "homeface.backup"
    download.value.save_as(file)
    assert b"Silvio" not in file.read_bytes()
    page.goto(person)
    page.get_by_role("switch").click()
    expect(page.locator(".chip", has_text="Paused")).to_be_visible()
    page = visitor.open("settings/backup")
    page.locator("#restore-file").set_input_files(file)
    page.locator("#restore-password").fill("not its password")
    page.get_by_role("button", name="Put in place").click()
    page.get_by_role("button", name="Replace everything").click()
    expect(page.get_by_role("alert").filter(has_text=re.compile("password", re.IGNORECASE))).to_be_visible()
    page.locator("#restore-password").fill(BACKUP_PASSWORD)
    page.get_by_role("button", name="Put in place").click()
    page.get_by_role("button", name="Replace everything").click()
    expect(page.get_by_role("dialog")).to_contain_text("Silvio", timeout=30_000)
    page.get_by_role("button", name="Done").click()
    expect(page).to_have_url(visitor.house.url)
    page.goto(person)
    expect(page.get_by_role("switch")).to_be_checked()  # whoever is paused stays so, whatever the backup says


def test_a_house_camera_takes_pictures_of_who_stands_before_it(visitors: Visitors) -> None:
    visitor = visitors.owner()
    page = add_person(visitor, "President")
    page.get_by_role("button", name=re.compile("From a camera of the house")).click()
    page.get_by_role("button", name="Start").click()
    told = page.locator(".toast")
    expect(told.first).to_be_visible(timeout=40_000)
    visitor.shoot("from-camera")
    assert re.search(r"\d+ pictures? taken", told.first.inner_text()), told.first.inner_text()
    expect(page.locator("#photos li").first).to_be_visible()
    page.locator("#remove-person").click()  # other tests know this man by no name
    page.get_by_role("button", name="Remove for good").click()
    expect(page).to_have_url(re.compile(r"/people$"))


def test_a_cut_line_is_told_and_nothing_old_looks_fresh(visitors: Visitors) -> None:
    visitor = visitors.owner()
    page = visitor.open("")
    expect(page.locator("#line")).to_have_text("Live")
    visitor.context.set_offline(True)
    expect(page.locator("#line")).to_have_text("Connection lost, trying again", timeout=20_000)
    expect(page.locator("body")).to_have_class(re.compile("stale"))
    visitor.context.set_offline(False)
    expect(page.locator("#line")).to_have_text("Live", timeout=20_000)
    expect(page.locator("body")).not_to_have_class(re.compile("stale"))


def test_in_the_frame_of_home_assistants_ingress(visitors: Visitors) -> None:
    visitors.owner()
    visitor = visitors.stranger()
    below = "/api/hassio_ingress/Zk3-x_9"
    with proxied(visitor.house.url, below, ingress_from=INGRESS_ADDRESS) as address:
        visitor.page.goto(address.removesuffix(f"{below}/") + "/")
        frame = visitor.page.frame_locator("iframe")
        frame.get_by_label("Password").fill(PASSWORD)
        frame.get_by_role("button", name="Log in").click()
        expect(frame.locator(f"[data-room={ROOM}]")).to_be_visible()
        expect(frame.locator("#line")).to_have_text("Live")
        cookie = next(cookie for cookie in visitor.context.cookies() if cookie["httpOnly"])
        assert cookie["path"] == f"{below}/"
        frame.get_by_role("link", name="People", exact=True).click()
        frame.locator("#add").click()
        frame.get_by_role("dialog").get_by_label("Name").fill("By ingress")
        frame.get_by_role("button", name="Go on to the photos").click()
        expect(frame.get_by_role("heading", level=1, name="By ingress")).to_be_visible()
        frame.locator("#remove-person").click()
        frame.get_by_role("button", name="Remove for good").click()
        expect(frame.get_by_role("heading", level=1, name="People")).to_be_visible()


def test_below_another_path(visitors: Visitors) -> None:
    visitors.owner()
    visitor = visitors.stranger()
    with proxied(visitor.house.url, "/some/where") as address:
        page = visitor.page
        page.goto(f"{address}settings/tokens")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        expect(page).to_have_url(f"{address}settings/tokens")
        page.get_by_role("link", name="Now", exact=True).click()
        expect(page).to_have_url(address)
        expect(page.locator(f"[data-room={ROOM}]")).to_be_visible()
        expect(page.locator("#line")).to_have_text("Live")
        page.get_by_role("link", name="People", exact=True).click()
        expect(page.get_by_role("heading", level=1, name="People")).to_be_visible()
        page.get_by_role("link", name="Now", exact=True).click()
        expect(page.locator("#line")).to_have_text("Live")
    expect(page.locator("#line")).to_have_text("Connection lost, trying again")
