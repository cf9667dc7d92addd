"""TLS for a server that somebody in the network may want to exhaust: a limit on handshakes under way."""

from __future__ import annotations

import ssl
import time
from typing import Any

MAX_HANDSHAKES = 64
HANDSHAKE_SECONDS = 10.0
"""How long one may take; asyncio then hangs up."""


class _Handshake(ssl.SSLObject):
    """One connection's encryption."""

    refused = False

    def do_handshake(self) -> None:
        """Goes on with what has come; returns once it has succeeded. Raises SSLError when there are too many:
        asyncio then closes the connection.
        """
        if self.refused:
            raise ssl.SSLError("Too many handshakes at once.")
        context = self.context
        assert isinstance(context, LimitedContext)  # noqa: S101 - made by it
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError:
            context.under_way.pop(id(self), None)
            raise
        context.under_way.pop(id(self), None)


class LimitedContext(ssl.SSLContext):
    """A server's TLS context, with which only so many handshakes are under way at the same time.

    Whoever connects and never ends a handshake holds a file descriptor for as long as it may take; cameras
    and the broker need some, too. ``under_way``: since when, by the object's id.
    """

    sslobject_class = _Handshake
    under_way: dict[int, float]

    def __new__(cls) -> LimitedContext:
        """With the same defaults as ``ssl.create_default_context`` for servers."""
        context = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        context.under_way = {}
        return context

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """Begin a handshake."""
        now = time.monotonic()
        for key, since in list(self.under_way.items()):
            if now - since > HANDSHAKE_SECONDS:  # it was given up
                del self.under_way[key]
        found = super().wrap_bio(*args, **kwargs)
        assert isinstance(found, _Handshake)  # noqa: S101 - see ``sslobject_class``
        found.refused = len(self.under_way) >= MAX_HANDSHAKES
        if not found.refused:
            self.under_way[id(found)] = now
        return found
