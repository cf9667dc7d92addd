"""Discovery, states and removals of Home Assistant's messages through the real link and a real mosquitto."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from homeface.adapters.homeassistant import (
    SetRecognition,
    command_filters,
    discovery_messages,
    event_topics,
    orphans,
    parse_command,
    removals,
    render_event,
    retained_topics,
    scan_filters,
    state_messages,
)
from homeface.adapters.mqtt import MqttLink, MqttSettings
from tests.adapters.test_homeassistant import EVENT, HOUSE, STATE
from tests.support.mosquitto import Listener, Mosquitto, requires_mosquitto, retained
from tests.support.waiting import until

pytestmark = [pytest.mark.mosquitto, requires_mosquitto]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "mosquitto") as running:
        yield running


def say_everything(link: MqttLink) -> None:
    for topic, payload in (discovery_messages(HOUSE) | state_messages(HOUSE, STATE)).items():
        link.set_state(topic, payload)


async def test_a_house_on_the_broker(broker: Mosquitto) -> None:
    link = MqttLink(MqttSettings(port=broker.port), "home")
    say_everything(link)
    async with asyncio.TaskGroup() as group:
        group.create_task(link.run())
        with Listener(broker, "homeface/#") as listener:
            await until(lambda: link.connected)
            kept = await asyncio.to_thread(retained, broker, "#")
            assert set(kept) == {*retained_topics(HOUSE), link.status_topic}

            event = replace(EVENT, captured_at=time.time())
            for topic in event_topics(HOUSE, event):
                assert link.publish_event(topic, partial(render_event, HOUSE, event), event.captured_at)
            await until(lambda: listener.on("homeface/home/person/p1/event"))
            told = json.loads(listener.on("homeface/home/room/kitchen/event")[0])
            assert told["person"] == "Anna"
            assert 0.0 <= told["age_seconds"] < 5.0

            smaller = replace(HOUSE, people=HOUSE.people[1:])
            for topic in removals(HOUSE, smaller):
                link.clear_state(topic)
            await until(lambda: not link._dirty)
            kept = await asyncio.to_thread(retained, broker, "#")
            assert set(kept) == {*retained_topics(smaller), link.status_topic}
        await link.aclose()


async def test_what_an_earlier_run_left_behind_is_cleared(broker: Mosquitto) -> None:
    earlier = MqttLink(MqttSettings(port=broker.port), "home")
    say_everything(earlier)
    async with asyncio.TaskGroup() as group:
        group.create_task(earlier.run())
        await until(lambda: earlier.connected)
        await earlier.aclose()

    smaller = replace(HOUSE, rooms=HOUSE.rooms[:1], people=(), cameras=())
    link = MqttLink(MqttSettings(port=broker.port), "home")
    found: dict[str, bytes] = {}

    def note(topic: str, payload: bytes, is_retained: bool) -> None:
        if is_retained and payload:
            found[topic] = payload

    for topic_filter in scan_filters(smaller):
        link.subscribe(topic_filter, note)
    with Listener(broker, "nothing") as neighbour:
        neighbour.publish("homeassistant/device/zigbee/lamp/config", "{}", retain=True)
    async with asyncio.TaskGroup() as group:
        group.create_task(link.run())
        await until(lambda: len(found) == len(retained_topics(HOUSE)) + 1)
        for topic in orphans(found, smaller):
            link.clear_state(topic)
        await until(lambda: not link._dirty)
        kept = await asyncio.to_thread(retained, broker, "#")
        neighbours = {"homeassistant/device/zigbee/lamp/config", link.status_topic}
        assert set(kept) <= {*retained_topics(smaller), *neighbours}
        assert neighbours <= set(kept)
        await link.aclose()


async def test_switches_of_home_assistant_arrive(broker: Mosquitto) -> None:
    link = MqttLink(MqttSettings(port=broker.port), "home")
    commands: list[SetRecognition | None] = []

    def switch(topic: str, payload: bytes, is_retained: bool) -> None:
        commands.append(parse_command(HOUSE, topic, payload, retained=is_retained))

    for topic_filter in command_filters(HOUSE):
        link.subscribe(topic_filter, switch)
    async with asyncio.TaskGroup() as group:
        group.create_task(link.run())
        await until(lambda: link.connected)
        with Listener(broker, "nothing") as assistant:
            assistant.publish("homeface/home/camera/cam_kitchen/recognition/set", b"\xff")
            assistant.publish("homeface/home/camera/cam_kitchen/recognition/set", "OFF")
            assistant.publish("homeface/home/hub/recognition/set", "ON")
        await until(lambda: commands == [SetRecognition("cam_kitchen", False), SetRecognition(None, True)])
        assert link.stats.payloads_refused == 1
        await link.aclose()
