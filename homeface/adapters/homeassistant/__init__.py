"""Home Assistant over MQTT, pure: what to publish, where, and what comes back. No I/O, no clock.

The service asks for messages and gives them to ``MqttLink``: ``discovery_messages`` and ``state_messages``
are retained states; ``event_messages`` are events. Topics are made of ids alone, names are only shown.
"""

from __future__ import annotations

from homeface.adapters.homeassistant.commands import (
    SetGuestMode,
    SetRecognition,
    parse_command,
    parse_occupancy,
)
from homeface.adapters.homeassistant.entities import HOME, NOT_HOME, RESERVED_ROOM_IDS
from homeface.adapters.homeassistant.events import event_messages, event_topics, render_event
from homeface.adapters.homeassistant.messages import (
    announcement,
    device_topics,
    discovery_messages,
    orphans,
    removals,
    retained_topics,
    state_messages,
    with_removals,
)
from homeface.adapters.homeassistant.topics import (
    REDISCOVERY_JITTER_SECONDS,
    announcement_topic,
    birth_topic,
    command_filters,
    is_birth,
    scan_filters,
    status_topic,
)
from homeface.adapters.homeassistant.views import (
    CameraFigures,
    CameraView,
    HouseView,
    HubFigures,
    PersonView,
    RoomView,
)

__all__ = [
    "HOME",
    "NOT_HOME",
    "REDISCOVERY_JITTER_SECONDS",
    "RESERVED_ROOM_IDS",
    "CameraFigures",
    "CameraView",
    "HouseView",
    "HubFigures",
    "PersonView",
    "RoomView",
    "SetGuestMode",
    "SetRecognition",
    "announcement",
    "announcement_topic",
    "birth_topic",
    "command_filters",
    "device_topics",
    "discovery_messages",
    "event_messages",
    "event_topics",
    "is_birth",
    "orphans",
    "parse_command",
    "parse_occupancy",
    "removals",
    "render_event",
    "retained_topics",
    "scan_filters",
    "state_messages",
    "status_topic",
    "with_removals",
]
