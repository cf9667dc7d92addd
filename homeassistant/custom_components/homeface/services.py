"""The actions. They are there as soon as the integration is loaded; each names the homeface it means."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import voluptuous as vol
from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized, UnknownUser
from homeassistant.helpers import config_validation as cv

from .api import ApiError, Forbidden, InvalidAuth, Refused
from .const import DOMAIN
from .happenings import iso
from .media import photos_of
from .models import name_key

if TYPE_CHECKING:
    from .coordinator import HomefaceCoordinator
    from .models import Enrolment, Person, Room

ENTRY = "config_entry_id"
PERSON = "person"
ROOM = "room"

_ENTRY: dict[vol.Marker, Any] = {vol.Optional(ENTRY): cv.string}
_NAME = vol.All(cv.string, vol.Length(min=1, max=100))
_TRUE = vol.All(cv.boolean, vol.Equal(True))

ENROL_FROM_CAMERA = vol.Schema(
    {
        **_ENTRY,
        vol.Required(PERSON): _NAME,
        vol.Required("camera"): _NAME,
        vol.Optional("seconds", default=8): vol.All(vol.Coerce(float), vol.Range(min=1, max=30)),
        vol.Optional("new_person", default=False): cv.boolean,
    }
)
ENROL_FROM_MEDIA = vol.Schema(
    {
        **_ENTRY,
        vol.Required(PERSON): _NAME,
        vol.Required("media"): vol.All(cv.ensure_list, [vol.Any(cv.string, dict)], vol.Length(min=1, max=20)),
        vol.Optional("new_person", default=False): cv.boolean,
    }
)
NAME_UNKNOWN_VISIT = vol.Schema(
    {
        **_ENTRY,
        vol.Required("visit_id"): cv.string,
        vol.Required(PERSON): _NAME,
        vol.Optional("similar_visits", default=False): cv.boolean,
    }
)
DISMISS_UNKNOWN_VISIT = vol.Schema({**_ENTRY, vol.Required("visit_id"): cv.string})
FORGET_PERSON = vol.Schema({**_ENTRY, vol.Required(PERSON): _NAME, vol.Required("confirm"): _TRUE})
PAUSE_ROOM = vol.Schema(
    {**_ENTRY, vol.Required(ROOM): _NAME, vol.Optional("paused", default=True): cv.boolean}
)
WHO_IS_WHERE = vol.Schema({**_ENTRY, vol.Optional(ROOM): _NAME, vol.Optional(PERSON): _NAME})

type Action = Callable[["HomefaceCoordinator", ServiceCall], Awaitable[ServiceResponse]]


@callback
def register(hass: HomeAssistant) -> None:
    """Register every action. Those that change who is known are for administrators (and automations)."""
    both, only = SupportsResponse.OPTIONAL, SupportsResponse.ONLY
    table: tuple[tuple[str, Action, vol.Schema, SupportsResponse, bool], ...] = (
        ("enrol_from_camera", _enrol_from_camera, ENROL_FROM_CAMERA, both, True),
        ("enrol_from_media", _enrol_from_media, ENROL_FROM_MEDIA, both, True),
        ("name_unknown_visit", _name_unknown_visit, NAME_UNKNOWN_VISIT, both, True),
        ("dismiss_unknown_visit", _dismiss_unknown_visit, DISMISS_UNKNOWN_VISIT, SupportsResponse.NONE, True),
        ("forget_person", _forget_person, FORGET_PERSON, SupportsResponse.NONE, True),
        ("pause_room", _pause_room, PAUSE_ROOM, SupportsResponse.NONE, False),
        ("who_is_where", _who_is_where, WHO_IS_WHERE, only, False),
    )
    for name, action, schema, response, admin in table:
        hass.services.async_register(
            DOMAIN, name, partial(_run, action, admin), schema=schema, supports_response=response
        )


async def _run(action: Action, admin: bool, call: ServiceCall) -> ServiceResponse:
    """Check who asks, find the homeface that is meant, and tell failures in sentences."""
    if admin and call.context.user_id is not None:
        user = await call.hass.auth.async_get_user(call.context.user_id)
        if user is None:
            raise UnknownUser(context=call.context)
        if not user.is_admin:
            raise Unauthorized(context=call.context)
    coordinator = _coordinator(call)
    try:
        return await action(coordinator, call)
    except InvalidAuth as error:
        coordinator.config_entry.async_start_reauth(call.hass)
        raise _failed("invalid_auth") from error
    except Forbidden as error:
        raise _failed("missing_scope", error=str(error)) from error
    except Refused as error:
        raise _wrong("refused", error=str(error)) from error
    except ApiError as error:
        raise _failed("cannot_connect", error=str(error)) from error


def _coordinator(call: ServiceCall) -> HomefaceCoordinator:
    entries = call.hass.config_entries.async_loaded_entries(DOMAIN)
    wanted = call.data.get(ENTRY)
    if wanted is not None:
        entries = [entry for entry in entries if entry.entry_id == wanted]
    if not entries:
        raise _wrong("not_set_up")
    if len(entries) > 1:
        raise _wrong("several_set_up")
    return cast("HomefaceCoordinator", entries[0].runtime_data)


# -- the actions ----------------------------------------------------------------------------------------


async def _enrol_from_camera(coordinator: HomefaceCoordinator, call: ServiceCall) -> ServiceResponse:
    camera = _camera(coordinator, call.data["camera"])
    async with _enrolling(coordinator, call) as person_id:
        return _enrolled(await coordinator.client.enrol_from_camera(person_id, camera, call.data["seconds"]))


async def _enrol_from_media(coordinator: HomefaceCoordinator, call: ServiceCall) -> ServiceResponse:
    photos = await photos_of(call.hass, call.data["media"])
    async with _enrolling(coordinator, call) as person_id:
        return _enrolled(await coordinator.client.add_photos(person_id, photos))


async def _name_unknown_visit(coordinator: HomefaceCoordinator, call: ServiceCall) -> ServiceResponse:
    name = call.data[PERSON].strip()
    known = await _known(coordinator, name)
    if len(known) > 1:
        raise _wrong("several_people", person=name)
    result = await coordinator.client.name_visit(
        call.data["visit_id"],
        person_id=known[0] if known else None,
        name=None if known else name,
        group=call.data["similar_visits"],
    )
    await coordinator.refresh_visits()
    return _enrolled(result)


async def _dismiss_unknown_visit(coordinator: HomefaceCoordinator, call: ServiceCall) -> None:
    await coordinator.client.dismiss_visit(call.data["visit_id"])
    await coordinator.refresh_visits()


async def _forget_person(coordinator: HomefaceCoordinator, call: ServiceCall) -> None:
    await coordinator.client.delete_person(await _person(coordinator, call.data[PERSON]))


async def _pause_room(coordinator: HomefaceCoordinator, call: ServiceCall) -> None:
    await coordinator.client.pause_room(_room(coordinator, call.data[ROOM]).id, call.data["paused"])


async def _who_is_where(coordinator: HomefaceCoordinator, call: ServiceCall) -> ServiceResponse:
    """Asked anew, so that the answer is true even while the stream is being opened again."""
    house = await coordinator.client.now()
    rooms, people = list(house.rooms.values()), list(house.people.values())
    if ROOM in call.data:
        rooms = [_room(coordinator, call.data[ROOM])]
        rooms = [room for room in house.rooms.values() if room.id == rooms[0].id]
    if PERSON in call.data:
        wanted = await _person(coordinator, call.data[PERSON])
        people = [person for person in people if person.id == wanted]
    return cast(
        "ServiceResponse",
        {
            "rooms": {room.id: _told_room(room) for room in rooms},
            "people": {person.id: _told_person(person) for person in people},
        },
    )


def _told_room(room: Room) -> dict[str, Any]:
    return {
        "name": room.name,
        "available": room.available,
        "occupied": room.occupied,
        "people": [person.name for person in room.people],
        "person_ids": [person.id for person in room.people],
        "unknown_count": room.unknown_count,
    }


def _told_person(person: Person) -> dict[str, Any]:
    return {
        "name": person.name,
        "available": person.available,
        "home": person.home,
        "room": person.room,
        "since": iso(person.since),
        "last_seen": iso(person.last_seen),
    }


# -- who and what is meant ------------------------------------------------------------------------------


async def _known(coordinator: HomefaceCoordinator, wanted: str) -> list[str]:
    """Ids of the people who are meant: one id, or everybody of this name or alias."""
    plain = name_key(wanted)
    people = await coordinator.client.people()
    if any(person.id == wanted for person in people):
        return [wanted]
    return [
        person.id for person in people if plain in {name_key(name) for name in (person.name, *person.aliases)}
    ]


async def _person(coordinator: HomefaceCoordinator, wanted: str) -> str:
    known = await _known(coordinator, wanted)
    if not known:
        raise _wrong("no_such_person", person=wanted)
    if len(known) > 1:
        raise _wrong("several_people", person=wanted)
    return known[0]


@contextlib.asynccontextmanager
async def _enrolling(coordinator: HomefaceCoordinator, call: ServiceCall) -> AsyncIterator[str]:
    """Somebody known; somebody new only when that was said, so that a slip of the pen makes nobody.

    Somebody new of whom nothing could be stored is taken back, if the token may do that.
    """
    name = call.data[PERSON].strip()
    if not call.data["new_person"] or await _known(coordinator, name):
        yield await _person(coordinator, name)
        return
    person_id = await coordinator.client.create_person(name)
    try:
        yield person_id
    except (ApiError, HomeAssistantError):
        with contextlib.suppress(ApiError):
            await coordinator.client.delete_person(person_id)
        raise


def _room(coordinator: HomefaceCoordinator, wanted: str) -> Room:
    rooms, plain = coordinator.data.rooms, name_key(wanted)
    named = [room for room in rooms.values() if plain in {name_key(room.id), name_key(room.name)}]
    # a renamed room may bear another's key as its name: only the very key, as it is written, is certain
    found = [rooms[wanted.strip()]] if wanted.strip() in rooms else named
    if len(found) > 1:
        raise _wrong("several_rooms", room=wanted)
    if found:
        return found[0]
    raise _wrong("no_such_room", room=wanted)


def _camera(coordinator: HomefaceCoordinator, wanted: str) -> str:
    plain = name_key(wanted)
    for camera in coordinator.data.cameras.values():
        if plain in {name_key(camera.id), name_key(camera.name)}:
            return camera.id
    raise _wrong("no_such_camera", camera=wanted)


def _enrolled(result: Enrolment) -> ServiceResponse:
    """The verdict on every photo; when none was taken, that is a failure and says why."""
    if result.accepted == 0:
        reasons = [photo.message for photo in result.photos if photo.message] or list(result.notes) or ["?"]
        raise _failed("nothing_taken", error="; ".join(dict.fromkeys(reasons)))
    return cast(
        "ServiceResponse",
        {
            "accepted": result.accepted,
            "photos": [
                {"label": photo.label, "accepted": photo.accepted, "message": photo.message}
                for photo in result.photos
            ],
            "notes": list(result.notes),
        },
    )


def _failed(key: str, **values: str) -> HomeAssistantError:
    return HomeAssistantError(
        translation_domain=DOMAIN, translation_key=key, translation_placeholders=values or None
    )


def _wrong(key: str, **values: str) -> ServiceValidationError:
    return ServiceValidationError(
        translation_domain=DOMAIN, translation_key=key, translation_placeholders=values or None
    )
