"""Sentences for the logbook: "Anna came into the kitchen"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from homeassistant.components.logbook import LOGBOOK_ENTRY_MESSAGE, LOGBOOK_ENTRY_NAME
from homeassistant.core import Event, HomeAssistant, callback

from .const import DOMAIN, EVENT_HOMEFACE, EVENT_TYPES, UNKNOWN
from .phrases import room_words, say


@callback
def async_describe_events(
    hass: HomeAssistant,
    async_describe_event: Callable[[str, str, Callable[[Event[dict[str, Any]]], dict[str, str]]], None],
) -> None:
    """Tell the logbook how to say our events."""

    @callback
    def describe(event: Event[dict[str, Any]]) -> dict[str, str]:
        language, data = hass.config.language, event.data
        kind = data.get("type")
        if kind not in EVENT_TYPES:
            return {LOGBOOK_ENTRY_NAME: DOMAIN, LOGBOOK_ENTRY_MESSAGE: str(kind)}
        room = room_words(language, str(data.get("room_name") or data.get("room") or ""))
        name = DOMAIN if kind == UNKNOWN else str(data.get("person") or "?")
        return {LOGBOOK_ENTRY_NAME: name, LOGBOOK_ENTRY_MESSAGE: say(language, str(kind), room=room)}

    async_describe_event(DOMAIN, EVENT_HOMEFACE, describe)
