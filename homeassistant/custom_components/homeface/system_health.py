"""System health: is every homeface reachable, and does it see its rooms?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homeassistant.components.system_health import SystemHealthRegistration
from homeassistant.core import HomeAssistant, callback

from .api import ApiError
from .const import DOMAIN

if TYPE_CHECKING:
    from .coordinator import HomefaceCoordinator


@callback
def async_register(hass: HomeAssistant, register: SystemHealthRegistration) -> None:
    """Tell system health whom to ask."""
    register.async_register_info(system_health_info)


async def system_health_info(hass: HomeAssistant) -> dict[str, Any]:
    """Figures of all that are set up; reaching the server is tried while the page is open."""
    found: list[HomefaceCoordinator] = [
        entry.runtime_data for entry in hass.config_entries.async_loaded_entries(DOMAIN)
    ]
    if not found:
        return {"set_up": 0}
    cameras = [camera for one in found for camera in one.data.cameras.values()]
    return {
        "set_up": len(found),
        "version": ", ".join(sorted({one.info.version for one in found if one.info is not None})),
        "can_reach_server": _reach(found),
        "connected": sum(one.connected for one in found),
        "rooms": sum(len(one.data.rooms) for one in found),
        "people": sum(len(one.data.people) for one in found),
        "cameras_available": f"{sum(camera.available for camera in cameras)} / {len(cameras)}",
    }


async def _reach(found: list[HomefaceCoordinator]) -> str | dict[str, str]:
    for one in found:
        try:
            await one.client.info()
        except ApiError:
            return {"type": "failed", "error": "unreachable"}
    return "ok"
