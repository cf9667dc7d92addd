"""The messages in a real Home Assistant: entities, availability, automations, removal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from homeface.adapters.homeassistant import (
    HouseView,
    discovery_messages,
    event_topics,
    removals,
    render_event,
    state_messages,
    with_removals,
)
from homeface.adapters.mqtt import MqttLink, MqttSettings
from homeface.core.presence import EventKind, HouseState, PresenceEvent
from tests.adapters.test_homeassistant import EVENT, HOUSE, STATE
from tests.support.hass import HomeAssistant, requires_hass
from tests.support.mosquitto import Mosquitto, requires_mosquitto
from tests.support.waiting import until

pytestmark = [
    pytest.mark.ha,
    pytest.mark.mosquitto,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    requires_hass,
    requires_mosquitto,
]


@asynccontextmanager
async def linked(folder: Path) -> AsyncIterator[MqttLink]:
    with Mosquitto(folder) as broker:
        link = MqttLink(MqttSettings(port=broker.port), "home")
        async with asyncio.TaskGroup() as group:
            group.create_task(link.run())
            await until(lambda: link.connected)
            yield link
            await link.aclose()


def say(link: MqttLink, view: HouseView, state: HouseState) -> None:
    for topic, payload in (discovery_messages(view) | state_messages(view, state)).items():
        link.set_state(topic, payload)


def happen(link: MqttLink, event: PresenceEvent) -> None:
    now = replace(event, captured_at=time.time())
    for topic in event_topics(HOUSE, now):
        assert link.publish_event(topic, partial(render_event, HOUSE, now), now.captured_at)


async def add_automations(hass: HomeAssistant) -> None:
    """The three ways of docs/home-assistant.md."""
    anna = next(d for d in await hass.device_registry() if d["name"] == "Anna")
    words = "{{ value_json.event_type ~ ' ' ~ value_json.room }}"
    topic = "homeface/home/person/p1/event"
    fresh = (
        "{{ trigger.to_state.attributes.event_type == 'arrived' and "
        "trigger.to_state.attributes.room == 'kitchen' and "
        "(now() - trigger.to_state.attributes.captured_at | as_datetime).total_seconds() < 10 }}"
    )
    device = {"domain": "mqtt", "device_id": anna["id"], "type": "arrived", "subtype": "kitchen"}
    for name, trigger, condition in [
        ("mqtt", {"topic": topic, "value_template": words, "payload": "arrived kitchen"}, "{{ true }}"),
        ("device", device, "{{ true }}"),
        ("state", {"entity_id": "event.anna_event", "not_from": "unavailable"}, fresh),
    ]:
        await hass.add_automation(
            name,
            alias=name,
            mode="queued",
            triggers=[{"trigger": name, **trigger}],
            conditions=[{"condition": "template", "value_template": condition}],
            actions=[{"event": "fired", "event_data": {"by": name}}],
        )


async def check_automations(hass: HomeAssistant, link: MqttLink) -> None:
    """Each way fires once for each arrival; restarts of Home Assistant and of homeface fire nothing."""
    away = "binary_sensor.kitchen_occupancy"
    async with hass.listen("fired") as fired:
        happen(link, replace(EVENT, kind=EventKind.LEFT))
        happen(link, EVENT)
        await until(lambda: len(fired) == 3)
        link.set_state(link.status_topic, "offline")  # as the last will of a killed daemon
        await hass.wait_state(away, "unavailable")
        link.set_state(link.status_topic, "online")
        await hass.wait_state(away, "on")
        link.republish()
        await until(lambda: not link._dirty)
        happen(link, EVENT)
        await until(lambda: len(fired) == 6)
        happen(link, replace(EVENT, kind=EventKind.SEEN_AGAIN))
        await wait_attribute(hass, "event.anna_event", "event_type", "seen_again")
        happen(link, EVENT)
        await until(lambda: len(fired) == 9)
        assert sorted(event["by"] for event in fired) == ["device"] * 3 + ["mqtt"] * 3 + ["state"] * 3
    before = await last_triggered(hass)
    await hass.restart()
    await hass.wait_state("sensor.anna_room", "kitchen")
    await wait_attribute(hass, "event.anna_event", "event_type", "arrived")  # restored, and nothing new
    assert await last_triggered(hass) == before
    async with hass.listen("fired") as fired:
        happen(link, EVENT)
        await until(lambda: len(fired) == 3)


async def last_triggered(hass: HomeAssistant) -> dict[str, Any]:
    states = await hass.states()
    return {e: s.attributes["last_triggered"] for e, s in states.items() if e.startswith("automation.")}


async def wait_attribute(hass: HomeAssistant, entity_id: str, name: str, value: object) -> None:
    async def shown() -> object:
        state = await hass.state(entity_id)
        return None if state is None else state.attributes.get(name)

    await wait_answer(shown, value)


async def wait_answer(question: Callable[[], Awaitable[object]], answer: object) -> None:
    """Ask Home Assistant again until it gives this answer."""
    async with asyncio.timeout(20):
        while await question() != answer:  # noqa: ASYNC110 - the other side can only be asked
            await asyncio.sleep(0.1)


async def check_removal(hass: HomeAssistant, link: MqttLink) -> None:
    """A person who is removed is gone; a room that is removed takes its triggers with it."""
    smaller = replace(HOUSE, people=HOUSE.people[1:], rooms=HOUSE.rooms[:1])
    assert await hass.state("sensor.anna_room") is not None
    ben = next(d for d in await hass.device_registry() if d["name"] == "Ben")
    assert await subtypes(hass, ben["id"]) == {"kitchen", "porch"}
    before = discovery_messages(HOUSE)
    for topic in removals(HOUSE, smaller):
        link.clear_state(topic)
    for topic, payload in discovery_messages(smaller).items():
        link.set_state(topic, with_removals(before[topic], payload))
    await hass.wait_gone("sensor.anna_room")
    await hass.wait_gone("event.anna_event")
    await hass.wait_gone("device_tracker.anna")
    await hass.wait_gone("binary_sensor.front_porch_occupancy")
    names = {device["name"] for device in await hass.device_registry()}
    assert names.isdisjoint({"Anna", "Front porch"})
    await wait_answer(partial(subtypes, hass, ben["id"]), {"kitchen"})
    assert (await hass.wait_state("sensor.ben_room", "not_home")).attributes["options"][0] == "kitchen"


async def subtypes(hass: HomeAssistant, device_id: str) -> set[str]:
    triggers = await hass.command("device_automation/trigger/list", device_id=device_id)
    return {trigger["subtype"] for trigger in triggers if trigger["domain"] == "mqtt"}


async def test_entities_automations_and_removal(tmp_path: Path) -> None:
    async with (
        linked(tmp_path / "mosquitto") as link,
        HomeAssistant(tmp_path / "hass", link.settings.port) as hass,
    ):
        say(link, HOUSE, STATE)
        await hass.wait_state("sensor.anna_room", "kitchen")
        await hass.wait_state("device_tracker.anna", "home")
        await hass.wait_state("device_tracker.ben", "not_home")
        await hass.wait_state("binary_sensor.kitchen_occupancy", "on")
        await hass.wait_state("sensor.kitchen_people", "2")
        await hass.wait_state("sensor.kitchen_names", "Anna")
        await hass.wait_state("sensor.front_porch_unknown_people", "0")
        await hass.wait_state("event.kitchen_event", "unknown")
        await hass.wait_state("switch.kitchen_camera_recognition", "on")
        await hass.wait_state("binary_sensor.kitchen_camera_connectivity", "off")
        room = await hass.wait_state("sensor.anna_room", "kitchen")
        assert room.attributes["options"] == ["kitchen", "porch", "home", "not_home"]
        assert room.attributes["room_name"] == "Kitchen"
        names = {d["name"]: d for d in await hass.device_registry() if d["manufacturer"] == "homeface"}
        assert set(names) == {"homeface", "Kitchen", "Front porch", "Anna", "Ben", "Kitchen camera"}
        assert names["Anna"]["via_device_id"] == names["homeface"]["id"]
        areas = await hass.areas()
        assert areas[names["Front porch"]["area_id"]] == "Outside"

        blind = replace(STATE.rooms["kitchen"], available=False)
        say(link, HOUSE, replace(STATE, rooms=STATE.rooms | {"kitchen": blind}))
        await hass.wait_state("binary_sensor.kitchen_occupancy", "unavailable")
        await hass.wait_state("sensor.anna_room", "kitchen")
        say(link, HOUSE, STATE)
        await hass.wait_state("binary_sensor.kitchen_occupancy", "on")

        await add_automations(hass)
        await check_automations(hass, link)
        await check_removal(hass, link)
        problems = [
            line
            for line in hass.log().splitlines()
            if "mqtt" in line.lower() and any(level in line for level in (" WARNING ", " ERROR "))
        ]
        assert problems == []
