"""Logging: formats, masked credentials, outages."""

from __future__ import annotations

import io
import json
import logging
import os
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeface.adapters.redaction import redact
from homeface.adapters.telemetry import OutageLog, RedactingFilter, read_by_journald, setup_logging

LOG = logging.getLogger("homeface.test")


@pytest.fixture(autouse=True)
def _root_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for ours in set(root.handlers) - set(handlers):
        ours.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


# --- masking


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("open rtsp://u:p@host/x failed", "open rtsp://***@host/x failed"),
        ("rtsp://u:p@ss/w#rd@host/x", "rtsp://***@host/x"),
        ("http://h/v?user=a&password=b&channel=1", "http://h/v?user=***&password=***&channel=1"),
        ("rtsp://h/user=admin_password=x_channel=1", "rtsp://h/user=***"),
        ("see 'mqtt://a:b@c' now", "see 'mqtt://***@c' now"),
        ('rtspsrc user-pw="secret word" token=abc!', "rtspsrc user-pw=*** token=***"),
        ("http://h/?API_KEY=1", "http://h/?API_KEY=***"),
        ("mail anna@example.org", "mail anna@example.org"),
        ("nothing to hide: 5 < 6", "nothing to hide: 5 < 6"),
    ],
)
def test_redact(text: str, clean: str) -> None:
    assert redact(text) == clean


WORD = st.text(
    st.characters(max_codepoint=0x2FF, exclude_categories=("Z", "C"), exclude_characters="\"'<>"), min_size=1
)


@given(WORD, WORD)
def test_no_password_survives_in_a_url(user: str, password: str) -> None:
    marked = f"{password}§§§{password}"
    assert "§§§" not in redact(f"cannot open rtsp://{user}:{marked}@10.0.0.1:554/stream now")


def logged(log_format: str = "text", secrets: tuple[str, ...] = (), **options: Any) -> io.StringIO:
    stream = io.StringIO()
    setup_logging("debug", log_format, secrets=secrets, stream=stream, **options)  # type: ignore[arg-type]
    return stream


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_credentials_are_masked_wherever_they_stand(log_format: str) -> None:
    stream = logged(log_format, ("hunter2!",))
    url = "rtsp://user:geheim@host/x"
    LOG.warning("plain %s", url)
    LOG.warning("as an object %s", Path("/x?password=geheim"))
    LOG.warning("as a mapping %(url)s", {"url": url})
    LOG.warning("literal hunter2! here", extra={"camera": url, "more": [url]})
    try:
        try:
            raise OSError(url)
        except OSError as error:
            raise ValueError("because of hunter2!") from error
    except ValueError:
        LOG.exception("failed")
    LOG.warning("with a stack", stack_info=True)
    text = stream.getvalue()
    assert "geheim" not in text
    assert "hunter2!" not in text
    assert text.count("rtsp://***@host/x") >= 3
    assert "ValueError: because of ***" in text


def test_secrets_can_be_replaced_and_short_ones_do_not_hide_every_letter() -> None:
    mask = RedactingFilter(["a", "first-one"])
    mask.set_secrets(["a", "second-one"])
    record = logging.makeLogRecord({"msg": "a first-one second-one"})
    mask.filter(record)
    assert record.getMessage() == "a first-one ***"


def test_a_call_with_wrong_arguments_does_not_lose_the_line() -> None:
    record = logging.makeLogRecord({"msg": "two %s %s", "args": ("rtsp://u:geheim@h",)})
    RedactingFilter().filter(record)
    assert "two %s %s" in record.getMessage()
    assert "geheim" not in record.getMessage()


# --- formats


def test_json_is_one_object_a_line() -> None:
    stream = logged("json")
    LOG.info("two\nlines", extra={"camera": "porch", "frames": 5, "level": "x"})
    try:
        raise ValueError("broken")
    except ValueError:
        LOG.exception("failed")
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert first["message"] == "two\nlines"
    assert (first["level"], first["logger"]) == ("info", "homeface.test")
    assert (first["camera"], first["frames"], first["_level"]) == ("porch", 5, "x")
    assert first["timestamp"].endswith("+00:00")
    assert "ValueError: broken" in second["exception"]


def test_text_on_a_terminal_has_the_time_of_day_only() -> None:
    terminal = Terminal()
    setup_logging("info", "auto", stream=terminal)
    LOG.info("hello")
    LOG.debug("not shown")
    assert terminal.getvalue().count("\n") == 1
    assert " INFO    homeface.test: hello" in terminal.getvalue()
    assert len(terminal.getvalue().split(" ")[0]) == len("12:00:00")


def test_journald_gets_a_priority_on_each_line(tmp_path: Path) -> None:
    with (tmp_path / "journal").open("w+", encoding="utf-8") as stream:
        status = os.fstat(stream.fileno())
        setup_logging(
            "debug",
            journal_stream=f"{status.st_dev}:{status.st_ino}",
            stream=stream,
            journal_socket=str(tmp_path / "nobody-listens"),
        )
        LOG.debug("d")
        LOG.info("i")
        LOG.warning("w\nsecond")
        LOG.error("e")
        LOG.critical("c")
        stream.seek(0)
        lines = [line.replace("homeface.test: ", "") for line in stream.read().splitlines()]
    assert lines == ["<7>d", "<6>i", "<4>w", "<4>second", "<3>e", "<2>c"]


def test_journald_gets_entries_with_fields(tmp_path: Path) -> None:
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal,
        (tmp_path / "stream").open("w+", encoding="utf-8") as stream,
    ):
        address = str(tmp_path / "journal")
        journal.bind(address)
        status = os.fstat(stream.fileno())
        setup_logging(
            "info",
            journal_stream=f"{status.st_dev}:{status.st_ino}",
            secrets=["geheim"],
            stream=stream,
            journal_socket=address,
        )
        OutageLog(LOG, "camera porch", fields={"camera": "porch"}).failed("geheim at rtsp://u:pw@h/x")
        try:
            raise ValueError("broken")
        except ValueError:
            LOG.exception("failed")
        first, second = journal.recv(65536), journal.recv(65536)
        assert stream.tell() == 0
    assert b"MESSAGE=camera porch is unavailable: *** at rtsp://" in first
    assert b"geheim" not in first
    assert b"pw@" not in first
    for field in (b"PRIORITY=4", b"SYSLOG_IDENTIFIER=homeface", b"HOMEFACE_CAMERA=porch"):
        assert field in first.splitlines()
    text = b"failed\nTraceback (most recent call last):"
    head, _, rest = second.partition(b"MESSAGE\n")
    assert head == b""
    assert rest[8:].startswith(text), "a traceback is one entry"
    assert int.from_bytes(rest[:8], "little") == len(rest[8:].partition(b"\nPRIORITY=")[0])


def test_only_the_very_stream_of_the_journal_counts(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w", encoding="utf-8") as stream:
        assert not read_by_journald(stream, "1:2")
        assert not read_by_journald(stream, None)
    assert not read_by_journald(io.StringIO(), "1:2")
    assert not read_by_journald(stream, "1:2"), "closed"


def test_setup_again_replaces_and_leaves_others_alone() -> None:
    other = logging.NullHandler()
    logging.getLogger().addHandler(other)
    first, second = logged(), logged()
    LOG.info("once")
    assert first.getvalue() == ""
    assert second.getvalue().count("once") == 1
    assert other in logging.getLogger().handlers


def test_warnings_are_logged() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        stream = logged()
        warnings.warn("rtsp://u:geheim@h is old", UserWarning, stacklevel=1)
    assert "py.warnings" in stream.getvalue()
    assert "geheim" not in stream.getvalue()


# --- outages


def test_an_outage_is_told_once_and_ends_with_its_duration(caplog: pytest.LogCaptureFixture) -> None:
    now = [100.0]
    outage = OutageLog(LOG, "Camera porch", clock=lambda: now[0])
    with caplog.at_level(logging.DEBUG):
        outage.worked()
        assert not outage.lasting
        for seconds in (0, 10, 20):
            now[0] = 100.0 + seconds
            outage.failed("no route to host")
        assert outage.lasting
        now[0] = 142.0
        outage.worked()
        outage.worked()
        outage.failed("again")
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "Camera porch is unavailable: no route to host"),
        ("DEBUG", "Camera porch is still unavailable after 10.0 s: no route to host"),
        ("DEBUG", "Camera porch is still unavailable after 20.0 s: no route to host"),
        ("INFO", "Camera porch is back after 42.0 s (3 failures)"),
        ("WARNING", "Camera porch is unavailable: again"),
    ]


@pytest.mark.parametrize(("seconds", "text"), [(3, "3.0 s"), (600, "10 min"), (7200 * 3, "6.0 h")])
def test_long_outages_are_told_in_minutes_and_hours(
    caplog: pytest.LogCaptureFixture, seconds: float, text: str
) -> None:
    now = [0.0]
    outage = OutageLog(LOG, "The broker", clock=lambda: now[0])
    with caplog.at_level(logging.INFO):
        outage.failed("refused")
        now[0] = seconds
        outage.worked()
    assert f"after {text} " in caplog.messages[-1]
