"""``homeface demo``: from beginning to end, and with a camera of one's own that cannot be used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.support.data import requires_data, weights_dir
from tests.support.mosquitto import free_port


@requires_data
def test_a_file_that_is_no_recording(homeface: Command, tmp_path: Path) -> None:
    notes = tmp_path / "notes.mp4"
    notes.write_text("no recording")
    answer = homeface("demo", "--video", notes)
    assert answer.code == 1
    assert "notes.mp4 cannot be read as a video" in answer.err


@requires_data
@pytest.mark.parametrize("wrong", ["kitchen", "rtsp:/10.0.0.1"])
def test_a_camera_that_is_neither_url_nor_device(homeface: Command, wrong: str) -> None:
    answer = homeface("demo", "--camera", wrong)
    assert answer.code == 2
    assert "--camera takes a URL" in answer.err


@requires_data
def test_a_camera_that_is_not_there(homeface: Command) -> None:
    answer = homeface("demo", "--camera", f"rtsp://127.0.0.1:{free_port()}/porch")
    assert answer.code == 1
    assert "refuses connections" in answer.err


@requires_data
@pytest.mark.slow
@pytest.mark.timeout(180)
def test_from_a_stranger_to_a_name(tmp_path: Path) -> None:
    environment = os.environ | {"HOMEFACE_MODELS": str(weights_dir()), "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "homeface", "demo", "--json"],
        capture_output=True, text=True, timeout=170, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    summary = told[-1]
    assert summary["kind"] == "summary"
    assert (summary["named_visits"], summary["unknown_visits"], summary["wrong_names"]) == (1, 1, 0)
    assert summary["mqtt_messages"] > 20
    assert 0 < summary["latency_ms"]["p50"] <= summary["latency_ms"]["p95"]
    assert len({line["kind"] for line in told}) > 2
