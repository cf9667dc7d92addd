"""Names and limits that several parts of the integration share."""

from __future__ import annotations

from typing import Final

DOMAIN: Final = "homeface"

CONF_FINGERPRINT: Final = "fingerprint"
"""SHA-256 of the server's own certificate, when the user has confirmed it."""

CONF_AUTHORITY: Final = "authority"
"""The server's own certificate authority (PEM), when the user has confirmed that instead."""

CONF_NODE_ID: Final = "node_id"
"""Part of the identifiers that MQTT discovery gives this homeface's devices."""

EVENT_HOMEFACE: Final = "homeface_event"
"""Fired once when somebody arrives, leaves, is seen again, comes home, leaves home or is not known."""
EVENT_UNKNOWN_VISIT: Final = "homeface_unknown_visit"
"""Fired once when the visit of somebody unknown is over and can be looked at and named."""

MAX_EVENT_AGE_SECONDS: Final = 10.0
"""What happened longer ago is no event any more: nothing may act on the past."""
MAX_VISIT_AGE_SECONDS: Final = 120.0
"""The same for finished visits, which are told when their end is certain."""

CAMERA_DEAD_SECONDS: Final = 3600.0
PEOPLE_INTERVAL_SECONDS: Final = 3600.0
WATCH_INTERVAL_SECONDS: Final = 60.0

ARRIVED: Final = "arrived"
LEFT: Final = "left"
SEEN_AGAIN: Final = "seen_again"
UNKNOWN: Final = "unknown"
CAME_HOME: Final = "came_home"
LEFT_HOME: Final = "left_home"
EVENT_TYPES: Final = (ARRIVED, LEFT, SEEN_AGAIN, UNKNOWN, CAME_HOME, LEFT_HOME)
