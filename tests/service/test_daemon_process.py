"""``homeface run`` as a process: readiness, reload, watchdog, goodbye, and what it never writes down."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.daemon import Daemon, write_config
from tests.support.data import requires_data
from tests.support.mosquitto import Listener, Mosquitto, free_port, requires_mosquitto
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.mosquitto, requires_mosquitto, pytest.mark.timeout(300)]

STATUS = "homeface/homeface/status"
ROOM = "homeassistant/device/homeface/room_{}/config"
SECRETS = {"mqtt": "Br0ker-s3cret", "camera": "C4mera-s3cret", "url": "Url-s3cret"}
LIGHT: dict[str, Any] = {"detector": "yunet_n", "embedder": "mobilefacenet", "device": "cpu", "threads": 1}
"""The smallest models: what is tested here is the process."""
LOADED_SECONDS = 180
"""Enough for loading models on a machine that does many other things."""


@dataclass
class Home:
    """A daemon with two cameras that cannot be reached, and everything around it."""

    folder: Path
    broker: Mosquitto
    daemon: Daemon
    listener: Listener
    config: Path
    good: str

    def rewrite(self, **changes: Any) -> None:
        """The good configuration with other top-level keys; nothing is reloaded yet."""
        document = yaml.safe_load(self.good)
        self.config.write_text(yaml.safe_dump({**document, **changes}, sort_keys=False))


def start(folder: Path) -> Home:
    broker = Mosquitto(folder / "broker", users={"homeface": SECRETS["mqtt"]}).start()
    config = write_config(
        folder / "config.yaml",
        rooms={"hall": {"name": "Hall"}, "yard": {"name": "Yard"}},
        cameras={
            "hall": {
                "room": "hall",
                "url": "rtsp://127.0.0.1:9/hall",
                "username": "admin",
                "password": SECRETS["camera"],
            },
            "yard": {"room": "yard", "url": f"rtsp://admin:{SECRETS['url']}@127.0.0.1:9/yard"},
        },
        mqtt_port=broker.port,
        storage=folder / "state",
        mqtt={"username": "homeface", "password": SECRETS["mqtt"]},
        recognition=LIGHT,
    )
    listener = Listener(broker, "homeface/#", "homeassistant/#", credentials=("homeface", SECRETS["mqtt"]))
    environ = {"WATCHDOG_USEC": "3000000", "OMP_NUM_THREADS": "1"}
    daemon = Daemon(config, folder / "daemon", arguments=["--log-level", "debug"], environ=environ)
    try:
        daemon.start(LOADED_SECONDS)
    except BaseException:
        daemon.close()
        broker.kill()
        raise
    return Home(folder, broker, daemon, listener, config, config.read_text())


def stop(home: Home) -> None:
    home.daemon.close()
    home.listener.close()
    home.broker.kill()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """One daemon for the tests that leave it as it was."""
    home = start(tmp_path_factory.mktemp("home"))
    yield home
    stop(home)


@pytest.fixture
def home(shared: Home) -> Iterator[Home]:
    yield shared
    shared.config.write_text(shared.good)
    assert shared.daemon.running, shared.daemon.log()[-3000:]


@requires_data
@pytest.mark.slow
class TestRunning:
    def test_ready_means_that_the_broker_knows(self, home: Home) -> None:
        wait_until(lambda: home.listener.last(STATUS) == b"online", 20)
        wait_until(lambda: home.listener.last(ROOM.format("hall")), 20)
        wait_until(lambda: home.listener.last("homeface/homeface/room/hall/availability") == b"offline", 20)
        assert home.listener.last("homeface/homeface/camera/hall/connectivity") == b"OFF"

    def test_the_watchdog_is_fed_and_the_status_is_told(self, home: Home) -> None:
        fed = home.daemon.notifications.count("WATCHDOG=1")
        wait_until(lambda: home.daemon.notifications.count("WATCHDOG=1") >= fed + 3, 20)
        assert "STATUS=0 of 2 cameras, broker connected" in home.daemon.notifications

    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            ({"rooms": 5}, "config.yaml:1: rooms"),
            ({"cameras": {"hall": {"room": "nowhere", "device": 0}}}, "nowhere"),
            ({"recognition": {**LIGHT, "embedder": "facenet_of_yesterday"}}, "facenet_of_yesterday"),
        ],
        ids=["wrong type", "unknown room", "unknown model"],
    )
    def test_a_bad_configuration_is_refused_and_the_old_one_stays(
        self, home: Home, changes: dict[str, Any], told: str
    ) -> None:
        home.rewrite(**changes)
        statuses = len(home.listener.on(STATUS))
        home.daemon.reload()
        assert "The new configuration is refused, the old one stays" in home.daemon.log()
        assert told in home.daemon.log()
        assert home.listener.on(STATUS)[statuses:] == []  # it was never away

    def test_a_configuration_that_cannot_begin_gives_way_to_the_old_one(self, home: Home) -> None:
        broken = home.folder / "broken"
        broken.mkdir(exist_ok=True)
        (broken / "homeface.db").write_bytes(b"this is no database" * 100)
        home.rewrite(storage={"folder": str(broken)}, mqtt={**yaml.safe_load(home.good)["mqtt"]})
        home.daemon.reload(LOADED_SECONDS)
        assert "The new configuration cannot be used, the old one is back" in home.daemon.log()
        wait_until(lambda: home.listener.last(STATUS) == b"online", 20)
        assert (broken / "homeface.db").read_bytes() == b"this is no database" * 100

    def test_the_port_of_the_health_pages_is_taken(self, home: Home) -> None:
        home.rewrite(web={"enabled": True, "port": home.broker.port})
        home.daemon.reload(LOADED_SECONDS)
        assert "The page cannot listen" in home.daemon.log()
        wait_until(lambda: home.listener.last(STATUS) == b"online", 20)

    def test_a_new_room_appears_and_a_removed_one_disappears(self, home: Home) -> None:
        document = yaml.safe_load(home.good)
        home.rewrite(
            rooms={"hall": {"name": "Hall"}, "attic": {"name": "Attic"}},
            cameras={"hall": document["cameras"]["hall"]},
        )
        home.daemon.reload()
        wait_until(lambda: home.listener.last(ROOM.format("attic")), 30, "the attic is announced")
        wait_until(lambda: home.listener.last(ROOM.format("yard")) == b"", 30, "the yard is cleared away")
        wait_until(lambda: home.listener.last(STATUS) == b"online", 20)
        home.config.write_text(home.good)
        home.daemon.reload()
        wait_until(lambda: home.listener.last(ROOM.format("yard")), 30, "the yard is back")
        wait_until(lambda: home.listener.last(ROOM.format("attic")) == b"", 30, "the attic is gone")

    def test_two_reloads_at_once_are_one(self, home: Home) -> None:
        for _ in range(5):
            home.daemon.signal(signal.SIGHUP)
        home.daemon.reload()
        wait_until(lambda: home.listener.last(STATUS) == b"online", 20)

    def test_secrets_are_never_written_down(self, home: Home) -> None:
        """After everything above, at the most talkative level."""
        log = home.daemon.log()
        assert "camera yard" in log
        for secret in SECRETS.values():
            assert secret not in log
            assert not any(secret.encode() in heard.payload for heard in home.listener.heard)
        assert not any(secret in note for note in home.daemon.notifications for secret in SECRETS.values())


@requires_data
@pytest.mark.slow
class TestEnd:
    def test_sigterm_leaves_within_five_seconds_and_says_so(self, tmp_path: Path) -> None:
        home = start(tmp_path)
        try:
            wait_until(lambda: home.listener.last(STATUS) == b"online", 20)
            began = time.monotonic()
            assert home.daemon.terminate() == 0
            assert time.monotonic() - began < 5.0
            assert home.daemon.notifications.count("STOPPING=1") == 1
            wait_until(lambda: home.listener.last(STATUS) == b"offline", 5)

            home.daemon.start(LOADED_SECONDS)
            wait_until(lambda: home.listener.last(STATUS) == b"online", 20)
            home.daemon.kill()
            wait_until(lambda: home.listener.last(STATUS) == b"offline", 20, "the broker tells its will")

            home.daemon.start(wait_ready=False)
            home.daemon.wait_notified("STATUS=Loading models", LOADED_SECONDS)
            began = time.monotonic()
            assert home.daemon.terminate() == 0
            assert time.monotonic() - began < 5.0
        finally:
            stop(home)


def run_to_the_end(config: Path, folder: Path, **environ: str) -> tuple[int, str]:
    """Exit code and output of a daemon that does not get far."""
    daemon = Daemon(config, folder, environ=environ)
    daemon.start(wait_ready=False)
    try:
        return daemon.wait(LOADED_SECONDS), daemon.log()
    finally:
        daemon.close()


def plain_config(folder: Path, **changes: Any) -> Path:
    """A good configuration of one room, for a broker that is not there."""
    sections: dict[str, Any] = {
        "rooms": {"hall": {}},
        "cameras": {"hall": {"room": "hall", "url": "rtsp://127.0.0.1:9/hall"}},
        "mqtt_port": free_port(),
        "storage": folder / "state",
        "recognition": LIGHT,
    }
    return write_config(folder / "config.yaml", **{**sections, **changes})


def test_a_broken_configuration_ends_with_two(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("rooms:\n  hall: [\n")
    code, log = run_to_the_end(config, tmp_path)
    assert code == 2
    assert "config.yaml:" in log
    assert "Traceback" not in log


def test_weights_that_are_nowhere_end_with_one_and_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    environ = {name: str(tmp_path / "none") for name in ("HOMEFACE_MODELS", "XDG_CACHE_HOME", "TORCH_HOME")}
    code, log = run_to_the_end(plain_config(tmp_path), tmp_path, **environ)
    assert code == 1
    assert "put " in log
    assert "sha256" in log
    assert str(tmp_path / "none") in log
    assert "Traceback" not in log


@requires_data
def test_log_lines_are_json_when_asked(tmp_path: Path) -> None:
    config = plain_config(tmp_path)
    with Daemon(config, tmp_path, arguments=["--log-format", "json"]) as daemon:
        daemon.wait_log('"camera hall is unavailable', 30)
        assert daemon.terminate() == 0
        entries = [json.loads(line) for line in daemon.log().splitlines()]
    assert {"timestamp", "level", "logger", "message"} <= entries[0].keys()
    assert any(entry["level"] == "warning" for entry in entries)  # the broker and the camera are not there
