"""The Home Assistant harness itself, with a device published by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.hass import HomeAssistant
from tests.support.mosquitto import Listener, Mosquitto
from tests.support.waiting import until

pytestmark = [pytest.mark.ha, pytest.mark.mosquitto, pytest.mark.slow, pytest.mark.timeout(300)]

_TOPIC = "homeassistant/device/harness_kitchen/config"
_DEVICE = {
    "device": {"identifiers": ["harness_kitchen"], "name": "Harness kitchen", "suggested_area": "Kitchen"},
    "origin": {"name": "harness", "sw_version": "1", "support_url": "https://example.org"},
    "components": {
        "names": {
            "platform": "sensor",
            "unique_id": "harness_kitchen_names",
            "object_id": "harness_kitchen_names",
            "name": "Names",
            "state_topic": "harness/kitchen/names",
        }
    },
}
_AUTOMATION = {
    "alias": "Anna is in the kitchen",
    "triggers": [{"trigger": "state", "entity_id": "sensor.harness_kitchen_names", "to": "Anna"}],
    "conditions": [],
    "actions": [{"event": "harness_fired", "event_data": {"room": "kitchen"}}],
    "mode": "queued",
}


async def test_a_device_an_automation_a_restart_and_a_removal(
    broker: Mosquitto, hass: HomeAssistant, tmp_path: Path
) -> None:
    entity = "sensor.harness_kitchen_names"
    with Listener(broker, "homeassistant/status") as home:
        home.publish(_TOPIC, json.dumps(_DEVICE), retain=True)
        home.publish("harness/kitchen/names", "nobody", retain=True)
        await hass.wait_state(entity, "nobody")
        assert await hass.entity_of("harness_kitchen_names") == entity
        device = next(d for d in await hass.device_registry() if d["name"] == "Harness kitchen")
        assert (await hass.areas())[device["area_id"]] == "Kitchen"

        await hass.add_automation("harness", **_AUTOMATION)
        async with hass.listen("harness_fired") as fired:
            home.publish("harness/kitchen/names", "Anna", retain=True)
            await until(lambda: fired, what="the automation fires")
            home.publish("harness/kitchen/names", "Anna", retain=True)
            home.publish("harness/kitchen/names", "nobody", retain=True)
            await hass.wait_state(entity, "nobody")
            assert fired == [{"room": "kitchen"}]

        births = len(home.on("homeassistant/status"))
        await hass.kill()
        await hass.start()
        await hass.wait_state(entity, "nobody")
        await until(lambda: b"online" in home.on("homeassistant/status")[births:], what="the birth message")

        home.publish(_TOPIC, b"", retain=True)
        await hass.wait_gone(entity)
