"""The house now, its news, its cameras, its visits and its health."""

from __future__ import annotations

import asyncio

from aiohttp import web
from pydantic import BaseModel

from homeface.adapters.web.access import CONTROL, OWNER, READ, Access, Role, Scope
from homeface.adapters.web.context import Context
from homeface.adapters.web.models_house import GuestMode, HouseholdHealth, Now, Pause, Visits, VisitsAsked
from homeface.adapters.web.ports_people import News
from homeface.adapters.web.routing import Media, api

PING_SECONDS = 15.0
STREAM_SECONDS = 600.0
"""A stream then ends; the browser opens another one, and shows again who asks."""
_SLOW_SECONDS = 20.0
_NOT_FOR_MEMBERS = {"decision", "visits"}
HISTORY = Access(scope=Scope.READ)


async def get_now(context: Context) -> Now:
    """Rooms, people and cameras at this moment."""
    return context.services.live.now()


async def get_events(context: Context) -> web.StreamResponse:
    """Server-sent events: now, decision, people, visits and ping. Nothing is ever told again."""
    news = context.services.live.subscribe(context.me().name)
    try:
        headers = {
            "Content-Type": "text/event-stream",
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
        }
        response = web.StreamResponse(headers=headers)
        await response.prepare(context.request)
        hidden = _NOT_FOR_MEMBERS if context.me().role is Role.MEMBER else set()
        try:
            async with asyncio.timeout(STREAM_SECONDS):
                await _stream(context, response, news, hidden)
        except (TimeoutError, ConnectionError):
            pass  # the browser comes again, or is gone
        return response
    finally:
        news.close()


async def _stream(context: Context, response: web.StreamResponse, news: News, hidden: set[str]) -> None:
    loop = asyncio.get_running_loop()
    asked = loop.time()
    while True:
        if loop.time() - asked >= PING_SECONDS:  # who was shown out hears no more
            asked = loop.time()
            if not await context.still_in():
                return
        try:
            async with asyncio.timeout(PING_SECONDS):
                found = await news.changes()
        except TimeoutError:
            found = [("ping", None)]
        text = "".join(_event(name, body) for name, body in found if name not in hidden)
        if text:
            async with asyncio.timeout(_SLOW_SECONDS):  # a page that takes nothing is let go
                await response.write(text.encode())


def _event(name: str, body: BaseModel | None) -> str:
    data = "{}" if body is None else body.model_dump_json()
    return f"event: {name}\ndata: {data}\n\n"


async def pause_room(context: Context) -> None:
    """Look away in a room, or look again; the same as Home Assistant's switches."""
    paused = context.taken(Pause).paused
    await context.services.live.pause_room(context.part("room_id"), paused)
    await context.note("pause room" if paused else "resume room", context.part("room_id"))


async def pause_camera(context: Context) -> None:
    """Look away with one camera, or look again."""
    paused = context.taken(Pause).paused
    await context.services.live.pause_camera(context.part("camera_id"), paused)
    await context.note("pause camera" if paused else "resume camera", context.part("camera_id"))


async def set_guest_mode(context: Context) -> None:
    """Guests are here, or have left; the same as Home Assistant's switch."""
    enabled = context.taken(GuestMode).enabled
    await context.services.live.set_guest_mode(enabled)
    await context.note("guest mode on" if enabled else "guest mode off")


async def get_camera_picture(context: Context) -> web.Response:
    """The last picture, where web.camera_pictures allows it."""
    return jpeg(await context.services.live.picture(context.part("camera_id")))


async def get_visits(context: Context) -> Visits:
    """Finished visits, newest first."""
    asked = context.asked(VisitsAsked)
    return await context.services.live.visits(asked.limit, asked.before)


async def get_household_health(context: Context) -> HouseholdHealth:
    """What can be promised for each person, and what would help."""
    return await context.services.live.health()


def jpeg(data: bytes) -> web.Response:
    """A picture, kept by no browser."""
    return web.Response(body=data, content_type="image/jpeg", headers={"Cache-Control": "no-store"})


ROUTES = (
    api("GET", "/now", get_now, READ, "The house now", answer=Now),
    api("GET", "/events", get_events, READ, "News of the house", answer=Media("text/event-stream")),
    api("POST", "/rooms/{room_id}/pause", pause_room, CONTROL, "Pause a room", body=Pause),
    api("POST", "/cameras/{camera_id}/pause", pause_camera, CONTROL, "Pause a camera", body=Pause),
    api("POST", "/guest-mode", set_guest_mode, CONTROL, "Guest mode on or off", body=GuestMode),
    api("GET", "/cameras/{camera_id}/picture", get_camera_picture, OWNER, "A camera's last picture",
        answer=Media("image/jpeg")),
    api("GET", "/visits", get_visits, HISTORY, "Finished visits", query=VisitsAsked, answer=Visits),
    api("GET", "/health", get_household_health, READ, "The household's health", answer=HouseholdHealth),
)  # fmt: skip
