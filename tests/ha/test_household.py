"""Acceptance: a whole household in a real Home Assistant, and what it shows when something dies."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.integration.small_home import BRISK, STAY, TURNS, SmallHome, small_home
from tests.support.daemon import environment
from tests.support.data import requires_data
from tests.support.hass import HomeAssistant, requires_hass
from tests.support.mosquitto import requires_mosquitto, retained
from tests.support.rtsp import require_rtsp
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

RIGHT_WITHIN_SECONDS = 5.0
BROKER_AWAY_SECONDS = 30.0
GONE_WITHIN_SECONDS = 10.0
BIRTH = "homeassistant/status"
AUTOMATIONS = ("mqtt", "device")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[SmallHome]:
    """A small home whose daemon is not started yet."""
    require_rtsp()
    with small_home(tmp_path) as running:
        yield running


async def test_a_household_in_home_assistant(
    home: SmallHome, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From arrivals to the removal of the person, and every part dies once on the way."""
    took: dict[str, float] = {}
    home.configure(TURNS, presence=BRISK, more_rooms={"porch": {"name": "Porch"}})
    async with HomeAssistant(tmp_path / "hass", home.broker.port) as hass:
        await asyncio.to_thread(home.daemon.start)
        await check_arrivals(home, hass)
        await check_broker_outage(home, hass, took)
        await check_removed_room(home, hass)
        await check_restart_of_home_assistant(home, hass, took)
        await check_killed_daemon(home, hass, took)
        await check_removed_person(home, hass, took)
        assert home.daemon.terminate() == 0
        await hass.wait_state("binary_sensor.kitchen_occupancy", "unavailable")
        errors = [line for line in hass.log().splitlines() if " ERROR " in line]
    with capsys.disabled():
        print("\n" + "\n".join(f"{what}: {seconds:.2f} s" for what, seconds in took.items()))
    assert errors == []


# -- the steps -------------------------------------------------------------------------------------------


async def check_arrivals(home: SmallHome, hass: HomeAssistant) -> None:
    """Twice the person comes and goes, then the stranger: states follow, each arrival fires once."""
    person, stranger, turns = home.ready.person, home.ready.stranger, home.turns
    await hass.wait_state("binary_sensor.porch_occupancy", "unavailable", 30)
    await until(lambda: home.cameras.started_at(TURNS), 30, "the scene began")
    await until(lambda: turns.certainly(stranger, time.time()), 45, "the stranger is there")
    await add_automations(home, hass)
    assert home.turns.certainly(person, time.time()) is False, "the automations came too late to hear it all"
    before = len(home.arrivals())
    for times in (1, 2):
        await until(lambda: turns.certainly(person, time.time()), 25, "the person is there")
        await wait_shown(home, hass, alone(person))
        assert (await attributes(hass, event_entity(home)))["event_type"] == "arrived"
        await until(lambda: turns.certainly(stranger, time.time()), 25, "the stranger is there")
        await wait_shown(home, hass, STRANGER)
        assert (await attributes(hass, "event.kitchen_event"))["event_type"] == "unknown"
        assert len(home.arrivals()) == before + times, story(home)
    await check_fired(home, before)


async def check_broker_outage(home: SmallHome, hass: HomeAssistant, took: dict[str, float]) -> None:
    """The broker is away for 30 s, in which the person comes, goes and comes again."""
    person, turns = home.ready.person, home.turns
    arrivals = len(home.arrivals())
    home.broker.kill()
    died = time.monotonic()
    await hass.wait_state("sensor.kitchen_names", "unavailable")
    await until(lambda: time.monotonic() - died > BROKER_AWAY_SECONDS, 60, "the broker was away long enough")
    await until(lambda: turns.coming(person, time.time()), 45, "a visit")
    heard = len(home.listener.heard)
    home.broker.start()
    took["broker away for"] = time.monotonic() - died
    since = await asyncio.to_thread(home.wait_online, heard, 10)
    await until(
        lambda: home.kitchen() == told(alone(person)), RIGHT_WITHIN_SECONDS, "the broker has it right"
    )
    took["broker back, broker right after"] = time.time() - since
    since = await wait_birth(home, heard)
    took["broker back, Home Assistant right after"] = await wait_right(home, hass, None, since)
    assert len(home.arrivals()) == arrivals, "no arrival is told after the outage"
    await until(lambda: turns.certainly(person, time.time()), 45, "the next visit")
    await wait_shown(home, hass, alone(person))
    assert len(home.arrivals()) == arrivals + 1
    await check_fired(home, arrivals)


async def check_removed_room(home: SmallHome, hass: HomeAssistant) -> None:
    """SIGHUP with a configuration without the porch, whose kitchen shows both people all the time."""
    home.configure(STAY)
    await asyncio.to_thread(home.daemon.reload)
    await hass.wait_gone("binary_sensor.porch_occupancy", GONE_WITHIN_SECONDS)
    assert not [entity_id for entity_id in await hass.states() if "porch" in entity_id]
    assert "Porch" not in {device["name"] for device in await hass.device_registry()}
    await wait_shown(home, hass, both(home.ready.person), 30)


async def check_restart_of_home_assistant(
    home: SmallHome, hass: HomeAssistant, took: dict[str, float]
) -> None:
    """It finds everything as it is, and takes nothing for news."""
    arrivals, heard = len(home.arrivals()), len(home.listener.heard)
    fired = [len(runs(home, name)) for name in AUTOMATIONS]
    await hass.restart()
    since = await wait_birth(home, heard)
    expected = both(home.ready.person)
    took["Home Assistant restarted, right after"] = await wait_right(home, hass, expected, since)
    assert len(home.arrivals()) == arrivals
    assert [len(runs(home, name)) for name in AUTOMATIONS] == fired


async def check_killed_daemon(home: SmallHome, hass: HomeAssistant, took: dict[str, float]) -> None:
    """SIGKILL: all is unavailable at once; the next run takes up where it was, and nobody arrives again."""
    arrivals = len(home.arrivals())
    fired = [len(runs(home, name)) for name in AUTOMATIONS]
    home.daemon.kill()
    await hass.wait_state("sensor.kitchen_names", "unavailable", RIGHT_WITHIN_SECONDS)
    heard = len(home.listener.heard)
    home.daemon.start(wait_ready=False)
    since = await asyncio.to_thread(home.wait_online, heard)
    expected = both(home.ready.person)
    took["daemon restarted, Home Assistant right after"] = await wait_right(home, hass, expected, since)
    seen = home.told("person", home.ready.person_id, "room", "attributes")
    await until(
        lambda: home.told("person", home.ready.person_id, "room", "attributes") != seen, 60, "seen again"
    )
    assert await shown(home, hass) == expected
    assert len(home.arrivals()) == arrivals
    assert [len(runs(home, name)) for name in AUTOMATIONS] == fired


async def check_removed_person(home: SmallHome, hass: HomeAssistant, took: dict[str, float]) -> None:
    """``homeface people remove`` beside the running daemon: no entity, no device, no name stays."""
    person = home.ready.person
    entities = [entity_id for entity_id in await hass.states() if slug(person) in entity_id]
    assert len(entities) == 3, entities
    command = [sys.executable, "-m", "homeface", "people", "remove", person, "--yes", "-c", str(home.config)]
    await asyncio.to_thread(subprocess.run, command, check=True, env=environment(), timeout=60)
    since = time.time()
    for entity_id in entities:
        await hass.wait_gone(entity_id, GONE_WITHIN_SECONDS)
    took["person removed, entities gone after"] = time.time() - since
    assert person not in {device["name"] for device in await hass.device_registry()}
    strangers = {"names": "nobody known", "unknown": "2", "person": None, "presence": None}
    await wait_shown(home, hass, {**both(person), **strangers}, 30)
    for topic, payload in (await asyncio.to_thread(retained, home.broker, "#")).items():
        for secret in (person, home.ready.person_id):
            assert secret not in topic, topic
            assert secret.encode() not in payload, (topic, payload)


# -- what Home Assistant shows ---------------------------------------------------------------------------

Shown = Mapping[str, str | None]
STRANGER: Shown = {
    "person": "home",
    "presence": "home",
    "occupancy": "on",
    "people": "1",
    "names": "nobody known",
    "unknown": "1",
    "camera": "on",
}


def alone(person: str) -> Shown:
    """The person alone in the kitchen."""
    return {**STRANGER, "person": "kitchen", "names": person, "unknown": "0"}


def both(person: str) -> Shown:
    """The person and the stranger in the kitchen."""
    return {**STRANGER, "person": "kitchen", "names": person, "people": "2"}


def story(home: SmallHome) -> list[str]:
    """The kitchen's events in short, each with its time in the scene."""
    return [
        f"{e['event_type']} {e['person']} {e['captured_at']} {e['track']} {e['reasons']}"
        for e in home.events()
    ]


def told(expected: Shown) -> dict[str, str | None]:
    """The same as the broker has it."""
    occupancy = str(expected["occupancy"]).upper()
    known = {key: value for key, value in expected.items() if key != "camera"}
    return known | {"occupancy": occupancy, "availability": "online"}


def slug(person: str) -> str:
    """The person's name in entity ids."""
    return person.lower()


def event_entity(home: SmallHome) -> str:
    """The person's event entity."""
    return f"event.{slug(home.ready.person)}_event"


async def shown(home: SmallHome, hass: HomeAssistant) -> Shown:
    """What it shows of the kitchen and the person; None for what is not there."""
    states = await hass.states()
    name = slug(home.ready.person)
    entities = {
        "person": f"sensor.{name}_room",
        "presence": f"device_tracker.{name}",
        "occupancy": "binary_sensor.kitchen_occupancy",
        "people": "sensor.kitchen_people",
        "names": "sensor.kitchen_names",
        "unknown": "sensor.kitchen_unknown_people",
        "camera": "binary_sensor.camera_kitchen_connectivity",
    }
    return {key: states[entity].value if entity in states else None for key, entity in entities.items()}


async def attributes(hass: HomeAssistant, entity_id: str) -> Mapping[str, Any]:
    """Attributes of an entity that exists."""
    state = await hass.state(entity_id)
    assert state is not None, entity_id
    return state.attributes


async def wait_shown(
    home: SmallHome, hass: HomeAssistant, expected: Shown | None, timeout: float = RIGHT_WITHIN_SECONDS
) -> None:
    """Wait until it shows this; None: what the broker has just now."""
    deadline = time.monotonic() + timeout
    while True:
        seen = await shown(home, hass)
        if seen == expected or (expected is None and told(seen) == home.kitchen()):
            return
        assert time.monotonic() < deadline, f"{seen} is not {expected or home.kitchen()}; {story(home)[-4:]}"
        await asyncio.sleep(0.05)


async def wait_right(home: SmallHome, hass: HomeAssistant, expected: Shown | None, since: float) -> float:
    """It must be right within the limit from ``since`` (epoch) on; returns after how many seconds it was."""
    await wait_shown(home, hass, expected, RIGHT_WITHIN_SECONDS - (time.time() - since))
    return time.time() - since


async def wait_birth(home: SmallHome, heard: int) -> float:
    """When Home Assistant said that it is (again) at the broker, after the first ``heard`` messages."""

    def births() -> list[float]:
        news = home.listener.heard[heard:]
        return [message.at for message in news if (message.topic, message.payload) == (BIRTH, b"online")]

    await until(births, 60, "Home Assistant is at the broker")
    return births()[0]


# -- automations -----------------------------------------------------------------------------------------


async def add_automations(home: SmallHome, hass: HomeAssistant) -> None:
    """The person arrived in the kitchen: by topic, as in docs/home-assistant.md, and by device trigger."""
    by_topic = {
        "trigger": "mqtt",
        "topic": home.topic("person", home.ready.person_id, "event"),
        "value_template": "{{ value_json.event_type ~ ' ' ~ value_json.room }}",
        "payload": "arrived kitchen",
    }
    device = next(d for d in await hass.device_registry() if d["name"] == home.ready.person)
    by_device = {
        "trigger": "device",
        "domain": "mqtt",
        "device_id": device["id"],
        "type": "arrived",
        "subtype": "kitchen",
    }
    for name, trigger in zip(AUTOMATIONS, (by_topic, by_device), strict=True):
        run = {"topic": f"test/fired/{name}", "payload": "{{ trigger.payload_json.track }}", "qos": 1}
        await hass.add_automation(
            name,
            alias=f"Arrival by {name}",
            mode="queued",
            triggers=[trigger],
            conditions=[
                {"condition": "template", "value_template": "{{ trigger.payload_json.age_seconds < 5 }}"}
            ],
            actions=[{"action": "mqtt.publish", "data": run}],
        )


def runs(home: SmallHome, name: str) -> list[str]:
    """The tracks for which an automation has run, in order."""
    return [payload.decode() for payload in home.listener.on(f"test/fired/{name}")]


async def check_fired(home: SmallHome, since: int) -> None:
    """Each automation has run once for each arrival after the first ``since``."""
    tracks = [event["track"] for event in home.arrivals()[since:]]
    for name in AUTOMATIONS:
        await until(lambda name=name: runs(home, name)[-len(tracks) :] == tracks, 5, f"{name} runs")  # type: ignore[misc]
        assert len(set(runs(home, name))) == len(runs(home, name)), runs(home, name)
