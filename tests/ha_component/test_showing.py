"""What is shown and said: pictures, media, Assist, the logbook, diagnostics, system health."""

from __future__ import annotations

import json
import shutil
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from conftest import until
from homeassistant.components.media_source import (
    BrowseError,
    Unresolvable,
    async_browse_media,
    async_resolve_media,
)
from homeassistant.core import Context, Event, HomeAssistant
from homeassistant.setup import async_setup_component
from peer import JPEG, TOKEN, Peer, person, room, visit
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.homeface import logbook, phrases
from custom_components.homeface.diagnostics import async_get_config_entry_diagnostics
from custom_components.homeface.system_health import system_health_info

ROOT = "media-source://homeface"
SENTENCES = Path(__file__).resolve().parents[2] / "homeassistant" / "custom_sentences"


@pytest.fixture
async def visits(hass: HomeAssistant, peer: Peer, loaded: MockConfigEntry) -> MockConfigEntry:
    """Two likenesses, one of them seen twice; one visit without a picture."""
    peer.groups = [
        {"group_id": "g1", "visits": [visit("v1"), visit("v2", age=700)]},
        {"group_id": "g2", "visits": [visit("v3", "cellar", age=9000, picture=False)]},
    ]
    peer.push("visits", {})
    await until(hass, lambda: loaded.runtime_data.unknown_visits)
    assert await async_setup_component(hass, "media_source", {})
    await hass.async_block_till_done(wait_background_tasks=False)
    return loaded


async def test_pictures_are_for_people_who_are_logged_in(
    hass: HomeAssistant, peer: Peer, visits: MockConfigEntry, hass_client: Any, hass_client_no_auth: Any
) -> None:
    path = f"/api/homeface/{visits.entry_id}/visits"
    assert (await (await hass_client_no_auth()).get(f"{path}/v1")).status == HTTPStatus.UNAUTHORIZED
    client = await hass_client()
    answer = await client.get(f"{path}/v1")
    assert (answer.status, answer.content_type, await answer.read()) == (HTTPStatus.OK, "image/jpeg", JPEG)
    assert answer.headers["Cache-Control"] == "no-store"
    for gone in (f"{path}/v9", f"{path}/a%20b", "/api/homeface/other/visits/v1"):
        assert (await client.get(gone)).status == HTTPStatus.NOT_FOUND
    peer.stop()
    assert (await client.get(f"{path}/v1")).status == HTTPStatus.BAD_GATEWAY


async def test_unknown_visits_are_media(hass: HomeAssistant, peer: Peer, visits: MockConfigEntry) -> None:
    top = await async_browse_media(hass, ROOT)
    assert [child.can_expand for child in top.children or []] == [True, False]
    group, single = top.children or []
    assert (group.title[-4:], group.thumbnail) == ("(+1)", f"/api/homeface/{visits.entry_id}/visits/v1")
    assert (single.can_play, single.thumbnail) == (False, None)
    inside = await async_browse_media(hass, group.media_content_id)
    first = (inside.children or [])[0]
    assert first.title.startswith("Porch, ")
    found = await async_resolve_media(hass, first.media_content_id, None)
    assert (found.url, found.mime_type) == (f"/api/homeface/{visits.entry_id}/visits/v1", "image/jpeg")
    for item in (single.media_content_id, f"{ROOT}/{visits.entry_id}/visit/v9", f"{ROOT}/x"):
        with pytest.raises(Unresolvable):
            await async_resolve_media(hass, item, None)
    for item in (f"{ROOT}/{visits.entry_id}/group/g9", f"{ROOT}/x"):
        with pytest.raises(BrowseError):
            await async_browse_media(hass, item)


async def test_several_homefaces_are_folders(hass: HomeAssistant, visits: MockConfigEntry) -> None:
    assert len((await async_browse_media(hass, ROOT)).children or []) == 2
    await hass.config_entries.async_unload(visits.entry_id)
    nothing = await async_browse_media(hass, ROOT)
    assert nothing.children == []


# -- Assist ---------------------------------------------------------------------------------------------


@pytest.fixture
async def assist(hass: HomeAssistant, loaded: MockConfigEntry, tmp_path: Path) -> Any:
    """The real conversation agent with the sentences as they are installed."""
    hass.config.config_dir = str(tmp_path)
    shutil.copytree(SENTENCES, tmp_path / "custom_sentences")
    assert await async_setup_component(hass, "homeassistant", {})
    assert await async_setup_component(hass, "conversation", {})
    assert await async_setup_component(hass, "intent", {})
    await hass.async_block_till_done(wait_background_tasks=False)
    from homeassistant.components.conversation import async_converse

    async def ask(text: str, language: str = "en") -> str:
        result = await async_converse(hass, text, None, Context(), language)
        return str(result.response.speech["plain"]["speech"])

    return ask


ENGLISH = {
    "who is in the kitchen?": "Anna is in the kitchen.",
    "who's in the kitchen": "Anna is in the kitchen.",
    "Who is in the porch right now?": "Somebody I do not know is in the porch.",
    "is anybody in the attic?": "I cannot see the attic at the moment.",
    "who is in the cellar?": "I know no room called cellar.",
    "where is Anna?": "Anna is in the kitchen.",
    "where is mum": "Anna is in the kitchen.",
    "where's Ben": "Ben is not at home.",
    "where is Cem?": "I cannot say where Cem is at the moment.",
    "where is Dora?": "I do not know anybody called Dora.",
}
GERMAN = {
    "wer ist in der Kitchen?": "Im Raum Kitchen ist Anna.",
    "Wer ist gerade im Attic?": "Den Raum Attic kann ich gerade nicht sehen.",
    "wo ist Anna?": "Anna ist im Raum Kitchen.",
    "wo ist gerade Ben?": "Ben ist nicht zu Hause.",
    "in welchem Zimmer ist Cem": "Wo Cem ist, kann ich gerade nicht sagen.",
}


async def test_assist_answers_in_german(assist: Any) -> None:
    assert {question: await assist(question, "de") for question in GERMAN} == GERMAN


async def test_assist_answers_and_tells_of_several_and_of_none(
    hass: HomeAssistant, assist: Any, peer: Peer, loaded: MockConfigEntry
) -> None:
    assert {question: await assist(question) for question in ENGLISH} == ENGLISH
    kitchen, porch, attic = peer.now["rooms"]
    kitchen["people"].append({"id": "p2", "name": "Ben", "since": None, "last_seen": None})
    kitchen["unknown_count"] = 2
    porch |= {"unknown_count": 0, "occupied": True}
    attic |= {"available": True}
    peer.now["people"][1] |= {"home": True, "room": None}
    peer.now["people"].append(person("p4", "Cem", None))
    peer.push_now()
    await until(hass, lambda: "p4" in loaded.runtime_data.data.people)
    said = "Anna and Ben are in the kitchen. 2 people I do not know are there, too."
    assert await assist("who is in the kitchen") == said
    assert await assist("who is in the porch") == "Somebody is in the porch, but I have seen no face."
    assert await assist("who is in the attic") == "Nobody is in the attic."
    assert await assist("where is Ben") == "Ben is at home, but I cannot say in which room."
    assert await assist("where is Cem") == "I know several people called Cem."
    peer.stop()
    await until(hass, lambda: not loaded.runtime_data.connected)
    nothing = "I have no connection to homeface at the moment."
    assert await assist("where is Ben") == nothing
    assert await assist("who is in the attic") == nothing


async def test_two_houses_are_told_apart(hass: HomeAssistant, assist: Any, loaded: MockConfigEntry) -> None:
    """Each may have an Anna and a kitchen; and no answer is given for a house that cannot be asked."""
    other = Peer()
    other.info["instance_id"], other.info["node_id"] = "b" * 32, "lake"
    other.now["rooms"] = [room("kitchen", "Kitchen"), room("sauna", "Sauna")]
    other.now["people"] = [person("q1", "Anna", None, home=False), person("q2", "Dora", "sauna")]
    other.start()
    data = {"url": other.url, "token": other.token, "node_id": "lake"}
    second = MockConfigEntry(domain="homeface", title="Lake", unique_id="b" * 32, data=data)
    second.add_to_hass(hass)
    assert await hass.config_entries.async_setup(second.entry_id)
    await until(hass, lambda: second.runtime_data.connected)
    both = "Home: Anna is in the kitchen. Lake: Nobody is in the kitchen."
    assert await assist("who is in the kitchen") == both
    assert await assist("where is Anna") == "Home: Anna is in the kitchen. Lake: Anna is not at home."
    assert await assist("where is Dora") == "Dora is in the sauna."
    assert await assist("where is Ben") == "Ben is not at home."
    other.stop()
    await until(hass, lambda: not second.runtime_data.connected)
    lost = "Lake: I have no connection to homeface at the moment."
    assert await assist("where is Ben") == f"Home: Ben is not at home. {lost}"
    assert await assist("where is Dora") == f"I do not know anybody called Dora. {lost}"
    await hass.config_entries.async_unload(second.entry_id)


async def test_umlauts_and_a_person_who_is_called_like_a_room(
    hass: HomeAssistant, assist: Any, peer: Peer, loaded: MockConfigEntry
) -> None:
    peer.now["rooms"] = [room("kueche", "Küche"), room("attic", "Weiße Kammer")]
    peer.now["people"] = [person("p1", "Jürgen", "kueche"), person("p2", "Küche", None, home=False)]
    peer.push_now()
    await until(hass, lambda: "kueche" in loaded.runtime_data.data.rooms)
    for words in ("wer ist in der Küche", "wer ist in der Ku\u0308che"):
        assert await assist(words, "de") == "Im Raum Küche ist niemand."
    assert await assist("wer ist in der WEISSE KAMMER", "de") == "Im Raum Weiße Kammer ist niemand."
    assert await assist("wo ist Ju\u0308rgen", "de") == "Jürgen ist im Raum Küche."
    assert await assist("wo ist Küche", "de") == "Küche ist nicht zu Hause."


def test_every_phrase_is_there_in_every_language() -> None:
    assert {frozenset(table) for table in phrases.LANGUAGES.values()} == {frozenset(phrases.LANGUAGES["en"])}
    assert phrases.say("fr", "and") == "and"
    assert phrases.room_words("en", "Anna's room") == "Anna's room"
    assert phrases.room_words("en", "TV room") == "the TV room"
    assert phrases.listed("de-CH", ["A", "B", "C"]) == "A, B und C"


# -- logbook --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "data", "name", "message"),
    [
        (
            "en",
            {"type": "arrived", "person": "Anna", "room_name": "Kitchen"},
            "Anna",
            "came into the kitchen",
        ),
        ("en", {"type": "left", "person": "Anna", "room_name": "Kitchen"}, "Anna", "left the kitchen"),
        ("en", {"type": "unknown", "room": "porch"}, "homeface", "Somebody unknown was seen in the porch"),
        ("en", {"type": "came_home", "person": "Anna"}, "Anna", "came home"),
        ("de", {"type": "arrived", "person": "Anna", "room_name": "Küche"}, "Anna", "kam in den Raum Küche"),
        ("en", {"type": "somebody else's"}, "homeface", "somebody else's"),
    ],
)
async def test_the_logbook_has_sentences(
    hass: HomeAssistant, loaded: MockConfigEntry, language: str, data: dict[str, Any], name: str, message: str
) -> None:
    hass.config.language = language
    described: dict[str, Any] = {}
    logbook.async_describe_events(hass, lambda domain, event, how: described.update({event: (domain, how)}))
    domain, how = described["homeface_event"]
    assert domain == "homeface"
    assert how(Event("homeface_event", data)) == {"name": name, "message": message}


# -- diagnostics and system health ----------------------------------------------------------------------


async def test_diagnostics_hold_neither_names_nor_secrets(
    hass: HomeAssistant, peer: Peer, visits: MockConfigEntry
) -> None:
    told = await async_get_config_entry_diagnostics(hass, visits)
    text = json.dumps(told)
    for secret in (TOKEN, "Anna", "Ben", "Cem", "p1", "127.0.0.1", str(peer.port), "v1"):
        assert secret not in text, secret
    assert told["rooms"]["room 1"] == {
        "occupied": True,
        "available": True,
        "paused": False,
        "people": 1,
        "unknown": 0,
    }
    assert told["people"]["person 1"]["room"] == "room 1"
    assert (told["connection"]["connected"], told["unknown_visits"]) == (True, 3)


async def test_system_health(hass: HomeAssistant, peer: Peer, loaded: MockConfigEntry) -> None:
    assert await async_setup_component(hass, "system_health", {})
    await hass.async_block_till_done(wait_background_tasks=False)
    told = await system_health_info(hass)
    assert (told["version"], told["people"], told["cameras_available"]) == ("0.1.0", 3, "2 / 2")
    assert await told["can_reach_server"] == "ok"
    peer.stop()
    assert await (await system_health_info(hass))["can_reach_server"] == {
        "type": "failed",
        "error": "unreachable",
    }
    await hass.config_entries.async_unload(loaded.entry_id)
    assert await system_health_info(hass) == {"set_up": 0}
