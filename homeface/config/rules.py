"""Checks across keys. They look at the raw data, so that they are told together with all other problems."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from homeface.config.document import Document, as_mapping
from homeface.config.problems import did_you_mean, shown

_SOURCES = ("url", "device", "pipeline", "file")


@dataclass(frozen=True)
class KnownModels:
    """Names of the built-in models, to check ``recognition`` against; empty sets check nothing."""

    detectors: frozenset[str] = frozenset()
    embedders: frozenset[str] = frozenset()


def check(document: Document, known: KnownModels) -> None:
    """Note every broken rule in the document."""
    data = as_mapping(document.data)
    for rule in _RULES:
        rule(document, data)
    _check_models(document, data, known)


def _check_cameras(document: Document, data: Mapping[str, Any]) -> None:
    rooms = as_mapping(data.get("rooms"))
    for slug, entry in as_mapping(data.get("cameras")).items():
        camera = as_mapping(entry)
        place = ("cameras", slug)
        room = camera.get("room")
        if isinstance(room, str) and rooms and room not in rooms:
            expected = f"a room that stands under rooms{did_you_mean(room, rooms)}"
            where = (*place, "room")
            document.complain(where, f"found {document.found(where, room)}, expected {expected}")
        sources = [key for key in _SOURCES if camera.get(key) is not None]
        if isinstance(entry, Mapping) and len(sources) != 1:
            found = " and ".join(sources) or "none of them"
            document.complain(place, f"found {found}, expected exactly one of {', '.join(_SOURCES)}")
        if camera.get("substream") is not None and camera.get("url") is None:
            document.complain((*place, "substream"), "belongs to url, and this camera has no url")
        _check_login(document, place, camera)


def _check_login(document: Document, place: tuple[str, ...], camera: Mapping[str, Any]) -> None:
    url = camera.get("url")
    separate = [key for key in ("username", "password") if camera.get(key) is not None]
    if not separate:
        return
    if url is None:
        document.complain((*place, separate[0]), "belongs to url, and this camera has no url")
    elif isinstance(url, str) and "@" in re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0]:
        message = "is given twice: in url and by its own key; take it out of url"
        document.complain((*place, separate[0]), message)
    elif separate == ["password"]:
        document.complain((*place, "password"), "found a password without a username, expected both")


def _check_recognition(document: Document, data: Mapping[str, Any]) -> None:
    recognition = as_mapping(data.get("recognition"))
    if recognition.get("false_names") is not None and "strictness" in recognition:
        message = "says the same as strictness, expected only one of the two"
        document.complain(("recognition", "false_names"), message)


def _check_mqtt(document: Document, data: Mapping[str, Any]) -> None:
    mqtt = as_mapping(data.get("mqtt"))
    tls = as_mapping(mqtt.get("tls"))
    if (tls.get("cert") is None) != (tls.get("key") is None):
        document.complain(("mqtt", "tls"), "found one of cert and key, expected both or neither")
    if mqtt.get("password") is not None and mqtt.get("username") is None:
        document.complain(("mqtt", "password"), "found a password without a username, expected both")


def _check_web(document: Document, data: Mapping[str, Any]) -> None:
    web = as_mapping(data.get("web"))
    files = [key for key in ("certificate", "certificate_key") if web.get(key) is not None]
    if web.get("tls") == "files" and len(files) < 2:
        document.complain(("web", "tls"), "found files, expected certificate and certificate_key beside it")
    elif files and web.get("tls") != "files":
        document.complain(("web", files[0]), "is used with tls: files alone, expected that too")


def _check_people(document: Document, data: Mapping[str, Any]) -> None:
    """No name or alias may mean two people."""
    people = as_mapping(data.get("people"))
    owner = {name.casefold(): name for name in people}
    for name, entry in people.items():
        aliases = as_mapping(entry).get("aliases")
        for index, alias in enumerate(aliases if isinstance(aliases, list) else []):
            if not isinstance(alias, str):
                continue
            first = owner.setdefault(alias.casefold(), name)
            if first != name:
                where = ("people", name, "aliases", index)
                found = document.found(where, alias)
                document.complain(
                    where, f"found {found}, which means {shown(first)} already; expected another name"
                )


def _check_topics(document: Document, data: Mapping[str, Any]) -> None:
    mqtt = as_mapping(data.get("mqtt"))
    base = mqtt.get("base_topic", "homeface")
    if isinstance(base, str) and base == mqtt.get("discovery_prefix", "homeassistant"):
        document.complain(("mqtt", "base_topic"), "is the same as discovery_prefix, expected another topic")
    for slug, entry in as_mapping(data.get("rooms")).items():
        topic = as_mapping(as_mapping(entry).get("occupancy_sensor")).get("topic")
        if isinstance(topic, str) and isinstance(base, str) and topic.startswith(f"{base}/"):
            message = f"is a topic of homeface itself (below {base!r}), expected that of a sensor"
            document.complain(("rooms", slug, "occupancy_sensor", "topic"), message)


def _check_models(document: Document, data: Mapping[str, Any], known: KnownModels) -> None:
    """Each of the user's models has a name of its own; the chosen models exist and are of the right kind."""
    entries = data.get("models")
    names: dict[str, set[str]] = {"detector": set(), "embedder": set()}
    seen: set[str] = set()
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        model = as_mapping(entry)
        name, is_embedder = model.get("name"), model.get("family") == "onnx_embedder"
        if not isinstance(name, str):
            continue
        if name in seen:
            document.complain(("models", index, "name"), "is the name of an earlier model, expected another")
        seen.add(name)
        names["embedder" if is_embedder else "detector"].add(name)
        if is_embedder:
            for key in ("input_px", "template"):
                if not model.get(key):
                    document.complain(
                        ("models", index), f"an embedder needs {key}, such as 112 or arcface_112"
                    )
    built_in = {"detector": known.detectors, "embedder": known.embedders}
    recognition = as_mapping(data.get("recognition"))
    for kind, own in names.items():
        chosen = recognition.get(kind)
        all_names = sorted(own | built_in[kind])
        if isinstance(chosen, str) and built_in[kind] and chosen not in all_names:
            where = ("recognition", kind)
            expected = f"a known {kind}{did_you_mean(chosen, all_names)}: {', '.join(all_names)}"
            document.complain(where, f"found {document.found(where, chosen)}, expected {expected}")


_RULES: tuple[Callable[[Document, Mapping[str, Any]], None], ...] = (
    _check_cameras,
    _check_recognition,
    _check_mqtt,
    _check_web,
    _check_people,
    _check_topics,
)
