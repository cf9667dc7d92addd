"""The companion in a real Home Assistant, with a real broker and the real daemon: from its discovery on."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ha import furniture
from tests.integration.small_home import BRISK, TURNS, SmallHome, small_home
from tests.support.daemon import environment
from tests.support.data import requires_data
from tests.support.hass import HomeAssistant, requires_hass
from tests.support.mosquitto import free_port, requires_mosquitto
from tests.support.rtsp import require_rtsp
from tests.support.scene import enrolment_photos
from tests.support.waiting import until

pytestmark = [
    pytest.mark.accuracy,
    pytest.mark.ha,
    pytest.mark.rtsp,
    pytest.mark.mosquitto,
    pytest.mark.slow,
    pytest.mark.timeout(420),
    requires_data,
    requires_hass,
    requires_mosquitto,
]

KITCHEN = {"name": "Kitchen", "exit": True, "leave": "0s"}
TURN_SECONDS = 70.0
"""Twice the scene and some: within that everybody has come and gone."""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[SmallHome]:
    """A small home with a web page, whose daemon is not started yet."""
    require_rtsp()
    with small_home(tmp_path) as running:
        web = {"enabled": True, "port": free_port()}
        running.configure(TURNS, presence=BRISK, more_rooms={"kitchen": KITCHEN}, web=web)
        yield running


async def test_the_companion_in_a_house(home: SmallHome, tmp_path: Path) -> None:
    """Found, set up, every action, every blueprint, and what it does when something dies."""
    token = await asyncio.to_thread(command, home, "web", "token", "ha", *scopes())
    furniture.announce_things(home.listener)
    hass = HomeAssistant(
        tmp_path / "hass",
        home.broker.port,
        configuration=furniture.CONFIGURATION,
        furnish=furniture.furnish,
    )
    async with hass:
        await asyncio.to_thread(home.daemon.start)
        entry = await set_up(home, hass, token)
        await check_registries(home, hass, entry)
        names = {p: f"{p}.{home.ready.person.lower()}" for p in ("device_tracker",)}
        names["event"] = f"event.{home.ready.person.lower()}_event"
        stranger = home.ready.stranger
        await until(lambda: home.turns.certainly(stranger, time.time()), TURN_SECONDS, "the stranger")
        await furniture.use_all_blueprints(hass, home.ready.person, names)
        await check_blueprints(home, hass)
        await check_actions(home, hass)
        await check_restarts(home, hass, entry)
        errors = [line for line in hass.log().splitlines() if " ERROR " in line]
    assert [line for line in errors if "homeface" in line and "Error requesting" not in line] == []
    times = [told["at"] for told in heard(home, furniture.WELCOMED)]
    assert len(set(times)) == len(times), "an arrival was welcomed twice"


def scopes() -> list[str]:
    return [word for scope in ("read", "control", "enrol", "admin") for word in ("--scope", scope)]


def command(home: SmallHome, *words: str) -> str:
    """A command of homeface; returns what it printed."""
    line = [sys.executable, "-m", "homeface", *words, "-c", str(home.config)]
    done = subprocess.run(line, check=True, env=environment(), timeout=60, capture_output=True, text=True)
    return done.stdout.strip()


def heard(home: SmallHome, topic: str) -> list[Any]:
    """What was told at one of the tests' own topics."""
    return [json.loads(payload) for payload in home.listener.on(topic)]


# -- setting up ----------------------------------------------------------------------------------------


async def set_up(home: SmallHome, hass: HomeAssistant, token: str) -> str:
    """Through the REST API, as the pages do; returns the entry's id."""
    found: list[Any] = []

    async def discovered() -> bool:
        flows = await hass.command("config_entries/flow/progress")
        found[:] = [flow for flow in flows if flow["handler"] == "homeface"]
        return bool(found)

    await hass._until(discovered, 30, "homeface is discovered")
    (flow,) = found
    assert (flow["step_id"], flow["context"]["source"]) == ("token", "mqtt")
    shown = (await hass.get(f"/api/config/config_entries/flow/{flow['flow_id']}"))[2]
    url = next(f["default"] for f in json.loads(shown)["data_schema"] if f["name"] == "url")
    wrong = await hass.flow(f"/{flow['flow_id']}", url=url, token="wrong")
    assert wrong["errors"] == {"base": "invalid_auth"}
    made = await hass.flow(f"/{flow['flow_id']}", url=url, token=token)
    assert made["type"] == "create_entry", made
    by_hand = await hass.flow(handler="homeface")
    again = await hass.flow(f"/{by_hand['flow_id']}", url=url, token=token)
    assert again["reason"] == "already_configured"
    entry: str = made["result"]["entry_id"]
    await wait_entry(hass, entry, "loaded")
    return entry


async def wait_entry(hass: HomeAssistant, entry_id: str, state: str) -> None:
    """Wait for a state of the config entry."""

    async def there() -> bool:
        entries = await hass.command("config_entries/get")
        return any(e["entry_id"] == entry_id and e["state"] == state for e in entries)

    await hass._until(there, 30, f"the entry is {state}")


async def check_registries(home: SmallHome, hass: HomeAssistant, entry: str) -> None:
    """The devices are MQTT's, joined by the companion; it makes no entity, and nothing is there twice."""
    await hass.wait_state("binary_sensor.kitchen_occupancy", "off", 30)

    async def joined() -> bool:
        devices = {d["name"]: d for d in await hass.device_registry() if d["manufacturer"] == "homeface"}
        wanted = {"homeface", "Kitchen", home.ready.person, "Camera kitchen"}
        return devices.keys() == wanted and all(entry in d["config_entries"] for d in devices.values())

    await hass._until(joined, 15, "every device is joined")
    entities = await hass.entity_registry()
    ours = [e for e in entities.values() if "homeface_homeface" in str(e["unique_id"])]
    assert {e["platform"] for e in entities.values()} >= {"mqtt"}
    assert {e["platform"] for e in ours} == {"mqtt"}
    assert len({e["unique_id"] for e in ours}) == len(ours)
    assert not [e for e in entities if e.endswith("_2")]
    person = next(d for d in await hass.device_registry() if d["name"] == home.ready.person)
    triggers = await hass.command("device_automation/trigger/list", device_id=person["id"])
    assert {t["type"] for t in triggers if t["domain"] == "homeface"} >= {"arrived", "came_home"}
    conditions = await hass.command("device_automation/condition/list", device_id=person["id"])
    assert {c["type"] for c in conditions if c["domain"] == "homeface"} >= {"is_in_room", "is_not_home"}


# -- the blueprints ------------------------------------------------------------------------------------


async def check_blueprints(home: SmallHome, hass: HomeAssistant) -> None:
    """The scene goes on: each blueprint does what it says."""
    person, listener = home.ready.person, home.listener
    await until(lambda: heard(home, furniture.WELCOMED), TURN_SECONDS, "the person is welcomed")
    welcome = heard(home, furniture.WELCOMED)[0]
    assert (welcome["person"], welcome["room"]) == (person, "kitchen")
    await until(lambda: b"ON" in listener.on(furniture.LIGHT), 10, "the light goes on")
    await until(lambda: b"21.0" in listener.on(furniture.HEAT), 10, "it is heated")
    at_home = f"{person} was seen: Kitchen."
    await until(lambda: message(home, lambda m: m["message"] == at_home), 10, "the child is home")
    await until(lambda: b"OFF" in listener.on(furniture.LIGHT), TURN_SECONDS, "the light goes off")
    await until(lambda: b"18.0" in listener.on(furniture.HEAT), TURN_SECONDS, "it is saved")
    await until(lambda: listener.on(furniture.NOBODY), TURN_SECONDS, "nobody is home")
    somebody = "Somebody unknown is there."
    await until(lambda: message(home, lambda m: m["message"] == somebody), TURN_SECONDS, "a stranger")
    first = await unknown_visit(home, hass, set())
    await hass.fire("mobile_app_notification_action", action=action_of(first, "DISMISS"))
    await hass._until(lambda: is_gone(hass, first), 15, "the visit is dismissed")
    second = await unknown_visit(home, hass, {first["data"]["image"]})
    reply = {"action": action_of(second, "NAME"), "reply_text": "Newcomer"}
    await hass.fire("mobile_app_notification_action", **reply)
    await until(
        lambda: message(home, lambda m: "knows Newcomer now" in m["message"]), 20, "the name is taken"
    )
    people = (await hass.ask("homeface", "who_is_where"))["people"]
    assert {told["name"] for told in people.values()} == {person, "Newcomer"}


def message(home: SmallHome, wanted: Callable[[Any], bool]) -> Any:
    """The first message to the phone that is wanted, or None."""
    return next((told for told in heard(home, furniture.PHONE) if wanted(told)), None)


async def unknown_visit(home: SmallHome, hass: HomeAssistant, seen: set[str]) -> Any:
    """The next message with a picture, which is there for people who are logged in."""

    def fresh(told: Any) -> bool:
        return bool(told["data"].get("image")) and told["data"]["image"] not in seen

    await until(lambda: message(home, fresh), TURN_SECONDS, "a visit with its picture")
    told = message(home, fresh)
    status, kind, body = await hass.get(told["data"]["image"])
    assert (status, kind, body[:2]) == (200, "image/jpeg", b"\xff\xd8")
    media = await hass.command("media_source/browse_media", media_content_id="media-source://homeface")
    assert media["children"]
    return told


def action_of(told: Any, kind: str) -> str:
    """The id of a button."""
    return next(a["action"] for a in told["data"]["actions"] if a["action"].startswith(f"HOMEFACE_{kind}_"))


async def is_gone(hass: HomeAssistant, told: Any) -> bool:
    """The picture of a message cannot be had any more."""
    return (await hass.get(told["data"]["image"]))[0] == 404


# -- the actions ---------------------------------------------------------------------------------------


async def check_actions(home: SmallHome, hass: HomeAssistant) -> None:
    """Each action, with its effect on the daemon."""
    person = home.ready.person
    photo = enrolment_photos(home.ready.stranger)[0]
    (hass.folder / "media" / photo.name).write_bytes(photo.read_bytes())
    media = f"media-source://media_source/local/{photo.name}"
    taken = await hass.ask("homeface", "enrol_from_media", person="Newcomer", media=media)
    assert taken["accepted"] == 1
    await hass.call("homeface", "forget_person", person="Newcomer", confirm=True)
    people = (await hass.ask("homeface", "who_is_where"))["people"]
    assert [told["name"] for told in people.values()] == [person]

    await until(lambda: home.turns.coming(person, time.time()), TURN_SECONDS, "the person comes")
    taken = await hass.ask("homeface", "enrol_from_camera", person=person, camera="kitchen", seconds=4)
    assert taken["accepted"] >= 1
    await hass.call("switch", "turn_on", entity_id="switch.homeface_guest_mode")
    await hass.wait_state("switch.homeface_guest_mode", "on")
    await until(
        lambda: message(home, lambda m: "guest mode has ended" in m["message"]), TURN_SECONDS, "it ends"
    )
    await hass.wait_state("switch.homeface_guest_mode", "off")

    await hass.call("homeface", "pause_room", room="Kitchen")
    await hass.wait_state("sensor.kitchen_names", "unavailable")
    assert (await hass.ask("homeface", "who_is_where"))["rooms"]["kitchen"]["available"] is False
    await hass.call("homeface", "pause_room", room="kitchen", paused=False)
    await until(lambda: home.told("room", "kitchen", "availability") == "online", 15, "it looks again")
    said = await hass.command("conversation/process", text=f"where is {person}?", language="en")
    assert person in said["response"]["speech"]["plain"]["speech"]


# -- what dies -----------------------------------------------------------------------------------------


async def check_restarts(home: SmallHome, hass: HomeAssistant, entry: str) -> None:
    """Broker, daemon and Home Assistant go and come; it finds everything as it is."""
    home.broker.restart()
    await hass.wait_state("sensor.kitchen_names", "unavailable", 15)
    home.daemon.kill()
    with pytest.raises(AssertionError, match="homeface"):
        await hass.ask("homeface", "who_is_where")
    await asyncio.to_thread(home.daemon.start)
    await hass._until(lambda: answers(hass), 30, "the companion is connected again")
    told = heard(home, furniture.WELCOMED)
    await hass.restart()
    await wait_entry(hass, entry, "loaded")
    assert (await hass.ask("homeface", "who_is_where"))["rooms"].keys() == {"kitchen"}
    await until(lambda: len(heard(home, furniture.WELCOMED)) > len(told), TURN_SECONDS, "the next arrival")


async def answers(hass: HomeAssistant) -> bool:
    """Whether homeface can be asked."""
    try:
        await hass.ask("homeface", "who_is_where")
    except AssertionError:
        return False
    return True
