"""What the broker has: discovery, states, events, and nothing that is no longer true. A real mosquitto."""

from __future__ import annotations

import json
from asyncio import to_thread
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from homeface.adapters.store import Store
from tests.fakes.engine import FakeEngine
from tests.support.life import BASE, DISCOVERY, camera_of, enrol, house_config, living, show
from tests.support.mosquitto import Listener, Mosquitto, requires_mosquitto, retained
from tests.support.people import BOX, MUM, STRANGER, frame_with
from tests.support.waiting import until

pytestmark = [pytest.mark.mosquitto, requires_mosquitto]


@pytest.fixture
async def listener(broker: Mosquitto) -> AsyncIterator[Listener]:
    heard = await to_thread(Listener, broker, "homeface/#", "homeassistant/#")
    yield heard
    await to_thread(heard.close)


def events(listener: Listener, topic: str) -> list[dict[str, Any]]:
    return [json.loads(payload) for payload in listener.on(topic)]


def discovered(listener: Listener) -> set[str]:
    """Devices whose discovery message is there now."""
    newest = {heard.topic: heard.payload for heard in listener.heard if heard.topic.startswith(DISCOVERY)}
    return {topic.split("/")[-2] for topic, payload in newest.items() if payload}


async def test_discovery_states_and_events_of_a_visit(
    tmp_path: Path, broker: Mosquitto, store: Store, engine: FakeEngine, listener: Listener
) -> None:
    mum = (await enrol(store, MUM))[MUM]
    async with living(await house_config(tmp_path, broker), engine, store) as life:
        expected = {"hub", "room_hall", "room_yard", f"person_{mum}", "camera_hall", "camera_yard"}
        await until(lambda: discovered(listener) == expected, what="every device is announced")
        assert listener.last(f"{BASE}/status") == b"online"
        await until(lambda: listener.last(f"{BASE}/camera/hall/connectivity") == b"ON")
        assert listener.last(f"{BASE}/person/{mum}/room") == b"not_home"
        assert listener.last(f"{BASE}/room/hall/occupancy") == b"OFF"

        await show(life, "hall", frame_with((MUM, BOX)))
        topic = f"{BASE}/room/hall/event"
        await until(lambda: listener.on(topic), what="the arrival is told")
        (event,) = events(listener, topic)
        assert (event["event_type"], event["person"], event["person_id"]) == ("arrived", "Person 10", mum)
        assert event["track"]
        assert event["votes"] >= 1
        assert event["score"] > 0.5
        assert event["margin"] > 0
        assert event["age_seconds"] >= 0
        assert event["captured_at"].endswith("+00:00")
        await until(lambda: listener.on(f"{BASE}/person/{mum}/event"))
        (same,) = events(listener, f"{BASE}/person/{mum}/event")
        assert {**same, "age_seconds": 0} == {**event, "age_seconds": 0}
        await until(lambda: listener.last(f"{BASE}/person/{mum}/room") == b"hall")
        assert listener.last(f"{BASE}/room/hall/names") == b"Person 10"
        assert listener.last(f"{BASE}/room/hall/occupancy") == b"ON"
    kept = await to_thread(retained, broker, "homeface/#")
    assert not [topic for topic in kept if topic.endswith("/event")]
    assert kept[f"{BASE}/status"] == b"offline"
    assert kept[f"{BASE}/person/{mum}/room"] == b"hall"


async def test_a_stranger_is_unknown_once(
    tmp_path: Path, broker: Mosquitto, store: Store, engine: FakeEngine, listener: Listener
) -> None:
    await enrol(store, MUM)
    async with living(await house_config(tmp_path, broker), engine, store) as life:
        await show(life, "hall", frame_with((STRANGER, BOX)), frames=12)
        await until(lambda: listener.last(f"{BASE}/room/hall/unknown") == b"1")
        await until(lambda: listener.on(f"{BASE}/room/hall/event"))
        await show(life, "hall", frame_with((STRANGER, BOX)), frames=3)
        (event,) = events(listener, f"{BASE}/room/hall/event")
        assert (event["event_type"], event["person"], event["person_id"]) == ("unknown", None, None)
        assert "below_threshold" in event["reasons"]


async def test_somebody_enrolled_by_another_process_appears_and_is_named(
    tmp_path: Path, broker: Mosquitto, store: Store, engine: FakeEngine, listener: Listener
) -> None:
    async with living(await house_config(tmp_path, broker), engine, store) as life:
        await show(life, "hall", frame_with((MUM, BOX)), frames=8)
        mum = (await enrol(store, MUM))[MUM]
        await until(lambda: f"person_{mum}" in discovered(listener), what="the new person is announced")
        await show(life, "hall", frame_with((MUM, BOX)), frames=3)
        await until(lambda: listener.last(f"{BASE}/person/{mum}/room") == b"hall")


async def test_a_person_who_is_removed_disappears_from_the_broker(
    tmp_path: Path, broker: Mosquitto, store: Store, engine: FakeEngine, listener: Listener
) -> None:
    mum = (await enrol(store, MUM))[MUM]
    async with living(await house_config(tmp_path, broker), engine, store) as life:
        await show(life, "hall", frame_with((MUM, BOX)))
        await until(lambda: listener.last(f"{BASE}/room/hall/names") == b"Person 10")
        await until(lambda: f"person_{mum}" in discovered(listener))
        await to_thread(store.remove_subject, mum)
        await until(lambda: f"person_{mum}" not in discovered(listener), what="the device is gone")
        await until(lambda: listener.last(f"{BASE}/room/hall/names") != b"Person 10")
        await until(lambda: life.link.connected and not life.link._dirty)
        everything = await to_thread(retained, broker, "#")
        assert [topic for topic in everything if mum in topic] == []
        assert [topic for topic, payload in everything.items() if mum.encode() in payload] == []


class TestWhatAnEarlierRunLeft:
    async def test_another_configuration_s_messages_are_cleared(
        self, tmp_path: Path, broker: Mosquitto, store: Store, engine: FakeEngine, listener: Listener
    ) -> None:
        old = {f"{DISCOVERY}/room_attic/config", f"{BASE}/room/attic/occupancy", f"{BASE}/person/x/room"}
        foreign = {"homeface/other/room/attic/occupancy", "homeassistant/device/other/room_attic/config"}
        for topic in old | foreign:
            await to_thread(listener.publish, topic, '{"components": {}}', retain=True)
        async with living(await house_config(tmp_path, broker), engine, store):
            await until(lambda: "room_hall" in discovered(listener))
            await until(lambda: all(listener.last(topic) == b"" for topic in old), what="they are cleared")
        everything = await to_thread(retained, broker, "#")
        assert old.isdisjoint(everything)
        assert foreign <= set(everything)

    async def test_a_room_that_is_gone_is_taken_out_of_a_persons_triggers(
        self, tmp_path: Path, broker: Mosquitto, store: Store, engine: FakeEngine
    ) -> None:
        """Home Assistant keeps a component that is merely missing: it must be told as removed."""
        mum = (await enrol(store, MUM))[MUM]
        topic = f"{DISCOVERY}/person_{mum}/config"

        async def components() -> dict[str, dict[str, object]]:
            found = await to_thread(retained, broker, topic)
            return json.loads(found[topic])["components"] if topic in found else {}

        async with living(await house_config(tmp_path, broker), engine, store) as life:
            await until(lambda: life.publisher._scanned and not life.link._dirty)
            assert len((await components())["arrived_yard"]) > 1
        smaller = {
            "rooms": {"hall": {"name": "Hall"}},
            "cameras": {"hall": {"room": "hall", "url": "rtsp://127.0.0.1:9/hall"}},
        }
        async with living(await house_config(tmp_path, broker, **smaller), engine, store) as life:
            await until(lambda: life.publisher._scanned and not life.link._dirty)
            assert (await components())["arrived_yard"] == {"platform": "device_automation"}
            assert len((await components())["arrived_hall"]) > 1
        everything = await to_thread(retained, broker, "#")
        assert [topic for topic in everything if "yard" in topic] == []


async def test_home_assistants_birth_brings_everything_again(
    tmp_path: Path, broker: Mosquitto, store: Store, engine: FakeEngine, listener: Listener
) -> None:
    async with living(await house_config(tmp_path, broker), engine, store):
        await until(lambda: "room_hall" in discovered(listener))
        topics = [f"{DISCOVERY}/room_hall/config", f"{BASE}/room/hall/occupancy"]
        before = {topic: len(listener.on(topic)) for topic in topics}
        await to_thread(listener.publish, "homeassistant/status", "offline")
        await to_thread(listener.publish, "homeassistant/status", "online")
        await until(
            lambda: all(len(listener.on(topic)) == before[topic] + 1 for topic in topics),
            what="discovery and states come again",
        )
        assert listener.on(f"{BASE}/room/hall/event") == []


async def test_without_discovery_only_states_are_sent(
    tmp_path: Path, broker: Mosquitto, store: Store, engine: FakeEngine, listener: Listener
) -> None:
    config = await house_config(tmp_path, broker, mqtt={"discovery": False})
    async with living(config, engine, store) as life:
        await until(lambda: life.publisher._scanned)
        await until(lambda: listener.last(f"{BASE}/camera/hall/connectivity") == b"ON")
    assert not discovered(listener)


async def test_a_dead_camera_is_no_empty_room(
    tmp_path: Path, broker: Mosquitto, store: Store, engine: FakeEngine, listener: Listener
) -> None:
    await enrol(store, MUM)
    async with living(await house_config(tmp_path, broker), engine, store) as life:
        await show(life, "hall", frame_with((MUM, BOX)))
        await until(lambda: listener.last(f"{BASE}/room/hall/names") == b"Person 10")
        camera_of(life, "hall").set_status(False, "camera hall sends nothing")
        await until(lambda: listener.last(f"{BASE}/room/hall/availability") == b"offline")
        assert listener.last(f"{BASE}/camera/hall/connectivity") == b"OFF"
        assert listener.last(f"{BASE}/camera/hall/last_error") == b"camera hall sends nothing"
        assert listener.last(f"{BASE}/room/hall/occupancy") == b"ON"
        assert listener.last(f"{BASE}/room/yard/availability") == b"online"
        camera_of(life, "hall").set_status(True)
        await until(lambda: listener.last(f"{BASE}/room/hall/availability") == b"online")
        assert [event["event_type"] for event in events(listener, f"{BASE}/room/hall/event")] == ["arrived"]
