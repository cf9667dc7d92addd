"""People: added by upload and by a guided round before a webcam, invited by phone, and removed for good."""

from __future__ import annotations

import base64
import io
import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import INSECURE_NAME, PHONE, House, Visitor, Visitors
from tests.browser.pictures import photos
from tests.support.waiting import wait_until


def add_person(visitor: Visitor, name: str) -> Page:
    """Through the form of the people page; returns the person's page."""
    page = visitor.open("people")
    page.locator("#add").click()
    page.get_by_role("dialog").get_by_label("Name").fill(name)
    page.get_by_role("button", name="Go on to the photos").click()
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
    return page


def person_id(page: Page) -> str:
    """Of the person whose page this is."""
    return page.url.partition("/people/")[2].partition("/")[0]


def take_photos(page: Page, files: list[Path]) -> None:
    """Choose them in the page's file field, and wait for a verdict on each."""
    page.locator("input[data-photos]").set_input_files(files)
    expect(page.locator(".verdicts li")).to_have_count(len(files))
    expect(page.locator(".verdicts")).not_to_contain_text("waiting", timeout=30_000)


def drop(page: Page, file: Path) -> None:
    """Drop a file from the desk on the page."""
    page.locator(".drop").evaluate(
        "(zone, [name, text]) => { const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0)); "
        "const dataTransfer = new DataTransfer(); "
        "dataTransfer.items.add(new File([bytes], name, { type: 'image/jpeg' })); "
        "zone.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true })); }",
        [file.name, base64.b64encode(file.read_bytes()).decode()],
    )


def ask(visitor: Visitor, path: str) -> dict[str, object]:
    """The API's answer to this browser."""
    answer = visitor.context.request.get(f"{visitor.house.url}api/v1/{path}")
    assert answer.ok, answer.text()
    return dict(answer.json())


_DRAWN = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let painted = 0;
  for (let at = 3; at < data.length; at += 4) painted += data[at] > 0;
  return painted;
}"""


def invite(owner: Visitor, name: str) -> str:
    """The secret of a new invite."""
    made = owner.context.request.post(
        f"{owner.house.url}api/v1/invites",
        data=json.dumps({"name": name}),
        headers={"Content-Type": "application/json", "X-CSRF-Token": str(ask(owner, "session")["csrf"])},
    )
    return str(made.json()["url"]).rpartition("/")[2]


def test_photos_are_judged_one_by_one(visitors: Visitors) -> None:
    visitor = visitors.owner()
    page = add_person(visitor, "Andre")
    faceless = visitor.house.folder / "faceless.png"
    faceless.write_bytes(_grey_picture())
    take_photos(page, [*photos("Andre_Agassi", 4, 6, 11), faceless])
    verdicts = page.locator(".verdicts li")
    expect(verdicts.filter(has_text="Taken")).to_have_count(3)
    expect(verdicts.filter(has_text="faceless.png")).to_contain_text("face")
    expect(page.locator("#photos li")).to_have_count(3)
    expect(page.locator("#photos li img").first).to_be_visible()
    wait_until(lambda: page.locator("#photos li img").first.evaluate("image => image.naturalWidth") > 0)
    visitor.shoot("person")
    drop(page, photos("Andre_Agassi", 12)[0])
    expect(page.locator("#photos li")).to_have_count(4, timeout=30_000)
    page.locator("#photos li").first.get_by_role("button", name=re.compile("Remove photo")).click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.locator("#photos li")).to_have_count(3)


def test_a_guest_makes_the_whole_guided_round_on_a_phone(visitors: Visitors) -> None:
    """In German, as a grandparent would: every step, no hand on the shutter."""
    owner = visitors.owner()
    guest = visitors.stranger(viewport=PHONE, phone=True, locale="de-DE")
    page = guest.open(f"invite/{invite(owner, 'Opa Anton')}")
    page.get_by_label(re.compile("Ich habe das gelesen")).check()
    page.get_by_role("button", name="Zustimmen und weiter").click()
    page.locator("[data-way=round]").click()
    for step in ("Links", "Rechts", "Oben", "Unten", "Brille"):
        expect(page.locator(".steps [aria-current]")).to_have_text(step, timeout=60_000)
        if step == "Rechts":
            guest.shoot("round")
    page.get_by_role("button", name="Schritt überspringen").click()
    expect(page.get_by_text("Dieses Zuhause kennt dich an 5 Bildern.")).to_be_visible(timeout=60_000)
    guest.shoot("invite-round-done-german")
    page.get_by_role("link", name="Meine Daten ansehen").click()
    expect(page.locator("#photos li")).to_have_count(5)
    expect(page.locator("main")).to_contain_text("Nachtlicht")  # what would help, in the page's own words
    page.locator("#remove-person").click()
    page.get_by_role("button", name="Endgültig entfernen").click()
    expect(page.get_by_text("Alles über Opa Anton ist weg.")).to_be_visible()


def test_a_guided_round_ends_when_it_is_enough(visitors: Visitors) -> None:
    visitor = visitors.owner(viewport=PHONE, phone=True)
    page = add_person(visitor, "Tony")
    page.locator("[data-way=round]").click()
    expect(page.locator("video")).to_be_visible()
    expect(page.locator(".steps [aria-current]")).to_have_text("Right", timeout=60_000)
    page.get_by_role("button", name="That is enough").click()
    ended = page.locator("[data-round-ended]")
    expect(ended).to_contain_text(re.compile("[23] pictures taken"), timeout=60_000)
    visitor.shoot("round-ended")
    page.get_by_role("link", name="Done").click()
    expect(page.locator("#photos li").nth(1)).to_be_visible()


def test_the_health_of_the_household_is_drawn(visitors: Visitors) -> None:
    """Those who were added above: everything is there in four charts, and again in words."""
    visitor = visitors.owner(locale="de-DE")
    page = visitor.open("health")
    for chart in ("map", "heat", "alike", "missed"):
        canvas = page.locator(f"#{chart}")
        expect(canvas).to_be_visible()
        wait_until(lambda canvas=canvas: canvas.evaluate(_DRAWN) > 100, what=f"{chart} is drawn")  # type: ignore[misc]
    expect(page.get_by_role("cell", name="Andre", exact=True)).to_be_visible()
    expect(page.locator("main")).to_contain_text("Nachtlicht")


def test_in_german_a_photo_is_told_why_it_was_refused(visitors: Visitors) -> None:
    visitor = visitors.owner(locale="de-DE")
    page = visitor.open("people")
    page.locator("#add").click()
    page.get_by_role("dialog").get_by_label("Name").fill("Jean")
    page.get_by_role("button", name="Weiter zu den Fotos").click()
    small, faceless = visitor.house.folder / "small.png", visitor.house.folder / "faceless.png"
    with Image.open(photos("Andre_Agassi", 4)[0]) as picture:
        picture.resize((90, 90)).save(small)
    faceless.write_bytes(_grey_picture())
    page.locator("input[data-photos]").set_input_files([small, faceless])
    verdicts = page.locator(".verdicts li")
    expect(verdicts.filter(has_text="small.png")).to_contain_text("zu klein", timeout=30_000)
    expect(verdicts.filter(has_text="faceless.png")).to_contain_text("Kein Gesicht gefunden")
    visitor.shoot("person-german-refused")
    page.locator("#remove-person").click()
    page.get_by_role("button", name="Endgültig entfernen").click()


def test_an_invite_on_a_guests_phone(visitors: Visitors) -> None:
    owner = visitors.owner()
    page = owner.open("settings/invites")
    page.locator("#make").or_(page.get_by_role("button", name="Invite somebody")).first.click()
    page.get_by_role("dialog").get_by_label("Name").fill("Hugo")
    page.get_by_role("button", name="Make the link").click()
    link = page.locator("#shown-link")
    expect(link).to_contain_text("/invite/")
    expect(page.get_by_alt_text("QR code with the link")).to_be_visible()
    owner.shoot("invite-made")
    guest = visitors.stranger(viewport=PHONE, phone=True)
    guest.page.goto(link.inner_text())
    expect(guest.page.get_by_role("heading", level=1)).to_contain_text("Hello Hugo")
    guest.shoot("invite-asked")
    guest.page.get_by_role("button", name="Agree and go on").click()
    expect(guest.page.get_by_text("Tick that you agree")).to_be_visible()
    guest.page.get_by_label(re.compile("I have read this")).check()
    guest.page.get_by_role("button", name="Agree and go on").click()
    expect(guest.page.get_by_role("heading", name="Now your face")).to_be_visible()
    take_photos(guest.page, photos("Hugo_Chavez", 25, 27, 29))
    guest.shoot("invite-photos")
    guest.page.get_by_role("button", name="That is enough").click()
    personal = guest.page.locator("#personal-link")
    expect(personal).to_contain_text("/me/")
    guest.shoot("invite-done")

    other = visitors.stranger(viewport=PHONE, phone=True)
    other.page.goto(link.inner_text())
    expect(other.page.locator("main")).to_contain_text("used up or too old")
    other.open("people")
    expect(other.page).to_have_url(re.compile("/login"))

    again = visitors.stranger(viewport=PHONE, phone=True)
    again.page.goto(personal.inner_text())
    expect(again.page.get_by_role("heading", level=1, name="Hugo")).to_be_visible()
    expect(again.page.get_by_text("Agreed to being recognised")).to_be_visible()
    again.shoot("my-data")
    again.page.locator("#remove-person").click()
    again.page.get_by_role("button", name="Remove for good").click()
    expect(again.page.get_by_text("Everything about Hugo is gone.")).to_be_visible()
    page = owner.open("people")
    expect(page.locator("[data-person]").first).to_be_visible()
    expect(page.get_by_text("Hugo")).to_have_count(0)


def test_removed_means_gone_from_database_and_disk(visitors: Visitors) -> None:
    visitor = visitors.owner()
    page = add_person(visitor, "Laura")
    take_photos(page, photos("Laura_Bush", 1, 9))
    gone = person_id(page)
    photo_ids = [photo["id"] for photo in ask(visitor, f"people/{gone}")["templates"]]  # type: ignore[attr-defined]
    assert len(photo_ids) == 2
    assert all(_holds(visitor.house, photo_id) for photo_id in photo_ids), "there while the person is"
    assert "template" in _tables_with(visitor.house, gone)
    page.locator("#remove-person").click()
    visitor.shoot("remove-asked")
    page.get_by_role("button", name="Remove for good").click()
    expect(page).to_have_url(re.compile(r"/people$"))
    expect(page.locator("[data-person]").first).to_be_visible()
    expect(page.get_by_text("Laura")).to_have_count(0)
    assert visitor.context.request.get(f"{visitor.house.url}api/v1/people/{gone}").status == 404
    assert _tables_with(visitor.house, gone) <= {"audit"}, "only that somebody with this number was removed"
    assert not any(_holds(visitor.house, photo_id) for photo_id in photo_ids), "no page of any file"


def test_pause_and_rename(visitors: Visitors) -> None:
    visitor = visitors.owner()
    page = add_person(visitor, "Uncle")
    page.get_by_role("button", name="Rename").click()
    page.get_by_role("dialog").get_by_label("Name", exact=True).fill(markup := "<img src=x onerror=alert(1)>")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(markup)
    page.get_by_role("button", name="Rename").click()
    page.get_by_role("dialog").get_by_label("Name", exact=True).fill("Anthony")
    page.get_by_role("dialog").get_by_label("Other names").fill("Nuncle, Uncle Anthony")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1, name="Anthony")).to_be_visible()
    page.get_by_role("switch").click()
    expect(page.locator(".chip", has_text="Paused")).to_be_visible()
    told = ask(visitor, f"people/{person_id(page)}")
    assert (told["name"], told["aliases"], told["paused"]) == ("Anthony", ["Nuncle", "Uncle Anthony"], True)


def test_without_a_secure_address_the_camera_app_takes_the_pictures(visitors: Visitors) -> None:
    owner = visitors.owner()
    secret = invite(owner, "Megawati")
    guest = visitors.stranger(viewport=PHONE, phone=True)
    page = guest.page
    page.goto(f"http://{INSECURE_NAME}:{guest.house.port}/invite/{secret}")
    page.get_by_label(re.compile("I have read this")).check()
    page.get_by_role("button", name="Agree and go on").click()
    expect(page.get_by_text("Browsers open the camera only for pages with a secure address")).to_be_visible()
    expect(page.locator("[data-way=round]")).to_have_count(0)
    guest.shoot("insecure")
    page.locator("input[data-capture]").set_input_files(photos("Megawati_Sukarnoputri", 10))
    expect(page.locator(".verdicts li").filter(has_text="Taken")).to_have_count(1, timeout=30_000)


def _holds(house: House, text: str) -> bool:
    """Whether any file of the daemon's folder holds this text."""
    return any(text.encode() in path.read_bytes() for path in house.state.rglob("*") if path.is_file())


def _tables_with(house: House, text: str) -> set[str]:
    """Tables of the database with this text anywhere."""
    with closing(sqlite3.connect(house.state / "homeface.db")) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name
            for name in tables
            if any(text in map(str, row) for row in database.execute(f"SELECT * FROM {name}"))
        }


def _grey_picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (400, 400), (120, 130, 140)).save(buffer, "PNG")
    return buffer.getvalue()
