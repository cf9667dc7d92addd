"""What comes in from a real broker: privacy switches and occupancy sensors, nonsense and floods."""

from __future__ import annotations

import asyncio
from asyncio import to_thread
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from homeface.adapters.store import Store
from homeface.core.types import Sighting
from tests.fakes.engine import FakeEngine
from tests.support.life import BASE, ROOMS, camera_of, enrol, house_config, living, show
from tests.support.mosquitto import Listener, Mosquitto, requires_mosquitto
from tests.support.people import BOX, MUM, STRANGER, frame_with
from tests.support.waiting import until

pytestmark = [pytest.mark.mosquitto, requires_mosquitto]

SENSOR = "zigbee2mqtt/hall_presence"
SWITCH = f"{BASE}/camera/hall/recognition"


def rooms_with_sensor(**changes: Any) -> dict[str, dict[str, Any]]:
    hall = {"name": "Hall", "hold": "1s", "sensor_release": "0s"}
    hall["occupancy_sensor"] = {"topic": SENSOR, **changes}
    return {**{slug: dict(room) for slug, room in ROOMS.items()}, "hall": hall}


@pytest.fixture
async def listener(broker: Mosquitto) -> AsyncIterator[Listener]:
    heard = await to_thread(Listener, broker, "homeface/#")
    yield heard
    await to_thread(heard.close)


async def say(listener: Listener, topic: str, payload: bytes | str, *, retain: bool = False) -> None:
    await to_thread(listener.publish, topic, payload, retain=retain)


async def test_guest_mode_is_switched_by_home_assistant(
    tmp_path: Path, broker: Mosquitto, store: Store, engine: FakeEngine, listener: Listener
) -> None:
    switch = f"{BASE}/hub/guest_mode"
    async with living(await house_config(tmp_path, broker), engine, store) as life:
        await until(lambda: listener.last(switch) == b"OFF")
        await say(listener, f"{switch}/set", "ON")
        await until(lambda: listener.last(switch) == b"ON")
        assert life.hub.guest_mode


async def test_commands_are_in_the_log_of_acts_and_a_flood_does_not_fill_it(
    tmp_path: Path, broker: Mosquitto, store: Store, engine: FakeEngine, listener: Listener
) -> None:
    async with living(await house_config(tmp_path, broker), engine, store) as life:
        await until(lambda: listener.last(SWITCH) == b"ON")
        for _ in range(5):
            for word in ("OFF", "ON"):
                await say(listener, f"{SWITCH}/set", word)
                await until(lambda: life.watches["hall"].paused == (word == "OFF"))  # noqa: B023
        await until(lambda: listener.last(SWITCH) == b"ON")
    acts = await to_thread(store.acts)
    assert [(act.who, act.what, act.subject) for act in acts] == [
        ("mqtt", "resume", "hall"),
        ("mqtt", "pause", "hall"),
    ]


class TestPrivacy:
    async def test_a_paused_camera_looks_at_nothing_and_its_room_is_not_available(
        self, tmp_path: Path, broker: Mosquitto, store: Store, engine: FakeEngine, listener: Listener
    ) -> None:
        await enrol(store, MUM)
        async with living(await house_config(tmp_path, broker), engine, store) as life:
            await show(life, "hall", frame_with((MUM, BOX)))
            await until(lambda: listener.last(f"{BASE}/room/hall/names") == b"Person 10")
            await say(listener, f"{SWITCH}/set", "OFF")
            await until(lambda: listener.last(SWITCH) == b"OFF")
            await until(lambda: listener.last(f"{BASE}/room/hall/availability") == b"offline")
            await until(lambda: listener.last(f"{BASE}/room/hall/names") == b"nobody")  # forgotten at once
            looked = engine.looked
            for number in range(5):
                camera_of(life, "hall").push(frame_with((STRANGER, BOX)), life.hub._clock() + number / 5)
            await say(listener, f"{SWITCH}/set", "ON")
            await until(lambda: listener.last(SWITCH) == b"ON")
            assert engine.looked == looked  # what waited in the slot was never looked at
            await until(lambda: listener.last(f"{BASE}/room/hall/availability") == b"online")
            events = [heard.payload for heard in listener.heard if heard.topic.endswith("hall/event")]
            assert len(events) == 1  # only the arrival: looking away is no news about anybody

    async def test_a_frame_on_its_way_when_the_switch_is_turned_is_not_looked_at(
        self, tmp_path: Path, broker: Mosquitto, store: Store, engine: FakeEngine, listener: Listener
    ) -> None:
        async with living(await house_config(tmp_path, broker), engine, store) as life:
            seen: list[Sighting] = []
            life.hub.listeners.append(lambda moment: seen.extend(moment.sightings))
            async with engine.turn():  # the device is busy: the frame waits for its turn
                camera_of(life, "hall").push(frame_with((STRANGER, BOX)), life.hub._clock())
                await say(listener, f"{SWITCH}/set", "OFF")
                await until(lambda: life.watches["hall"].paused)
            await until(lambda: listener.last(SWITCH) == b"OFF")
            await say(listener, f"{SWITCH}/set", "ON")
            await until(lambda: listener.last(SWITCH) == b"ON")
            await show(life, "yard", frame_with((STRANGER, BOX)), frames=2)
            assert [sighting.camera for sighting in seen if sighting.camera == "hall"] == []
            assert life.watches["hall"].pipeline.stats.looked == 0

    async def test_the_switch_survives_a_restart(
        self, tmp_path: Path, broker: Mosquitto, store: Store, engine: FakeEngine, listener: Listener
    ) -> None:
        config = await house_config(tmp_path, broker)
        async with living(config, engine, store):
            await say(listener, f"{SWITCH}/set", "OFF")
            await until(lambda: listener.last(SWITCH) == b"OFF")
        before = len(listener.on(SWITCH))
        async with living(config, engine, store) as life:
            assert life.watches["hall"].paused
            assert not life.watches["yard"].paused
            await until(lambda: listener.last(f"{BASE}/room/hall/availability") == b"offline")
            await until(lambda: life.link.connected)
            assert set(listener.on(SWITCH)[before:]) <= {b"OFF"}  # never shown as on in between
            await show(life, "yard", frame_with())
            assert life.watches["hall"].pipeline.stats.looked == 0

    async def test_the_house_switch_turns_every_camera(
        self, tmp_path: Path, broker: Mosquitto, store: Store, engine: FakeEngine, listener: Listener
    ) -> None:
        async with living(await house_config(tmp_path, broker), engine, store) as life:
            await say(listener, f"{BASE}/hub/recognition/set", "OFF")
            await until(lambda: listener.last(f"{BASE}/hub/recognition") == b"OFF")
            assert all(watch.paused for watch in life.watches.values())
            await say(listener, f"{BASE}/camera/yard/recognition/set", "ON")
            await until(lambda: listener.last(f"{BASE}/hub/recognition") == b"ON")
            assert [slug for slug, watch in life.watches.items() if watch.paused] == ["hall"]

    async def test_a_retained_command_is_not_carried_out(
        self, tmp_path: Path, broker: Mosquitto, store: Store, engine: FakeEngine, listener: Listener
    ) -> None:
        await say(listener, f"{SWITCH}/set", "OFF", retain=True)
        async with living(await house_config(tmp_path, broker), engine, store) as life:
            await until(lambda: life.link.stats.messages_received >= 1)
            await until(lambda: listener.last(SWITCH) == b"ON")
            assert not life.watches["hall"].paused


class TestSensor:
    async def test_holds_people_while_it_says_occupied(
        self, tmp_path: Path, broker: Mosquitto, store: Store, engine: FakeEngine, listener: Listener
    ) -> None:
        mum = (await enrol(store, MUM))[MUM]
        config = await house_config(tmp_path, broker, rooms=rooms_with_sensor(json_key="presence"))
        async with living(config, engine, store) as life:
            await say(listener, SENSOR, '{"presence": true, "battery": 80}')
            await until(lambda: life.hub.house.snapshot().rooms["hall"].occupied)
            await show(life, "hall", frame_with((MUM, BOX)), frames=5)
            person = f"{BASE}/person/{mum}/room"
            await until(lambda: listener.last(person) == b"hall")
            deadline = life.hub._clock() + 1.5  # longer than the room's hold of one second
            await until(lambda: life.hub._clock() > deadline)
            await life.hub.refresh()
            assert listener.last(person) == b"hall"
            await say(listener, SENSOR, '{"presence": false}')
            await until(lambda: listener.last(person) == b"home", what="the hold runs out")

    @pytest.mark.parametrize(
        "payload", [b"{", b"not json", b"[1]", b'"presence"', b"{}", b"\xff\xfe", b"[" * 50000, b"x" * 70000]
    )
    async def test_payloads_that_are_not_json_hurt_nobody(
        self,
        tmp_path: Path,
        broker: Mosquitto,
        store: Store,
        engine: FakeEngine,
        listener: Listener,
        payload: bytes,
    ) -> None:
        config = await house_config(tmp_path, broker, rooms=rooms_with_sensor(json_key="presence"))
        async with living(config, engine, store) as life:
            await say(listener, SENSOR, '{"presence": true}')
            await until(lambda: life.hub.house.snapshot().rooms["hall"].occupied)
            await say(listener, SENSOR, payload)
            await until(lambda: life.link.stats.payloads_refused >= 1)
            await say(listener, f"{SWITCH}/set", "perhaps")
            await until(lambda: life.link.stats.payloads_refused >= 2)
            assert life.hub.house.snapshot().rooms["hall"].occupied
            await say(listener, SENSOR, '{"presence": false}')
            await until(lambda: not life.hub.house.snapshot().rooms["hall"].occupied)

    async def test_after_a_flood_the_newest_message_counts(
        self, tmp_path: Path, broker: Mosquitto, store: Store, engine: FakeEngine, listener: Listener
    ) -> None:
        config = await house_config(tmp_path, broker, rooms=rooms_with_sensor())
        async with living(config, engine, store) as life:
            async with life.hub._order:  # the house is busy while they come
                for number in range(1, 501):
                    listener._client.publish(SENSOR, b"ON" if number % 2 else b"OFF", qos=1)
                    listener._client.publish(f"{SWITCH}/set", b"OFF" if number % 2 else b"ON", qos=1)
                await say(listener, SENSOR, "ON")
                await say(listener, f"{SWITCH}/set", "OFF")
                await until(lambda: life.link.stats.messages_received >= 1002, timeout=30)
                assert life._inbox is not None
                assert len(life._inbox._waiting) <= 2
            await until(lambda: life.hub.house.snapshot().rooms["hall"].occupied)
            await until(lambda: life.watches["hall"].paused)
            await until(lambda: not life._inbox._waiting)  # type: ignore[union-attr]
            await asyncio.sleep(0)
            assert life.hub.house.snapshot().rooms["hall"].occupied
            assert life.watches["hall"].paused
