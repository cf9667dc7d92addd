"""Notifications over a real Unix datagram socket, and the unit files that go with them."""

from __future__ import annotations

import configparser
import logging
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from homeface.adapters.systemd import Notifier

UNITS = Path(__file__).resolve().parents[2] / "systemd"


@pytest.fixture(params=["path", "abstract"])
def supervisor(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """A socket as systemd makes one, and the NOTIFY_SOCKET that names it."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@homeface-{uuid.uuid4().hex}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(name.replace("@", "\0", 1))
        listener.settimeout(5)
        yield name, listener


def test_every_message_is_one_datagram(supervisor: tuple[str, socket.socket]) -> None:
    name, listener = supervisor
    notifier = Notifier(name, 30.0, monotonic_ns=lambda: 12_345_678_901)
    assert notifier.enabled
    assert notifier.watchdog_interval_seconds == 15
    assert notifier.ready("2 cameras")
    assert notifier.watchdog()
    assert notifier.status("line one\nREADY=1")
    assert notifier.reloading()
    assert notifier.stopping()
    assert [listener.recv(4096).decode() for _ in range(5)] == [
        "READY=1\nSTATUS=2 cameras",
        "WATCHDOG=1",
        "STATUS=line one READY=1",
        "RELOADING=1\nMONOTONIC_USEC=12345678",
        "STOPPING=1",
    ]


@pytest.mark.parametrize("name", [None, "", "vsock:2:3"])
def test_without_a_socket_nothing_happens(name: str | None) -> None:
    notifier = Notifier(name)
    assert not notifier.enabled
    assert notifier.watchdog_interval_seconds is None
    assert not notifier.ready()
    assert not notifier.watchdog()


def test_a_supervisor_that_is_gone_is_logged_and_not_raised(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert not Notifier(str(tmp_path / "gone")).ready()
    assert "systemd could not be told READY=1" in caplog.text
    assert caplog.records[0].levelno == logging.WARNING


def test_a_supervisor_that_does_not_read_never_blocks(supervisor: tuple[str, socket.socket]) -> None:
    name, _ = supervisor
    notifier = Notifier(name)
    assert not all(notifier.watchdog() for _ in range(5000)), "a full socket is told as not sent"


# --- the unit files


@pytest.fixture
def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    parser.read(UNITS / "homeface.service", encoding="utf-8")
    return parser


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Type", "notify"),
        ("User", "homeface"),
        ("Restart", "always"),
        ("RestartPreventExitStatus", "2"),
        ("StateDirectory", "homeface"),
        ("StateDirectoryMode", "0700"),
        ("CacheDirectory", "homeface"),
        ("ConfigurationDirectory", "homeface"),
        ("ExecStart", "/opt/homeface/bin/homeface run -c /etc/homeface/config.yaml"),
        ("ExecReload", "/bin/sh -c 'kill -HUP $MAINPID'"),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "true"),
        ("NoNewPrivileges", "true"),
        ("CapabilityBoundingSet", ""),
        ("DevicePolicy", "closed"),
        ("UMask", "0077"),
    ],
)
def test_unit_says(unit: configparser.ConfigParser, key: str, value: str) -> None:
    assert unit["Service"][key] == value


def test_unit_gives_the_daemon_time_to_leave_and_watches_it(unit: configparser.ConfigParser) -> None:
    service = unit["Service"]
    assert 5 < int(service["TimeoutStopSec"].removesuffix("s")) <= 30
    assert int(service["WatchdogSec"].removesuffix("s")) >= 20
    assert int(unit["Unit"]["StartLimitIntervalSec"]) > int(unit["Unit"]["StartLimitBurst"]) * 10


def test_unit_lets_cameras_and_gpus_through() -> None:
    text = (UNITS / "homeface.service").read_text(encoding="utf-8")
    for device in ("char-video4linux", "char-nvidia", "char-nvidia-uvm", "char-drm"):
        assert f"DeviceAllow={device} rw" in text
    assert "PrivateDevices" not in text
    assert "MemoryDenyWriteExecute" not in text.replace("# MemoryDenyWriteExecute", "")


def test_sysusers_and_tmpfiles_name_the_same_user_and_folders() -> None:
    users = (UNITS / "homeface.sysusers.conf").read_text(encoding="utf-8")
    folders = (UNITS / "homeface.tmpfiles.conf").read_text(encoding="utf-8")
    assert "u homeface - " in users
    for group in ("video", "render"):
        assert f"m homeface {group}" in users
    assert "d /etc/homeface 0750 root homeface" in folders
    assert (
        "d /var/lib/homeface/models 0755 homeface homeface" in folders
        or "/var/lib/homeface/models" in folders
    )


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_itself_finds_no_unknown_key(tmp_path: Path) -> None:
    copy = tmp_path / "homeface.service"
    text = (UNITS / "homeface.service").read_text(encoding="utf-8")
    copy.write_text(text.replace("/opt/homeface/bin/homeface", "/bin/true"), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    for sign in ("Unknown", "Failed to parse", "Invalid", "nvalid "):
        assert sign not in done.stderr, done.stderr
