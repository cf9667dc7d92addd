"""Logging: one setup, credentials masked in every record, outages told once.

Formats: ``text`` for a person, entries with fields when journald reads the stream (lines with ``<N>``
priorities, sd-daemon(3), when its socket is not there), ``json`` with one object a line.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal, TextIO

from homeface.adapters.journald import JOURNAL_SOCKET, JournalHandler, priority
from homeface.adapters.redaction import HIDDEN, redact

LogFormat = Literal["auto", "text", "json"]
_MIN_SECRET_CHARACTERS = 4  # masking every "a" would hide more than the password
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class RedactingFilter(logging.Filter):
    """Masks credentials in message, arguments, traceback, stack and extra fields of every record.

    ``secrets`` are masked literally as well, wherever they turn up.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._literals: tuple[str, ...] = ()
        self.set_secrets(secrets)

    def set_secrets(self, secrets: Iterable[str]) -> None:
        """Replace the secrets that are masked literally (after a reload)."""
        long_enough = {secret for secret in secrets if len(secret) >= _MIN_SECRET_CHARACTERS}
        self._literals = tuple(sorted(long_enough, key=len, reverse=True))

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record in place; always let it pass."""
        record.msg, record.args = self._clean(_message(record)), None
        if record.exc_info and not record.exc_text:
            record.exc_text = _traceback(record.exc_info)
        if record.exc_text:
            record.exc_text = self._clean(record.exc_text)
        if record.stack_info:
            record.stack_info = self._clean(record.stack_info)
        for name in vars(record).keys() - _STANDARD:
            value = getattr(record, name)
            if not isinstance(value, bool | int | float | None):
                setattr(record, name, self._clean(value if isinstance(value, str) else repr(value)))
        return True

    def _clean(self, text: str) -> str:
        for secret in self._literals:
            text = text.replace(secret, HIDDEN)
        return redact(text)


def _message(record: logging.LogRecord) -> str:
    """The record's message; a call with wrong arguments must not lose the line."""
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return f"{record.msg} {record.args!r}"


def _traceback(
    exc_info: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
) -> str:
    return "".join(traceback.format_exception(*exc_info)).rstrip("\n")


class _PriorityFormatter(logging.Formatter):
    """``<N>`` before each line, so that journald can rank them; it has its own clock."""

    def __init__(self) -> None:
        super().__init__("%(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Each line of a traceback is an entry of its own in the journal: each needs the prefix."""
        number = priority(record.levelno)
        return "\n".join(f"<{number}>{line}" for line in super().format(record).splitlines() or [""])


class _JsonFormatter(logging.Formatter):
    """One JSON object a line: timestamp (UTC), level, logger, message, extra fields, exception."""

    def format(self, record: logging.LogRecord) -> str:
        """Extra fields that clash with one of ours get an underscore in front."""
        entry: dict[str, object] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_text or record.exc_info:
            entry["exception"] = record.exc_text or _traceback(record.exc_info or (None, None, None))
        if record.stack_info:
            entry["stack"] = record.stack_info
        for name in sorted(vars(record).keys() - _STANDARD):
            entry[f"_{name}" if name in entry else name] = getattr(record, name)
        return json.dumps(entry, ensure_ascii=False, default=repr)


def read_by_journald(stream: TextIO, journal_stream: str | None) -> bool:
    """True when ``journal_stream`` (JOURNAL_STREAM, ``device:inode``) is this very stream."""
    if not journal_stream:
        return False
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):  # closed, or no file at all
        return False
    return journal_stream == f"{status.st_dev}:{status.st_ino}"


def setup_logging(
    level: str = "info",
    log_format: LogFormat = "auto",
    *,
    journal_stream: str | None = None,
    secrets: Collection[str] = (),
    stream: TextIO | None = None,
    journal_socket: str = JOURNAL_SOCKET,
) -> RedactingFilter:
    """Send all logging to one stream (standard error). Calling it again replaces the earlier setup.

    Returns the filter, to give it new secrets after a reload.
    """
    target = sys.stderr if stream is None else stream
    handler: logging.Handler = logging.StreamHandler(target)
    handler.setFormatter(_formatter(log_format, target, journal_stream))
    if log_format == "auto" and read_by_journald(target, journal_stream):
        handler = JournalHandler(fallback=handler, address=journal_socket)
    mask = RedactingFilter(secrets)
    handler.addFilter(mask)
    root = logging.getLogger()
    for old in [old for old in root.handlers if getattr(old, "homeface", False)]:
        root.removeHandler(old)
        old.close()
    handler.homeface = True  # type: ignore[attr-defined]  # marks ours among handlers of others
    root.addHandler(handler)
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    return mask


def _formatter(log_format: LogFormat, stream: TextIO, journal_stream: str | None) -> logging.Formatter:
    if log_format == "json":
        return _JsonFormatter()
    if log_format == "auto" and read_by_journald(stream, journal_stream):
        return _PriorityFormatter()
    on_terminal = stream.isatty()
    pattern = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
    return logging.Formatter(pattern, "%H:%M:%S" if on_terminal else "%Y-%m-%d %H:%M:%S")


class OutageLog:
    """Tells of an outage once: a warning when it begins, debug while it lasts, info when it ends.

    ``what`` begins the sentences, e.g. ``Camera porch``. ``clock`` gives monotonic seconds;
    ``fields`` go with each record, for the journal and JSON.
    """

    def __init__(
        self,
        logger: logging.Logger,
        what: str,
        clock: Callable[[], float] = time.monotonic,
        fields: Mapping[str, str] | None = None,
    ) -> None:
        self._log = logging.LoggerAdapter(logger, dict(fields or {}))
        self._what = what
        self._clock = clock
        self._since: float | None = None
        self._failures = 0

    @property
    def lasting(self) -> bool:
        """True from the first failure to the next success."""
        return self._since is not None

    def failed(self, reason: object) -> None:
        """It does not work (any more)."""
        self._failures += 1
        if self._since is None:
            self._since = self._clock()
            self._log.warning("%s is unavailable: %s", self._what, reason)
        else:
            self._log.debug(
                "%s is still unavailable after %s: %s",
                self._what,
                _lasted(self._clock() - self._since),
                reason,
            )

    def worked(self) -> None:
        """It works."""
        if self._since is None:
            return
        lasted = self._clock() - self._since
        self._log.info("%s is back after %s (%d failures)", self._what, _lasted(lasted), self._failures)
        self._since, self._failures = None, 0


def _lasted(seconds: float) -> str:
    """Seconds, or minutes and hours when there are many."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
