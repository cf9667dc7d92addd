"""Pictures of unknown visits, passed on to people who are logged in to Home Assistant. Nothing is kept."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web
from homeassistant.components.http import KEY_HASS, HomeAssistantView

from .api import ApiError, Refused
from .const import DOMAIN


class VisitPictureView(HomeAssistantView):
    """``/api/homeface/ENTRY/visits/VISIT``."""

    url = f"/api/{DOMAIN}/{{entry_id}}/visits/{{visit_id}}"
    name = f"api:{DOMAIN}:visit"

    async def get(self, request: web.Request, entry_id: str, visit_id: str) -> web.Response:
        """The picture, or 404 when there is none (any more)."""
        hass = request.app[KEY_HASS]
        entry = next(
            (e for e in hass.config_entries.async_loaded_entries(DOMAIN) if e.entry_id == entry_id), None
        )
        if entry is None:
            return web.Response(status=HTTPStatus.NOT_FOUND)
        try:
            picture = await entry.runtime_data.client.visit_picture(visit_id)
        except Refused:
            return web.Response(status=HTTPStatus.NOT_FOUND)
        except ApiError:
            return web.Response(status=HTTPStatus.BAD_GATEWAY)
        return web.Response(
            body=picture,
            content_type="image/jpeg",
            headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
        )
