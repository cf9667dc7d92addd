"""Home Assistant's messages: they fit together, any name is safe, and they are honest about what is known."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeface.adapters.homeassistant import (
    CameraFigures,
    CameraView,
    HouseView,
    HubFigures,
    PersonView,
    RoomView,
    SetGuestMode,
    SetRecognition,
    announcement,
    announcement_topic,
    birth_topic,
    command_filters,
    device_topics,
    discovery_messages,
    event_messages,
    is_birth,
    orphans,
    parse_command,
    parse_occupancy,
    removals,
    retained_topics,
    scan_filters,
    state_messages,
    status_topic,
    with_removals,
)
from homeface.adapters.mqtt import MqttLink, MqttSettings
from homeface.core.presence import EventKind, HouseState, PersonState, PresenceEvent, RoomState

NOW = 1_800_000_000.0

HOUSE = HouseView(
    "home",
    "1.2.3",
    rooms=(RoomView("kitchen", "Kitchen"), RoomView("porch", "Front porch", area="Outside")),
    people=(PersonView("p1", "Anna"), PersonView("p2", "Ben")),
    cameras=(CameraView("cam_kitchen", "Kitchen camera", "kitchen"),),
    configuration_url="http://homeface.local:8000",
    support_url="https://homeface.invalid/help",
)

STATE = HouseState(
    rooms={
        "kitchen": RoomState("kitchen", True, True, 2, ("p1",), 1, NOW - 100, NOW - 5),
        "porch": RoomState("porch", True, False, 0, (), 0, NOW - 900, NOW - 950),
    },
    people={
        "p1": PersonState(
            "p1", "kitchen", True, NOW - 100, NOW - 5, "kitchen", NOW, 0.71234, 0.3, 4, "v1", "cam_kitchen"
        ),
        "p2": PersonState("p2", None, False, NOW - 4000, NOW - 5000, "porch"),
    },
    at=NOW,
)

EVENT = PresenceEvent(
    EventKind.ARRIVED, "kitchen", "p1", NOW - 0.5, NOW - 0.4, "v1", "cam_kitchen", 0.71, 0.3, 4
)


def devices(view: HouseView) -> dict[str, Any]:
    return {topic: json.loads(payload) for topic, payload in discovery_messages(view).items()}


def components(view: HouseView) -> list[dict[str, Any]]:
    return [component for device in devices(view).values() for component in device["components"].values()]


def entity(view: HouseView, device: str, key: str) -> dict[str, Any]:
    found: dict[str, Any] = devices(view)[f"homeassistant/device/home/{device}/config"]["components"][key]
    return found


# names and ids ---------------------------------------------------------------------------------------

names = st.text(max_size=400)
ids = st.text(min_size=1, max_size=100)
houses = st.builds(
    lambda node, rooms, people, cameras: HouseView(
        node,
        "1",
        rooms=tuple(RoomView(*r) for r in rooms),
        people=tuple(PersonView(*p) for p in people),
        cameras=tuple(CameraView(i, n, rooms[0][0] if rooms else "gone") for i, n in cameras),
    ),
    ids,
    *[st.lists(st.tuples(ids, names), max_size=4, unique_by=lambda pair: pair[0])] * 3,
)


@given(houses, st.randoms())
def test_any_names_and_ids_give_messages_that_fit_together(view: HouseView, random: Any) -> None:
    people = [person.subject_id for person in view.people]
    state = HouseState(
        {r.room_id: RoomState(r.room_id, True, True, 1, tuple(people), 1, 0.0, None) for r in view.rooms},
        {
            p: PersonState(p, random.choice([None, *(r.room_id for r in view.rooms)]), True, 0.0)
            for p in people
        },
        NOW,
    )
    found = components(view)
    states = state_messages(view, state)
    unique = [component["unique_id"] for component in found if "unique_id" in component]
    assert len(unique) == len(set(unique))
    wanted: list[str] = []
    for component in found:
        is_event = component["platform"] == "event"
        wanted += [component["state_topic"]] if "state_topic" in component and not is_event else []
        wanted += [component["json_attributes_topic"]] if "json_attributes_topic" in component else []
        wanted += [item["topic"] for item in component.get("availability", [])]
    assert set(wanted) - {status_topic(view)} == set(states), "every topic is written, and none for nothing"
    for topic in [*states, *discovery_messages(view)]:
        assert re.fullmatch(r"[a-zA-Z0-9_/-]+", topic)
    assert all(re.fullmatch(r"homeassistant/device/[\w-]+/[\w-]+/config", topic) for topic in devices(view))
    for payload in states.values():
        assert payload.encode("utf-8")
        assert payload.startswith("{") or 0 < len(payload) <= 255
    assert sorted(retained_topics(view)) == sorted([*discovery_messages(view), *states])
    for component in found:
        assert re.fullmatch(r"\w+\.[a-z0-9_]+", component.get("default_entity_id", "sensor.x"))


@given(names)
def test_a_rename_changes_what_is_shown_and_nothing_else(name: str) -> None:
    renamed = replace(HOUSE, people=(PersonView("p1", name), HOUSE.people[1]))
    before, after = components(HOUSE), components(renamed)
    changing = {"default_entity_id"}
    for old, new in zip(before, after, strict=True):
        assert {k: v for k, v in old.items() if k not in changing} == {
            k: v for k, v in new.items() if k not in changing
        }
    assert list(devices(HOUSE)) == list(devices(renamed))


def test_two_people_of_one_name_stay_two() -> None:
    twins = replace(HOUSE, people=(PersonView("p1", "Anna"), PersonView("p2", "Anna")))
    rooms = [entity(twins, f"person_{item}", "room") for item in ("p1", "p2")]
    assert rooms[0]["unique_id"] != rooms[1]["unique_id"]
    assert rooms[0]["state_topic"] != rooms[1]["state_topic"]
    assert [room["default_entity_id"] for room in rooms] == ["sensor.anna_p1_room", "sensor.anna_p2_room"]
    both = replace(STATE, rooms={"kitchen": replace(STATE.rooms["kitchen"], names=("p1", "p2"))})
    assert state_messages(twins, both)["homeface/home/room/kitchen/names"] == "Anna, Anna"


def test_many_long_names_fit_into_a_state() -> None:
    crowd = tuple(PersonView(f"p{n}", f"Anna-Katharina von und zu Beispielhausen {n}") for n in range(40))
    view = replace(HOUSE, people=crowd)
    room = replace(STATE.rooms["kitchen"], names=tuple(person.subject_id for person in crowd))
    messages = state_messages(view, replace(STATE, rooms={"kitchen": room}))
    text = messages["homeface/home/room/kitchen/names"]
    assert len(text) <= 255
    assert text.endswith(f", +{40 - text.count('Anna')}")
    assert len(json.loads(messages["homeface/home/room/kitchen/names/attributes"])["names"]) == 40


@pytest.mark.parametrize("name", ["unknown", "None", "unavailable", "\n", "\ud800", ""])
def test_a_name_is_never_taken_for_no_value(name: str) -> None:
    view = replace(HOUSE, people=(PersonView("p1", name),))
    text = state_messages(view, STATE)["homeface/home/room/kitchen/names"]
    assert text
    assert text.lower() not in {"unknown", "none", "unavailable"}


# discovery -------------------------------------------------------------------------------------------


def test_devices_hang_on_the_hub_and_sit_in_their_areas() -> None:
    found = devices(HOUSE)
    assert list(found) == [
        f"homeassistant/device/home/{key}/config"
        for key in ("hub", "room_kitchen", "room_porch", "person_p1", "person_p2", "camera_cam_kitchen")
    ]
    hub, kitchen, porch, anna, _, camera = (device["device"] for device in found.values())
    assert hub["identifiers"] == ["homeface_home_hub"]
    assert "via_device" not in hub
    assert hub["configuration_url"] == "http://homeface.local:8000"
    assert all(d["via_device"] == "homeface_home_hub" for d in (kitchen, porch, anna, camera))
    assert [d.get("suggested_area") for d in (kitchen, porch, anna, camera)] == [
        "Kitchen",
        "Outside",
        None,
        "Kitchen",
    ]
    for device in found.values():
        assert set(device) == {"device", "origin", "components"}  # another key would void the whole message
        assert device["origin"] == {
            "name": "homeface",
            "sw_version": "1.2.3",
            "support_url": "https://homeface.invalid/help",
        }


def test_entity_ids_read_well() -> None:
    assert entity(HOUSE, "person_p1", "room")["default_entity_id"] == "sensor.anna_room"
    assert entity(HOUSE, "person_p1", "presence")["default_entity_id"] == "device_tracker.anna"
    assert (
        entity(HOUSE, "room_porch", "occupancy")["default_entity_id"] == "binary_sensor.front_porch_occupancy"
    )
    assert entity(HOUSE, "room_kitchen", "event")["default_entity_id"] == "event.kitchen_event"
    cyrillic = replace(HOUSE, people=(PersonView("p1", "Анна"),))
    assert "default_entity_id" not in entity(cyrillic, "person_p1", "room")  # Home Assistant transliterates


def test_availability_asks_the_daemon_and_the_device_but_never_for_events() -> None:
    assert status_topic(HOUSE) == MqttLink(MqttSettings(), "home").status_topic
    daemon = {"topic": "homeface/home/status"}
    occupancy = entity(HOUSE, "room_kitchen", "occupancy")
    assert occupancy["availability"] == [daemon, {"topic": "homeface/home/room/kitchen/availability"}]
    assert occupancy["availability_mode"] == "all"
    assert entity(HOUSE, "camera_cam_kitchen", "connectivity")["availability"] == [daemon]
    for component in components(HOUSE):
        assert ("availability" in component) == (component["platform"] not in {"event", "device_automation"})
        assert "expire_after" not in component
        assert not component.get("retain")


def test_device_triggers_fit_the_events() -> None:
    trigger = entity(HOUSE, "person_p1", "arrived_kitchen")
    payloads = dict(event_messages(HOUSE, EVENT, NOW))
    event = json.loads(payloads[trigger["topic"]])
    assert trigger["payload"] == f"{event['event_type']} {event['room']}" == "arrived kitchen"
    assert trigger["topic"] == entity(HOUSE, "person_p1", "event")["state_topic"]
    assert entity(HOUSE, "room_kitchen", "on_unknown")["payload"] == "unknown"


# states ----------------------------------------------------------------------------------------------


def test_states_of_a_house_with_somebody_in_it() -> None:
    figures = {"cam_kitchen": CameraFigures(True, False, 4.96, 17, "timed out")}
    found = state_messages(HOUSE, STATE, figures, HubFigures(True, 3, 8))
    plain = {t.removeprefix("homeface/home/"): p for t, p in found.items() if not t.endswith("attributes")}
    assert plain == {
        "hub/recognition": "ON",
        "hub/guest_mode": "OFF",
        "hub/cameras": "1",
        "hub/cameras_online": "1",
        "hub/dropped_events": "3",
        "hub/dropped_faces": "8",
        "room/kitchen/occupancy": "ON",
        "room/kitchen/people": "2",
        "room/kitchen/names": "Anna",
        "room/kitchen/unknown": "1",
        "room/kitchen/availability": "online",
        "room/porch/occupancy": "OFF",
        "room/porch/people": "0",
        "room/porch/names": "nobody",
        "room/porch/unknown": "0",
        "room/porch/availability": "online",
        "person/p1/room": "kitchen",
        "person/p1/presence": "home",
        "person/p1/availability": "online",
        "person/p2/room": "not_home",
        "person/p2/presence": "not_home",
        "person/p2/availability": "online",
        "camera/cam_kitchen/connectivity": "ON",
        "camera/cam_kitchen/recognition": "OFF",
        "camera/cam_kitchen/fps": "5.0",
        "camera/cam_kitchen/dropped": "17",
        "camera/cam_kitchen/last_error": "timed out",
        "camera/cam_kitchen/availability": "online",
    }
    attributes = json.loads(found["homeface/home/person/p1/room/attributes"])
    assert attributes["room_name"] == "Kitchen"
    assert attributes["score"] == 0.71
    assert attributes["since"] == "2027-01-15T07:58:20.000+00:00"
    zones = [
        json.loads(found[f"homeface/home/person/{p}/presence/attributes"])["in_zones"] for p in ("p1", "p2")
    ]
    assert zones == [["zone.home"], []]


def test_every_room_state_of_a_person_is_a_declared_option() -> None:
    options = entity(HOUSE, "person_p1", "room")["options"]
    assert options == ["kitchen", "porch", "home", "not_home"]
    for room, home, expected in [
        ("porch", True, "porch"),
        (None, True, "home"),
        ("demolished", True, "home"),
        (None, False, "not_home"),
    ]:
        person = replace(STATE.people["p1"], room=room, home=home)
        state = state_messages(HOUSE, replace(STATE, people={"p1": person}))["homeface/home/person/p1/room"]
        assert state == expected
        assert state in options
    odd = replace(HOUSE, rooms=(RoomView("home", "Home office"), RoomView("None", "Nothing")))
    assert entity(odd, "person_p1", "room")["options"] == ["room_home", "room_None", "home", "not_home"]


def test_a_blind_room_is_unavailable_which_is_not_empty() -> None:
    blind = replace(STATE, rooms=STATE.rooms | {"kitchen": replace(STATE.rooms["kitchen"], available=False)})
    found = state_messages(HOUSE, blind)
    assert found["homeface/home/room/kitchen/availability"] == "offline"
    assert found["homeface/home/person/p1/availability"] == "online"
    found = state_messages(HOUSE, HouseState(at=NOW))  # just started: nothing is known yet
    assert found["homeface/home/room/porch/availability"] == "offline"
    assert found["homeface/home/person/p1/availability"] == "offline"


def test_only_strangers_in_the_room() -> None:
    room = replace(STATE.rooms["kitchen"], names=(), count=1, unknown_count=1)
    found = state_messages(HOUSE, replace(STATE, rooms={"kitchen": room}))
    assert found["homeface/home/room/kitchen/names"] == "nobody known"


def test_somebody_in_sight_does_not_flood_the_broker() -> None:
    def seen(at: float, last_seen: float) -> dict[str, str]:
        person = replace(STATE.people["p1"], last_seen=last_seen)
        room = replace(STATE.rooms["kitchen"], last_seen=last_seen)
        return state_messages(HOUSE, replace(STATE, at=at, rooms={"kitchen": room}, people={"p1": person}))

    different = {json.dumps(seen(NOW + n / 5, NOW + n / 5 - 0.1)) for n in range(5 * 60 * 5)}
    assert len(different) <= 6, "five minutes at five frames a second"
    gone = json.loads(seen(NOW + 90, NOW + 25.5)["homeface/home/person/p1/room/attributes"])
    assert gone["last_seen"] == "2027-01-15T08:00:25.500+00:00", "exact once it rests"
    assert seen(NOW, NOW - 0.5) == seen(NOW, NOW - 0.5)
    nothing = HouseState(at=NOW)
    assert state_messages(HOUSE, nothing) == state_messages(HOUSE, replace(nothing, at=NOW + 1))


# events ----------------------------------------------------------------------------------------------


def test_an_event_is_told_at_the_room_and_at_the_person() -> None:
    found = dict(event_messages(HOUSE, EVENT, NOW))
    assert list(found) == ["homeface/home/room/kitchen/event", "homeface/home/person/p1/event"]
    for payload in found.values():
        assert json.loads(payload) == {
            "event_type": "arrived",
            "room": "kitchen",
            "room_name": "Kitchen",
            "person": "Anna",
            "person_id": "p1",
            "captured_at": "2027-01-15T07:59:59.500+00:00",
            "age_seconds": 0.5,
            "last_seen": "2027-01-15T07:59:59.600+00:00",
            "track": "v1",
            "score": 0.71,
            "margin": 0.3,
            "votes": 4,
            "reasons": [],
            "camera": "cam_kitchen",
        }
    assert set(found).isdisjoint(state_messages(HOUSE, STATE)), "no event topic is ever retained"
    assert set(found).isdisjoint(retained_topics(HOUSE))


@pytest.mark.parametrize("kind", list(EventKind))
def test_every_kind_of_event_is_a_declared_type(kind: EventKind) -> None:
    subject = None if kind is EventKind.UNKNOWN else "p1"
    event = replace(EVENT, kind=kind, subject_id=subject, score=math.nan, reasons=("below_threshold",))
    declared = {c["state_topic"]: c["event_types"] for c in components(HOUSE) if c["platform"] == "event"}
    messages = event_messages(HOUSE, event, NOW - 10)
    assert len(messages) == (1 if subject is None else 2)
    for topic, payload in messages:
        data = json.loads(payload)
        assert data["event_type"] in declared[topic]
        assert data["score"] is None
        assert data["age_seconds"] == 0.0
        assert data["reasons"] == ["below_threshold"]


def test_events_about_what_is_gone_are_told_only_where_something_is_left() -> None:
    removed = replace(HOUSE, people=HOUSE.people[1:])
    assert [t for t, _ in event_messages(removed, EVENT, NOW)] == ["homeface/home/room/kitchen/event"]
    assert event_messages(replace(removed, rooms=()), EVENT, NOW) == []


# what has to go --------------------------------------------------------------------------------------


def test_a_removed_person_leaves_nothing_behind() -> None:
    smaller = replace(HOUSE, people=HOUSE.people[1:])
    gone = removals(HOUSE, smaller)
    assert gone == device_topics(HOUSE, "person", "p1")
    assert gone[0] == "homeassistant/device/home/person_p1/config", "the device first, then its states"
    assert set(gone) | set(retained_topics(smaller)) == set(retained_topics(HOUSE))
    assert removals(HOUSE, HOUSE) == []
    other_node = replace(HOUSE, node_id="cabin")
    assert set(removals(HOUSE, other_node)) == set(retained_topics(HOUSE))


def test_orphans_of_an_earlier_run_are_found_and_nobody_elses_topics_touched() -> None:
    smaller = replace(HOUSE, rooms=HOUSE.rooms[:1], people=())
    foreign = [
        "homeassistant/device/home2/room_porch/config",
        "homeassistant/device/zigbee/x/config",
        "homeface/home2/status",
        "homeface/homestead/room/porch/people",
    ]
    found = orphans([*retained_topics(HOUSE), status_topic(HOUSE), *foreign], smaller)
    assert set(found) == set(removals(HOUSE, smaller))
    assert found[:3] == [
        "homeassistant/device/home/person_p1/config",
        "homeassistant/device/home/person_p2/config",
        "homeassistant/device/home/room_porch/config",
    ]
    assert scan_filters(HOUSE) == ("homeface/home/#", "homeassistant/device/home/+/config")


def test_components_that_vanish_are_removed_from_a_device_that_stays() -> None:
    topic = "homeassistant/device/home/person_p1/config"
    smaller = replace(HOUSE, rooms=HOUSE.rooms[:1])
    before, after = discovery_messages(HOUSE)[topic], discovery_messages(smaller)[topic]
    bridging = with_removals(before, after)
    stubs = {k: c for k, c in json.loads(bridging)["components"].items() if len(c) == 1}
    assert stubs == {
        "arrived_porch": {"platform": "device_automation"},
        "left_porch": {"platform": "device_automation"},
    }
    assert with_removals(bridging, after) == after, "stubs are not removed twice"
    assert with_removals(after, after) == after
    for nonsense in ("", "[]", b"\xff", '{"components": 3}', '{"components": {"a": 1}}', "null"):
        assert with_removals(nonsense, after) == after


# what comes in ---------------------------------------------------------------------------------------


def test_switches() -> None:
    camera = entity(HOUSE, "camera_cam_kitchen", "recognition")["command_topic"]
    hub = entity(HOUSE, "hub", "recognition")["command_topic"]
    assert parse_command(HOUSE, camera, b"OFF") == SetRecognition("cam_kitchen", False)
    assert parse_command(HOUSE, hub, b" on\n") == SetRecognition(None, True)
    assert parse_command(HOUSE, camera, b"OFF", retained=True) is None
    assert parse_command(HOUSE, camera.replace("cam_kitchen", "other"), b"OFF") is None
    assert parse_command(HOUSE, "homeface/home/status", b"OFF") is None
    for nonsense in (b"", b"\xff\xfe", b"{}", b"ONE", b"x" * 10_000):
        with pytest.raises(ValueError, match="ON or OFF"):
            parse_command(HOUSE, camera, nonsense)
    for topic in (camera, hub):
        patterns = [f.replace("+", "[^/]+") for f in command_filters(HOUSE)]
        assert any(re.fullmatch(pattern, topic) for pattern in patterns)


@pytest.mark.parametrize(
    ("payload", "key", "expected"),
    [
        (b"ON", None, True),
        (b" true ", None, True),
        (b"off", None, False),
        (b"0", None, False),
        (b"unavailable", None, None),
        (b"", None, None),
        (b'{"presence": true}', "presence", True),
        (b'{"presence": false}', "presence", False),
        (b'{"a": {"b": "Occupied"}}', "a.b", True),
        (b'{"a": {"b": 1}}', "a.b", True),
        (b'{"a": {"b": null}}', "a.b", None),
        (b"", "presence", None),
        (b"unavailable", "presence", None),
    ],
)
def test_occupancy_sensors(payload: bytes, key: str | None, expected: bool | None) -> None:
    assert parse_occupancy(payload, ["on", "true", "1", "occupied"], key) is expected


@pytest.mark.parametrize(
    ("payload", "key"),
    [(b"\xff", None), (b"ON", "presence"), (b"[]", "a"), (b'{"a": 1}', "a.b"), (b"{}", "a")],
)
def test_occupancy_nonsense_is_refused(payload: bytes, key: str | None) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - bad UTF-8, bad JSON and missing keys each say so
        parse_occupancy(payload, ["on"], key)


def test_birth_of_home_assistant() -> None:
    assert birth_topic(HOUSE) == "homeassistant/status"
    assert is_birth(b"online")
    assert not is_birth(b"offline")


def test_guest_mode_is_a_switch_of_the_house() -> None:
    assert parse_command(HOUSE, "homeface/home/hub/guest_mode/set", b"ON") == SetGuestMode(True)
    assert parse_command(HOUSE, "homeface/home/hub/guest_mode/set", b"ON", retained=True) is None
    with pytest.raises(ValueError, match="ON or OFF"):
        parse_command(HOUSE, "homeface/home/hub/guest_mode/set", b"maybe")
    assert (
        state_messages(HOUSE, STATE, {}, HubFigures(guest_mode=True))["homeface/home/hub/guest_mode"] == "ON"
    )
    assert state_messages(HOUSE, STATE)["homeface/home/hub/guest_mode"] == "OFF"


def test_the_companion_hears_of_the_web_api_and_of_nothing_when_there_is_none() -> None:
    house = replace(HOUSE, instance_id="a1")
    assert announcement_topic(house) == "homeface/home/announce"
    told = json.loads(announcement(house)["homeface/home/announce"])
    assert told == {
        "instance_id": "a1",
        "name": "homeface",
        "node_id": "home",
        "url": "http://homeface.local:8000",
        "version": "1.2.3",
    }
    assert announcement(HOUSE) == {}
    silent = replace(house, configuration_url=None)
    assert announcement(silent) == {}
    assert removals(house, silent) == ["homeface/home/announce"]
    assert orphans(["homeface/home/announce"], silent) == ["homeface/home/announce"]
    assert orphans(["homeface/home/announce"], house) == []


@pytest.mark.parametrize("name", ["nobody", "Nobody known", "Unknown", "unavailable"])
def test_somebody_who_is_called_like_a_state_is_not_taken_for_it(name: str) -> None:
    room = replace(STATE.rooms["kitchen"], names=("p1",), count=1, unknown_count=0)
    house = replace(HOUSE, people=(PersonView("p1", name),))
    found = state_messages(house, replace(STATE, rooms={"kitchen": room}))
    assert found["homeface/home/room/kitchen/names"] == f'"{name}"'
    assert json.loads(found["homeface/home/room/kitchen/names/attributes"])["names"] == [name]


def test_somebody_who_is_called_like_a_room_has_entity_ids_of_their_own() -> None:
    house = replace(HOUSE, people=(PersonView("p1", "Kitchen"), PersonView("p2", "Ben")))
    found = [
        component["default_entity_id"]
        for message in discovery_messages(house).values()
        for component in json.loads(message)["components"].values()
        if "default_entity_id" in component
    ]
    assert len(set(found)) == len(found)
    assert {"event.kitchen_event", "event.person_kitchen_event", "event.ben_event"} <= set(found)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("Jürgen", "jurgen"),
        ("Weiße Kammer", "weisse_kammer"),
        ("Łukasz Ørsted", "lukasz_orsted"),
        ("Мама", ""),
    ],
)
def test_names_in_entity_ids(name: str, part: str) -> None:
    house = replace(HOUSE, people=(PersonView("p1", name),))
    assert entity(house, "person_p1", "room").get("default_entity_id") == (
        f"sensor.{part}_room" if part else None
    )
