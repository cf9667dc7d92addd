"""Guided rounds over TCP: a painted person who does what is asked, and one who does not."""

from __future__ import annotations

import asyncio
import io
from asyncio import to_thread
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from homeface.adapters.store import Store
from homeface.core.guided_round import STEPS
from homeface.core.types import Quality
from homeface.errors import BusyError, NotThereError
from homeface.service import guided
from homeface.service.enrolment import Enrolment
from homeface.service.guided import Rounds
from tests.fakes.engine import GOOD_QUALITY, FakeEngine
from tests.support.life import enrol
from tests.support.mosquitto import Mosquitto, requires_mosquitto
from tests.support.people import DAD, MUM, STRANGER, frame_with
from tests.support.waiting import until
from tests.support.web import API, Browser
from tests.support.web_life import WebLife, png, web_living

OVAL = (220, 80, 420, 280)
YAWS = {"left": 20.0, "right": -20.0}
PITCHES = {"up": 0.0, "down": 17.0}


class Poser:
    """Somebody before a camera: ``does`` what the round wants."""

    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine
        self.does("front")

    def does(self, step: str) -> None:
        quality = replace(GOOD_QUALITY, yaw=YAWS.get(step, 0.0), pitch=PITCHES.get(step, 8.5))
        self.engine.quality_of = lambda _person: quality

    def is_seen(self, **changes: Any) -> None:
        quality: Quality = replace(GOOD_QUALITY, pitch=8.5, **changes)
        self.engine.quality_of = lambda _person: quality


class Minutes:
    """Time that moves a tenth of a second with each look at it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.1
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Minutes:
    """The clock of rounds that are made from now on."""
    minutes = Minutes()
    monkeypatch.setattr(Rounds.__init__, "__defaults__", (minutes,))
    return minutes


@pytest.fixture
async def page(
    tmp_path: Path, broker: Mosquitto, engine: FakeEngine, store: Store, clock: Minutes
) -> AsyncIterator[WebLife]:
    async with web_living(tmp_path, broker, engine, store) as running:
        yield running


async def begun(browser: Browser, name: str) -> tuple[str, str]:
    """Somebody new and their round."""
    person = (await browser.post(f"{API}/people", {"name": name})).json["id"]
    answer = await browser.post(f"{API}/people/{person}/round")
    assert (answer.status, answer.json["steps"]) == (201, [str(step) for step in STEPS])
    return person, answer.json["id"]


async def send(browser: Browser, round_id: str, *people: int) -> Any:
    places = (OVAL, (20, 80, 200, 280))
    frame = png(frame_with(*((person, places[index]) for index, person in enumerate(people))))
    answer = await browser.post(
        f"{API}/rounds/{round_id}/frame", data=frame, headers={"Content-Type": "image/jpeg"}
    )
    assert answer.status == 200, answer.text
    return answer.json


@pytest.mark.mosquitto
@requires_mosquitto
class TestOverTcp:
    async def test_a_round_to_the_end(self, page: WebLife, engine: FakeEngine) -> None:
        person, round_id = await begun(page.owner, "Anna")
        poser, told, taken = Poser(engine), {"wanted": "front"}, []
        while told["wanted"] != "done":
            poser.does(told["wanted"])
            before = told["wanted"]
            told = await send(page.owner, round_id, MUM)
            if told["taken"]:
                taken.append(before)
                assert told["feedback"] in ("taken", "done")
            else:
                assert (told["feedback"], told["wanted"]) == ("good", before)
                assert told["box"] == [220 / 640, 80 / 360, 420 / 640, 280 / 360]
        assert taken == [str(step) for step in STEPS]
        assert told["progress"] == 1.0
        assert told["sentence"]
        photos = told["result"]["photos"]
        assert [photo["label"] for photo in photos] == taken
        assert all(photo["accepted"] for photo in photos)
        details = (await page.owner.get(f"{API}/people/{person}")).json
        assert len(details["templates"]) == len(STEPS)
        assert (await page.owner.post(f"{API}/rounds/{round_id}/skip")).status == 404
        acts = [act.what for act in await to_thread(page.home.store.acts)]
        assert "guided round: 7 of 7 accepted" in acts

    async def test_feedback_skipping_and_leaving(self, page: WebLife, engine: FakeEngine) -> None:
        person, round_id = await begun(page.owner, "Anna")
        poser = Poser(engine)
        assert (await send(page.owner, round_id))["feedback"] == "no_face"
        assert (await send(page.owner, round_id, MUM, DAD))["feedback"] == "one_face_only"
        poser.is_seen(brightness=10.0)
        assert (await send(page.owner, round_id, MUM))["feedback"] == "more_light"
        skipped = (await page.owner.post(f"{API}/rounds/{round_id}/skip")).json
        assert (skipped["wanted"], skipped["feedback"]) == ("left", "turn_left")
        poser.does("front")
        assert (await send(page.owner, round_id, MUM))["feedback"] == "turn_left"
        assert (await page.owner.delete(f"{API}/rounds/{round_id}")).status == 204
        assert (await page.owner.get(f"{API}/people/{person}")).json["photos"] == 0
        _, round_id = await begun(page.owner, "Ben")
        for _ in STEPS:
            last = (await page.owner.post(f"{API}/rounds/{round_id}/skip")).json
        assert (last["wanted"], last["result"]) == ("done", None)

    async def test_somebody_else_in_between_is_not_taken(self, page: WebLife, engine: FakeEngine) -> None:
        _, round_id = await begun(page.owner, "Anna")
        poser, told = Poser(engine), {"taken": False}
        while not told["taken"]:
            told = await send(page.owner, round_id, MUM)
        poser.does("left")
        said = [await send(page.owner, round_id, STRANGER) for _ in range(4)]
        assert "same_person" in {one["feedback"] for one in said}
        assert not any(one["taken"] for one in said)

    async def test_at_the_end_the_checks_of_photos_hold(
        self, page: WebLife, engine: FakeEngine, store: Store
    ) -> None:
        await enrol(store, MUM)
        await page.life.reload_gallery()
        person, round_id = await begun(page.owner, "Somebody else")
        Poser(engine)
        told = await send(page.owner, round_id, MUM)
        while not told["taken"]:
            told = await send(page.owner, round_id, MUM)
        while told["wanted"] != "done":
            told = (await page.owner.post(f"{API}/rounds/{round_id}/skip")).json
        assert [photo["key"] for photo in told["result"]["photos"]] == ["looks_like_another"]
        assert (await page.owner.get(f"{API}/people/{person}")).json["photos"] == 0

    async def test_frames_that_are_none_and_those_of_others(
        self, page: WebLife, engine: FakeEngine, store: Store
    ) -> None:
        person, round_id = await begun(page.owner, "Anna")
        other, _ = await begun(page.owner, "Ben")
        path, kind = f"{API}/rounds/{round_id}/frame", {"Content-Type": "image/jpeg"}
        huge = io.BytesIO(bytes(2 * 1024 * 1024 + 1))
        for data, status in ((b"no picture", 422), (b"", 422), (huge, 413)):
            answer = await page.owner.post(path, data=data, headers=kind)
            assert answer.status == status, answer.text
        wide = png(frame_with(width=4001, height=1001))
        assert (await page.owner.post(path, data=wide, headers=kind)).status == 422
        assert (await page.owner.post(path, {"a": 1})).status == 415
        stranger = await page.home.member(other)
        for answer in (
            await stranger.post(path, data=b"x", headers=kind),
            await stranger.post(f"{API}/rounds/{round_id}/skip"),
            await stranger.delete(f"{API}/rounds/{round_id}"),
        ):
            assert answer.status == 403
        own = await page.home.member(person)
        assert (await send(own, round_id))["feedback"] == "no_face"
        assert (await page.owner.delete(f"{API}/people/{person}")).status == 204
        assert (await page.owner.post(path, data=wide, headers=kind)).status == 404


class TestRounds:
    @pytest.fixture
    def rounds(self, engine: FakeEngine, store: Store, clock: Minutes) -> Rounds:
        return Rounds(engine, Enrolment(engine, store))

    async def test_a_round_ends_when_nobody_is_there_any_more(
        self, rounds: Rounds, store: Store, clock: Minutes
    ) -> None:
        anna = await to_thread(store.add_subject, "Anna")
        round_id = rounds.begin(anna)
        assert rounds.subject_id(round_id) == anna.subject_id
        clock.now += guided.IDLE_SECONDS
        with pytest.raises(NotThereError):
            rounds.subject_id(round_id)
        round_id = rounds.begin(anna)
        began = clock.now
        while clock.now < began + guided.ROUND_SECONDS:
            clock.now += guided.IDLE_SECONDS / 2
            if clock.now < began + guided.ROUND_SECONDS:
                assert rounds.subject_id(round_id)
        with pytest.raises(NotThereError):
            await rounds.skip(round_id)

    async def test_a_few_at_once_and_one_for_each_person(self, rounds: Rounds, store: Store) -> None:
        people = [await to_thread(store.add_subject, f"Person {n}") for n in range(guided.MOST_ROUNDS + 1)]
        first = rounds.begin(people[0])
        again = rounds.begin(people[0])
        with pytest.raises(NotThereError):
            rounds.end(first)
        for person in people[1:-1]:
            rounds.begin(person)
        with pytest.raises(BusyError):
            rounds.begin(people[-1])
        rounds.end(again)
        rounds.begin(people[-1])

    async def test_a_frame_that_comes_too_soon_waits_for_nothing(
        self, rounds: Rounds, store: Store, engine: FakeEngine
    ) -> None:
        round_id = rounds.begin(await to_thread(store.add_subject, "Anna"))
        frame = png(frame_with())
        first = await rounds.frame(round_id, frame)
        engine.hang()
        slow = asyncio.create_task(rounds.frame(round_id, frame))
        await until(lambda: rounds._rounds[round_id].busy)
        assert (await rounds.frame(round_id, frame)).feedback == first.feedback
        assert not slow.done()
        engine.recover()
        assert (await slow).feedback.say == "no_face"
        assert engine.looked == 2


@pytest.mark.mosquitto
@requires_mosquitto
async def test_whoever_came_by_an_invite_enrols_and_nobody_else(page: WebLife, engine: FakeEngine) -> None:
    invite = await page.owner.post(f"{API}/invites", {"name": "Oma Ilse"})
    guest = Browser(page.home)
    secret = invite.json["url"].rpartition("/invite/")[2]
    assert (await guest.post(f"{API}/links/open", {"secret": secret})).status == 200
    me = (await guest.post(f"{API}/me/consent", {"version": "1", "language": "de"})).json
    round_id = (await guest.post(f"{API}/people/{me['person_id']}/round")).json["id"]
    poser, told = Poser(engine), {"wanted": "front"}
    while told["wanted"] != "done":
        poser.does(told["wanted"])
        told = await send(guest, round_id, MUM)
    assert sum(photo["accepted"] for photo in told["result"]["photos"]) == len(STEPS)
    other, others_round = await begun(page.owner, "Ben")
    for answer in (
        await guest.post(f"{API}/people/{other}/round"),
        await guest.post(f"{API}/rounds/{others_round}/skip"),
        await guest.patch(f"{API}/people/{me['person_id']}", {"name": "Ben"}),
        await guest.get(f"{API}/people"),
        await guest.get(f"{API}/events"),
    ):
        assert answer.status == 403
    assert (await guest.delete(f"{API}/people/{me['person_id']}")).status == 204
    assert (await page.owner.get(f"{API}/people/{me['person_id']}")).status == 404
