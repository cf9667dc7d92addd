"""A peer over TCP, an entry for it, and the devices that MQTT discovery would have made."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.setup import async_setup_component
from peer import INSTANCE, TOKEN, Peer
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.homeface import coordinator as following
from custom_components.homeface.const import DOMAIN


@pytest.fixture(autouse=True)
def prepared(enable_custom_integrations: None, socket_enabled: None) -> None:
    """Custom integrations are loaded, and sockets to loopback are allowed."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconnect without much waiting."""
    monkeypatch.setattr(following, "_FIRST_DELAY_SECONDS", 0.02)


@pytest.fixture
def peer(socket_enabled: None) -> Iterator[Peer]:
    """A homeface that listens."""
    running = Peer()
    running.start()
    yield running
    running.stop()


@pytest.fixture
async def entry(hass: HomeAssistant, peer: Peer) -> MockConfigEntry:
    """An entry for the peer, not set up yet."""
    made = MockConfigEntry(
        domain=DOMAIN,
        title="Home",
        unique_id=INSTANCE,
        data={"url": peer.url, "token": TOKEN, "node_id": "home"},
    )
    made.add_to_hass(hass)
    return made


@pytest.fixture
def mqtt_entry(hass: HomeAssistant) -> MockConfigEntry:
    """Stands for Home Assistant's MQTT integration, which owns the devices."""
    made = MockConfigEntry(domain="mqtt", title="Broker")
    made.add_to_hass(hass)
    return made


@pytest.fixture
def device_of(hass: HomeAssistant, mqtt_entry: MockConfigEntry) -> Callable[[str], dr.DeviceEntry]:
    """Make or find a device as MQTT discovery does."""

    def make(key: str) -> dr.DeviceEntry:
        return dr.async_get(hass).async_get_or_create(
            config_entry_id=mqtt_entry.entry_id, identifiers={("mqtt", f"homeface_home_{key}")}, name=key
        )

    return make


@pytest.fixture
async def loaded(
    hass: HomeAssistant, entry: MockConfigEntry, peer: Peer, device_of: Callable[[str], dr.DeviceEntry]
) -> AsyncIterator[MockConfigEntry]:
    """The entry set up and connected, with devices."""
    for key in ("hub", "room_kitchen", "room_porch", "person_p1", "person_p2", "person_p3"):
        device_of(key)
    assert await async_setup_component(hass, "homeassistant", {})
    assert await hass.config_entries.async_setup(entry.entry_id)
    await until(hass, lambda: entry.runtime_data.connected and peer.streams)
    yield entry
    await hass.config_entries.async_unload(entry.entry_id)


@pytest.fixture
def heard(hass: HomeAssistant) -> list[dict[str, Any]]:
    """Every ``homeface_event`` that is fired."""
    return collect(hass, "homeface_event")


def collect(hass: HomeAssistant, event_type: str) -> list[dict[str, Any]]:
    """The data of every such event from now on, in order."""
    found: list[dict[str, Any]] = []

    @callback
    def note(event: Event[dict[str, Any]]) -> None:
        found.append(dict(event.data))

    hass.bus.async_listen(event_type, note)
    return found


async def until(hass: HomeAssistant, condition: Callable[[], object], timeout: float = 5.0) -> None:
    """Wait for a condition with a deadline, by the machine's clock."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "still not true"
        await asyncio.sleep(0.005)
    await hass.async_block_till_done(wait_background_tasks=False)
