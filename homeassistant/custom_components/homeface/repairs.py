"""The one repair that can be made here: homeface has another address."""

from __future__ import annotations

from typing import Any

import voluptuous as vol
from homeassistant.components.repairs import RepairsFlow
from homeassistant.const import CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResult


class AddressChangedFlow(RepairsFlow):
    """Use the address that homeface announces, after somebody has looked at it."""

    def __init__(self, entry_id: str, url: str) -> None:
        """``url``: what was announced."""
        self._entry_id = entry_id
        self._url = url

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> FlowResult:
        """Show the question; what the flow was begun with confirms nothing."""
        return await self.async_step_confirm()

    async def async_step_confirm(self, user_input: dict[str, Any] | None = None) -> FlowResult:
        """Change the address when it was confirmed."""
        entry = self.hass.config_entries.async_get_entry(self._entry_id)
        if entry is None:
            return self.async_abort(reason="entry_gone")
        if user_input is None:
            return self.async_show_form(
                step_id="confirm",
                data_schema=vol.Schema({}),
                description_placeholders={"url": self._url, "name": entry.title},
            )
        # a confirmed certificate stays: whoever answers at the new address must show the same one
        self.hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_URL: self._url})
        await self.hass.config_entries.async_reload(entry.entry_id)
        return self.async_create_entry(data={})


async def async_create_fix_flow(
    hass: HomeAssistant, issue_id: str, data: dict[str, str | int | float | None] | None
) -> RepairsFlow:
    """The flow for an issue of ours; only ``address_changed`` has one."""
    told = data or {}
    return AddressChangedFlow(str(told.get("entry_id", "")), str(told.get("url", "")))
