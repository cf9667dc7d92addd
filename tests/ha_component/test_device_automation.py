"""Device triggers and conditions: offered on MQTT's devices, fired once, and never true by ignorance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import voluptuous_serialize
from conftest import until
from homeassistant.components import automation
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import device_registry as dr
from homeassistant.setup import async_setup_component
from peer import Peer
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.homeface import device_condition, device_trigger
from custom_components.homeface.const import DOMAIN

Devices = Callable[[str], dr.DeviceEntry]


async def test_what_is_offered(hass: HomeAssistant, loaded: MockConfigEntry, device_of: Devices) -> None:
    async def offered(get: Any, device: dr.DeviceEntry) -> set[str]:
        return {one["type"] for one in await get(hass, device.id)}

    triggers, conditions = device_trigger.async_get_triggers, device_condition.async_get_conditions
    person, room, hub = (device_of(key) for key in ("person_p1", "room_kitchen", "hub"))
    assert await offered(triggers, person) == {
        "arrived",
        "left",
        "seen_again",
        "came_home",
        "left_home",
    }
    assert await offered(triggers, room) == {
        "person_arrived",
        "person_left",
        "person_seen_again",
        "unknown_person",
    }
    assert await offered(conditions, person) == {"is_home", "is_not_home", "is_in_room"}
    assert "has_unknown_person" in await offered(conditions, room)
    assert await offered(triggers, hub) == set()
    assert await offered(conditions, hub) == set()


@pytest.mark.parametrize(
    ("module", "get", "device", "kind", "field"),
    [
        (device_trigger, "trigger", "person_p1", "arrived", "room"),
        (device_trigger, "trigger", "person_p1", "came_home", None),
        (device_trigger, "trigger", "room_kitchen", "person_left", "person"),
        (device_trigger, "trigger", "room_kitchen", "unknown_person", None),
        (device_condition, "condition", "person_p1", "is_in_room", "room"),
        (device_condition, "condition", "person_p1", "is_home", None),
        (device_condition, "condition", "room_kitchen", "has_known_person", "person"),
    ],
)
async def test_what_can_be_chosen(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    device_of: Devices,
    module: Any,
    get: str,
    device: str,
    kind: str,
    field: str | None,
) -> None:
    config = {"device_id": device_of(device).id, "type": kind}
    told = await getattr(module, f"async_get_{get}_capabilities")(hass, config)
    fields = (
        voluptuous_serialize.convert(told["extra_fields"], custom_serializer=cv.custom_serializer)
        if told
        else []
    )
    assert [one["name"] for one in fields] == ([field] if field else [])
    if field == "room":
        assert ("kitchen", "Kitchen") in fields[0]["options"]


async def add(hass: HomeAssistant, trigger: dict[str, Any], *conditions: dict[str, Any]) -> list[str]:
    """An automation that notes that it has run."""
    runs: list[str] = []
    hass.services.async_register("test", "note", lambda call: runs.append(call.data["what"]))
    config = {
        "alias": "noting",
        "mode": "queued",
        "triggers": [trigger],
        "conditions": list(conditions),
        "actions": [
            {
                "action": "test.note",
                "data": {"what": "{{ trigger.event.data.type if trigger.event else 'asked' }}"},
            }
        ],
    }
    assert await async_setup_component(hass, automation.DOMAIN, {automation.DOMAIN: config})
    await hass.async_block_till_done(wait_background_tasks=False)
    return runs


def on(device: dr.DeviceEntry, kind: str, key: str = "trigger", **more: Any) -> dict[str, Any]:
    return {key: "device", "domain": DOMAIN, "device_id": device.id, "type": kind} | more


@pytest.mark.parametrize(
    ("device", "kind", "more", "expected"),
    [
        ("person_p1", "arrived", {}, ["arrived", "arrived"]),
        ("person_p1", "arrived", {"room": "porch"}, ["arrived"]),
        ("person_p1", "left", {}, ["left"]),
        ("room_kitchen", "person_arrived", {}, ["arrived", "arrived"]),
        ("room_kitchen", "person_arrived", {"person": "p2"}, ["arrived"]),
        ("room_porch", "unknown_person", {}, ["unknown"]),
        ("person_p2", "came_home", {}, ["came_home"]),
    ],
)
async def test_a_trigger_runs_for_what_it_names(
    hass: HomeAssistant,
    peer: Peer,
    loaded: MockConfigEntry,
    device_of: Devices,
    heard: list[dict[str, Any]],
    device: str,
    kind: str,
    more: dict[str, Any],
    expected: list[str],
) -> None:
    runs = await add(hass, on(device_of(device), kind, **more))
    peer.decide("arrived", "kitchen", "Anna", person_id="p1")
    peer.decide("left", "kitchen", "Anna", person_id="p1")
    peer.decide("arrived", "porch", "Anna", person_id="p1")
    peer.decide("arrived", "kitchen", "Ben", person_id="p2")
    peer.decide("unknown", "porch", None)
    peer.decide("arrived", "porch", "Anna", person_id="p1", age=100)
    peer.now["people"][1] |= {"home": True, "room": "kitchen"}
    peer.push_now()
    await until(hass, lambda: len(heard) == 6)
    assert runs == expected


async def test_triggers_outlive_a_reload_and_a_lost_connection(
    hass: HomeAssistant, peer: Peer, loaded: MockConfigEntry, device_of: Devices
) -> None:
    runs = await add(hass, on(device_of("person_p1"), "arrived"))
    await hass.config_entries.async_reload(loaded.entry_id)
    await until(hass, lambda: loaded.runtime_data.connected and peer.streams)
    assert runs == []
    peer.decide("arrived", "kitchen", "Anna", person_id="p1")
    await until(hass, lambda: runs == ["arrived"])


async def test_a_device_that_is_none_of_ours_cannot_trigger(
    hass: HomeAssistant, loaded: MockConfigEntry, device_of: Devices, caplog: pytest.LogCaptureFixture
) -> None:
    await add(hass, on(device_of("hub"), "arrived"))
    assert "no person or room of homeface" in caplog.text
    assert await device_trigger.async_get_triggers(hass, "gone") == []
    assert await device_condition.async_get_conditions(hass, "gone") == []
    for module, get in ((device_trigger, "trigger"), (device_condition, "condition")):
        found = await getattr(module, f"async_get_{get}_capabilities")(
            hass, {"device_id": "gone", "type": "x"}
        )
        assert found == {}


@pytest.mark.parametrize(
    ("device", "kind", "more", "expected"),
    [
        ("person_p1", "is_home", {}, True),
        ("person_p1", "is_not_home", {}, False),
        ("person_p1", "is_in_room", {"room": "kitchen"}, True),
        ("person_p1", "is_in_room", {"room": "porch"}, False),
        ("person_p2", "is_not_home", {}, True),
        ("person_p2", "is_home", {}, False),
        ("person_p3", "is_home", {}, False),  # cannot be known
        ("person_p3", "is_not_home", {}, False),
        ("room_kitchen", "is_occupied", {}, True),
        ("room_kitchen", "is_empty", {}, False),
        ("room_kitchen", "has_known_person", {}, True),
        ("room_kitchen", "has_known_person", {"person": "p1"}, True),
        ("room_kitchen", "has_known_person", {"person": "p2"}, False),
        ("room_porch", "has_unknown_person", {}, True),
        ("room_attic", "is_empty", {}, False),  # cannot be known
        ("room_attic", "is_occupied", {}, False),
        ("room_kitchen", "is_home", {}, False),  # makes no sense there
        ("person_gone", "is_not_home", {}, False),
        ("hub", "is_home", {}, False),
    ],
)
async def test_a_condition_holds_only_when_it_is_known_to(
    hass: HomeAssistant,
    peer: Peer,
    loaded: MockConfigEntry,
    device_of: Devices,
    device: str,
    kind: str,
    more: dict[str, Any],
    expected: bool,
) -> None:
    made = device_of(device)
    await hass.async_block_till_done(wait_background_tasks=False)
    if device == "person_gone":
        dr.async_get(hass).async_update_device(made.id, add_config_entry_id=loaded.entry_id)
    config = device_condition.CONDITION_SCHEMA(on(made, kind, "condition", **more))
    test = device_condition.async_condition_from_config(hass, config)
    assert test(hass, None) is expected
    peer.stop()
    await until(hass, lambda: not loaded.runtime_data.connected)
    assert test(hass, None) is False
    await hass.config_entries.async_unload(loaded.entry_id)
    assert test(hass, None) is False
