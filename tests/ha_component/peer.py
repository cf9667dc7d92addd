"""A real web server that speaks homeface's API as agreed: what the companion's tests talk to, over TCP."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

TOKEN = "a-good-token"
INSTANCE = "0123456789abcdef0123456789abcdef"
JPEG = b"\xff\xd8\xff\xe0picture\xff\xd9"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def occupant(person: str, name: str) -> dict[str, Any]:
    """Somebody in a room."""
    at = time.time()
    return {"id": person, "name": name, "since": at - 60, "score": 0.8, "last_seen": at}


def room(room_id: str, name: str, *people: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A room as ``GET /now`` tells it."""
    told = {
        "id": room_id,
        "name": name,
        "occupied": bool(people),
        "available": True,
        "paused": False,
        "people": list(people),
        "unknown_count": 0,
    }
    return told | changes


def person(
    person_id: str, name: str, room_id: str | None, *, home: bool = True, **changes: Any
) -> dict[str, Any]:
    """A person as ``GET /now`` tells her."""
    at = time.time()
    told = {"id": person_id, "name": name, "room": room_id, "home": home, "available": True}
    return told | {"since": at - 60, "last_seen": at} | changes


def camera(camera_id: str, room_id: str, **changes: Any) -> dict[str, Any]:
    """A camera as ``GET /now`` tells it."""
    told = {
        "id": camera_id,
        "name": f"Camera {camera_id}",
        "room": room_id,
        "available": True,
        "reason": None,
    }
    return told | {"analysed_fps": 5.0, "dropped": 0, "paused": False, "picture": False} | changes


def enrolled(
    person_id: str, name: str, *findings: tuple[str, str], aliases: tuple[str, ...] = ()
) -> dict[str, Any]:
    """A person as ``GET /people`` tells her."""
    told = [{"key": key, "sentence": sentence, "help": "Add photos."} for key, sentence in findings]
    return {
        "id": person_id,
        "name": name,
        "aliases": list(aliases),
        "photos": 3,
        "infrared_photos": 0,
        "paused": False,
        "room": None,
        "last_seen": None,
        "health": {"level": "fair" if findings else "good", "findings": told},
        "picture_url": None,
    }


def visit(visit_id: str, room_id: str = "porch", *, age: float = 5.0, picture: bool = True) -> dict[str, Any]:
    """A visit of somebody unknown."""
    seen = time.time() - age
    return {
        "id": visit_id,
        "room": room_id,
        "camera": room_id,
        "first_seen": seen - 4,
        "last_seen": seen,
        "reasons": ["below_threshold"],
        "picture_url": f"/api/v1/visits/unknown/{visit_id}/picture" if picture else None,
        "faces": 3,
    }


class Peer:
    """One homeface that does what a test says."""

    def __init__(self) -> None:
        self.info: dict[str, Any] = {
            "name": "Home",
            "version": "0.1.0",
            "node_id": "home",
            "model_id": "mobilefacenet/1",
            "instance_id": INSTANCE,
            "cameras_live": False,
            "tls": False,
        }
        self.now: dict[str, Any] = {
            "rooms": [
                room("kitchen", "Kitchen", occupant("p1", "Anna")),
                room("porch", "Porch", occupied=True, unknown_count=1),
                room("attic", "Attic", available=False),
            ],
            "people": [
                person("p1", "Anna", "kitchen"),
                person("p2", "Ben", None, home=False),
                person("p3", "Cem", None, available=False),
            ],
            "cameras": [camera("kitchen", "kitchen"), camera("porch", "porch")],
        }
        self.people = [enrolled("p1", "Anna", aliases=("Mum",)), enrolled("p2", "Ben"), enrolled("p3", "Cem")]
        self.groups: list[dict[str, Any]] = []
        self.photos: dict[str, Any] = {
            "photos": [
                {
                    "label": "1",
                    "key": "ok",
                    "message": "taken",
                    "accepted": True,
                    "used": True,
                    "template_id": "t1",
                }
            ],
            "notes": [],
        }
        self.token = TOKEN
        self.authority: bytes | None = None
        """What ``/ca.crt`` answers to everybody."""
        self.refuse: dict[str, tuple[int, dict[str, Any] | str]] = {}
        """By ``METHOD path``: answer this instead."""
        self.asked: list[tuple[str, str, Any]] = []
        """Method, path and body of every change."""
        self.streams: set[asyncio.Queue[bytes | None]] = set()
        self.mute = False
        """A stream ends as soon as it is open."""
        self._runner: web.AppRunner | None = None
        self.port = 0
        self.tls = False

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    # -- what a test makes happen ---------------------------------------------------------------------

    def push(self, name: str, data: Any) -> None:
        """Send an event to whoever listens."""
        self._loop.call_soon_threadsafe(self._send, f"event: {name}\ndata: {json.dumps(data)}\n\n".encode())

    def push_now(self) -> None:
        """Tell the present state."""
        self.push("now", self.now)

    def decide(self, kind: str, room_id: str, name: str | None, *, age: float = 0.0, **more: Any) -> None:
        """Tell that presence decided something."""
        told = {"visit_id": "v1", "room": room_id, "camera": room_id, "at": time.time() - age, "kind": kind}
        self.push(
            "decision", told | {"name": name, "score": 0.8, "margin": 0.4, "votes": 4, "reasons": []} | more
        )

    def drop_streams(self) -> None:
        """End every stream."""
        self._loop.call_soon_threadsafe(self._send, None)

    def _send(self, block: bytes | None) -> None:
        for stream in self.streams:
            stream.put_nowait(block)

    # -- life -----------------------------------------------------------------------------------------

    def start(self, context: ssl.SSLContext | None = None, port: int = 0) -> None:
        """Listen on loopback, in a thread with a loop of its own as another program would."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="peer", daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(context, port), self._loop).result(10)
        self.tls = context is not None

    async def _start(self, context: ssl.SSLContext | None, port: int) -> None:
        app = web.Application(middlewares=[self._gate])
        api = "/api/v1"
        app.router.add_get(f"{api}/info", self._tell(lambda: self.info))
        app.router.add_get(f"{api}/now", self._tell(lambda: self.now))
        app.router.add_get(f"{api}/people", self._tell(lambda: self.people))
        app.router.add_get(f"{api}/visits/unknown", self._tell(lambda: self.groups))
        app.router.add_get(f"{api}/events", self._events)
        app.router.add_get(f"{api}/ca.crt", self._tell(dict))
        app.router.add_get(f"{api}/visits/unknown/{{visit}}/picture", self._picture)
        app.router.add_post(f"{api}/people", self._create)
        for method, path in (
            ("DELETE", "/people/{person}"),
            ("DELETE", "/visits/unknown/{visit}"),
            ("POST", "/rooms/{room}/pause"),
        ):
            app.router.add_route(method, api + path, self._tell(dict))
        for path in ("/people/{p}/photos/from-camera", "/people/{p}/photos", "/visits/unknown/{v}/name"):
            app.router.add_post(api + path, self._tell(lambda: self.photos))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port, ssl_context=context).start()
        self.port = self._runner.addresses[0][1]

    def stop(self) -> None:
        """Nobody listens any more; a second call does nothing."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _stop(self) -> None:
        assert self._runner is not None
        assert self._runner.server is not None
        for site in list(self._runner.sites):
            await site.stop()
        for connection in list(self._runner.server.connections):
            if connection.transport is not None:
                connection.transport.abort()
        await self._runner.cleanup()
        rest = asyncio.all_tasks() - {asyncio.current_task()}  # handshakes that are under way
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    # -- inside ---------------------------------------------------------------------------------------

    @web.middleware
    async def _gate(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/api/v1/ca.crt":
            return web.Response(body=self.authority, status=404 if self.authority is None else 200)
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return _error(401, "not_logged_in", "Log in first.")
        if request.method != "GET":
            body: Any = None
            if request.content_type == "multipart/form-data":
                form = await request.post()
                body = [(part.filename, part.file.read()) for part in form.getall("photos")]
            elif request.can_read_body:
                body = await request.json()
            self.asked.append((request.method, request.path.removeprefix("/api/v1"), body))
        told = self.refuse.get(f"{request.method} {request.path.removeprefix('/api/v1')}")
        if told is not None:
            status, answer = told
            if isinstance(answer, str):
                headers = {"Location": answer} if 300 <= status < 400 else None
                return web.Response(status=status, text=answer, headers=headers)
            return web.json_response(answer, status=status)
        return await handler(request)

    def _tell(self, what: Callable[[], Any]) -> Handler:
        async def answer(_request: web.Request) -> web.Response:
            return web.json_response(what())

        return answer

    async def _create(self, request: web.Request) -> web.Response:
        return web.json_response(enrolled("p9", (await request.json())["name"]), status=201)

    async def _picture(self, request: web.Request) -> web.Response:
        known = {one["id"] for group in self.groups for one in group["visits"]}
        if request.match_info["visit"] not in known:
            return _error(404, "no_such_visit", "There is no such visit.")
        return web.Response(body=JPEG, content_type="image/jpeg")

    async def _events(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        stream: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.streams.add(stream)
        try:
            if self.mute:
                return answer
            await answer.write(f"event: now\r\ndata: {json.dumps(self.now)}\r\n\r\n".encode())
            while (block := await stream.get()) is not None:
                await answer.write(block)
        finally:
            self.streams.discard(stream)
        return answer


def _error(status: int, key: str, message: str) -> web.Response:
    return web.json_response({"error": {"key": key, "message": message, "field": None}}, status=status)


def refusal(key: str, message: str) -> dict[str, Any]:
    """The body of a refused request."""
    return {"error": {"key": key, "message": message, "field": None}}
