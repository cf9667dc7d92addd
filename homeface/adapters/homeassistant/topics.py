"""Topics and ids. They are made of ids alone, so that a rename moves nothing and no name can break them."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from homeface.adapters.homeassistant.views import HouseView

REDISCOVERY_JITTER_SECONDS = (0.2, 2.0)
"""After Home Assistant's birth message wait a random time between these before sending discovery again."""

_MAX_ID = 64
_MAX_SLUG = 60
_LETTERS = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})
"""Latin letters that no accent makes; without them Łukasz would be ukasz."""


def topic_id(text: str) -> str:
    """``text`` as one topic level of Home Assistant ([a-zA-Z0-9_-]); different texts stay different."""
    if re.fullmatch(rf"[a-zA-Z0-9_-]{{1,{_MAX_ID}}}", text):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"{re.sub(r'[^a-zA-Z0-9_-]+', '_', text)[: _MAX_ID - 12]}-{digest}"


def slug(text: str) -> str:
    """``text`` as part of an entity id; empty when nothing of it is Latin."""
    plain = (
        unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
        .encode("ascii", "ignore")
        .decode()
        .lower()
    )
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:_MAX_SLUG].strip("_")


def node_base(view: HouseView) -> str:
    """The topic under which everything of this installation lies."""
    return f"{view.base_topic}/{topic_id(view.node_id)}"


def status_topic(view: HouseView) -> str:
    """Retained ``online``/``offline`` of the daemon; the same as ``MqttLink.status_topic``."""
    return f"{node_base(view)}/status"


def announcement_topic(view: HouseView) -> str:
    """Where the companion integration hears of the web API: its manifest names ``homeface/+/announce``."""
    return f"{node_base(view)}/announce"


def device_base(view: HouseView, kind: str, item: str) -> str:
    """The topic under which a device's states lie; the hub has no item of its own."""
    return f"{node_base(view)}/{kind}/{topic_id(item)}" if item else f"{node_base(view)}/{kind}"


def device_key(kind: str, item: str) -> str:
    """The device's last topic level under discovery."""
    return f"{kind}_{topic_id(item)}" if item else kind


def device_identifier(view: HouseView, kind: str, item: str) -> str:
    """The device's identifier in Home Assistant's registry, and the start of its entities' unique ids."""
    return f"homeface_{topic_id(view.node_id)}_{device_key(kind, item)}"


def discovery_topic(view: HouseView, kind: str, item: str) -> str:
    """Where a device's discovery message is retained."""
    return f"{view.discovery_prefix}/device/{topic_id(view.node_id)}/{device_key(kind, item)}/config"


def command_filters(view: HouseView) -> tuple[str, ...]:
    """Topic filters of the commands that ``parse_command`` understands."""
    base = node_base(view)
    return (
        f"{base}/hub/recognition/set",
        f"{base}/hub/guest_mode/set",
        f"{base}/camera/+/recognition/set",
    )


def scan_filters(view: HouseView) -> tuple[str, ...]:
    """Topic filters under which an earlier run, with another config, may have left retained messages."""
    node = topic_id(view.node_id)
    return (f"{node_base(view)}/#", f"{view.discovery_prefix}/device/{node}/+/config")


def birth_topic(view: HouseView) -> str:
    """Where Home Assistant says that it has started."""
    return f"{view.discovery_prefix}/status"


def is_birth(payload: bytes) -> bool:
    """True for Home Assistant's birth message: send discovery again after a little while, then states."""
    return payload.strip().lower() == b"online"
