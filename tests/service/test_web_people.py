"""People and their photos on the page: over TCP, with a real store, MQTT and presence, and painted faces."""

from __future__ import annotations

import io
import json
import logging
import shutil
import zipfile
from asyncio import to_thread
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from homeface.adapters.store import Store, copies
from homeface.adapters.web.access import Scope
from homeface.core.second_opinion import SecondOpinion, second_opinion_as_json
from homeface.core.types import Unknown
from homeface.errors import StoreError
from homeface.service.life import Life
from tests.fakes.engine import GOOD_QUALITY, MODEL_ID, FakeEngine, person_vector
from tests.support.disk import all_there, everything_on, none_there
from tests.support.life import BASE, enrol, show
from tests.support.mosquitto import Mosquitto, requires_mosquitto, retained_when
from tests.support.people import BOX, DAD, ELSEWHERE, MUM, STRANGER, frame_with
from tests.support.waiting import until
from tests.support.web import API
from tests.support.web_life import WebLife, form, png, web_living

pytestmark = [pytest.mark.mosquitto, requires_mosquitto]


@pytest.fixture
async def page(tmp_path: Path, broker: Mosquitto, engine: FakeEngine, store: Store) -> AsyncIterator[WebLife]:
    async with web_living(tmp_path, broker, engine, store) as running:
        yield running


def photo(*people: int) -> bytes:
    places = (BOX, ELSEWHERE)
    return png(frame_with(*((person, places[index]) for index, person in enumerate(people))))


async def added(page: WebLife, name: str, *people: int) -> str:
    """Somebody new with a photo of each of ``people``."""
    person = (await page.owner.post(f"{API}/people", {"name": name})).json["id"]
    if people:
        files = form(*((f"{number}.png", photo(one)) for number, one in enumerate(people)))
        answer = await page.owner.post(f"{API}/people/{person}/photos", data=files)
        assert answer.status == 200, answer.text
    return str(person)


async def test_somebody_is_added_and_named_at_once(page: WebLife) -> None:
    empty = await page.owner.post(f"{API}/people", {"name": "  Anna "})
    assert (empty.status, empty.json["name"], empty.json["photos"]) == (201, "Anna", 0)
    assert empty.json["health"]["level"] == "poor"
    files = form(
        ("one.png", photo(MUM)),
        ("two.png", photo(MUM)),
        ("nobody.png", photo()),
        ("party.png", photo(MUM, DAD)),
        ("notes.txt", b"no picture"),
        ("three.png", photo(MUM)),
    )
    answer = (await page.owner.post(f"{API}/people/{empty.json['id']}/photos", data=files)).json
    assert [(item["label"], item["key"], item["accepted"]) for item in answer["photos"]] == [
        ("one.png", "accepted", True),
        ("two.png", "accepted", True),
        ("nobody.png", "no_face", False),
        ("party.png", "several_faces", False),
        ("notes.txt", "unreadable", False),
        ("three.png", "accepted", True),
    ]
    assert all(item["message"] for item in answer["photos"])
    assert answer["photos"][4]["reasons"] == ["no_picture"]
    await show(page.life, "hall", frame_with((MUM, BOX)))
    state = (await page.owner.get(f"{API}/now")).json
    hall = next(room for room in state["rooms"] if room["id"] == "hall")
    assert [person["name"] for person in hall["people"]] == ["Anna"]
    (anna,) = (await page.owner.get(f"{API}/people")).json
    assert (anna["photos"], anna["room"], anna["paused"]) == (3, "hall", False)
    picture = await page.owner.get(f"/{anna['picture_url']}")
    assert (picture.headers["Content-Type"], picture.data[:2]) == ("image/jpeg", b"\xff\xd8")
    assert picture.headers["Cache-Control"] == "no-store"


async def test_a_photo_of_somebody_else_is_refused_unless_they_look_alike(page: WebLife) -> None:
    await added(page, "Anna", MUM, MUM, MUM)
    ben = await added(page, "Ben")
    path = f"{API}/people/{ben}/photos"
    refused = (await page.owner.post(path, data=form(("a.png", photo(MUM))))).json["photos"]
    assert [item["key"] for item in refused] == ["looks_like_another"]
    assert "Anna" in refused[0]["message"]
    assert refused[0]["other"] == "Anna"
    assert 0.55 < refused[0]["figures"]["score"] <= 1.0
    twin = form(("a.png", photo(MUM)), allow_lookalikes="true")
    assert (await page.owner.post(path, data=twin)).json["photos"][0]["accepted"]
    details = (await page.owner.get(f"{API}/people/{ben}")).json
    assert [(t["finding"], t["looks_like"]) for t in details["templates"]] in (
        [("looks_like", "Anna")],
        [(None, None)],
    )
    assert details["health"]["level"] == "poor"


async def test_details_show_every_photo_and_one_can_be_removed(page: WebLife, store: Store) -> None:
    anna = await added(page, "Anna", MUM, MUM, MUM)
    details = (await page.owner.get(f"{API}/people/{anna}")).json
    assert len(details["templates"]) == 3
    first = details["templates"][0]
    assert (first["kind"], first["source"], first["used"], first["finding"]) == ("day", "photo", True, None)
    assert first["quality"]["interocular_px"] == 60.0
    assert (await page.owner.get(f"/{first['picture_url']}")).status == 200
    other = await added(page, "Ben", DAD)
    wrong = f"{API}/people/{other}/photos/{first['id']}"
    assert (await page.owner.delete(wrong)).status == 404
    assert (await page.owner.get(f"{wrong}/picture")).status == 404
    assert (await page.owner.delete(f"{API}/people/{anna}/photos/{first['id']}")).status == 204
    assert (await page.owner.get(f"/{first['picture_url']}")).status == 404
    left = (await page.owner.get(f"{API}/people/{anna}")).json["templates"]
    assert [t["id"] for t in left] == [t["id"] for t in details["templates"][1:]]


async def test_renamed_and_paused(page: WebLife) -> None:
    anna = await added(page, "Anna", MUM, MUM, MUM)
    await added(page, "Ben", DAD)
    path = f"{API}/people/{anna}"
    changed = await page.owner.patch(path, {"name": "Anne", "aliases": ["Mum"]})
    assert (changed.json["name"], changed.json["aliases"]) == ("Anne", ["Mum"])
    taken = await page.owner.patch(path, {"name": "ben"})
    assert (taken.status, taken.key, taken.json["error"]["field"]) == (422, "name_taken", "name")
    await show(page.life, "hall", frame_with((MUM, BOX)))
    assert (await page.owner.get(path)).json["room"] == "hall"
    paused = (await page.owner.patch(path, {"paused": True})).json
    assert (paused["paused"], paused["room"], paused["name"]) == (True, None, "Anne")
    state = (await page.owner.get(f"{API}/now")).json
    told = next(person for person in state["people"] if person["id"] == anna)
    assert (told["paused"], told["available"], told["room"]) == (True, False, None)
    await show(page.life, "hall", frame_with((MUM, BOX)))
    (sighting,) = page.life.watches["hall"].pipeline.flush()
    assert isinstance(sighting.decision, Unknown)
    assert not (await page.owner.patch(path, {"paused": False})).json["paused"]


async def test_a_photo_that_is_not_good_enough_says_why(page: WebLife, engine: FakeEngine) -> None:
    engine.quality_of = lambda _person: replace(GOOD_QUALITY, interocular_px=12.0, brightness=20.0)
    anna = await added(page, "Anna")
    answer = await page.owner.post(f"{API}/people/{anna}/photos", data=form(("a.png", photo(MUM))))
    (verdict,) = answer.json["photos"]
    assert (verdict["key"], verdict["reasons"]) == ("low_quality", ["too_small", "too_dark"])


async def test_gone_means_gone(
    page: WebLife, broker: Mosquitto, store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Every place: database, pictures, every kind of copy, state, broker, what was trained, and the log."""
    caplog.set_level(logging.DEBUG)
    anna = await added(page, "Zacharias", MUM, MUM, MUM)
    ben = await added(page, "Ben", DAD)
    await show(page.life, "hall", frame_with((MUM, BOX)))
    await until(lambda: page.life.hub.house.snapshot().people[anna].room == "hall")
    sealed = await to_thread(_sealed, store, anna)
    assert len(sealed) == 6
    assert await to_thread(all_there, sealed, tmp_path / "state")
    await until(lambda: page.life.publisher._scanned and not page.life.link._dirty)
    trained = await to_thread(_everywhere, store, page.life, "Zacharias", "Ben")
    assert (await page.owner.delete(f"{API}/people/{anna}")).status == 204
    assert (await page.owner.get(f"{API}/people/{anna}")).status == 404
    assert [person["id"] for person in (await page.owner.get(f"{API}/people")).json] == [ben]
    state = (await page.owner.get(f"{API}/now")).json
    assert anna not in json.dumps(state)
    assert (await page.owner.get(f"{API}/visits")).status == 200
    await retained_when(
        broker,
        "#",
        lambda kept: not any(anna in topic or anna.encode() in payload for topic, payload in kept.items()),
    )
    assert await to_thread(none_there, sealed, tmp_path / "state")
    left = sorted(file.name for file in (tmp_path / "state").iterdir() if ".db." in file.name)
    assert left == ["homeface.db.daily.backup"], "made anew"
    assert b"Zacharias" not in await to_thread(everything_on, tmp_path)
    opinion = json.loads(trained.read_text())
    assert (opinion["names"], opinion["bias"]) == (["Ben"], [1, 2])
    assert [row[0] for row in opinion["weights"]] == [1, 2]
    assert "Zacharias" not in caplog.text
    assert (await page.owner.delete(f"{API}/people/{anna}")).status == 404
    acts = [(act.what, act.subject) for act in await to_thread(store.acts)]
    assert ("remove person", anna) in acts


async def test_who_was_renamed_keeps_the_second_opinion_and_leaves_it_when_removed(
    page: WebLife, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    anna = await added(page, "Anna", MUM, MUM, MUM)
    ben = await added(page, "Ben", DAD)
    trained = await to_thread(_everywhere, store, page.life, "Anna", "Eva")
    person = f"{API}/people/{anna}"
    assert (await page.owner.patch(person, {"name": "Ben"})).status == 422
    assert json.loads(trained.read_text())["names"] == ["Anna", "Eva"], "as before"
    assert (await page.owner.patch(person, {"name": "Anna Maria"})).status == 200
    assert page.life.recognition is not None
    asked = page.life.recognition.policy.second_opinion
    assert asked is not None
    assert asked.names == ("Anna Maria", "Eva")
    assert (await page.owner.delete(person)).status == 204
    assert json.loads(trained.read_text())["names"] == ["Eva"]
    assert not [record for record in caplog.records if "second opinion" in record.message]
    assert (await page.owner.delete(f"{API}/people/{ben}")).status == 204
    (told,) = [record.message for record in caplog.records if "second opinion" in record.message]
    assert str(trained) in told
    assert "Ben" not in told


def _everywhere(store: Store, life: Life, *names: str) -> Path:
    """Copies of every kind, and a classifier of these people; returns its file."""
    store.make_daily_copy(1e12)
    for kind in ("v3.backup", "before-restore.backup", "damaged-20260101T000000Z"):
        shutil.copyfile(copies.daily(store.path), store.path.with_name(f"{store.path.name}.{kind}"))
    weights = np.tile(np.arange(3, dtype=np.float32)[:, None], len(person_vector(MUM, 1)))
    one = SecondOpinion(MODEL_ID, names, weights, np.arange(3, dtype=np.float32), 0.0)
    file = store.path.parent.parent / "household.json"
    file.write_text(json.dumps(second_opinion_as_json(one, {"folder": "photos"})))
    changed = life.config.recognition.model_copy(update={"second_opinion": file})
    life.config = life.config.model_copy(update={"recognition": changed})
    return file


def _sealed(store: Store, person: str) -> list[bytes]:
    with store._database.read() as connection:
        vectors = connection.execute("SELECT vector FROM template WHERE subject_id = ?", (person,)).fetchall()
        crops = connection.execute("SELECT picture FROM crop WHERE subject_id = ?", (person,)).fetchall()
    return [row[0] for row in [*vectors, *crops]]


async def test_a_removal_that_fails_leaves_the_person_as_they_were(
    page: WebLife, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = await added(page, "Anna", MUM, MUM, MUM)

    def fail(_person: str) -> None:
        raise StoreError("The disk is full.")

    with monkeypatch.context() as broken:
        broken.setattr(store, "remove_subject", fail)
        answer = await page.owner.delete(f"{API}/people/{anna}")
        assert (answer.status, answer.key) == (503, "storage")
    await show(page.life, "hall", frame_with((MUM, BOX)))
    assert (await page.owner.get(f"{API}/people/{anna}")).json["room"] == "hall"


async def test_everything_about_a_person_as_a_file(page: WebLife) -> None:
    anna = await added(page, "Anna", MUM, MUM)
    answer = await page.owner.get(f"{API}/people/{anna}/export")
    assert answer.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert set(archive.namelist()) == {"001.jpg", "002.jpg", "subject.json", "consents.json"}
        assert json.loads(archive.read("subject.json"))["name"] == "Anna"


async def test_members_see_pictures_of_nobody_else(page: WebLife) -> None:
    anna, ben = await added(page, "Anna", MUM), await added(page, "Ben", DAD)
    member = await page.home.member(anna)
    listed = {person["id"]: person["picture_url"] for person in (await member.get(f"{API}/people")).json}
    assert listed[anna] is not None
    assert listed[ben] is None
    assert (await member.get(f"{API}/people/{anna}")).status == 200
    assert (await member.get(f"{API}/people/{ben}")).status == 403
    theirs = (await page.owner.get(f"{API}/people/{ben}")).json["picture_url"]
    assert (await member.get(f"/{theirs}")).status == 403
    assert (await member.delete(f"{API}/people/{ben}")).status == 403
    assert (await member.post(f"{API}/people/{ben}/photos", data=form(("a.png", photo(DAD))))).status == 403
    assert (await member.post(f"{API}/people/{ben}/round")).status == 403
    assert (await member.delete(f"{API}/people/{anna}")).status == 204


NOTHING: tuple[tuple[str, str, object], ...] = (
    ("GET", "/people/nobody", None),
    ("PATCH", "/people/nobody", {"paused": True}),
    ("DELETE", "/people/nobody", None),
    ("GET", "/people/nobody/export", None),
    ("POST", "/people/nobody/round", None),
    ("POST", "/people/nobody/photos/from-camera", {"camera": "hall"}),
    ("DELETE", "/rounds/nothing", None),
    ("POST", "/rounds/nothing/skip", None),
    ("GET", "/visits/unknown/nothing/picture", None),
    ("DELETE", "/visits/unknown/nothing", None),
    ("POST", "/visits/unknown/nothing/name", {"name": "Eve"}),
    ("POST", "/rooms/nowhere/pause", {"paused": True}),
    ("POST", "/cameras/nothing/pause", {"paused": True}),
    ("GET", "/cameras/nothing/picture", None),
)


async def test_what_is_not_there_is_said(page: WebLife) -> None:
    for method, path, body in NOTHING:
        answer = await page.owner.ask(method, API + path, body)
        assert answer.status == 404, f"{method} {path}: {answer.text}"
        assert answer.json["error"]["message"].endswith(".")


async def test_a_name_of_somebody_is_no_id(page: WebLife) -> None:
    await added(page, "Anna", MUM)
    assert (await page.owner.get(f"{API}/people/Anna")).status == 404
    assert (await page.owner.delete(f"{API}/people/anna")).status == 404


async def test_from_a_camera_of_the_house(page: WebLife, engine: FakeEngine) -> None:
    engine.quality_of = lambda person: replace(GOOD_QUALITY, infrared=True)
    anna = await added(page, "Anna")
    taking = page.owner.post(f"{API}/people/{anna}/photos/from-camera", {"camera": "hall", "seconds": 2.0})
    answer = await _while_shown(page, taking, frame_with((MUM, BOX)))
    assert answer["photos"]
    assert all(item["accepted"] for item in answer["photos"])
    details = (await page.owner.get(f"{API}/people/{anna}")).json
    assert details["infrared_photos"] == len(answer["photos"])
    assert {t["kind"] for t in details["templates"]} == {"infrared"}
    assert (await page.owner.get(f"/{details['picture_url']}")).status == 200


async def test_two_before_the_camera_are_refused(page: WebLife) -> None:
    anna = await added(page, "Anna")
    taking = page.owner.post(f"{API}/people/{anna}/photos/from-camera", {"camera": "hall", "seconds": 1.0})
    answer = await _while_shown(page, taking, frame_with((MUM, BOX), (DAD, ELSEWHERE)))
    assert answer["error"]["key"] == "several_people"
    taking = page.owner.post(f"{API}/people/{anna}/photos/from-camera", {"camera": "hall", "seconds": 1.0})
    answer = await _while_shown(page, taking, frame_with((MUM, BOX)), frame_with((STRANGER, BOX)))
    assert answer["error"]["key"] == "several_people"
    assert (await page.owner.get(f"{API}/people/{anna}")).json["photos"] == 0


async def test_a_paused_camera_takes_no_photos(page: WebLife) -> None:
    anna = await added(page, "Anna")
    assert (await page.owner.post(f"{API}/cameras/hall/pause", {"paused": True})).status == 204
    answer = await page.owner.post(f"{API}/people/{anna}/photos/from-camera", {"camera": "hall"})
    assert (answer.status, answer.key) == (422, "camera_unavailable")


async def _while_shown(page: WebLife, asking: object, *images: object) -> object:
    import asyncio

    task = asyncio.ensure_future(asking)  # type: ignore[arg-type]
    await until(lambda: page.life.watches["hall"].tapped, what="somebody looks")
    number = 0
    while not task.done() and page.life.watches["hall"].tapped:
        await show(page.life, "hall", images[number % len(images)], frames=1)  # type: ignore[arg-type]
        number += 1
    return (await task).json


async def test_the_health_of_the_household(page: WebLife) -> None:
    await added(page, "Anna", MUM, MUM, MUM)
    await added(page, "Ben", DAD)
    found = (await page.owner.get(f"{API}/health")).json
    assert [person["name"] for person in found["people"]] == ["Anna", "Ben"]
    assert {(point["name"], point["aside"]) for point in found["pca"]} == {("Anna", False), ("Ben", False)}
    assert found["distances"]["names"] == ["Anna", "Ben"]
    anna, across = found["distances"]["scores"][0]
    assert anna > 0.8 > abs(across) + 0.3
    assert not any("homeface people remove-photo" in finding["help"] for finding in found["findings"])
    few = next(finding for finding in found["findings"] if finding["topic"] == "too_few_photos")
    assert (few["people"], few["figures"]) == (["Ben"], {"photos": 1.0, "lacking": 4.0})
    ben = next(p for p in (await page.owner.get(f"{API}/people")).json if p["name"] == "Ben")
    told = {finding["key"]: finding for finding in ben["health"]["findings"]}
    assert told["too_few_photos"]["serious"]
    assert not told["no_infrared_photos"]["serious"]
    assert told["no_infrared_photos"]["people"] == ["Ben"], "what is said of everybody is said of each"
    assert "Anna" not in told["no_infrared_photos"]["sentence"]
    reading = await page.home.program(Scope.READ)
    assert (await reading.get(f"{API}/health")).status == 200


async def test_the_broker_is_told_of_somebody_new(page: WebLife, broker: Mosquitto) -> None:
    anna = await added(page, "Anna", MUM)
    presence = f"{BASE}/person/{anna}/presence"
    await retained_when(broker, presence, lambda kept: kept.get(presence) == b"not_home")


async def test_nobody_enrolled(page: WebLife) -> None:
    assert (await page.owner.get(f"{API}/people")).json == []
    found = (await page.owner.get(f"{API}/health")).json
    assert (found["people"], found["pca"], found["distances"]) == ([], None, None)
    await enrol(page.home.store, MUM)
    await until(lambda: len(page.life.subjects) == 1)
    assert len((await page.owner.get(f"{API}/people")).json) == 1
