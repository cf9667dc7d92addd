"""From the configuration to plain values: every setting arrives where it belongs, secrets stay secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from homeface import config as configuration
from homeface.config import Config
from homeface.core.presence import RoomPolicy
from homeface.service import wiring
from tests.support.daemon import write_config


def config_of(folder: Path, **changes: Any) -> Config:
    sections: dict[str, Any] = {
        "rooms": {"hall": {}},
        "cameras": {"hall": {"room": "hall", "url": "rtsp://127.0.0.1/hall"}},
        **changes,
    }
    path = write_config(folder / "config.yaml", mqtt_port=1883, storage=folder / "state", **sections)
    return configuration.load(path, {})


def test_rooms_take_the_houses_timings_unless_they_have_their_own(tmp_path: Path) -> None:
    config = config_of(
        tmp_path,
        rooms={
            "hall": {},
            "porch": {"exit": True, "hold": "10s", "leave": "1min", "sensor_release": "3s"},
        },
        presence={"hold": "40s", "sensor_release": "7s", "away_after": "2h", "min_unknown_votes": 4},
    )
    assert wiring.room_policies(config) == {
        "hall": RoomPolicy("hall", 40.0, None, False, 7.0),
        "porch": RoomPolicy("porch", 10.0, 60.0, True, 3.0),
    }
    policy = wiring.presence_policy(config)
    assert (policy.away_seconds, policy.min_unknown_votes) == (7200.0, 4)


def test_cameras_of_every_kind(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.touch()
    config = config_of(
        tmp_path,
        cameras={
            "net": {
                "room": "hall",
                "url": "rtsp://127.0.0.1/hall",
                "username": "admin",
                "password": "s3cret/@",
                "transport": "udp",
                "analysis_fps": 2,
                "decoder": "cuda:1",
                "substream": "rtsp://127.0.0.1/small",
                "open_timeout": "2s",
                "read_timeout": "3s",
            },
            "usb": {"room": "hall", "device": 0},
            "jetson": {"room": "hall", "pipeline": "rtspsrc ! appsink", "enabled": False},
            "file": {"room": "hall", "file": str(clip), "loop": True},
        },
    )
    cameras = {slug: wiring.camera_settings(slug, camera) for slug, camera in config.cameras.items()}
    net = cameras["net"]
    assert (net.transport, net.analysis_fps, net.decoder) == ("udp", 2, "cuda:1")
    assert net.substream == "rtsp://127.0.0.1/small"
    assert (net.open_timeout_seconds, net.read_timeout_seconds) == (2.0, 3.0)
    assert net.full_url == "rtsp://admin:s3cret%2F%40@127.0.0.1/hall"
    assert "s3cret" not in repr(net)
    assert "s3cret" not in net.address
    assert (cameras["usb"].device, cameras["usb"].url, cameras["usb"].decoder) == (0, None, "software")
    assert cameras["jetson"].pipeline == "rtspsrc ! appsink"
    assert (cameras["file"].url, cameras["file"].loop) == (str(clip), True)
    assert set(wiring.enabled_cameras(config)) == {"net", "usb", "file"}


def test_mqtt(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    config = config_of(
        tmp_path,
        mqtt={
            "host": "broker.home",
            "port": 8884,
            "username": "homeface",
            "password": "s3cret",
            "tls": {"ca": str(tmp_path / "ca.pem")},
            "version": "3.1.1",
            "base_topic": "faces",
            "max_event_age": "4s",
            "keepalive": "20s",
        },
    )
    settings = wiring.mqtt_settings(config)
    assert settings.address == "broker.home:8884"
    assert (settings.username, settings.password) == ("homeface", "s3cret")
    assert "s3cret" not in repr(settings)
    assert settings.tls is not None
    assert (settings.tls.ca, settings.tls.cert) == (str(tmp_path / "ca.pem"), None)
    assert (settings.version, settings.base_topic) == ("3.1.1", "faces")
    assert (settings.max_event_age_seconds, settings.keepalive_seconds) == (4.0, 20)
    assert wiring.mqtt_settings(config_of(tmp_path)).tls is None


def test_models_and_device(tmp_path: Path) -> None:
    config = config_of(
        tmp_path,
        recognition={"detector": "mtcnn", "device": "cuda:1", "threads": 2, "min_face_px": 24},
    )
    settings = wiring.engine_settings(config, {"HOMEFACE_MODELS": "/one:/two", "HOME": "/nowhere"})
    assert (settings.detector, settings.embedder) == ("mtcnn", "mobilefacenet")
    assert (settings.device, settings.threads, settings.min_face_px) == ("cuda:1", 2, 24)
    assert list(settings.folders)[:2] == [Path("/one"), Path("/two")]
    assert settings == wiring.engine_settings(config, {"HOMEFACE_MODELS": "/one:/two", "HOME": "/nowhere"})
    assert [spec.name for spec in wiring.wanted_models(config)] == ["mtcnn", "mobilefacenet"]
    assert [spec.name for spec in wiring.wanted_models(None)] == ["yunet_n", "mobilefacenet"]
    assert wiring.database_path(config) == tmp_path / "state" / "homeface.db"


def test_every_built_in_name_is_known_to_the_check_of_a_configuration() -> None:
    names = wiring.known_names()
    assert names.detectors is not None
    assert names.embedders is not None
    assert "mtcnn" in names.detectors
    assert "facenet_vggface2" in names.embedders
    assert names.detectors.isdisjoint(names.embedders)
