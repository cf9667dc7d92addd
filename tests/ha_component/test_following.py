"""The connection: what is true, what has happened, and that nothing is told twice or late."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from conftest import collect, until
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from peer import Peer, person, refusal, visit
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.homeface import async_remove_config_entry_device
from custom_components.homeface.api import CannotConnect, EventParser, HomefaceClient, Refused


async def test_states_follow_and_no_entity_is_made(
    hass: HomeAssistant, peer: Peer, loaded: MockConfigEntry
) -> None:
    house = loaded.runtime_data.data
    assert [one.name for one in house.rooms["kitchen"].people] == ["Anna"]
    assert er.async_entries_for_config_entry(er.async_get(hass), loaded.entry_id) == []
    peer.now["rooms"][0]["people"] = []
    peer.push_now()
    await until(hass, lambda: loaded.runtime_data.data.rooms["kitchen"].people == ())


async def test_each_thing_that_happens_is_told_once(
    hass: HomeAssistant,
    peer: Peer,
    loaded: MockConfigEntry,
    heard: list[dict[str, Any]],
    device_of: Callable[[str], dr.DeviceEntry],
) -> None:
    peer.decide("arrived", "kitchen", "Anna", person_id="p1")
    peer.decide("unknown", "porch", None, reasons=["below_threshold"])
    peer.decide("decision", "porch", None)
    peer.decide("left", "attic", "Dora")
    await until(hass, lambda: len(heard) == 3)
    arrived, unknown, left = heard
    assert (arrived["type"], arrived["person"], arrived["person_id"]) == ("arrived", "Anna", "p1")
    assert (arrived["room"], arrived["room_name"]) == ("kitchen", "Kitchen")
    assert arrived["device_id"] == device_of("person_p1").id
    assert arrived["config_entry_id"] == loaded.entry_id
    assert arrived["age_seconds"] < 5
    assert (unknown["person"], unknown["reasons"]) == (None, ["below_threshold"])
    assert unknown["device_id"] == device_of("room_porch").id
    assert (left["person_id"], left["device_id"]) == (None, None)


async def test_a_name_alone_says_who_it_is_unless_two_have_it(
    hass: HomeAssistant, peer: Peer, loaded: MockConfigEntry, heard: list[dict[str, Any]]
) -> None:
    peer.decide("arrived", "kitchen", "Ben")
    await until(hass, lambda: heard)
    assert heard[0]["person_id"] == "p2"
    peer.now["people"].append(person("p4", "Ben", None))
    peer.push_now()
    peer.decide("arrived", "kitchen", "Ben")
    await until(hass, lambda: len(heard) == 2)
    assert heard[1]["person_id"] is None


async def test_what_is_old_is_not_told(
    hass: HomeAssistant, peer: Peer, loaded: MockConfigEntry, heard: list[dict[str, Any]]
) -> None:
    peer.decide("arrived", "kitchen", "Anna", age=60)
    peer.decide("left", "kitchen", "Anna", age=1)
    await until(hass, lambda: heard)
    assert [event["type"] for event in heard] == ["left"]


async def test_coming_home_is_told_only_within_one_connection(
    hass: HomeAssistant, peer: Peer, loaded: MockConfigEntry, heard: list[dict[str, Any]]
) -> None:
    peer.now["people"][1] |= {"home": True, "room": "kitchen"}
    peer.push_now()
    await until(hass, lambda: heard)
    assert [(e["type"], e["person"], e["room"]) for e in heard] == [("came_home", "Ben", "kitchen")]
    peer.now["people"][0] |= {"home": False, "room": None}
    peer.push_now()
    await until(hass, lambda: len(heard) == 2)
    assert [(e["type"], e["person"], e["room"]) for e in heard[1:]] == [("left_home", "Anna", None)]

    peer.now["people"][2] |= {"home": False, "available": True}  # it was not known before: no news
    peer.now["people"][0] |= {"home": True, "available": False}  # it is not known now: no news either
    peer.push_now()
    coordinator = loaded.runtime_data
    await until(hass, lambda: coordinator.data.people["p3"].available)
    peer.stop()
    await until(hass, lambda: not coordinator.connected)
    peer.now["people"][1] |= {"home": False, "room": None}  # while nobody listened
    peer.start(port=peer.port)
    await until(hass, lambda: coordinator.connected and not coordinator.data.people["p2"].home)
    assert len(heard) == 2


async def test_a_stream_that_ends_in_good_order_is_no_outage(
    hass: HomeAssistant,
    peer: Peer,
    loaded: MockConfigEntry,
    heard: list[dict[str, Any]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    coordinator, lost = loaded.runtime_data, []
    coordinator.async_add_listener(lambda: lost.append(coordinator.connected))
    for _ in range(3):
        before = set(peer.streams)
        peer.drop_streams()
        await until(hass, lambda: peer.streams and not before & peer.streams)  # noqa: B023
    assert False not in lost
    peer.now["people"][1] |= {"home": True, "room": "kitchen"}
    peer.push_now()
    await until(hass, lambda: heard)
    assert [event["type"] for event in heard] == ["came_home"]
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_server_that_says_nothing_is_not_asked_without_end(
    hass: HomeAssistant, peer: Peer, loaded: MockConfigEntry
) -> None:
    peer.mute = True
    peer.drop_streams()
    await until(hass, lambda: not loaded.runtime_data.connected)


async def test_nothing_is_known_while_there_is_no_connection(
    hass: HomeAssistant, peer: Peer, loaded: MockConfigEntry
) -> None:
    coordinator = loaded.runtime_data
    peer.stop()
    await until(hass, lambda: not coordinator.connected)
    assert not coordinator.last_update_success
    peer.start(port=peer.port)
    await until(hass, lambda: coordinator.connected)
    assert coordinator.last_update_success


@pytest.mark.parametrize("data", ["no JSON", {"rooms": 5}, [], {"rooms": [{"id": "kitchen"}]}])
async def test_an_event_that_makes_no_sense_ends_the_connection_and_nothing_else(
    hass: HomeAssistant, peer: Peer, loaded: MockConfigEntry, data: Any
) -> None:
    coordinator, lost = loaded.runtime_data, []
    coordinator.async_add_listener(lambda: lost.append(coordinator.connected))
    peer.push("now", data)
    await until(hass, lambda: False in lost and coordinator.connected)
    assert coordinator.data.rooms["kitchen"].occupied


async def test_another_homeface_at_the_address_is_not_believed(
    hass: HomeAssistant, peer: Peer, loaded: MockConfigEntry
) -> None:
    peer.info["instance_id"] = "f" * 32
    peer.drop_streams()
    await until(hass, lambda: not loaded.runtime_data.connected)
    assert not peer.streams
    await hass.config_entries.async_reload(loaded.entry_id)
    assert loaded.state is ConfigEntryState.SETUP_ERROR


async def test_a_token_that_was_withdrawn_asks_for_another(
    hass: HomeAssistant, peer: Peer, loaded: MockConfigEntry
) -> None:
    peer.token = "another"
    peer.drop_streams()
    await until(hass, hass.config_entries.flow.async_progress)
    (flow,) = hass.config_entries.flow.async_progress()
    assert flow["context"]["source"] == SOURCE_REAUTH
    assert not loaded.runtime_data.connected


@pytest.mark.parametrize("path", ["/info", "/now"])
@pytest.mark.parametrize(
    ("status", "state"),
    [(401, ConfigEntryState.SETUP_ERROR), (500, ConfigEntryState.SETUP_RETRY)],
)
async def test_a_start_that_fails(
    hass: HomeAssistant, peer: Peer, entry: MockConfigEntry, path: str, status: int, state: ConfigEntryState
) -> None:
    peer.refuse[f"GET {path}"] = (status, "no")
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is state
    assert bool(hass.config_entries.flow.async_progress()) == (status == 401)


async def test_a_changed_node_id_is_learned(hass: HomeAssistant, peer: Peer, loaded: MockConfigEntry) -> None:
    peer.info["node_id"] = "house"
    peer.drop_streams()
    await until(hass, lambda: loaded.data["node_id"] == "house")


async def test_a_token_that_may_only_read_now_is_enough_to_start(
    hass: HomeAssistant, peer: Peer, entry: MockConfigEntry
) -> None:
    for path in ("/people", "/visits/unknown"):
        peer.refuse[f"GET {path}"] = (403, refusal("missing_scope", "No."))
    assert await hass.config_entries.async_setup(entry.entry_id)
    await until(hass, lambda: entry.runtime_data.connected)
    assert entry.runtime_data.people == ()
    await hass.config_entries.async_unload(entry.entry_id)


# -- devices --------------------------------------------------------------------------------------------


async def test_devices_are_joined_and_let_go_with_mqtt(
    hass: HomeAssistant,
    peer: Peer,
    loaded: MockConfigEntry,
    mqtt_entry: MockConfigEntry,
    device_of: Callable[[str], dr.DeviceEntry],
) -> None:
    registry = dr.async_get(hass)
    assert device_of("room_kitchen").config_entries == {mqtt_entry.entry_id, loaded.entry_id}
    attic = device_of("room_attic")  # MQTT makes it later
    await hass.async_block_till_done()
    assert loaded.entry_id in registry.async_get(attic.id).config_entries
    assert not await async_remove_config_entry_device(hass, loaded, attic)
    registry.async_update_device(attic.id, remove_config_entry_id=mqtt_entry.entry_id)
    await hass.async_block_till_done()
    assert registry.async_get(attic.id) is None
    stranger = registry.async_get_or_create(
        config_entry_id=mqtt_entry.entry_id, identifiers={("mqtt", "else")}
    )
    assert await async_remove_config_entry_device(hass, loaded, stranger)
    await hass.async_block_till_done()
    assert registry.async_get(stranger.id).config_entries == {mqtt_entry.entry_id}


# -- unknown visits -------------------------------------------------------------------------------------


async def test_a_new_unknown_visit_is_told_once_with_its_picture(
    hass: HomeAssistant, peer: Peer, loaded: MockConfigEntry
) -> None:
    told = collect(hass, "homeface_unknown_visit")
    peer.groups = [
        {"group_id": "g1", "visits": [visit("v1"), visit("v0", age=900)]},
        {"group_id": "g2", "visits": [visit("v2", "cellar", picture=False)]},
    ]
    peer.push("visits", None)
    await until(hass, lambda: len(told) == 2)
    first = next(event for event in told if event["visit_id"] == "v1")
    assert first["picture"] == f"/api/homeface/{loaded.entry_id}/visits/v1"
    assert (first["room_name"], first["similar"]) == ("Porch", 1)
    other = next(event for event in told if event["visit_id"] == "v2")
    assert (other["picture"], other["room_name"], other["similar"]) == (None, "cellar", 0)
    peer.push("visits", {})
    peer.groups[0]["visits"].append(visit("v3"))
    peer.push("visits", {})
    await until(hass, lambda: len(told) == 3)
    peer.drop_streams()  # what came while nobody listened is told if it is fresh, and only once
    peer.groups[0]["visits"] += [visit("v4"), visit("v5", age=600)]
    await until(hass, lambda: len(told) == 4)
    assert [event["visit_id"] for event in told[2:]] == ["v3", "v4"]


async def test_visits_that_were_there_before_are_no_news(
    hass: HomeAssistant, peer: Peer, entry: MockConfigEntry
) -> None:
    told = collect(hass, "homeface_unknown_visit")
    peer.groups = [{"group_id": "g1", "visits": [visit("v1")]}]
    assert await hass.config_entries.async_setup(entry.entry_id)
    await until(hass, lambda: entry.runtime_data.connected)
    assert [one.id for one in entry.runtime_data.unknown_visits] == ["v1"]
    assert told == []
    await hass.config_entries.async_unload(entry.entry_id)


# -- the client -----------------------------------------------------------------------------------------


def test_events_come_in_any_pieces() -> None:
    text = b"event: ping\r\n\r\n: comment\n\nevent: now\ndata: {\ndata: }\n\ndata: 1\n\n"
    whole = EventParser().feed(text)
    assert [(event.name, event.data) for event in whole] == [("ping", None), ("now", {}), ("message", 1)]
    parser = EventParser()
    pieces = [event for number in range(len(text)) for event in parser.feed(text[number : number + 1])]
    assert pieces == whole


def test_an_event_without_end_is_refused() -> None:
    parser = EventParser()
    assert parser.feed(b"x" * (1 << 20)) == []
    with pytest.raises(CannotConnect, match="too long"):
        parser.feed(b"x" * (1 << 21))


@pytest.mark.parametrize("visit_id", ["..", "../people", "a/b", "", "a?b", "ä"])
async def test_an_id_cannot_leave_its_path(hass: HomeAssistant, peer: Peer, visit_id: str) -> None:
    import aiohttp

    async with aiohttp.ClientSession() as session:
        with pytest.raises(Refused, match="no id"):
            await HomefaceClient(session, peer.url, peer.token).dismiss_visit(visit_id)
    assert peer.asked == []


async def test_answers_of_another_kind_are_refused(hass: HomeAssistant, peer: Peer) -> None:
    import aiohttp

    peer.groups = [{"group_id": "g", "visits": [visit("v1")]}]
    async with aiohttp.ClientSession() as session:
        client = HomefaceClient(session, peer.url, peer.token)
        peer.refuse["GET /visits/unknown/v1/picture"] = (200, "<svg onload=alert(1)>")
        with pytest.raises(CannotConnect, match="a picture was expected"):
            await client.visit_picture("v1")
        peer.refuse["GET /events"] = (200, "hello")
        with pytest.raises(CannotConnect, match="events were expected"):
            await anext(client.events())
        peer.refuse["POST /people"] = (200, {"no": "id"})
        with pytest.raises(CannotConnect, match="has no id"):
            await client.create_person("Eve")
        peer.refuse["GET /info"] = (200, "x" * (9 << 20))
        with pytest.raises(CannotConnect, match="too long"):
            await client.info()
