"""The devices belong to MQTT discovery; the companion only joins them, and lets go when MQTT does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr

from .const import CONF_NODE_ID, DOMAIN

if TYPE_CHECKING:
    from . import HomefaceConfigEntry
    from .coordinator import HomefaceCoordinator

MQTT = "mqtt"
KINDS = ("hub", "room", "person", "camera")


class Thing(NamedTuple):
    """What a device stands for, and whose it is."""

    entry: HomefaceConfigEntry
    kind: str
    item: str

    @property
    def coordinator(self) -> HomefaceCoordinator | None:
        """What knows its state; None while that is not certain."""
        if self.entry.state is not ConfigEntryState.LOADED or not self.entry.runtime_data.connected:
            return None
        return self.entry.runtime_data


def identifier(node_id: str, kind: str, item: str = "") -> tuple[str, str]:
    """The identifier that MQTT discovery gives a device."""
    return MQTT, "_".join(part for part in (DOMAIN, node_id, kind, item) if part)


def _things(coordinator: HomefaceCoordinator) -> Iterator[tuple[str, str]]:
    yield "hub", ""
    yield from (("room", room) for room in coordinator.data.rooms)
    yield from (("person", person) for person in coordinator.data.people)
    yield from (("camera", camera) for camera in coordinator.data.cameras)


@callback
def device_id(coordinator: HomefaceCoordinator, kind: str, item: str) -> str | None:
    """The device of a room, person or camera, when MQTT has made it."""
    registry = dr.async_get(coordinator.hass)
    device = registry.async_get_device(identifiers={identifier(coordinator.node_id, kind, item)})
    return device.id if device is not None else None


@callback
def adopt(coordinator: HomefaceCoordinator) -> None:
    """Join every device of this house that MQTT has made, so that our triggers show up on it."""
    registry = dr.async_get(coordinator.hass)
    entry_id = coordinator.config_entry.entry_id
    for kind, item in _things(coordinator):
        device = registry.async_get_device(identifiers={identifier(coordinator.node_id, kind, item)})
        if device is not None and entry_id not in device.config_entries:
            registry.async_update_device(device.id, add_config_entry_id=entry_id)


@callback
def present(coordinator: HomefaceCoordinator) -> set[str]:
    """Ids of the devices that the house has now."""
    found = (device_id(coordinator, kind, item) for kind, item in _things(coordinator))
    return {device for device in found if device is not None}


@callback
def release(hass: HomeAssistant, entry: HomefaceConfigEntry) -> None:
    """Let go of devices that MQTT has given up: they are gone from the house."""
    registry = dr.async_get(hass)
    for device in dr.async_entries_for_config_entry(registry, entry.entry_id):
        if device.config_entries == {entry.entry_id}:
            registry.async_update_device(device.id, remove_config_entry_id=entry.entry_id)


@callback
def follow_registry(coordinator: HomefaceCoordinator) -> None:
    """Join devices that MQTT makes later and let go of those it removes, until the entry is unloaded."""

    @callback
    def changed(event: Event[dr.EventDeviceRegistryUpdatedData]) -> None:
        data = event.data
        if data["action"] == "create":
            adopt(coordinator)
        elif data["action"] == "update" and "config_entries" in data["changes"]:
            release(coordinator.hass, coordinator.config_entry)

    coordinator.config_entry.async_on_unload(
        coordinator.hass.bus.async_listen(dr.EVENT_DEVICE_REGISTRY_UPDATED, changed)
    )


@callback
def thing_of(hass: HomeAssistant, device_id: str) -> Thing | None:
    """What a device stands for, whether its homeface is connected or not; None when it is not one of ours."""
    device = dr.async_get(hass).async_get(device_id)
    if device is None:
        return None
    names = [name for domain, name in device.identifiers if domain == MQTT]
    for entry in hass.config_entries.async_entries(DOMAIN):
        if entry.entry_id not in device.config_entries:
            continue
        for name in names:
            rest = name.removeprefix(f"{DOMAIN}_{entry.data[CONF_NODE_ID]}_")
            kind, _, item = rest.partition("_")
            if rest != name and kind in KINDS:
                return Thing(entry, kind, item)
    return None
