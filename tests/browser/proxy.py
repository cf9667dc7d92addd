"""A reverse proxy on loopback that serves the page below a path, as people's own proxies do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from aiohttp import web

_OF_THE_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


def _of_ingress(request: web.Request, below: str) -> dict[str, str]:
    """What Home Assistant's core and supervisor add (components/hassio/ingress.py)."""
    return {
        "X-Hass-Source": "core.ingress",
        "X-Ingress-Path": below,
        "X-Forwarded-For": str(request.remote),
        "X-Forwarded-Host": request.host,
        "X-Forwarded-Proto": request.scheme,
    }


@contextmanager
def proxied(target: str, below: str, ingress_from: str | None = None) -> Iterator[str]:
    """Serve ``target`` below the path ``below``, which is cut off on the way; yields the address.

    ``ingress_from``: as Home Assistant's ingress does, asking from that address with its headers; the root of
    the proxy is then a page that shows ``target`` in a frame, as Home Assistant's does.
    """
    loop = asyncio.new_event_loop()
    started, stop, ports = threading.Event(), asyncio.Event(), []

    async def serve() -> None:
        connector = aiohttp.TCPConnector(local_addr=(ingress_from, 0) if ingress_from else None)
        async with aiohttp.ClientSession(auto_decompress=False, connector=connector) as client:

            async def forward(request: web.Request) -> web.StreamResponse:
                path = request.raw_path.removeprefix(below)
                headers = {k: v for k, v in request.headers.items() if k.lower() not in _OF_THE_HOP}
                if ingress_from:
                    headers |= _of_ingress(request, below)
                async with client.request(
                    request.method, target.rstrip("/") + path, headers=headers, data=request.content
                    if request.can_read_body else None, allow_redirects=False,
                ) as answer:  # fmt: skip
                    response = web.StreamResponse(status=answer.status)
                    for name, value in answer.headers.items():
                        if name.lower() not in _OF_THE_HOP:
                            response.headers.add(name, value)
                    await response.prepare(request)
                    async for piece in answer.content.iter_any():
                        await response.write(piece)
                    return response

            async def panel(request: web.Request) -> web.Response:
                frame = f'<title>Panel</title><iframe src="{below}/" width="1200" height="800"></iframe>'
                return web.Response(text=frame, content_type="text/html")

            app = web.Application()
            app.router.add_get("/", panel)
            app.router.add_route("*", f"{below}/{{path:.*}}", forward)
            runner = web.AppRunner(app, shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            ports.append(runner.addresses[0][1])
            started.set()
            await stop.wait()
            await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    try:
        assert started.wait(10)
        yield f"http://127.0.0.1:{ports[0]}{below}/"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
