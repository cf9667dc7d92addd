"""What stands before the page: limits on connections and on TLS handshakes, of all and of one address.

Whoever connects and says nothing holds a file descriptor; cameras and the broker need some, too.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable

from aiohttp import web

MAX_CONNECTIONS = 256
"""Cameras and the broker need file descriptors too."""
MAX_CONNECTIONS_OF_ONE = 64
"""Of one address: with it alone nobody shuts the page for all others."""
MAX_HANDSHAKES = 64
MAX_HANDSHAKES_OF_ONE = 16
"""Of one address, likewise. A browser opens half a dozen connections at once."""
HANDSHAKE_SECONDS = 10.0
"""How long one may take; then it is hung up."""


class Door:
    """Hands connections over to the server, encrypted if there is a ``context``, or hangs up.

    ``crowds``: whether an address may hold all of them (a proxy brings everybody).
    """

    def __init__(
        self, server: web.Server, context: ssl.SSLContext | None, crowds: Callable[[str], bool]
    ) -> None:
        self._server = server
        self._context = context
        self._crowds = crowds
        self._under_way: dict[asyncio.Task[None], asyncio.Transport] = {}

    @property
    def handshakes(self) -> int:
        """How many are under way."""
        return len(self._under_way)

    def visitor(self) -> asyncio.Protocol:
        """For a new connection."""
        return _Visitor(self)

    async def aclose(self) -> None:
        """End the handshakes that are under way."""
        under_way = dict(self._under_way)
        for task, transport in under_way.items():
            task.cancel()
            transport.abort()  # a task that has not begun yet would leave it open
        await asyncio.gather(*under_way, return_exceptions=True)

    def come(self, visitor: _Visitor, transport: asyncio.Transport) -> None:
        """Decide at once."""
        if self._context is None:
            self._enter(visitor, transport)
            return
        address, counts = _peer(transport), Counter(map(_peer, self._under_way.values()))
        crowded = counts[address] >= MAX_HANDSHAKES_OF_ONE and not self._crowds(address)
        if crowded or counts.total() >= MAX_HANDSHAKES:
            transport.abort()
            return
        transport.pause_reading()  # the first bytes are for the handshake
        task = asyncio.get_running_loop().create_task(self._encrypt(visitor, transport, self._context))
        self._under_way[task] = transport
        task.add_done_callback(self._under_way.pop)

    async def _encrypt(
        self, visitor: _Visitor, transport: asyncio.Transport, context: ssl.SSLContext
    ) -> None:
        try:
            encrypted = await asyncio.get_running_loop().start_tls(
                transport, visitor, context, server_side=True, ssl_handshake_timeout=HANDSHAKE_SECONDS
            )
        except OSError:  # no TLS, too slow, or gone: asyncio has hung up
            return
        if encrypted is not None:  # None: gone before anything was said
            self._enter(visitor, encrypted)

    def _enter(self, visitor: _Visitor, transport: asyncio.Transport) -> None:
        others = self._server.connections
        own = sum(_peer(other.transport) == _peer(transport) for other in others)
        crowded = own >= MAX_CONNECTIONS_OF_ONE and not self._crowds(_peer(transport))
        if crowded or len(others) >= MAX_CONNECTIONS:
            transport.abort()  # a polite end of TLS would wait for the other side
            return
        visitor.hand_over(self._server(), transport)


class _Visitor(asyncio.Protocol):
    """A connection until the server has it. What it says right behind its handshake waits here."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._said: list[bytes] = []
        self._gone = False
        self._handler: asyncio.Protocol | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Of the plain connection alone."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a TCP server's
        self._door.come(self, transport)

    def data_received(self, data: bytes) -> None:
        """At most what a turn or two of the loop read: then the server has the connection."""
        self._said.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """May be on its way here already while the connection is handed over."""
        self._gone = True
        if self._handler is not None:
            self._handler.connection_lost(exc)

    def hand_over(self, handler: asyncio.Protocol, transport: asyncio.Transport) -> None:
        """From now on the server's."""
        if self._gone:
            return
        self._handler = handler
        transport.set_protocol(handler)
        handler.connection_made(transport)
        if self._said:
            handler.data_received(b"".join(self._said))


def _peer(transport: asyncio.BaseTransport | None) -> str:
    """The address of the other end."""
    peer = transport.get_extra_info("peername") if transport is not None else None
    return str(peer[0]).partition("%")[0] if peer else ""
