"""``homeface annotate`` and ``homeface people sheet`` with a real face."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from PIL import Image

from tests.cli.conftest import Command
from tests.cli.test_replay import PERSON, portrait_clip
from tests.support.data import requires_data
from tests.support.scene_people import enrolment_photos


@requires_data
@pytest.mark.accuracy
def test_a_recording_and_the_gallery_as_pictures(homeface: Command, config: Path, tmp_path: Path) -> None:
    assert homeface("people", "sheet", "-o", "gallery.png").code == 1  # nobody is enrolled
    assert homeface("enrol", "Jürgen Žižek", *enrolment_photos(PERSON)[:6]).code == 0
    clip = portrait_clip(tmp_path / "hall.mkv")
    answer = homeface("annotate", clip, "-o", "out.mp4", "--sheet", "visits.png")
    assert answer.code == 0, answer.err
    assert answer.out.startswith("out.mp4: 35 frames of 7 s. Visits: ")
    assert " 0 named" not in answer.out
    with av.open(str(tmp_path / "out.mp4")) as video:
        assert video.streams.video[0].codec_context.name == "h264"
    sheet = homeface("people", "sheet", "-o", "gallery.png")
    assert "pictures of 1 people" in sheet.out
    for name in ("visits.png", "gallery.png"):
        with Image.open(tmp_path / name) as picture:
            picture.verify()
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600

    refused = homeface("annotate", clip, "-o", "out.mp4")
    assert refused.code == 2
    assert "is there already" in refused.err
    assert homeface("people", "sheet", "-o", "gallery.png").code == 2
    assert homeface("people", "sheet", "-o", "gallery.png", "--force").code == 0


def test_a_sheet_never_takes_the_place_of_a_recording(
    homeface: Command, config: Path, tmp_path: Path
) -> None:
    recording = tmp_path / "hall.mp4"
    recording.write_text("precious")
    answer = homeface("annotate", recording, "-o", "out.mp4", "--sheet", recording, "--force")
    assert answer.code == 2
    assert "ends in .png" in answer.err
    assert recording.read_text() == "precious"
    assert homeface("people", "sheet", "-o", config, "--force").code == 2


def test_a_file_that_is_no_recording(homeface: Command, config: Path, tmp_path: Path) -> None:
    (tmp_path / "hall.mp4").write_text("notes\n" * 50)
    answer = homeface("annotate", "hall.mp4", "-o", "out.mp4")
    assert answer.code == 1
    assert "hall.mp4" in answer.err
    assert "Traceback" not in answer.err
    assert not (tmp_path / "out.mp4").exists()
