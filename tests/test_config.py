"""Loading a good configuration; what it gives to the other parts."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from homeface.config import (
    Config,
    default_model_folders,
    default_state_folder,
    json_schema,
    load,
    systemd_environment,
)

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "config.example.yaml"
MINIMAL = """
rooms:
  kitchen:
cameras:
  kitchen:
    room: kitchen
    url: rtsp://10.0.0.5/stream
mqtt:
  host: broker
"""


def write(folder: Path, text: str, secrets: str | None = None) -> Path:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    if secrets is not None:
        (folder / "secrets.yaml").write_text(secrets, encoding="utf-8")
    return path


def from_text(folder: Path, text: str, secrets: str | None = None, **environ: str) -> Config:
    return load(write(folder, text, secrets), environ)


def test_minimal_config_has_sane_defaults(tmp_path: Path) -> None:
    config = from_text(tmp_path, MINIMAL)
    camera = config.cameras["kitchen"]
    assert camera.enabled
    assert camera.transport == "tcp"
    assert camera.read_timeout_seconds <= 10
    assert config.rooms["kitchen"].hold_seconds is None
    assert config.presence.hold_seconds == 120
    assert config.presence.away_after_seconds == 12 * 3600
    assert (config.mqtt.port_number, config.mqtt.version, config.mqtt.tls) == (1883, "5", None)
    assert config.mqtt.discovery_prefix == "homeassistant"
    assert config.home.node_id == "homeface"
    assert (config.recognition.detector, config.recognition.embedder) == ("yunet_n", "mobilefacenet")
    assert (config.recognition.strictness, config.recognition.false_names) == ("normal", None)
    assert not config.web.enabled
    assert config.web.host == "127.0.0.1"
    assert config.room_name("kitchen") == "Kitchen"
    assert config.people == {}


def test_presence_defaults_are_those_of_the_core(tmp_path: Path) -> None:
    from homeface.core.presence_types import PresencePolicy, RoomPolicy

    presence, policy = from_text(tmp_path, MINIMAL).presence, PresencePolicy()
    assert presence.away_after_seconds == policy.away_seconds
    assert presence.exit_leave_seconds == policy.exit_leave_seconds
    assert presence.move_hysteresis_seconds == policy.move_hysteresis_seconds
    assert presence.event_cooldown_seconds == policy.event_cooldown_seconds
    assert presence.max_sensor_hold_seconds == policy.max_sensor_hold_seconds
    assert presence.max_blind_hold_seconds == policy.max_blind_hold_seconds
    assert presence.min_unknown_votes == policy.min_unknown_votes
    assert presence.hold_seconds == RoomPolicy("x").hold_seconds
    assert presence.sensor_release_seconds == RoomPolicy("x").sensor_release_seconds


def test_config_is_frozen(tmp_path: Path) -> None:
    config = from_text(tmp_path, MINIMAL)
    with pytest.raises(ValidationError):
        config.mqtt.host = "other"


def test_values_from_environment_secrets_and_files(tmp_path: Path) -> None:
    text = MINIMAL.replace("host: broker", "host: ${BROKER}\n  port: ${PORT:-8883}\n  username: u${U}\n") + (
        "  password: !secret mqtt\n  base_topic: a$${b}c\n  client_id: !file id.txt\n"
        "home:\n  name: !file name\n"
    )
    (tmp_path / "id.txt").write_text("my-client\n")
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "name").write_text("  Our home \n")
    config = from_text(
        tmp_path, text, "mqtt: 0123\n", BROKER="box.lan", U="1", CREDENTIALS_DIRECTORY=str(credentials)
    )
    assert (config.mqtt.host, config.mqtt.port_number) == ("box.lan", 8883)
    assert config.mqtt.password is not None
    assert config.mqtt.password.get_secret_value() == "0123", "a secret is the text that is written"
    assert config.mqtt.base_topic == "a${b}c"
    assert config.mqtt.client_id == "my-client"
    assert config.home.name == "Our home"


@pytest.mark.parametrize(
    ("text", "environ", "port"),
    [("${P:-7}", {}, 7), ("${P:-7}", {"P": ""}, 7), ("${P:-7}", {"P": "9"}, 9), ("'${P}'", {"P": "9"}, 9)],
)
def test_defaults_of_variables(tmp_path: Path, text: str, environ: dict[str, str], port: int) -> None:
    assert from_text(tmp_path, f"{MINIMAL}  port: {text}\n", **environ).mqtt.port == port


def test_a_file_may_be_named_through_the_environment(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("geheim\n")
    config = from_text(
        tmp_path, f"{MINIMAL}  username: u\n  password: !file ${{WHERE}}/pw\n", WHERE=str(tmp_path)
    )
    assert config.mqtt.password is not None
    assert config.mqtt.password.get_secret_value() == "geheim"


def test_on_and_off_stay_text_where_text_is_wanted(tmp_path: Path) -> None:
    text = MINIMAL.replace(
        "kitchen:\ncameras",
        "kitchen:\n    occupancy_sensor: {topic: a/b, occupied: [ON, true, 1]}\n  no: {exit: yes}\ncameras",
    )
    config = from_text(tmp_path, text)
    sensor = config.rooms["kitchen"].occupancy_sensor
    assert sensor is not None
    assert sensor.occupied == ("ON", "true", "1")
    assert config.rooms["no"].exit_room


def test_merge_keys_and_aliases(tmp_path: Path) -> None:
    text = MINIMAL.replace("  kitchen:\n    room", "  first: &camera\n    analysis_fps: 2\n    room") + (
        "presence: {hold: 10s}\n"
    )
    text = text.replace(
        "mqtt:", "  second:\n    <<: *camera\n    analysis_fps: 3\n    url: rtsp://10.0.0.6/x\nmqtt:"
    )
    config = from_text(tmp_path, text)
    assert config.cameras["first"].analysis_fps == 2
    assert config.cameras["second"].analysis_fps == 3
    assert config.cameras["second"].room == "kitchen"
    assert config.cameras["second"].redacted == "rtsp://10.0.0.6/x"


@pytest.mark.parametrize(("text", "device"), [("0", 0), ("'1'", 1), ("/dev/video2", "/dev/video2")])
def test_usb_cameras(tmp_path: Path, text: str, device: int | str) -> None:
    config = from_text(tmp_path, MINIMAL.replace("url: rtsp://10.0.0.5/stream", f"device: {text}"))
    assert config.cameras["kitchen"].device == device


def test_paths_belong_to_the_folder_of_the_file(tmp_path: Path) -> None:
    text = MINIMAL.replace("url: rtsp://10.0.0.5/stream", "file: clips/a.mp4")
    config = from_text(tmp_path, f"{text}  tls: {{ca: /etc/ca.pem}}\nmodels_dir: ~/models\n", HOME="/home/x")
    assert config.cameras["kitchen"].file == tmp_path / "clips/a.mp4"
    assert config.models_dir == Path("/home/x/models")
    assert config.mqtt.tls is not None
    assert config.mqtt.tls.ca == Path("/etc/ca.pem")
    assert config.mqtt.port_number == 8883


@pytest.mark.parametrize(
    ("text", "tls"), [("true", True), ("{}", True), ("{insecure: true}", True), ("false", False)]
)
def test_tls_switch(tmp_path: Path, text: str, tls: bool) -> None:
    assert (from_text(tmp_path, f"{MINIMAL}  tls: {text}\n").mqtt.tls is not None) is tls


def test_credentials_are_put_into_the_url_and_never_shown(tmp_path: Path) -> None:
    login = "username: a@b\n    password: 'p/w#d:?'\n    url"
    config = from_text(
        tmp_path, MINIMAL.replace("    url", f"    {login}") + "  username: m\n  password: mqttpw\n"
    )
    camera = config.cameras["kitchen"]
    assert camera.full_url() == "rtsp://a%40b:p%2Fw%23d%3A%3F@10.0.0.5/stream"
    assert camera.redacted == "rtsp://10.0.0.5/stream"
    assert {"p/w#d:?", "mqttpw"} <= config.secret_values()
    for text in (repr(config), str(config), config.model_dump_json()):
        assert "p/w" not in text
        assert "mqttpw" not in text


def test_credentials_inside_the_url_are_never_shown(tmp_path: Path) -> None:
    config = from_text(tmp_path, MINIMAL.replace("rtsp://", "rtsp://user:hun%24ter2@"))
    camera = config.cameras["kitchen"]
    assert camera.full_url() == "rtsp://user:hun%24ter2@10.0.0.5/stream"
    assert camera.redacted == "rtsp://***@10.0.0.5/stream"
    assert config.secret_values() == {"hun%24ter2", "hun$ter2"}
    assert "hun" not in repr(config)


def test_rate_in_words(tmp_path: Path) -> None:
    config = from_text(tmp_path, f"{MINIMAL}recognition: {{false_names: 1 in 500 visits}}\n")
    assert config.recognition.false_names == pytest.approx(0.002)


def test_storage_folder(tmp_path: Path) -> None:
    assert from_text(tmp_path, f"{MINIMAL}storage: {{folder: data}}\n").storage.folder == tmp_path / "data"
    assert from_text(tmp_path, MINIMAL, STATE_DIRECTORY="/state/x:/y").storage.folder == Path("/state/x")
    assert default_state_folder({"HOME": "/h"}, root=False) == Path("/h/.local/state/homeface")
    assert default_state_folder({"HOME": "/h", "XDG_STATE_HOME": "/s"}, root=False) == Path("/s/homeface")
    assert default_state_folder({"HOME": "/h"}, root=True) == Path("/var/lib/homeface")


def test_model_folders_in_order() -> None:
    environ = {"HOMEFACE_MODELS": "/a:~/b", "HOME": "/home/x"}
    assert default_model_folders(Path("/c"), environ) == [
        Path("/a"),
        Path("/home/x/b"),
        Path("/c"),
        Path("/home/x/.cache/homeface/models"),
        Path("/var/lib/homeface/models"),
        Path("/home/x/.cache/torch/hub/checkpoints"),
    ]
    assert default_model_folders(None, {}) == [Path("/var/lib/homeface/models")]
    environ = {"HOME": "/h", "XDG_CACHE_HOME": "/cache", "TORCH_HOME": "/torch"}
    assert default_model_folders(None, environ) == [
        Path("/cache/homeface/models"),
        Path("/var/lib/homeface/models"),
        Path("/torch/hub/checkpoints"),
    ]
    assert default_model_folders(None, {"HOME": "/h", "XDG_CACHE_HOME": "rel"})[0] == Path(
        "/h/.cache/homeface/models"
    )


def test_systemd_environment() -> None:
    given = {"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7", "JOURNAL_STREAM": "8:9"}
    ours = systemd_environment(given, pid=7)
    assert (ours.notify_socket, ours.watchdog_seconds, ours.journal_stream) == ("@x", 30.0, "8:9")
    assert systemd_environment(given, pid=8).watchdog_seconds is None
    assert systemd_environment({"WATCHDOG_USEC": "abc"}, pid=7).watchdog_seconds is None
    assert systemd_environment({}, pid=7).notify_socket is None


# --- the schema and the example


def properties(
    schema: dict[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every key of the schema with the path of keys that leads to it."""

    def follow(
        node: dict[str, Any], path: tuple[str, ...]
    ) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
        for name, child in node.get("properties", {}).items():
            target = schema["$defs"][child["$ref"].rsplit("/", 1)[1]] if "$ref" in child else {}
            yield (*path, name), {**target, **child}
            yield from follow(child, (*path, name))
        for key in ("anyOf", "allOf"):
            for option in node.get(key, []):
                yield from follow(option, path)
        for key in ("additionalProperties", "items"):
            if isinstance(node.get(key), dict):
                yield from follow(node[key], path)

    yield from follow(schema, path)


def test_every_key_of_the_schema_is_described() -> None:
    found = dict(properties(json_schema()))
    assert len(found) > 60
    for path, node in found.items():
        assert node.get("description", "").endswith("."), f"{path} has no description"
        if "pattern" in str(node) and "visits" not in str(node) and "$ref" not in node:
            assert "unit" in node["description"], f"{path} does not say that it wants a unit"


def test_schema_refuses_unknown_keys_and_speaks_of_keys_in_the_file() -> None:
    schema = json_schema()
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == {"rooms", "cameras", "mqtt"}
    presence = schema["$defs"]["Presence"]["properties"]
    assert presence["hold"]["default"] == "2min"
    assert presence["hold"]["type"] == "string"


def sections(text: str) -> dict[str, str]:
    """Top-level key to its text (commented or not), together with the comment above."""
    parts = re.split(r"^#?([a-z_]+):", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_example_explains_every_key() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    by_section = sections(text)
    for path, _ in properties(json_schema()):
        assert path[0] in by_section, f"{path[0]} is not in the example"
        if len(path) > 1:
            pattern = rf"^\s+#?(?:- )?{re.escape(path[-1])}:"
            assert re.search(pattern, by_section[path[0]], re.MULTILINE), (
                f"{'.'.join(path)} is not in the example"
            )


SECRETS = "kitchen_camera_password: a\nmqtt_password: b\n"


def test_the_example_loads(tmp_path: Path) -> None:
    config = from_text(tmp_path, EXAMPLE.read_text(encoding="utf-8"), SECRETS)
    assert set(config.rooms) == {"kitchen", "porch"}
    assert config.people["Anna"].aliases == ("Mum",)


def test_the_example_tells_true_defaults(tmp_path: Path) -> None:
    """With every commented setting switched on, nothing changes but what has no fixed default."""
    text = EXAMPLE.read_text(encoding="utf-8")
    everything = re.sub(r"^(\s*)#(?=[a-z0-9_]+:|- )", r"\1", text, flags=re.MULTILINE)
    everything = re.sub(
        r"^\s+(false_names:|certificate:|certificate_key:|url: https).*\n", "", everything, flags=re.MULTILINE
    )
    plain = from_text(tmp_path, text, SECRETS, STATE_DIRECTORY="/var/lib/homeface")
    full = from_text(tmp_path, everything, SECRETS)
    for section in ("home", "presence", "web", "logging", "people"):
        assert getattr(full, section) == getattr(plain, section), section
    assert full.storage.model_copy(update={"key_file": None}) == plain.storage
    optional = {"min_faces": None, "second_opinion": None}
    assert full.recognition.model_copy(update=optional) == plain.recognition
    assert full.cameras == plain.cameras
    assert full.models[0].mean == (127.5, 127.5, 127.5)
    assert full.mqtt.tls is not None
    assert full.mqtt.model_copy(update={"tls": None, "port": None, "client_id": None}) == plain.mqtt


def test_import_is_light() -> None:
    code = (
        "import sys, homeface.config;"
        "heavy = {'torch', 'cv2', 'numpy', 'aiohttp', 'av', 'asyncio', 'homeface.core'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
