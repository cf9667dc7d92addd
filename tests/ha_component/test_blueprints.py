"""Every blueprint as a real automation: what it does when something happens, and not on what is old."""

from __future__ import annotations

import asyncio
import datetime as dt
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import EVENT_HOMEASSISTANT_STARTED
from homeassistant.core import CoreState, HomeAssistant, ServiceCall, State
from homeassistant.helpers import area_registry as ar
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import (
    async_fire_time_changed,
    async_mock_service,
    mock_restore_cache,
)

ROOT = Path(__file__).resolve().parents[2] / "homeassistant"
NOON = dt.datetime(2026, 11, 26, 12, 0, tzinfo=dt.UTC)
"""A Thursday."""
EVENT = "event.anna_event"
ACT = [{"action": "test.act", "data": {"room": "{{ room | default('') }}"}}]


@pytest.fixture(autouse=True)
async def prepared_house(hass: HomeAssistant, tmp_path: Path, freezer: FrozenDateTimeFactory) -> None:
    """Noon in UTC, and the blueprints in Home Assistant's folder."""
    freezer.move_to(NOON)
    await hass.config.async_set_time_zone("UTC")
    await asyncio.to_thread(shutil.copytree, ROOT / "blueprints", tmp_path / "blueprints")
    hass.config.config_dir = str(tmp_path)


class House:
    """What a test sees of it: calls by action, and time that passes when it says so."""

    def __init__(self, hass: HomeAssistant, clock: FrozenDateTimeFactory) -> None:
        self.hass = hass
        self._clock = clock
        self.calls: dict[str, list[ServiceCall]] = {
            name: async_mock_service(hass, *name.split("."))
            for name in (
                "test.act",
                "notify.phone",
                "light.turn_on",
                "light.turn_off",
                "climate.set_temperature",
                "switch.turn_off",
                "homeface.name_unknown_visit",
                "homeface.dismiss_unknown_visit",
            )
        }

    async def use(self, blueprint: str, **inputs: Any) -> None:
        """An automation of it."""
        used = {"use_blueprint": {"path": f"homeface/{blueprint}.yaml", "input": inputs}}
        assert await async_setup_component(self.hass, "automation", {"automation": [{"alias": "It", **used}]})
        await self.hass.async_block_till_done()
        state = self.hass.states.get("automation.it")
        assert state is not None
        assert state.state == "on"

    async def state(self, entity: str, value: str, **attributes: Any) -> None:
        self.hass.states.async_set(entity, value, attributes)
        await self._settle()

    async def tell(self, kind: str = "arrived", room: str = "kitchen", age: float = 0.0) -> None:
        """The person's event entity tells something new."""
        self._clock.tick(dt.timedelta(milliseconds=1))  # its state is the time
        at = (dt_util.utcnow() - dt.timedelta(seconds=age)).isoformat()
        told = {"event_type": kind, "room": room, "room_name": room.capitalize(), "person": "Anna"}
        await self.state(EVENT, dt_util.utcnow().isoformat(), **told, captured_at=at)

    async def fire(self, event: str, **data: Any) -> None:
        self.hass.bus.async_fire(event, data)
        await self._settle()

    async def wait(self, **passed: float) -> None:
        """Time passes."""
        self._clock.tick(dt.timedelta(**passed))
        async_fire_time_changed(self.hass)
        await self._settle()

    async def _settle(self) -> None:
        """All that follows at once has happened. (To wait for all tasks is to wait for delays, too.)"""
        for _ in range(60):
            await asyncio.sleep(0)

    def count(self, name: str) -> int:
        return len(self.calls[name])

    def said(self) -> list[str]:
        """Messages on the phone."""
        return [call.data["message"] for call in self.calls["notify.phone"]]


@pytest.fixture
async def house(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> AsyncIterator[House]:
    yield House(hass, freezer)
    off = {"entity_id": "automation.it", "stop_actions": True}
    await hass.services.async_call("automation", "turn_off", off, blocking=True)


# -- what tells of people by their event entity ----------------------------------------------------------


async def stale_events(house: House) -> None:
    """Everything that looks like an arrival and is none."""
    await house.state(EVENT, "unknown")
    await house.tell(age=11)
    await house.wait(seconds=1)
    await house.tell(age=-11)  # of a machine whose clock is wrong
    await house.state(EVENT, "unavailable")
    await house.tell()  # Home Assistant restores the last event, from ``unavailable``
    await house.state(EVENT, "unknown")
    await house.state(EVENT, dt_util.utcnow().isoformat(), event_type="arrived", room="kitchen")  # no time


async def test_a_person_is_welcomed_once(house: House) -> None:
    await house.use("welcome_person", person_event=EVENT, rooms=["kitchen"], quiet_minutes=5, actions=ACT)
    await stale_events(house)
    await house.tell("left")
    await house.tell(room="porch")
    assert house.count("test.act") == 0
    await house.wait(seconds=1)
    await house.tell()
    assert [call.data["room"] for call in house.calls["test.act"]] == ["kitchen"]
    await house.wait(minutes=4)
    await house.tell()
    assert house.count("test.act") == 1
    await house.wait(minutes=2)
    await house.tell()
    assert house.count("test.act") == 2


@pytest.fixture
def kitchen(hass: HomeAssistant) -> str:
    """The area of that name with its occupancy sensor; returns the area's id."""
    area = ar.async_get(hass).async_create("Kitchen")
    registry = er.async_get(hass)
    entry = registry.async_get_or_create("binary_sensor", "mqtt", "o", suggested_object_id="occupancy")
    registry.async_update_entity(entry.entity_id, area_id=area.id)
    return area.id


async def test_light_follows(house: House, kitchen: str) -> None:
    sensor = ("binary_sensor.occupancy", {"device_class": "occupancy"})
    await house.use("light_follows_person", person_event=EVENT, off_after=60)
    await house.state(sensor[0], "on", **sensor[1])
    await stale_events(house)
    await house.tell("left", age=11)
    await house.tell(room="cellar")  # no such area
    assert (house.count("light.turn_on"), house.count("light.turn_off")) == (0, 0)
    await house.wait(seconds=1)
    await house.tell()
    assert [call.data["area_id"] for call in house.calls["light.turn_on"]] == [[kitchen]]
    await house.tell("left")
    await house.wait(seconds=90)
    await house.state(sensor[0], "unavailable", **sensor[1])
    await house.wait(seconds=90)
    assert house.count("light.turn_off") == 0, "somebody is there, or it is not known"
    await house.state(sensor[0], "off", **sensor[1])
    await house.wait(seconds=30)
    assert house.count("light.turn_off") == 0
    await house.wait(seconds=31)
    assert [call.data["area_id"] for call in house.calls["light.turn_off"]] == [[kitchen]]


async def child(house: House, **inputs: Any) -> None:
    await house.use(
        "child_home_from_school",
        child_event=EVENT,
        child_tracker="device_tracker.anna",
        notify_action="notify.phone",
        **inputs,
    )


async def test_a_child_comes_home_and_that_is_told_once(house: House) -> None:
    await child(house)
    await stale_events(house)
    assert house.said() == []
    await house.wait(seconds=1)
    await house.tell()
    assert house.said() == ["Anna was seen: Kitchen."]
    await house.wait(minutes=5)
    await house.tell(room="porch")
    assert house.count("notify.phone") == 1
    await house.wait(days=1, hours=14)  # Saturday
    await house.tell()
    assert house.count("notify.phone") == 1


@pytest.mark.parametrize(
    ("tracker", "told"),
    [
        ("not_home", "Anna was not seen at home yet."),
        ("home", "Anna is at home."),
        ("unavailable", "homeface cannot say whether Anna is at home."),
        ("unknown", "homeface cannot say whether Anna is at home."),
    ],
)
async def test_a_child_that_was_not_seen(house: House, tracker: str, told: str) -> None:
    await child(house)
    await house.state("device_tracker.anna", tracker, friendly_name="Anna")
    await house.wait(hours=3)
    assert house.said() == [told]


# -- strangers -------------------------------------------------------------------------------------------


def iso(age: float) -> str:
    return (dt_util.utcnow() - dt.timedelta(seconds=age)).isoformat()


async def unknown_visit(house: House, visit: str, age: float = 60.0, room: str = "porch") -> None:
    told = {"visit_id": visit, "config_entry_id": "e", "picture": f"/{visit}", "similar": 0}
    await house.fire(
        "homeface_unknown_visit",
        room=room,
        room_name="Porch",
        last_seen=iso(age),
        first_seen=iso(age),
        **told,
    )


async def test_a_stranger_is_told_and_the_buttons_work(house: House) -> None:
    await house.use("stranger_at_the_door", rooms=["porch"], notify_action="notify.phone", answer_minutes=5)
    unknown = {"type": "unknown", "room_name": "Porch"}
    for age, room in ((11, "porch"), (-11, "porch"), (0, "kitchen")):
        await house.fire("homeface_event", **unknown, room=room, captured_at=iso(age))
    await house.fire("homeface_event", **{**unknown, "type": "arrived"}, room="porch", captured_at=iso(0))
    await unknown_visit(house, "old", age=181)
    await unknown_visit(house, "elsewhere", room="kitchen")
    assert house.said() == []
    await house.fire("homeface_event", **unknown, room="porch", captured_at=iso(1))
    assert house.said() == ["Somebody unknown is there."]
    for visit in ("v1", "v2", "v3"):
        await unknown_visit(house, visit)
    assert house.calls["notify.phone"][1].data["data"]["image"] == "/v1"
    pressed = "mobile_app_notification_action"
    await house.fire(pressed, action="HOMEFACE_NAME_v1", reply_text="  Jürgen Öztürk ")
    (named,) = house.calls["homeface.name_unknown_visit"]
    assert (named.data["visit_id"], named.data["person"]) == ("v1", "Jürgen Öztürk")
    assert house.said()[-1] == "homeface knows Jürgen Öztürk now."
    await house.fire(pressed, action="HOMEFACE_DISMISS_v2")
    assert [call.data["visit_id"] for call in house.calls["homeface.dismiss_unknown_visit"]] == ["v2"]
    await house.wait(minutes=6)
    await house.fire(pressed, action="HOMEFACE_DISMISS_v3")  # too late
    await house.fire(pressed, action="HOMEFACE_NAME_v1", reply_text="Eve")  # pressed once already
    assert (house.count("homeface.dismiss_unknown_visit"), house.count("homeface.name_unknown_visit")) == (
        1,
        1,
    )


# -- what is true now ------------------------------------------------------------------------------------

ANNA, BEN, GUESTS = "device_tracker.anna", "device_tracker.ben", "switch.guests"


async def test_nobody_home(house: House) -> None:
    await house.use("nobody_home", trackers=[ANNA, BEN], away_minutes=10, guest_mode=[GUESTS], actions=ACT)
    await house.state(GUESTS, "off")
    for before in ("unavailable", "unknown"):  # as at a start of Home Assistant or homeface
        for tracker in (ANNA, BEN):
            await house.state(tracker, before)
            await house.state(tracker, "not_home")
        await house.wait(minutes=11)
    for tracker in (ANNA, BEN):
        await house.state(tracker, "home")
    await house.state(ANNA, "not_home")
    await house.wait(minutes=11)
    assert house.count("test.act") == 0, "Ben is in"
    await house.state(BEN, "not_home")
    await house.wait(minutes=5)
    await house.state(ANNA, "unavailable")  # it is no longer known
    await house.wait(minutes=11)
    assert house.count("test.act") == 0
    await house.state(ANNA, "home")
    await house.state(GUESTS, "on")
    await house.state(ANNA, "not_home")
    await house.wait(minutes=11)
    assert house.count("test.act") == 0, "there may be guests"
    await house.state(GUESTS, "off")
    await house.state(ANNA, "home")
    await house.state(ANNA, "not_home")
    await house.wait(minutes=9)
    assert house.count("test.act") == 0
    await house.wait(minutes=2)
    assert house.count("test.act") == 1


async def test_heating_by_who_is_in(house: House) -> None:
    names, warm = "sensor.kitchen_names", "climate.kitchen"
    await house.use(
        "heating_by_presence", names_sensor=names, people=["Anna"], thermostat=warm, empty_minutes=15
    )
    await house.state(warm, "heat", temperature=18)
    for value, known in (("unavailable", ()), ("unknown", ()), ("Ben", ("Ben",)), ("nobody", ())):
        await house.state(names, value, names=list(known))
    await house.wait(minutes=20)
    assert house.count("climate.set_temperature") == 0
    await house.state(names, "Anna, Ben", names=["Anna", "Ben"])
    assert [call.data["temperature"] for call in house.calls["climate.set_temperature"]] == [21.0]
    await house.state(warm, "heat", temperature=21)
    await house.state(names, "Ben", names=["Ben"])
    await house.wait(minutes=5)
    await house.state(names, "Anna", names=["Anna"])  # back before it saved
    await house.wait(minutes=20)
    await house.state(names, "nobody", names=[])
    await house.wait(minutes=5)
    await house.state(names, "unavailable")
    await house.wait(minutes=20)
    assert house.count("climate.set_temperature") == 1, "what is not known changes nothing"
    await house.state(names, "nobody", names=[])
    await house.wait(minutes=16)
    assert [call.data["temperature"] for call in house.calls["climate.set_temperature"]] == [21.0, 18.0]


async def guest_mode(house: House) -> None:
    await house.use(
        "guest_mode",
        guest_mode=GUESTS,
        hours=2,
        trackers=[ANNA, BEN],
        away_minutes=30,
        notify_action="notify.phone",
    )


async def test_guest_mode_ends_by_itself(house: House) -> None:
    await guest_mode(house)
    await house.state(GUESTS, "off")
    await house.wait(hours=3)
    await house.state(GUESTS, "on")
    await house.wait(minutes=119)
    assert house.count("switch.turn_off") == 0
    await house.wait(minutes=2)
    assert house.said() == ["Guest mode has ended."]
    assert house.count("switch.turn_off") == 1


async def test_guest_mode_ends_when_everybody_has_left(house: House) -> None:
    await guest_mode(house)
    await house.state(GUESTS, "on")
    await house.state(BEN, "unavailable")
    await house.state(ANNA, "home")
    await house.state(ANNA, "not_home")
    await house.wait(minutes=31)
    assert house.count("switch.turn_off") == 0, "where Ben is is not known"
    await house.state(BEN, "not_home")  # from ``unavailable``: nobody has left
    await house.wait(minutes=31)
    assert house.count("switch.turn_off") == 0
    await house.state(ANNA, "home")
    await house.state(ANNA, "not_home")
    await house.wait(minutes=31)
    assert house.said() == ["Nobody is home: guest mode has ended."]


@pytest.mark.parametrize(("restored", "told"), [("on", ["Guest mode is still on."]), ("off", [])])
async def test_a_restart_reminds_of_guest_mode(house: House, restored: str, told: list[str]) -> None:
    house.hass.set_state(CoreState.not_running)
    mock_restore_cache(house.hass, [State("automation.it", "on")])
    await guest_mode(house)
    await house.state(GUESTS, "unavailable")
    await house.fire(EVENT_HOMEASSISTANT_STARTED)
    assert house.said() == []
    await house.state(GUESTS, restored)
    assert house.said() == told
    assert house.count("switch.turn_off") == 0
