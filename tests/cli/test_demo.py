"""``homeface demo`` with a camera of one's own that cannot be used: told at once, in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.support.data import requires_data
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
