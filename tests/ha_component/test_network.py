"""Home Assistant's own zeroconf hears the daemon's own announcement: real mDNS, on loopback."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from conftest import until
from homeassistant.components import zeroconf
from homeassistant.config_entries import SOURCE_ZEROCONF
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.setup import async_setup_component
from peer import INSTANCE, TOKEN, Peer
from zeroconf import IPVersion

CHECKOUT = Path(__file__).resolve().parents[2]
_ANNOUNCE = """
import asyncio, sys
from homeface.adapters.local_network import Page, announce
page = Page(sys.argv[1], "Küche & Co.", "home", "0.1.0", int(sys.argv[2]), False, ("127.0.0.1",))
asyncio.run(announce(page, ["127.0.0.1"]))
"""


@pytest.mark.usefixtures("disable_mock_zeroconf_resolver")
async def test_the_daemon_s_announcement_is_discovered(
    hass: HomeAssistant, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = {"interfaces": ["127.0.0.1"], "ip_version": IPVersion.V4Only}
    monkeypatch.setattr(zeroconf, "_async_get_zc_args", lambda _hass: where)
    command = [sys.executable, "-c", _ANNOUNCE, INSTANCE, str(peer.port)]
    daemon = await asyncio.create_subprocess_exec(*command, cwd=CHECKOUT)
    try:
        assert await async_setup_component(hass, "zeroconf", {"zeroconf": {}})
        flows = hass.config_entries.flow
        await until(hass, lambda: flows.async_progress_by_handler("homeface"), 20)
        (flow,) = flows.async_progress_by_handler("homeface")
        assert flow["context"]["source"] == SOURCE_ZEROCONF
        assert flow["context"]["title_placeholders"] == {"name": "Küche & Co."}
        assert flow["step_id"] == "token", "the token goes to no address that nobody has looked at"
        made = await flows.async_configure(flow["flow_id"], {"url": peer.url, "token": TOKEN})
        assert (made["type"], made["data"]["url"]) == (FlowResultType.CREATE_ENTRY, peer.url)
        await hass.async_block_till_done(wait_background_tasks=False)
        assert await hass.config_entries.async_unload(made["result"].entry_id)
    finally:
        daemon.terminate()
        await daemon.wait()
    assert flows.async_progress() == []
