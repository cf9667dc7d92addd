"""The kinds of devices: which there are, what Home Assistant is told about each, its device triggers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from homeface.adapters.homeassistant.entities import (
    CAMERA_ENTITIES,
    HUB_ENTITIES,
    PERSON_ENTITIES,
    ROOM_ENTITIES,
    Entity,
    room_state,
)
from homeface.adapters.homeassistant.text import clean
from homeface.adapters.homeassistant.topics import device_base, device_identifier, topic_id
from homeface.adapters.homeassistant.views import HouseView, Moment
from homeface.core.presence import EventKind

Component = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of device. ``available_fn`` is None for the hub, which is there when the daemon is."""

    name: str
    entities: tuple[Entity, ...]
    items_fn: Callable[[HouseView], list[str]]
    device_fn: Callable[[HouseView, str], Mapping[str, object]]
    available_fn: Callable[[Moment, str], bool] | None
    triggers_fn: Callable[[HouseView, str], Mapping[str, Component]]


def _no_triggers(_view: HouseView, _item: str) -> Mapping[str, Component]:
    return {}


def _room_name(view: HouseView, room_id: str) -> str:
    room = view.room(room_id)
    return clean(room.name if room is not None else room_id) or room_id


def _room_area(view: HouseView, room_id: str) -> str:
    room = view.room(room_id)
    return clean(room.area if room is not None and room.area else _room_name(view, room_id))


def _hub_device(view: HouseView, _item: str) -> Mapping[str, object]:
    device = {"name": clean(view.name) or "homeface", "model": "homeface", "sw_version": view.version}
    return device | ({"configuration_url": view.configuration_url} if view.configuration_url else {})


def _room_device(view: HouseView, item: str) -> Mapping[str, object]:
    return {"name": _room_name(view, item), "model": "Room", "suggested_area": _room_area(view, item)}


def _person_device(view: HouseView, item: str) -> Mapping[str, object]:
    person = view.person(item)
    return {"name": clean(person.name if person is not None else item) or item, "model": "Person"}


def _camera_device(view: HouseView, item: str) -> Mapping[str, object]:
    camera = view.camera(item)
    name = clean(camera.name if camera is not None else item) or item
    area = {"suggested_area": _room_area(view, camera.room_id)} if camera is not None else {}
    return {"name": name, "model": "Camera", **area}


def _trigger(topic: str, kind: EventKind, subtype: str, payload: str, template: str) -> Component:
    """A device trigger: fires for each message, never because a state is restored."""
    return {
        "platform": "device_automation",
        "automation_type": "trigger",
        "type": kind.value,
        "subtype": subtype,
        "topic": topic,
        "payload": payload,
        "value_template": template,
    }


def _person_triggers(view: HouseView, item: str) -> Mapping[str, Component]:
    topic = f"{device_base(view, 'person', item)}/event"
    template = "{{ value_json.event_type ~ ' ' ~ value_json.room }}"
    return {
        f"{kind.value}_{topic_id(room.room_id)}": _trigger(
            topic, kind, room.room_id, f"{kind.value} {room.room_id}", template
        )
        for room in view.rooms
        for kind in (EventKind.ARRIVED, EventKind.LEFT)
    }


def _room_triggers(view: HouseView, item: str) -> Mapping[str, Component]:
    topic = f"{device_base(view, 'room', item)}/event"
    template = "{{ value_json.event_type }}"
    return {
        f"on_{kind.value}": _trigger(topic, kind, "person", kind.value, template)
        for kind in (EventKind.ARRIVED, EventKind.LEFT, EventKind.UNKNOWN)
    }


def _person_available(moment: Moment, item: str) -> bool:
    """With no room to look into nobody can say where anybody is, and never where somebody paused is."""
    person = moment.view.person(item)
    if person is None or person.paused:
        return False
    return any(room_state(moment, room.room_id).available for room in moment.view.rooms)


KINDS = (
    Kind("hub", HUB_ENTITIES, lambda _: [""], _hub_device, None, _no_triggers),
    Kind(
        "room",
        ROOM_ENTITIES,
        lambda view: [room.room_id for room in view.rooms],
        _room_device,
        lambda moment, item: room_state(moment, item).available,
        _room_triggers,
    ),
    Kind(
        "person",
        PERSON_ENTITIES,
        lambda view: [person.subject_id for person in view.people],
        _person_device,
        _person_available,
        _person_triggers,
    ),
    Kind(
        "camera",
        CAMERA_ENTITIES,
        lambda view: [camera.camera_id for camera in view.cameras],
        _camera_device,
        lambda moment, item: moment.figures(item).online,
        _no_triggers,
    ),
)


def device_info(view: HouseView, kind: Kind, item: str) -> Mapping[str, object]:
    """The ``device`` part of a discovery message."""
    hub = device_identifier(view, "hub", "")
    via = {} if kind.name == "hub" else {"via_device": hub}
    return {
        "identifiers": [device_identifier(view, kind.name, item)],
        "manufacturer": "homeface",
        **kind.device_fn(view, item),
        **via,
    }
