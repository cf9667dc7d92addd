"""Photos out of Home Assistant's media, for enrolment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
from homeassistant.components.media_player import async_process_play_media_url
from homeassistant.components.media_source import (
    Unresolvable,
    async_resolve_media,
    is_media_source_id,
)
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from .const import DOMAIN

MAX_PHOTO_BYTES = 20 << 20
_TIMEOUT = aiohttp.ClientTimeout(total=60)


async def photos_of(hass: HomeAssistant, media: list[Any]) -> list[tuple[str, bytes]]:
    """Label and content of each. Raises ``ServiceValidationError`` for what is no image in a media source."""
    return [await _photo(hass, item) for item in media]


async def _photo(hass: HomeAssistant, item: Any) -> tuple[str, bytes]:
    content_id = item.get("media_content_id") if isinstance(item, dict) else item
    if not isinstance(content_id, str) or not is_media_source_id(content_id):
        raise _wrong(str(content_id))
    try:
        found = await async_resolve_media(hass, content_id, None)
    except (Unresolvable, HomeAssistantError) as error:
        raise _wrong(content_id) from error
    if not found.mime_type.startswith("image/"):
        raise _wrong(content_id)
    label = content_id.rstrip("/").rsplit("/", 1)[-1][:100]
    path = getattr(found, "path", None)
    if isinstance(path, Path):  # newer versions of Home Assistant say where the file lies
        return label, await hass.async_add_executor_job(_read, path, content_id)
    own = found.url.startswith("/")  # Home Assistant's own address may show a certificate of its own
    url = async_process_play_media_url(hass, found.url)
    return label, await _fetch(async_get_clientsession(hass, verify_ssl=not own), url, content_id)


def _read(path: Path, content_id: str) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_PHOTO_BYTES + 1)
    except OSError as error:
        raise _wrong(content_id) from error
    return _bounded(content, content_id)


async def _fetch(session: aiohttp.ClientSession, url: str, content_id: str) -> bytes:
    try:
        async with session.get(url, timeout=_TIMEOUT) as answer:
            answer.raise_for_status()
            content = bytearray()
            async for chunk in answer.content.iter_chunked(1 << 16):
                content += chunk
                if len(content) > MAX_PHOTO_BYTES:
                    break
    except (aiohttp.ClientError, TimeoutError) as error:
        raise _wrong(content_id) from error
    return _bounded(bytes(content), content_id)


def _bounded(content: bytes, content_id: str) -> bytes:
    if len(content) > MAX_PHOTO_BYTES:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="photo_too_large",
            translation_placeholders={"media": content_id},
        )
    return content


def _wrong(media: str) -> ServiceValidationError:
    return ServiceValidationError(
        translation_domain=DOMAIN, translation_key="no_photo", translation_placeholders={"media": media[:200]}
    )
