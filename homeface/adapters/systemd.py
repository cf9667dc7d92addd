"""Telling systemd how we are: readiness, status, watchdog, reload (sd_notify(3))."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable

_log = logging.getLogger(__name__)


class Notifier:
    """Sends to systemd's notify socket. Without one, every call does nothing and returns False.

    ``notify_socket`` and ``watchdog_seconds`` are what systemd put into the environment. A message that
    cannot be sent is logged, never raised: telling how we are must not be what breaks us.
    """

    def __init__(
        self,
        notify_socket: str | None,
        watchdog_seconds: float | None = None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._address = _address(notify_socket)
        self._monotonic_ns = monotonic_ns
        self.watchdog_interval_seconds = watchdog_seconds / 2 if watchdog_seconds else None
        """How often to call ``watchdog`` (half of systemd's limit); None: it is not watching."""

    @property
    def enabled(self) -> bool:
        """True when systemd (or another supervisor) listens."""
        return self._address is not None

    def ready(self, status: str = "") -> bool:
        """Start-up, or a reload, is complete."""
        return self._send("READY=1", *_status(status))

    def status(self, text: str) -> bool:
        """One line for ``systemctl status``. No personal data: everybody on the machine can read it."""
        return self._send(*_status(text))

    def watchdog(self) -> bool:
        """We still make progress."""
        return self._send("WATCHDOG=1")

    def reloading(self) -> bool:
        """A reload begins; ``ready`` ends it."""
        return self._send("RELOADING=1", f"MONOTONIC_USEC={self._monotonic_ns() // 1000}")

    def stopping(self, status: str = "") -> bool:
        """We are on our way out."""
        return self._send("STOPPING=1", *_status(status))

    def _send(self, *lines: str) -> bool:
        if self._address is None or not lines:
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                sender.connect(self._address)
                sender.send("\n".join(lines).encode())
        except OSError as error:
            _log.warning("systemd could not be told %s: %s", lines[0], error.strerror or error)
            return False
        return True


def _address(notify_socket: str | None) -> str | None:
    """The socket's address; ``@`` marks an abstract one. Other kinds (vsock) are not supported."""
    if not notify_socket:
        return None
    if notify_socket.startswith("@"):
        return "\0" + notify_socket[1:]
    if notify_socket.startswith("/"):
        return notify_socket
    _log.warning("NOTIFY_SOCKET is neither a path nor an abstract socket, so systemd is told nothing")
    return None


def _status(text: str) -> tuple[str, ...]:
    """One line: a line break in it would be read as another message."""
    return (f"STATUS={' '.join(text.split())}",) if text.strip() else ()
