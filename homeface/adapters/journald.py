"""Log records as entries of systemd's journal, with fields: journalctl HOMEFACE_CAMERA=porch

Speaks the journal's own protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): one datagram an entry. A traceback
stays one entry, and what a record carries as extra becomes a field.
"""

from __future__ import annotations

import logging
import re
import socket
import struct

JOURNAL_SOCKET = "/run/systemd/journal/socket"
IDENTIFIER = "homeface"
_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LONGEST_BYTES = 48_000  # a datagram's limit, with room for the fields


class JournalHandler(logging.Handler):
    """Sends each record as one entry. What cannot be sent goes to ``fallback``: no line is lost."""

    def __init__(self, fallback: logging.Handler, address: str = JOURNAL_SOCKET) -> None:
        super().__init__()
        self._fallback = fallback
        self._address = address
        self._socket: socket.socket | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Never blocks for long and never raises: a journal in trouble must not stop recognition."""
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
                self._socket.settimeout(0.5)
            self._socket.sendto(entry(record), self._address)
        except OSError:
            self._fallback.handle(record)

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        super().close()


def entry(record: logging.LogRecord) -> bytes:
    """A record in the journal's protocol. Credentials must be masked before."""
    text = record.getMessage()
    for more in (record.exc_text, record.stack_info):
        text = f"{text}\n{more}" if more else text
    fields = {
        "MESSAGE": text.encode(errors="replace")[:_LONGEST_BYTES].decode(errors="ignore"),
        "PRIORITY": str(priority(record.levelno)),
        "SYSLOG_IDENTIFIER": IDENTIFIER,
        "CODE_FILE": record.pathname,
        "CODE_LINE": str(record.lineno),
        "CODE_FUNC": record.funcName,
        "HOMEFACE_LOGGER": record.name,
        "HOMEFACE_THREAD": record.threadName or "",
    }
    for name in sorted(vars(record).keys() - _STANDARD):
        field = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")
        if field:
            fields[f"HOMEFACE_{field}"[:64]] = str(getattr(record, name))[:1000]
    return b"".join(_field(name, value) for name, value in fields.items() if value)


def priority(level: int) -> int:
    """syslog's number for a level of logging."""
    return next((number for least, number in _PRIORITIES if level >= least), 7)


def _field(name: str, value: str) -> bytes:
    """``NAME=value``, or with a length when a line break is in it."""
    data = value.encode(errors="replace")
    if b"\n" not in data:
        return name.encode() + b"=" + data + b"\n"
    return name.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"
