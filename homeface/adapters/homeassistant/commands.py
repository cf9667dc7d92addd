"""What comes in: switches of Home Assistant, and payloads of external occupancy sensors."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from homeface.adapters.homeassistant.topics import device_base
from homeface.adapters.homeassistant.views import HouseView

_NO_VALUE = {"", "unknown", "unavailable", "offline", "none", "null"}


@dataclass(frozen=True, slots=True)
class SetRecognition:
    """Somebody switched recognition; ``camera`` None means the whole house."""

    camera: str | None
    enabled: bool


@dataclass(frozen=True, slots=True)
class SetGuestMode:
    """Somebody said whether guests are in the house."""

    enabled: bool


def parse_command(
    view: HouseView, topic: str, payload: bytes, *, retained: bool = False
) -> SetRecognition | SetGuestMode | None:
    """The command in a message; None when it is none, or an old one that the broker has kept.

    Raises ValueError when the topic is ours and the payload is neither ON nor OFF.
    """
    places: dict[str, str | None] = {f"{device_base(view, 'hub', '')}/recognition/set": None}
    for camera in view.cameras:
        places[f"{device_base(view, 'camera', camera.camera_id)}/recognition/set"] = camera.camera_id
    guests = topic == f"{device_base(view, 'hub', '')}/guest_mode/set"
    if retained or not (guests or topic in places):
        return None
    word = payload[:16].decode("utf-8", "replace").strip().upper()
    if word not in {"ON", "OFF"}:
        raise ValueError(f"expected ON or OFF, not {word!r}")
    return SetGuestMode(word == "ON") if guests else SetRecognition(places[topic], word == "ON")


def parse_occupancy(payload: bytes, occupied: Collection[str], json_key: str | None = None) -> bool | None:
    """What an external sensor says: occupied, free, or None for "I do not know".

    ``occupied``: payloads that mean occupied, upper and lower case alike. ``json_key``: where the value
    stands in a JSON object; dots reach into nested ones. Raises ValueError for what cannot be read.
    """
    if json_key is None or payload.strip().lower() in {word.encode() for word in _NO_VALUE}:
        word = payload.decode()  # gone, or its gateway is: said in one word, JSON or not
    else:
        value = json.loads(payload)
        for key in json_key.split("."):
            if not isinstance(value, dict) or key not in value:
                raise ValueError(f"there is no {json_key} in it")
            value = value[key]
        word = value if isinstance(value, str) else json.dumps(value)
    word = word.strip().lower()
    if word in {wanted.strip().lower() for wanted in occupied}:
        return True
    return None if word in _NO_VALUE else False
