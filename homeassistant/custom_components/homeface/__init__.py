"""homeface in Home Assistant: the companion of the entities that MQTT discovery makes.

It adds what MQTT cannot: actions, device triggers and conditions, logbook sentences, repairs, diagnostics, a
media source and Assist. It makes no entities: those are MQTT's.
"""

from __future__ import annotations

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.typing import ConfigType

from . import devices, issues, services
from .api import HomefaceClient, Trust
from .const import CONF_AUTHORITY, CONF_FINGERPRINT, DOMAIN
from .coordinator import HomefaceCoordinator
from .pictures import VisitPictureView

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)

type HomefaceConfigEntry = ConfigEntry[HomefaceCoordinator]


async def async_setup(hass: HomeAssistant, _config: ConfigType) -> bool:
    """Register the actions and the pictures: once, whatever is set up."""
    services.register(hass)
    hass.http.register_view(VisitPictureView())
    return True


async def async_setup_entry(hass: HomeAssistant, entry: HomefaceConfigEntry) -> bool:
    """Connect to one homeface and follow it."""
    client = HomefaceClient(
        async_get_clientsession(hass),
        entry.data[CONF_URL],
        entry.data[CONF_TOKEN],
        Trust(entry.data.get(CONF_AUTHORITY), entry.data.get(CONF_FINGERPRINT)),
    )
    coordinator = HomefaceCoordinator(hass, entry, client)
    await coordinator.async_config_entry_first_refresh()
    await coordinator.refresh_people()
    await coordinator.refresh_visits()
    entry.runtime_data = coordinator
    devices.release(hass, entry)
    devices.adopt(coordinator)
    devices.follow_registry(coordinator)
    await issues.watch(coordinator)
    entry.async_create_background_task(hass, coordinator.follow(), f"homeface {entry.title}")
    return True


async def async_unload_entry(hass: HomeAssistant, entry: HomefaceConfigEntry) -> bool:
    """Stop following; the background task ends with the entry."""
    issues.clear(hass, entry)
    return True


async def async_remove_config_entry_device(
    hass: HomeAssistant, entry: HomefaceConfigEntry, device: dr.DeviceEntry
) -> bool:
    """A person may let the companion go from a device that is not in the house any more."""
    return device.id not in devices.present(entry.runtime_data)
