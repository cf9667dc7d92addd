"""Bad input at the door: commands and the daemon say what is wrong in a sentence, and lose nothing."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest
from PIL import Image

from tests.support.daemon import Daemon, environment, write_config
from tests.support.data import data_dir, requires_data, weights_dir
from tests.support.mosquitto import Listener, Mosquitto, free_port, requires_mosquitto
from tests.support.painted_clips import write_painted
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(300)

LIGHT: dict[str, Any] = {"detector": "yunet_n", "embedder": "mobilefacenet", "device": "cpu", "threads": 1}
LOADED_SECONDS = 180
BASE = "homeface/homeface"
FACE = data_dir() / "gallery" / "rose_leslie" / "1.jpg"


def config_in(folder: Path, **changes: Any) -> Path:
    sections: dict[str, Any] = {
        "rooms": {"hall": {}},
        "cameras": {"hall": {"room": "hall", "url": "rtsp://127.0.0.1:9/hall"}},
        "mqtt_port": free_port(),
        "storage": folder / "state",
        "recognition": LIGHT,
    }
    return write_config(folder / "config.yaml", **{**sections, **changes})


def homeface(*arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """One command as a process; it must never answer with a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "homeface", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=LOADED_SECONDS,
        env=environment(OMP_NUM_THREADS="1", **environ),
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def run_to_the_end(config: Path, folder: Path) -> tuple[int, str]:
    """Exit code and log of a daemon that must not start."""
    daemon = Daemon(config, folder)
    daemon.start(wait_ready=False)
    try:
        code = daemon.wait(LOADED_SECONDS)
    finally:
        daemon.close()
    assert "READY=1" not in daemon.notifications
    assert "Traceback" not in daemon.log(), daemon.log()
    return code, daemon.log()


class TestConfiguration:
    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("rooms:\n  hall: {name: Hall\ncameras:\n", "config.yaml:3"),
            ("\trooms: {}\n", "config.yaml:1"),
            ("rooms: {hall: {}}\ncameras: {}\nrooms: {}\n", "rooms"),
            ("\x00\x01\x02", "config.yaml"),
        ],
        ids=["brackets", "tab", "twice", "binary"],
    )
    def test_broken_yaml(self, tmp_path: Path, text: str, told: str) -> None:
        config = tmp_path / "config.yaml"
        config.write_text(text)
        answer = homeface("check", "-c", config)
        assert answer.returncode == 2
        assert told in answer.stderr

    def test_an_unknown_room(self, tmp_path: Path) -> None:
        config = config_in(tmp_path, cameras={"hall": {"room": "cellar", "url": "rtsp://127.0.0.1:9/x"}})
        answer = homeface("run", "-c", config)
        assert answer.returncode == 2
        assert "cameras.hall.room" in answer.stderr
        assert "cellar" in answer.stderr
        assert "hall" in answer.stderr

    def test_wrong_types_are_told_all_at_once(self, tmp_path: Path) -> None:
        config = config_in(
            tmp_path,
            mqtt={"port": "many"},
            presence={"hold": 12, "away_after": "soon"},
            recognition={**LIGHT, "threads": [1]},
        )
        answer = homeface("check", "-c", config)
        assert answer.returncode == 2
        for key in ("mqtt.port", "presence.hold", "presence.away_after", "recognition.threads"):
            assert key in answer.stderr


@requires_data
class TestPhotos:
    @pytest.fixture
    def config(self, tmp_path: Path) -> Path:
        return config_in(tmp_path)

    @staticmethod
    def text_file(folder: Path) -> Path:
        path = folder / "notes.jpg"
        path.write_text("buy milk\n" * 100)
        return path

    @staticmethod
    def huge_image(folder: Path) -> Path:
        path = folder / "huge.png"
        Image.new("1", (20_000, 20_000)).save(path)
        return path

    @staticmethod
    def truncated_jpeg(folder: Path) -> Path:
        path = folder / "cut.jpg"
        path.write_bytes(FACE.read_bytes()[: FACE.stat().st_size // 3])
        return path

    @pytest.mark.parametrize("kind", ["text_file", "huge_image", "truncated_jpeg"])
    def test_is_refused_and_the_good_one_beside_it_is_taken(
        self, tmp_path: Path, config: Path, kind: str
    ) -> None:
        bad = getattr(self, kind)(tmp_path)
        answer = homeface("enrol", "Rose", bad, FACE, "-c", config, "--json")
        report = json.loads(answer.stdout)
        assert [photo["key"] for photo in report["photos"]] == ["unreadable", "accepted"]
        assert bad.name in report["photos"][0]["message"]
        assert answer.returncode == 0
        asked = homeface("identify", bad, "-c", config, "--json")
        assert asked.returncode == 1
        assert bad.name in json.loads(asked.stdout)[0]["error"]


@requires_data
def test_weights_with_a_wrong_hash_are_never_loaded(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    for path in weights_dir().rglob("*.onnx"):
        shutil.copy(path, models)
    broken = models / "MobileFaceNet_foamliu.onnx"
    broken.write_bytes(broken.read_bytes()[:-1] + b"!")
    config = config_in(tmp_path)
    for command in (["run"], ["identify", FACE]):
        answer = homeface(*command, "-c", config, HOMEFACE_MODELS=str(models))
        assert answer.returncode == 1
        assert str(broken) in answer.stderr
        assert "SHA-256" in answer.stderr
    checked = homeface("check", "-c", config, "--timeout", "5", HOMEFACE_MODELS=str(models))
    assert checked.returncode == 1
    assert "SHA-256" in checked.stdout


@requires_data
class TestDatabase:
    def test_a_corrupted_one_is_refused_and_never_overwritten(self, tmp_path: Path) -> None:
        config = config_in(tmp_path)
        assert homeface("people", "list", "-c", config).returncode == 0
        database = tmp_path / "state" / "homeface.db"
        content = bytearray(database.read_bytes())
        content[4096:8192] = b"\xa5" * 4096
        database.write_bytes(content)
        code, log = run_to_the_end(config, tmp_path / "daemon")
        assert code == 1
        assert f"The database {database} is damaged" in log
        assert database.read_bytes() == bytes(content)
        answer = homeface("enrol", "Rose", FACE, "-c", config)
        assert answer.returncode == 1
        assert "is damaged" in answer.stderr
        assert database.read_bytes() == bytes(content)

    def test_one_that_is_locked(self, tmp_path: Path) -> None:
        config = config_in(tmp_path)
        assert homeface("people", "list", "-c", config).returncode == 0
        with closing(sqlite3.connect(tmp_path / "state" / "homeface.db")) as other:
            other.execute("PRAGMA locking_mode = EXCLUSIVE")
            other.execute("BEGIN EXCLUSIVE")
            code, log = run_to_the_end(config, tmp_path / "daemon")
            assert code == 1
            assert "is locked by another program" in log
        answer = homeface("people", "list", "-c", config)
        assert answer.returncode == 0

    def test_the_key_is_gone(self, tmp_path: Path) -> None:
        config = config_in(tmp_path)
        assert homeface("enrol", "Rose", FACE, "-c", config).returncode == 0
        (key,) = (tmp_path / "state").glob("*.key")
        key.rename(tmp_path / "elsewhere")
        code, log = run_to_the_end(config, tmp_path / "daemon")
        assert code == 1
        assert "The key file" in log
        assert "Rose" in log
        assert not key.exists()  # a new key would hide that the old one is needed

    @requires_mosquitto
    def test_a_full_disk(self, tmp_path: Path) -> None:
        with small_disk(tmp_path / "disk") as disk, Mosquitto(tmp_path / "broker") as broker:
            config = config_in(
                tmp_path,
                rooms={"hall": {"occupancy_sensor": {"topic": "sensor/hall"}}},
                mqtt_port=broker.port,
                storage=disk / "state",
            )
            with (
                Daemon(config, tmp_path / "daemon") as daemon,
                Listener(broker, f"{BASE}/#") as listener,
            ):
                fill(disk / "rubbish")
                answer = homeface("enrol", "Rose", FACE, "-c", config)
                assert answer.returncode == 1
                assert "is full" in answer.stderr

                def toggle(payload: str) -> None:
                    """Presence goes on, whatever the disk does."""
                    listener.publish("sensor/hall", payload)
                    wait_until(lambda: listener.last(f"{BASE}/room/hall/occupancy") == payload.encode(), 20)

                for _ in range(20):
                    toggle("ON")
                    toggle("OFF")
                # forty changes, told once; a second time by the housekeeping, when that falls in between
                assert 1 <= daemon.log().count("is full") <= 2
                (disk / "rubbish").unlink()
                toggle("ON")
                daemon.wait_log("The database can be written again")
                assert homeface("enrol", "Rose", FACE, "-c", config).returncode == 0
                assert daemon.terminate() == 0


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs root, to mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(b"\0" * 4096):
            pass


class _Refusing(BaseHTTPRequestHandler):
    """A camera that takes no credentials."""

    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="camera"')
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def refusing_camera() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Refusing) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/video"
        finally:
            server.shutdown()
            thread.join(10)


@requires_data
@requires_mosquitto
@pytest.mark.mosquitto
@pytest.mark.slow
def test_bad_cameras_and_bad_messages_leave_the_good_camera_alone(tmp_path: Path) -> None:
    """Unreachable, 401 and nonsense over MQTT at once; then ``check`` tells the same of the cameras."""
    portrait = cv2.resize(cv2.imread(str(FACE)), (640, 480))
    clip = write_painted(tmp_path / "good.mkv", [(portrait, 1.0), (np.zeros_like(portrait), 1.0)])
    with refusing_camera() as url, Mosquitto(tmp_path / "broker") as broker:
        config = config_in(
            tmp_path,
            rooms={
                "hall": {"occupancy_sensor": {"topic": "sensor/hall", "json_key": "presence"}},
                "yard": {},
                "attic": {},
            },
            cameras={
                "good": {"room": "hall", "file": str(clip), "loop": True},
                "gone": {"room": "yard", "url": "rtsp://127.0.0.1:9/gone"},
                "locked": {"room": "attic", "url": url, "username": "admin", "password": "w0rd-of-pass"},
            },
            mqtt_port=broker.port,
        )
        with Listener(broker, f"{BASE}/#") as listener, Daemon(config, tmp_path / "daemon") as daemon:

            def state(topic: str) -> bytes:
                return listener.last(f"{BASE}/{topic}") or b""

            wait_until(lambda: state("camera/good/connectivity") == b"ON", 60)
            wait_until(lambda: b"refuses the credentials" in state("camera/locked/last_error"), 30)
            wait_until(lambda: b"refuses connections" in state("camera/gone/last_error"), 30)
            assert state("camera/gone/connectivity") == state("camera/locked/connectivity") == b"OFF"
            assert (state("room/hall/availability"), state("room/yard/availability")) == (
                b"online",
                b"offline",
            )
            wait_until(lambda: state("room/hall/occupancy") == b"ON", 60, "the good camera sees somebody")

            threads = psutil.Process(daemon.pid).num_threads()
            for payload in (b"{", b"\xff\xfe\x00", b"[" * 60_000, b"x" * 100_000, b"", b"{}"):
                listener.publish("sensor/hall", payload)
                listener.publish(f"{BASE}/camera/good/recognition/set", payload)
                listener.publish(f"{BASE}/hub/recognition/set", payload)
            listener.publish(f"{BASE}/camera/good/recognition/set", "OFF")
            wait_until(lambda: state("camera/good/recognition") == b"OFF", 20, "good commands still work")
            assert psutil.Process(daemon.pid).num_threads() <= threads + 4
            assert daemon.terminate() == 0
            assert "w0rd-of-pass" not in daemon.log()
            assert daemon.log().count("cannot be understood") <= 4  # once for each topic

        checked = homeface("check", "-c", config, "--json")
        assert checked.returncode == 1
        rows = {row["what"]: row for row in json.loads(checked.stdout)}
        assert rows["camera good"]["ok"]
        assert rows["broker"]["ok"]
        assert not rows["camera gone"]["ok"]
        assert "refuses the credentials" in rows["camera locked"]["text"]
        assert "w0rd-of-pass" not in checked.stdout
