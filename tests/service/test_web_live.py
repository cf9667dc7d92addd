"""The house now, its news, switches and pictures, over TCP."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from homeface.adapters.photos import load_photo
from homeface.adapters.store import Store
from homeface.adapters.web.access import Scope
from homeface.service import web_now
from tests.fakes.engine import FakeEngine
from tests.support.life import BASE, camera_of, enrol, show
from tests.support.mosquitto import Mosquitto, requires_mosquitto, retained_when
from tests.support.people import BOX, DAD, MUM, STRANGER, frame_with
from tests.support.waiting import until
from tests.support.web import API, Browser
from tests.support.web_life import WebLife, events_of, web_living

pytestmark = [pytest.mark.mosquitto, requires_mosquitto]


@pytest.fixture
async def page(tmp_path: Path, broker: Mosquitto, engine: FakeEngine, store: Store) -> AsyncIterator[WebLife]:
    await enrol(store, MUM, DAD)
    async with web_living(tmp_path, broker, engine, store) as running:
        yield running


async def test_the_house_now(page: WebLife) -> None:
    await show(page.life, "hall", frame_with((MUM, BOX)))
    camera_of(page.life, "yard").set_status(False, "no answer")
    await until(lambda: not page.life.hub.house.snapshot().rooms["yard"].available)
    said = (await page.owner.get(f"{API}/now")).json
    hall, yard = said["rooms"]
    assert (hall["name"], hall["occupied"], hall["available"], hall["paused"]) == ("Hall", True, True, False)
    (mum,) = hall["people"]
    assert (mum["name"], mum["score"] > 0.5, mum["since"] <= mum["last_seen"]) == ("Person 10", True, True)
    assert (yard["available"], yard["occupied"], yard["people"]) == (False, False, [])
    people = {person["name"]: person for person in said["people"]}
    assert (people["Person 10"]["room"], people["Person 10"]["home"]) == ("hall", True)
    assert (people["Person 90"]["room"], people["Person 90"]["home"]) == (None, False)
    assert people["Person 90"]["available"]
    cameras = {camera["id"]: camera for camera in said["cameras"]}
    assert (cameras["yard"]["available"], cameras["yard"]["reason"]) == (False, "no answer")
    assert not any(camera["picture"] for camera in cameras.values())
    assert not said["guest_mode"]


async def test_news_come_as_they_happen_and_never_twice(page: WebLife) -> None:
    async with events_of(page.owner) as first:
        assert first.status == 200
        _, now = await first.next("now")
        assert not any(room["occupied"] for room in now["rooms"])
        await show(page.life, "hall", frame_with((MUM, BOX)))
        kinds: dict[str, str | None] = {}
        while not ({"arrived", "decision"} <= kinds.keys() and now["rooms"][0]["people"]):
            name, said = await first.next("decision", "now")
            if name == "now":
                now = said
                continue
            kinds[said["kind"]] = said["name"]
            assert (said["room"], said["camera"]) == ("hall", "hall")
        assert kinds == {"arrived": "Person 10", "decision": "Person 10"}
        async with events_of(page.owner) as second:
            name, now = await second.next()
            assert name == "now"
            assert now["rooms"][0]["people"][0]["name"] == "Person 10"
            await page.owner.post(f"{API}/people", {"name": "Eve"})
            assert (await second.next("people", "decision")) == ("people", {})


async def test_a_page_that_is_closed_is_forgotten_and_too_many_are_refused(
    page: WebLife, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = page.home.server._services.live._feed  # type: ignore[attr-defined]
    monkeypatch.setattr(web_now, "MOST_LISTENERS", 1)
    async with events_of(page.owner) as open_page:
        await open_page.next("now")
        refused = await page.owner.get(f"{API}/events")
        assert (refused.status, refused.key) == (429, "busy")
    await page.owner.post(f"{API}/people", {"name": "Eve"})  # something to tell: the gone page is noticed
    await until(lambda: not feed._listeners, what="the page is forgotten")


async def test_a_slow_page_misses_decisions_but_never_the_state(page: WebLife) -> None:
    feed = page.home.server._services.live._feed  # type: ignore[attr-defined]
    listener = feed.subscribe()
    before = web_now.MOST_DECISIONS
    for number in range(3):
        await show(page.life, "hall", frame_with(((MUM, DAD, STRANGER)[number % 3], BOX)), frames=4)
    news = dict(await listener.changes())
    assert "now" in news
    assert len(listener._decisions) <= before
    listener.close()
    assert listener not in feed._listeners


async def test_members_hear_of_the_house_but_not_of_single_decisions(page: WebLife) -> None:
    member = await page.home.member()
    async with events_of(member) as stream:
        await stream.next("now")
        await show(page.life, "hall", frame_with((MUM, BOX)))
        seen = []
        while not seen or not seen[-1][1]["rooms"][0]["people"]:
            seen.append(await stream.next())
        assert {name for name, _ in seen} == {"now"}
    assert (await member.get(f"{API}/visits")).status == 403
    assert (await member.get(f"{API}/visits/unknown")).status == 403
    assert (await member.post(f"{API}/rooms/hall/pause", {"paused": True})).status == 403


async def test_a_room_is_paused_as_by_home_assistant(page: WebLife, broker: Mosquitto) -> None:
    await show(page.life, "hall", frame_with((MUM, BOX)))
    controller = await page.home.program(Scope.CONTROL)
    assert (await controller.post(f"{API}/rooms/hall/pause", {"paused": True})).status == 204
    reader = await page.home.program(Scope.READ)
    hall = (await reader.get(f"{API}/now")).json["rooms"][0]
    assert (hall["paused"], hall["available"], hall["people"]) == (True, False, [])
    switch = f"{BASE}/camera/hall/recognition"
    await retained_when(broker, switch, lambda kept: kept.get(switch) == b"OFF")
    assert (await controller.post(f"{API}/rooms/hall/pause", {"paused": False})).status == 204
    assert not page.life.watches["hall"].paused
    acts = [act.what for act in await to_thread(page.home.store.acts)]
    assert "pause room" in acts
    assert "resume room" in acts


async def test_guest_mode_from_the_page(page: WebLife, broker: Mosquitto) -> None:
    controller = await page.home.program(Scope.CONTROL)
    async with events_of(page.owner) as stream:
        assert not (await stream.next("now"))[1]["guest_mode"]
        assert (await controller.post(f"{API}/guest-mode", {"enabled": True})).status == 204
        assert (await stream.next("now"))[1]["guest_mode"]
    switch = f"{BASE}/hub/guest_mode"
    await retained_when(broker, switch, lambda kept: kept.get(switch) == b"ON")
    assert (await controller.post(f"{API}/guest-mode", {"enabled": False})).status == 204
    assert not page.life.hub.guest_mode


async def test_finished_visits_page_by_page(page: WebLife) -> None:
    for person in (MUM, STRANGER, DAD):
        await show(page.life, "hall", frame_with((person, BOX)))
        camera_of(page.life, "hall").set_status(False, "gone")
        await until(lambda: not page.life.watches["hall"].pipeline.tracker.living)
        camera_of(page.life, "hall").set_status(True)
    reader = await page.home.program(Scope.READ)
    found = (await reader.get(f"{API}/visits?limit=2")).json
    assert [visit["decision"] for visit in found] == ["identified", "unknown"]
    assert (found[0]["name"], found[1]["name"], found[1]["person_id"]) == ("Person 90", None, None)
    assert found[1]["reasons"]
    older = (await reader.get(f"{API}/visits?limit=2&before={found[1]['last_seen']}")).json
    assert [visit["name"] for visit in older] == ["Person 10"]
    for wrong in ("limit=0", "limit=many", "before=-1", "since=3"):
        assert (await reader.get(f"{API}/visits?{wrong}")).status == 422


async def test_pictures_of_cameras_are_off_by_default(page: WebLife) -> None:
    await show(page.life, "hall", frame_with((MUM, BOX)))
    assert page.life.watches["hall"].newest is None
    assert (await page.owner.get(f"{API}/cameras/hall/picture")).status == 403


async def test_pictures_of_cameras_where_they_are_allowed(
    tmp_path: Path, broker: Mosquitto, engine: FakeEngine, store: Store
) -> None:
    async with web_living(tmp_path, broker, engine, store, web={"camera_pictures": True}) as page:
        assert (await page.owner.get(f"{API}/cameras/hall/picture")).status == 404
        await show(page.life, "hall", frame_with((MUM, BOX)))
        assert (await page.owner.get(f"{API}/now")).json["cameras"][0]["picture"]
        picture = await page.owner.get(f"{API}/cameras/hall/picture")
        assert picture.headers["Content-Type"] == "image/jpeg"
        assert (await to_thread(load_photo, picture.data)).shape == (360, 640, 3)
        reader = await page.home.program(Scope.READ, Scope.ADMIN)
        assert (await reader.get(f"{API}/cameras/hall/picture")).status == 403
        camera_of(page.life, "hall").set_status(False, "gone")
        await until(lambda: page.life.watches["hall"].newest is None, what="no old picture is shown")
        camera_of(page.life, "hall").set_status(True)
        await show(page.life, "hall", frame_with((MUM, BOX)))
        assert (await page.owner.get(f"{API}/cameras/hall/picture")).status == 200
        await page.owner.post(f"{API}/cameras/hall/pause", {"paused": True})
        assert (await page.owner.get(f"{API}/cameras/hall/picture")).status == 404
        assert page.life.watches["hall"].newest is None


async def test_nobody_hears_anything_without_a_log_in(page: WebLife) -> None:
    assert (await Browser(page.home).get(f"{API}/events")).status == 401
