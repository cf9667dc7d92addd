"""What a Home Assistant of the companion's tests has besides: phone, light, thermostat, the companion."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from homeface.adapters import homeassistant_files as files
from tests.support.hass import HomeAssistant
from tests.support.mosquitto import Listener

PHONE, WELCOMED, NOBODY = "test/phone", "test/welcomed", "test/nobody"
LIGHT, HEAT = "test/light/set", "test/heat/set"

CONFIGURATION = """
conversation:
frontend:
media_source:
lovelace:
  dashboards:
    homeface-rooms:
      mode: yaml
      title: homeface
      filename: dashboards/homeface.yaml
script:
  phone:
    mode: parallel
    sequence:
      - action: mqtt.publish
        data:
          topic: test/phone
          payload: >-
            {{ {'title': title | default(''), 'message': message, 'data': data | default({})} | to_json }}
"""


def furnish(folder: Path) -> None:
    """Put the companion's files in, as ``homeface homeassistant install`` does."""
    wanted = files.source_files()
    files.carry_out(folder, files.plan_install(folder, wanted), wanted)


def announce_things(listener: Listener) -> None:
    """A light and a thermostat in the kitchen, over MQTT discovery."""
    device = {"identifiers": ["test_things"], "name": "Things", "suggested_area": "Kitchen"}
    light = {
        "unique_id": "test_light",
        "name": "Light",
        "default_entity_id": "light.things",
        "object_id": "things",
        "command_topic": LIGHT,
        "device": device,
    }
    heat = {
        "unique_id": "test_heat",
        "name": "Heat",
        "object_id": "things",
        "modes": ["heat"],
        "temperature_command_topic": HEAT,
        "device": device,
    }
    for platform, told in (("light", light), ("climate", heat)):
        listener.publish(f"homeassistant/{platform}/things/config", json.dumps(told), retain=True)


async def use_blueprint(hass: HomeAssistant, name: str, **inputs: Any) -> str:
    """An automation made from one of the blueprints; returns its entity id."""
    path = f"homeface/{name}.yaml"
    return await hass.add_automation(name, alias=name, use_blueprint={"path": path, "input": inputs})


async def use_all_blueprints(hass: HomeAssistant, person: str, names: Mapping[str, str]) -> None:
    """Every blueprint, for the person in the kitchen. ``names``: entity ids of the person by platform."""
    publish = {"qos": 1}
    welcome = "{{ {'person': person, 'room': room, 'at': event.captured_at} | to_json }}"
    await use_blueprint(
        hass,
        "welcome_person",
        person_event=names["event"],
        rooms=["kitchen"],
        quiet_minutes=0,
        actions=[{"action": "mqtt.publish", "data": {**publish, "topic": WELCOMED, "payload": welcome}}],
    )
    await use_blueprint(hass, "stranger_at_the_door", notify_action="script.phone", answer_minutes=5)
    await use_blueprint(hass, "light_follows_person", person_event=names["event"], off_after=0)
    away = {**publish, "topic": NOBODY, "payload": "{{ now().isoformat() }}"}
    await use_blueprint(
        hass,
        "nobody_home",
        trackers=[names["device_tracker"]],
        away_minutes=0,
        guest_mode=["switch.homeface_guest_mode"],
        actions=[{"action": "mqtt.publish", "data": away}],
    )
    await use_blueprint(
        hass,
        "heating_by_presence",
        names_sensor="sensor.kitchen_names",
        people=[person],
        thermostat="climate.things",
        empty_minutes=0,
    )
    await use_blueprint(
        hass,
        "child_home_from_school",
        child_event=names["event"],
        child_tracker=names["device_tracker"],
        weekdays=["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
        from_time="00:00:00",
        until_time="23:59:59",
        notify_action="script.phone",
    )
    await use_blueprint(
        hass,
        "guest_mode",
        guest_mode="switch.homeface_guest_mode",
        trackers=[names["device_tracker"]],
        away_minutes=0,
        notify_action="script.phone",
    )
