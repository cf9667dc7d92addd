"""Retained messages: discovery and states, and which of them have to go."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from homeface.adapters.homeassistant.devices import KINDS, Kind, device_info
from homeface.adapters.homeassistant.entities import Entity
from homeface.adapters.homeassistant.text import clean, to_json
from homeface.adapters.homeassistant.topics import (
    announcement_topic,
    device_base,
    device_identifier,
    discovery_topic,
    node_base,
    slug,
    status_topic,
    topic_id,
)
from homeface.adapters.homeassistant.views import CameraFigures, HouseView, HubFigures, Moment
from homeface.core.presence import HouseState


def discovery_messages(view: HouseView) -> dict[str, str]:
    """Topic to JSON: one retained message for each device. Publish them before the states."""
    origin = {"name": "homeface", "sw_version": view.version}
    if view.support_url:
        origin["support_url"] = view.support_url
    slugs = {
        (kind.name, item): slug(str(kind.device_fn(view, item)["name"])) for kind, item in _devices(view)
    }
    common = Counter((kind, text) for (kind, _), text in slugs.items())
    things = {text for (kind, _), text in slugs.items() if kind != "person"}
    messages = {}
    for kind, item in _devices(view):
        text = slugs[kind.name, item]
        if text and common[kind.name, text] > 1:  # two people of one name
            text = f"{text}_{slug(item)[:8]}"
        elif kind.name == "person" and text in things:  # somebody who is called like a room
            text = f"person_{text}"
        components: dict[str, object] = {e.key: _component(view, kind, item, e, text) for e in kind.entities}
        components |= kind.triggers_fn(view, item)
        device = device_info(view, kind, item)
        payload = {"device": device, "origin": origin, "components": components}
        messages[discovery_topic(view, kind.name, item)] = to_json(payload)
    return messages


def announcement(view: HouseView) -> dict[str, str]:
    """Topic to JSON: where the companion integration finds the web API; nothing while there is none."""
    if view.configuration_url is None or view.instance_id is None:
        return {}
    payload = {
        "instance_id": view.instance_id,
        "name": clean(view.name) or "homeface",
        "node_id": view.node_id,
        "url": view.configuration_url,
        "version": view.version,
    }
    return {announcement_topic(view): to_json(payload)}


def state_messages(
    view: HouseView,
    state: HouseState,
    cameras: Mapping[str, CameraFigures] | None = None,
    hub: HubFigures | None = None,
) -> dict[str, str]:
    """Topic to payload: every retained state that the discovery messages refer to, but the node's status."""
    moment = Moment(view, state, cameras or {}, hub or HubFigures())
    messages = {}
    for kind, item in _devices(view):
        base = device_base(view, kind.name, item)
        for entity in kind.entities:
            if entity.attributes_fn is not None:
                messages[f"{base}/{entity.key}/attributes"] = to_json(entity.attributes_fn(moment, item))
            if entity.value_fn is not None:
                messages[f"{base}/{entity.key}"] = entity.value_fn(moment, item)
        if kind.available_fn is not None:
            messages[f"{base}/availability"] = "online" if kind.available_fn(moment, item) else "offline"
    return messages


def retained_topics(view: HouseView) -> list[str]:
    """Every topic that is retained for this view, but the node's status; discovery first."""
    devices = list(_devices(view))
    found = [device_topics(view, kind.name, item) for kind, item in devices]
    states = [topic for topics in found for topic in topics[1:]]
    return [topics[0] for topics in found] + states + list(announcement(view))


def device_topics(view: HouseView, kind: str, item: str) -> list[str]:
    """Every retained topic of one device (``hub``, ``room``, ``person``, ``camera``), discovery first."""
    table = next(candidate for candidate in KINDS if candidate.name == kind)
    base = device_base(view, kind, item)
    topics = [discovery_topic(view, kind, item)]
    for entity in table.entities:
        topics += [f"{base}/{entity.key}/attributes"] if entity.attributes_fn is not None else []
        topics += [f"{base}/{entity.key}"] if entity.value_fn is not None else []
    return topics + ([f"{base}/availability"] if table.available_fn is not None else [])


def removals(old: HouseView, new: HouseView) -> list[str]:
    """Topics to clear when ``old`` becomes ``new``: clearing a discovery topic removes the device."""
    kept = set(retained_topics(new))
    return [topic for topic in retained_topics(old) if topic not in kept]


def orphans(found: Iterable[str], view: HouseView) -> list[str]:
    """Of the retained topics found under ``scan_filters`` those to clear: an earlier run left them behind.

    Topics that are not of this installation, and the node's status, are never in the answer.
    """
    discovery = f"{view.discovery_prefix}/device/{topic_id(view.node_id)}/"
    kept = {*retained_topics(view), status_topic(view)}
    own = [t for t in found if t.startswith((discovery, f"{node_base(view)}/")) and t not in kept]
    return sorted(own, key=lambda topic: (not topic.startswith(discovery), topic))


def with_removals(previous: str | bytes, wanted: str) -> str:
    """Discovery ``wanted`` plus a removal of each component that only the ``previous`` message had.

    Home Assistant keeps a component that is merely missing: it goes when it comes with nothing but its
    platform. The result may stay retained; a later discovery without these stubs changes nothing.
    """
    try:
        before = json.loads(previous)["components"].items()
        gone = {key: {"platform": old["platform"]} for key, old in before if len(old) > 1}
    except (ValueError, TypeError, KeyError, AttributeError):
        return wanted  # not a message of ours
    message = json.loads(wanted)
    stubs = {key: stub for key, stub in gone.items() if key not in message["components"]}
    if not stubs:
        return wanted
    message["components"] |= stubs
    return to_json(message)


def _devices(view: HouseView) -> Iterator[tuple[Kind, str]]:
    for kind in KINDS:
        for item in kind.items_fn(view):
            yield kind, item


def _component(view: HouseView, kind: Kind, item: str, entity: Entity, device_slug: str) -> dict[str, object]:
    """One entity's part of a discovery message."""
    base = device_base(view, kind.name, item)
    component: dict[str, object] = {
        "platform": entity.platform,
        "unique_id": f"{device_identifier(view, kind.name, item)}_{entity.key}",
        "name": entity.name,
        "state_topic": f"{base}/{entity.key}",
        **entity.options,
    }
    if device_slug:
        own = f"_{slug(entity.name)}" if entity.name else ""
        component["default_entity_id"] = f"{entity.platform}.{device_slug}{own}"
    if entity.options_fn is not None:
        component |= entity.options_fn(view)
    if entity.attributes_fn is not None:
        component["json_attributes_topic"] = f"{base}/{entity.key}/attributes"
    if entity.commanded:
        component["command_topic"] = f"{base}/{entity.key}/set"
    if not entity.always_available:
        topics = [status_topic(view)] + ([f"{base}/availability"] if entity.needs_device else [])
        component["availability"] = [{"topic": topic} for topic in topics]
        component["availability_mode"] = "all"
    return component
