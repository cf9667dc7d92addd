"""The actions: what they send, what they answer, and who may call them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import until
from homeassistant.auth.const import GROUP_ID_USER
from homeassistant.config_entries import SOURCE_REAUTH
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized, UnknownUser
from homeassistant.setup import async_setup_component
from peer import JPEG, Peer, enrolled, refusal, room
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from custom_components.homeface import media
from custom_components.homeface.const import DOMAIN

Call = Callable[..., Awaitable[Any]]


@pytest.fixture
def call(hass: HomeAssistant, loaded: MockConfigEntry) -> Call:
    async def do(action: str, *, respond: bool = False, context: Context | None = None, **data: Any) -> Any:
        return await hass.services.async_call(
            DOMAIN, action, data, blocking=True, return_response=respond, context=context
        )

    return do


async def test_who_is_where(call: Call, peer: Peer) -> None:
    answer = await call("who_is_where", respond=True)
    assert answer["rooms"]["kitchen"]["people"] == ["Anna"]
    assert answer["rooms"]["porch"]["unknown_count"] == 1
    assert not answer["rooms"]["attic"]["available"]
    assert answer["people"]["p1"]["room"] == "kitchen"
    assert answer["people"]["p1"]["since"].endswith("+00:00")
    only = await call("who_is_where", respond=True, room="kitchen", person="mum")
    assert (list(only["rooms"]), list(only["people"])) == (["kitchen"], ["p1"])
    peer.now["rooms"][0]["people"] = []  # asked anew, not remembered
    assert (await call("who_is_where", respond=True))["rooms"]["kitchen"]["people"] == []


async def test_enrol_from_camera(call: Call, peer: Peer) -> None:
    answer = await call("enrol_from_camera", respond=True, person="anna", camera="Camera kitchen", seconds=5)
    assert answer["accepted"] == 1
    body = {"camera": "kitchen", "seconds": 5.0}
    assert peer.asked == [("POST", "/people/p1/photos/from-camera", body)]


async def test_somebody_new_is_made_only_when_that_was_said(call: Call, peer: Peer) -> None:
    with pytest.raises(ServiceValidationError) as failure:
        await call("enrol_from_camera", person="Eve", camera="kitchen")
    assert failure.value.translation_key == "no_such_person"
    await call("enrol_from_camera", person="Eve", camera="kitchen", new_person=True)
    await call("enrol_from_camera", person="p1", camera="kitchen", new_person=True)
    assert [(method, path) for method, path, _ in peer.asked] == [
        ("POST", "/people"),
        ("POST", "/people/p9/photos/from-camera"),
        ("POST", "/people/p1/photos/from-camera"),
    ]


async def test_somebody_new_without_a_good_picture_is_taken_back(call: Call, peer: Peer) -> None:
    peer.photos = {"photos": [], "notes": ["Nobody was there."]}
    with pytest.raises(HomeAssistantError):
        await call("enrol_from_camera", person="Eve", camera="kitchen", new_person=True)
    with pytest.raises(HomeAssistantError):
        await call("enrol_from_camera", person="Anna", camera="kitchen", new_person=True)
    assert [(method, path) for method, path, _ in peer.asked] == [
        ("POST", "/people"),
        ("POST", "/people/p9/photos/from-camera"),
        ("DELETE", "/people/p9"),
        ("POST", "/people/p1/photos/from-camera"),
    ]


async def test_nothing_good_enough_is_a_failure_that_says_why(call: Call, peer: Peer) -> None:
    photo = {"label": "1", "key": "no_face", "message": "There is no face.", "accepted": False}
    peer.photos = {"photos": [photo, photo], "notes": []}
    with pytest.raises(HomeAssistantError) as failure:
        await call("enrol_from_camera", person="Anna", camera="kitchen")
    assert failure.value.translation_placeholders == {"error": "There is no face."}


async def test_naming_an_unknown_visit(call: Call, peer: Peer) -> None:
    await call("name_unknown_visit", visit_id="v1", person=" Ben ")
    await call("name_unknown_visit", visit_id="v1", person="Eve", similar_visits=True)
    assert peer.asked == [
        ("POST", "/visits/unknown/v1/name", {"group": False, "person_id": "p2"}),
        ("POST", "/visits/unknown/v1/name", {"group": True, "name": "Eve"}),
    ]


async def test_two_of_one_name_are_not_guessed(call: Call, peer: Peer) -> None:
    peer.people.append(enrolled("p4", "Ben"))
    for action, data in (
        ("name_unknown_visit", {"visit_id": "v1", "person": "Ben"}),
        ("forget_person", {"person": "Ben", "confirm": True}),
    ):
        with pytest.raises(ServiceValidationError) as failure:
            await call(action, **data)
        assert failure.value.translation_key == "several_people"
    assert peer.asked == []


async def test_the_other_changes(call: Call, peer: Peer) -> None:
    await call("dismiss_unknown_visit", visit_id="v1")
    await call("forget_person", person="Ben", confirm=True)
    await call("pause_room", room="Kitchen")
    await call("pause_room", room="kitchen", paused=False)
    assert peer.asked == [
        ("DELETE", "/visits/unknown/v1", None),
        ("DELETE", "/people/p2", None),
        ("POST", "/rooms/kitchen/pause", {"paused": True}),
        ("POST", "/rooms/kitchen/pause", {"paused": False}),
    ]


async def test_forgetting_must_be_confirmed(call: Call, peer: Peer) -> None:
    for data in ({}, {"confirm": False}):
        with pytest.raises(Exception, match="confirm"):
            await call("forget_person", person="Ben", **data)
    assert peer.asked == []


@pytest.mark.parametrize(
    ("action", "data", "key"),
    [
        ("pause_room", {"room": "cellar"}, "no_such_room"),
        ("who_is_where", {"room": "cellar"}, "no_such_room"),
        ("enrol_from_camera", {"person": "Anna", "camera": "cellar"}, "no_such_camera"),
        ("forget_person", {"person": "Eve", "confirm": True}, "no_such_person"),
        ("pause_room", {"room": "kitchen", "config_entry_id": "other"}, "not_set_up"),
    ],
)
async def test_what_is_not_there_is_said(call: Call, action: str, data: dict[str, Any], key: str) -> None:
    with pytest.raises(ServiceValidationError) as failure:
        await call(action, respond=action == "who_is_where", **data)
    assert failure.value.translation_key == key


async def test_names_are_found_however_a_keyboard_writes_them(call: Call, peer: Peer) -> None:
    peer.people.append(enrolled("p4", "Jürgen"))
    await call("name_unknown_visit", visit_id="v1", person="JU\u0308RGEN")
    assert peer.asked[-1][2] == {"group": False, "person_id": "p4"}


async def test_a_renamed_room_that_bears_the_key_of_another_is_not_guessed(
    hass: HomeAssistant, call: Call, peer: Peer, loaded: MockConfigEntry
) -> None:
    peer.now["rooms"] = [room("kitchen", "Salon"), room("salon", "Kitchen"), room("hall", "Flur")]
    peer.push_now()
    await until(hass, lambda: "hall" in loaded.runtime_data.data.rooms)
    with pytest.raises(ServiceValidationError) as failure:
        await call("pause_room", room="Kitchen")
    assert failure.value.translation_key == "several_rooms"
    assert peer.asked == []
    await call("pause_room", room="kitchen")  # its very key
    await call("pause_room", room="flur")
    assert [path for _, path, _ in peer.asked] == ["/rooms/kitchen/pause", "/rooms/hall/pause"]


async def test_two_homefaces_must_be_told_apart(hass: HomeAssistant, call: Call, peer: Peer) -> None:
    other = Peer()
    other.info["instance_id"] = "b" * 32
    other.start()
    second = MockConfigEntry(
        domain=DOMAIN, unique_id="b" * 32, data={"url": other.url, "token": other.token, "node_id": "home"}
    )
    second.add_to_hass(hass)
    assert await hass.config_entries.async_setup(second.entry_id)
    with pytest.raises(ServiceValidationError) as failure:
        await call("pause_room", room="kitchen")
    assert failure.value.translation_key == "several_set_up"
    await call("pause_room", room="kitchen", config_entry_id=second.entry_id)
    assert (len(peer.asked), len(other.asked)) == (0, 1)
    await hass.config_entries.async_unload(second.entry_id)
    other.stop()


@pytest.mark.parametrize(
    ("refused", "kind", "key"),
    [
        ((401, "no"), HomeAssistantError, "invalid_auth"),
        ((403, refusal("missing_scope", "control is missing")), HomeAssistantError, "missing_scope"),
        ((409, refusal("busy", "Somebody else enrols.")), ServiceValidationError, "refused"),
        ((500, "broken"), HomeAssistantError, "cannot_connect"),
    ],
)
async def test_failures_are_told_in_sentences(
    hass: HomeAssistant, call: Call, peer: Peer, refused: tuple[int, Any], kind: type[Exception], key: str
) -> None:
    peer.refuse["POST /rooms/kitchen/pause"] = refused
    with pytest.raises(kind) as failure:
        await call("pause_room", room="kitchen")
    assert failure.value.translation_key == key  # type: ignore[attr-defined]
    flows = [flow["context"]["source"] for flow in hass.config_entries.flow.async_progress()]
    assert flows == ([SOURCE_REAUTH] if refused[0] == 401 else [])


async def test_only_administrators_change_who_is_known(hass: HomeAssistant, call: Call, peer: Peer) -> None:
    user = MockUser(groups=[await hass.auth.async_get_group(GROUP_ID_USER)]).add_to_hass(hass)
    owner = MockUser(is_owner=True).add_to_hass(hass)
    for action, data in (
        ("enrol_from_camera", {"person": "Anna", "camera": "kitchen"}),
        ("enrol_from_media", {"person": "Anna", "media": "media-source://x/y"}),
        ("name_unknown_visit", {"visit_id": "v1", "person": "Ben"}),
        ("dismiss_unknown_visit", {"visit_id": "v1"}),
        ("forget_person", {"person": "Ben", "confirm": True}),
    ):
        with pytest.raises(Unauthorized):
            await call(action, context=Context(user_id=user.id), **data)
    with pytest.raises(UnknownUser):
        await call("dismiss_unknown_visit", context=Context(user_id="nobody"), visit_id="v1")
    assert peer.asked == []
    await call("pause_room", context=Context(user_id=user.id), room="kitchen")
    await call("dismiss_unknown_visit", context=Context(user_id=owner.id), visit_id="v1")
    assert len(peer.asked) == 2


# -- pictures out of media ------------------------------------------------------------------------------


@pytest.fixture
async def pictures(hass: HomeAssistant, tmp_path: Path, hass_client_no_auth: Any) -> Path:
    """A folder of pictures that Home Assistant serves over TCP."""
    hass.config.media_dirs = {"local": str(tmp_path)}
    assert await async_setup_component(hass, "media_source", {})
    client = await hass_client_no_auth()
    hass.config.internal_url = str(client.make_url("")).rstrip("/")
    (tmp_path / "anna.jpg").write_bytes(JPEG)
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


async def test_enrol_from_media(call: Call, peer: Peer, pictures: Path) -> None:
    chosen = {
        "media_content_id": "media-source://media_source/local/anna.jpg",
        "media_content_type": "image/jpeg",
    }
    answer = await call("enrol_from_media", respond=True, person="Anna", media=chosen)
    assert answer["accepted"] == 1
    assert peer.asked == [("POST", "/people/p1/photos", [("anna.jpg", JPEG)])]


@pytest.mark.parametrize(
    "chosen",
    [
        "media-source://media_source/local/gone.jpg",
        "media-source://media_source/local/notes.txt",
        "media-source://nobody/at/all.jpg",
        "http://127.0.0.1/steal.jpg",
        "/etc/passwd",
        {"no": "id"},
    ],
)
async def test_only_pictures_of_media_sources_are_taken(
    call: Call, peer: Peer, pictures: Path, chosen: Any
) -> None:
    with pytest.raises(ServiceValidationError) as failure:
        await call("enrol_from_media", person="Anna", media=chosen)
    assert failure.value.translation_key == "no_photo"
    assert peer.asked == []


async def test_a_picture_may_not_be_endless(
    call: Call, peer: Peer, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "MAX_PHOTO_BYTES", 4)
    with pytest.raises(ServiceValidationError) as failure:
        await call("enrol_from_media", person="Anna", media="media-source://media_source/local/anna.jpg")
    assert failure.value.translation_key == "photo_too_large"


async def test_a_file_that_newer_versions_name_is_read_directly(
    hass: HomeAssistant, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Found:
        url, mime_type, path = "/media/local/anna.jpg", "image/jpeg", pictures / "anna.jpg"

    async def resolve(*_: Any) -> Found:
        return Found()

    monkeypatch.setattr(media, "async_resolve_media", resolve)
    assert await media.photos_of(hass, ["media-source://media_source/local/anna.jpg"]) == [("anna.jpg", JPEG)]
    Found.path = pictures / "gone.jpg"
    with pytest.raises(ServiceValidationError):
        await media.photos_of(hass, ["media-source://media_source/local/anna.jpg"])
