"""Between two configurations: what a life restores, follows, measures and says of itself."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from asyncio import to_thread
from functools import partial
from pathlib import Path

import pytest

from homeface.adapters.store import Store
from homeface.core.types import Identified, Unknown
from homeface.errors import HomefaceError, StoreError
from homeface.service import life as life_module
from homeface.service.life import Life
from tests.fakes.engine import FakeEngine
from tests.support.life import BASE, CAMERAS, camera_of, enrol, fakes, house_config, living, show
from tests.support.mosquitto import Mosquitto, free_port, requires_mosquitto, retained, retained_when
from tests.support.people import BOX, DAD, MUM, frame_with
from tests.support.waiting import until

pytestmark = [pytest.mark.mosquitto, requires_mosquitto]


async def test_the_next_life_knows_who_is_where_and_repeats_nothing(
    tmp_path: Path, broker: Mosquitto, store: Store, engine: FakeEngine
) -> None:
    mum = (await enrol(store, MUM))[MUM]
    config = await house_config(tmp_path, broker)
    async with living(config, engine, store) as life:
        await show(life, "hall", frame_with((MUM, BOX)))
        await until(lambda: life.hub.house.snapshot().people[mum].room == "hall")
    kinds: list[str] = []
    async with living(config, engine, store) as life:
        life.hub.listeners.append(lambda moment: kinds.extend(event.kind for event in moment.events))
        assert life.hub.house.snapshot().people[mum].room == "hall"
        await show(life, "hall", frame_with((MUM, BOX)))
        await until(lambda: life.watches["hall"].pipeline.stats.embedded > 0)
        assert "arrived" not in kinds
    visits = await to_thread(store.sightings)
    assert len({visit.visit_id for visit in visits}) == len(visits)


async def test_a_visit_that_a_stop_cuts_short_is_still_one_of_the_same_person(
    tmp_path: Path, broker: Mosquitto, store: Store, engine: FakeEngine
) -> None:
    await enrol(store, MUM)
    async with living(await house_config(tmp_path, broker), engine, store) as life:
        await show(life, "hall", frame_with((MUM, BOX)))
        camera_of(life, "hall").set_status(False, "gone")
        await until(lambda: life.watches["hall"].pipeline.stats.visits == 1)
    (visit,) = await to_thread(store.sightings)
    assert visit.subject_id is not None


async def test_a_gallery_that_cannot_be_read_for_a_while_leaves_the_one_in_memory(
    tmp_path: Path,
    broker: Mosquitto,
    store: Store,
    engine: FakeEngine,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await enrol(store, MUM)
    monkeypatch.setattr(life_module, "_GALLERY_INTERVAL_SECONDS", 0.05)
    async with living(await house_config(tmp_path, broker), engine, store) as life:
        with monkeypatch.context() as broken:

            def fail() -> int:
                raise StoreError("The disk failed.")

            broken.setattr(store, "gallery_version", fail)
            await until(lambda: "The gallery cannot be read" in caplog.text)
        await show(life, "hall", frame_with((MUM, BOX)))
        sighting = life.watches["hall"].pipeline.flush()[0]
        assert isinstance(sighting.decision, Identified)


async def test_who_is_removed_right_before_the_end_is_in_nothing_that_stays_behind(
    tmp_path: Path,
    broker: Mosquitto,
    store: Store,
    engine: FakeEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mum = (await enrol(store, MUM))[MUM]
    monkeypatch.setattr(life_module, "_GALLERY_INTERVAL_SECONDS", 3600)
    async with living(await house_config(tmp_path, broker), engine, store) as life:
        await show(life, "hall", frame_with((MUM, BOX)))
        await until(lambda: life.hub.house.snapshot().people[mum].room == "hall")
        await to_thread(store.remove_subject, mum)
    assert mum not in json.dumps(await to_thread(store.load_state))
    left = await to_thread(retained, broker, "#")
    assert [topic for topic, payload in left.items() if mum in topic or mum.encode() in payload] == []


async def test_a_locked_database_does_not_keep_the_goodbye_from_the_broker(
    tmp_path: Path, broker: Mosquitto, store: Store, engine: FakeEngine
) -> None:
    locked = asyncio.Event()
    async with living(await house_config(tmp_path, broker), engine, store) as life:
        life.hub.save = locked.wait  # type: ignore[assignment, method-assign]
        closing = asyncio.create_task(life.close())
        await until(lambda: not life.link.connected, what="the link is closed")
        status = (await to_thread(retained, broker, f"{BASE}/status"))[f"{BASE}/status"]
        assert (status, closing.done()) == (b"offline", False)
        locked.set()
        await closing


async def test_figures_are_measured_at_intervals(
    tmp_path: Path, broker: Mosquitto, store: Store, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life_module, "_DIAGNOSTICS_INTERVAL_SECONDS", 0.2)
    async with living(await house_config(tmp_path, broker), engine, store) as life:
        await show(life, "hall", frame_with(), frames=3)
        await until(lambda: life._diagnostics._analysed.get("hall") == 3)
        kept = await to_thread(retained, broker, f"{BASE}/camera/hall/#")
        assert kept[f"{BASE}/camera/hall/connectivity"] == b"ON"
        assert kept[f"{BASE}/camera/hall/last_error"] == b"no error"
        assert life.one_line() == "2 of 2 cameras, broker connected"
        camera_of(life, "yard").set_status(False, "no answer")
        assert life.one_line() == "1 of 2 cameras, broker connected"


async def test_health_pages_say_how_it_is_and_name_nobody(
    tmp_path: Path, broker: Mosquitto, store: Store, engine: FakeEngine
) -> None:
    await enrol(store, MUM)
    port = free_port()
    config = await house_config(tmp_path, broker, web={"enabled": True, "port": port})

    def ask(page: str) -> tuple[int, dict[str, object]]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=5) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    async with living(config, engine, store) as life:
        await until(lambda: life.health().ready)
        assert (await to_thread(ask, "readyz"))[0] == 200
        camera_of(life, "yard").set_status(False, "camera yard sends nothing")
        code, page = await to_thread(ask, "readyz")
        assert code == 503
        assert "camera yard sends nothing" in json.dumps(page)
        assert "Person" not in json.dumps(page)
        assert (await to_thread(ask, "healthz"))[0] == 200
        with fakes():
            other = Life(config, engine, store)
            with pytest.raises(HomefaceError, match="cannot listen"):
                await other.begin()
    with pytest.raises(urllib.error.URLError):
        await to_thread(ask, "healthz")


async def test_a_camera_that_is_switched_off_in_the_configuration_is_left_alone(
    tmp_path: Path, broker: Mosquitto, store: Store, engine: FakeEngine
) -> None:
    cameras = {"hall": CAMERAS["hall"], "yard": {**CAMERAS["yard"], "enabled": False}}
    async with living(await house_config(tmp_path, broker, cameras=cameras), engine, store) as life:
        assert set(life.watches) == {"hall"}
        await until(lambda: life.publisher._scanned and not life.link._dirty)
        kept = await to_thread(retained, broker, "#")
        assert not [topic for topic in kept if "camera/yard" in topic or "camera_yard" in topic]
        assert kept[f"{BASE}/room/yard/availability"] == b"offline"


async def test_a_paused_person_is_recognised_by_nobody_and_resumed_without_a_restart(
    tmp_path: Path,
    broker: Mosquitto,
    store: Store,
    engine: FakeEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids = await enrol(store, MUM, DAD)
    mum = ids[MUM]
    monkeypatch.setattr(life_module, "_GALLERY_INTERVAL_SECONDS", 0.05)
    availability = f"{BASE}/person/{mum}/availability"
    async with living(await house_config(tmp_path, broker), engine, store) as life:
        await show(life, "hall", frame_with((MUM, BOX)))
        await until(lambda: life.hub.house.snapshot().people[mum].room == "hall")
        await to_thread(partial(store.change_subject, mum, paused=True))
        await until(lambda: mum not in life.hub.house.snapshot().people, what="she is in no state")
        kept = await retained_when(broker, f"{BASE}/#", lambda kept: kept.get(availability) == b"offline")
        assert kept[f"{BASE}/person/{ids[DAD]}/availability"] == b"online"
        await show(life, "hall", frame_with((MUM, BOX)))
        (sighting,) = life.watches["hall"].pipeline.flush()
        assert isinstance(sighting.decision, Unknown)
        await to_thread(partial(store.change_subject, mum, paused=False))
        await until(lambda: mum in life.hub.house.snapshot().people)
        await show(life, "hall", frame_with((MUM, BOX)))
        await until(lambda: life.hub.house.snapshot().people[mum].room == "hall")
        await retained_when(broker, availability, lambda kept: kept.get(availability) == b"online")
