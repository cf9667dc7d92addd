"""The daemon harness itself: readiness, reload, politeness, and a failure that is told at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.daemon import Daemon, write_config
from tests.support.data import requires_data
from tests.support.mosquitto import Mosquitto, requires_mosquitto

pytestmark = [pytest.mark.mosquitto, requires_mosquitto, pytest.mark.timeout(180)]
ROOMS = {"kitchen": {"name": "Kitchen"}}
CAMERAS = {"kitchen": {"room": "kitchen", "url": "rtsp://127.0.0.1:9/nobody"}}


@requires_data
@pytest.mark.accuracy
@pytest.mark.slow
def test_start_reload_terminate(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "mosquitto") as broker:
        config = write_config(
            tmp_path / "config.yaml",
            rooms=ROOMS,
            cameras=CAMERAS,
            mqtt_port=broker.port,
            storage=tmp_path / "state",
            presence={"hold": "1s"},
        )
        with Daemon(config, tmp_path) as daemon:
            assert daemon.running
            assert daemon.threads() >= 2
            assert daemon.memory_mib() > 50
            daemon.reload()
            assert daemon.terminate() == 0
            assert "STOPPING=1" in daemon.notifications
            assert not daemon.running


def test_a_daemon_that_ends_is_told_with_its_log(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("rooms: 5\n", encoding="utf-8")
    daemon = Daemon(config, tmp_path)
    with pytest.raises(AssertionError, match=r"ended with 2 .*READY=1.*config\.yaml:1"):
        daemon.start(timeout=60)
    assert daemon.wait() == 2
    daemon.close()
