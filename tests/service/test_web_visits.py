"""Visits that got no name: kept, grouped, named, forgotten; and what is never kept."""

from __future__ import annotations

import asyncio
from asyncio import to_thread
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from homeface.adapters.photos import load_photo
from homeface.adapters.store import Store
from homeface.adapters.web.access import Scope
from homeface.core.types import Identified, Reason
from homeface.service import unknown_keeper
from homeface.service.forgetting import forget_person
from tests.fakes.engine import GOOD_QUALITY, FakeEngine
from tests.support.disk import all_there, none_there
from tests.support.life import camera_of, enrol, show
from tests.support.mosquitto import Mosquitto, requires_mosquitto
from tests.support.people import BOX, DAD, MUM, STRANGER, frame_with
from tests.support.waiting import until
from tests.support.web import API
from tests.support.web_life import WebLife, events_of, web_living

pytestmark = [pytest.mark.mosquitto, requires_mosquitto]
INBOX = f"{API}/visits/unknown"


@pytest.fixture
async def page(tmp_path: Path, broker: Mosquitto, engine: FakeEngine, store: Store) -> AsyncIterator[WebLife]:
    await enrol(store, MUM)
    async with web_living(tmp_path, broker, engine, store) as running:
        yield running


async def visit(page: WebLife, person: int, camera: str = "hall") -> None:
    """Somebody comes and goes."""
    before = page.life.watches[camera].pipeline.stats.visits
    await show(page.life, camera, frame_with((person, BOX)))
    camera_of(page.life, camera).set_status(False, "gone")
    await until(lambda: page.life.watches[camera].pipeline.stats.visits > before, what="the visit is over")
    camera_of(page.life, camera).set_status(True)
    await until(lambda: page.life.watches[camera].status.available)


async def kept(page: WebLife, count: int) -> list[list[dict[str, object]]]:
    """The groups, once so many visits are in the inbox."""
    groups: list[list[dict[str, object]]] = []
    async with asyncio.timeout(10):
        while sum(map(len, groups)) != count:
            groups = [group["visits"] for group in (await page.owner.get(INBOX)).json]
    return groups


async def test_a_stranger_is_kept_grouped_named_and_then_known(page: WebLife) -> None:
    async with events_of(page.owner) as news:
        await visit(page, STRANGER)
        assert await news.next("visits") == ("visits", {})
    await visit(page, DAD, "yard")
    await visit(page, MUM)
    await visit(page, STRANGER, "yard")
    groups = await kept(page, 3)
    assert [[one["room"] for one in visits] for visits in groups] == [["yard", "hall"], ["yard"]]
    newest = groups[0][0]
    assert "below_threshold" in newest["reasons"]
    assert newest["votes"] >= 3
    async with asyncio.timeout(10):  # the log of visits has it, which is written by itself
        while (score := (await kept(page, 3))[0][0]["score"]) is None:
            pass
    assert isinstance(score, float)
    assert score < 0.5
    picture = await page.owner.get(f"/{newest['picture_url']}")
    assert (await to_thread(load_photo, picture.data)).shape[0] >= 120
    answer = await page.owner.post(f"{INBOX}/{newest['id']}/name", {"name": "Eve", "group": True})
    assert answer.status == 200, answer.text
    assert all(photo["accepted"] for photo in answer.json["photos"])
    assert len(answer.json["photos"]) >= 2
    eve = answer.json["person_id"]
    assert [len(group["visits"]) for group in (await page.owner.get(INBOX)).json] == [1]
    await show(page.life, "hall", frame_with((STRANGER, BOX)))
    (sighting,) = page.life.watches["hall"].pipeline.flush()
    assert isinstance(sighting.decision, Identified)
    assert sighting.decision.subject_id == eve


async def test_of_a_group_only_what_was_shown_is_named(page: WebLife) -> None:
    await visit(page, STRANGER)
    await visit(page, STRANGER, "yard")
    (shown,) = await kept(page, 2)
    await visit(page, STRANGER)
    await kept(page, 3)
    body = {"name": "Eve", "group": True, "visits": [one["id"] for one in shown]}
    answer = await page.owner.post(f"{INBOX}/{shown[0]['id']}/name", body)
    assert answer.status == 200, answer.text
    ((left,),) = await kept(page, 1)
    assert left["id"] not in body["visits"]


async def test_naming_goes_through_the_checks_of_photos(page: WebLife) -> None:
    await visit(page, STRANGER)
    ((one,),) = await kept(page, 1)
    mum = (await page.owner.get(f"{API}/people")).json[0]
    answer = await page.owner.post(f"{INBOX}/{one['id']}/name", {"person_id": mum["id"]})
    assert {photo["key"] for photo in answer.json["photos"]} == {"outlier"}
    assert len((await page.owner.get(INBOX)).json) == 1, "nothing was learned, so it stays"
    for wrong in ({}, {"name": "Eve", "person_id": mum["id"]}, {"name": ""}, {"name": "Eve", "more": 1}):
        assert (await page.owner.post(f"{INBOX}/{one['id']}/name", wrong)).status == 422
    assert (await page.owner.post(f"{INBOX}/{one['id']}/name", {"person_id": "gone"})).status == 404
    reader = await page.home.program(Scope.READ)
    assert (await reader.get(INBOX)).status == 200
    assert (await reader.get(f"{INBOX}/{one['id']}/picture")).status == 403
    assert (await reader.post(f"{INBOX}/{one['id']}/name", {"name": "Eve"})).status == 403


async def test_faces_too_poor_for_photos_are_kept_but_not_taught(page: WebLife, engine: FakeEngine) -> None:
    engine.quality_of = lambda person: replace(GOOD_QUALITY, interocular_px=20.0)
    await visit(page, STRANGER)
    ((one,),) = await kept(page, 1)
    assert one["faces"]
    answer = await page.owner.post(f"{INBOX}/{one['id']}/name", {"name": "Eve"})
    assert {photo["key"] for photo in answer.json["photos"]} == {"low_quality"}
    assert answer.json["person_id"] is None
    assert [person["name"] for person in (await page.owner.get(f"{API}/people")).json] == ["Person 10"]


async def test_a_visit_without_a_usable_face_is_reasons_only(page: WebLife, engine: FakeEngine) -> None:
    engine.quality_of = lambda person: replace(GOOD_QUALITY, reasons=(Reason.TOO_SMALL,))
    await visit(page, STRANGER)
    ((one,),) = await kept(page, 1)
    assert (one["faces"], one["picture_url"]) == (0, None)
    assert one["reasons"] == ["no_usable_face", "too_small"]
    assert (await page.owner.get(f"{INBOX}/{one['id']}/picture")).status == 404
    answer = await page.owner.post(f"{INBOX}/{one['id']}/name", {"name": "Eve"})
    assert (answer.status, answer.key) == (422, "no_faces")


async def test_one_or_all_are_forgotten_everywhere(page: WebLife, tmp_path: Path) -> None:
    await visit(page, STRANGER)
    await visit(page, DAD)
    groups = await kept(page, 2)
    sealed = await to_thread(_sealed, page.home.store)
    assert await to_thread(all_there, sealed, tmp_path / "state")
    assert (await page.owner.delete(f"{INBOX}/{groups[0][0]['id']}")).status == 204
    assert len((await page.owner.get(INBOX)).json) == 1
    assert (await page.owner.delete(INBOX)).status == 204
    assert (await page.owner.get(INBOX)).json == []
    assert await to_thread(none_there, sealed, tmp_path / "state")


def _sealed(store: Store) -> list[bytes]:
    with store._database.read() as connection:
        rows = connection.execute("SELECT vector, picture, geometry FROM unknown_face").fetchall()
    return [blob for row in rows for blob in row]


async def test_nothing_is_kept_of_guests_of_paused_cameras_and_of_paused_people(page: WebLife) -> None:
    await page.life.hub.set_guest_mode(True)
    await visit(page, STRANGER)
    await page.life.hub.set_guest_mode(False)
    await show(page.life, "hall", frame_with((STRANGER, BOX)))
    assert page.life.watches["hall"].pipeline.tracker.living[0].kept
    await page.owner.post(f"{API}/rooms/hall/pause", {"paused": True})
    assert not page.life.watches["hall"].pipeline.tracker.living
    await page.owner.post(f"{API}/rooms/hall/pause", {"paused": False})
    mum = (await page.owner.get(f"{API}/people")).json[0]
    await page.owner.patch(f"{API}/people/{mum['id']}", {"paused": True})
    await visit(page, MUM)
    await visit(page, DAD)
    ((one,),) = await kept(page, 1)
    ended = await to_thread(page.home.store.sightings)
    assert len(ended) == 3, "they are visits all the same, without a face"
    assert one["id"] == ended[0].visit_id


async def test_who_is_removed_leaves_the_inbox_too(page: WebLife, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unknown_keeper.UnknownKeeper, "_is_paused", lambda *_: False)
    mum = (await page.owner.get(f"{API}/people")).json[0]
    await page.owner.patch(f"{API}/people/{mum['id']}", {"paused": True})
    await visit(page, MUM)
    await visit(page, STRANGER)
    await kept(page, 2)
    assert (await page.owner.delete(f"{API}/people/{mum['id']}")).status == 204
    left = await to_thread(page.home.store.unknown_visits)
    assert len(left) == 1


async def test_who_is_removed_by_a_command_during_a_visit_leaves_no_face_of_it(page: WebLife) -> None:
    mum = (await page.owner.get(f"{API}/people")).json[0]["id"]
    await show(page.life, "hall", frame_with((MUM, BOX)))
    assert page.life.watches["hall"].pipeline.tracker.living[0].kept
    await to_thread(forget_person, page.home.store, mum, page.life.config, page.life.engine.model_id)
    await page.life.reload_gallery()
    camera_of(page.life, "hall").set_status(False, "gone")
    ((one,),) = await kept(page, 1)
    assert (one["faces"], one["picture_url"]) == (0, None)


async def test_who_is_removed_is_in_no_visit_that_waits_to_be_written(page: WebLife) -> None:
    keeper, mum = page.life.unknown, (await page.owner.get(f"{API}/people")).json[0]["id"]
    assert keeper is not None
    await show(page.life, "hall", frame_with((STRANGER, BOX)))
    (sighting,) = page.life.watches["hall"].pipeline.flush()
    keeper._waiting.append(sighting)  # the disk is slow
    await to_thread(page.home.store.remove_subject, mum)
    await page.life.reload_gallery()
    assert not keeper._waiting


async def test_switched_off_nothing_is_kept_and_what_was_is_forgotten(
    tmp_path: Path, broker: Mosquitto, engine: FakeEngine, store: Store
) -> None:
    async with web_living(tmp_path, broker, engine, store) as page:
        await visit(page, STRANGER)
        await kept(page, 1)
    async with web_living(tmp_path, broker, engine, store, web={"unknown_visits": False}) as page:
        assert page.life.unknown is None
        await show(page.life, "hall", frame_with((STRANGER, BOX)))
        assert page.life.watches["hall"].pipeline.tracker.living[0].kept == ()
        assert await kept(page, 0) == []


async def test_a_flood_of_visits_is_bounded(page: WebLife, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = page.life.unknown
    assert keeper is not None
    monkeypatch.setattr(unknown_keeper, "_MOST_WAITING", 3)
    await show(page.life, "hall", frame_with((STRANGER, BOX)))
    (sighting,) = page.life.watches["hall"].pipeline.flush()
    await page.life.hub.observe([replace(sighting, visit_id=f"v{number}") for number in range(10)])
    assert keeper.dropped == 7
    await until(lambda: not keeper._waiting)
