"""``homeface replay`` with a real face: events as a table and as JSON, the same both times."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.support.data import requires_data
from tests.support.painted_clips import portraits_on_a_wall
from tests.support.scene_people import acting_portraits, enrolment_photos

PERSON = "Laura_Bush"


def portrait_clip(path: Path) -> Path:
    """Pictures of one person that were not enrolled."""
    return portraits_on_a_wall(path, [portrait.path for portrait in acting_portraits(PERSON)[:6]])


@requires_data
@pytest.mark.accuracy
def test_a_recording_of_somebody_enrolled(homeface: Command, config: Path, tmp_path: Path) -> None:
    assert homeface("enrol", "Laura", *enrolment_photos(PERSON)[:6]).code == 0
    clip = portrait_clip(tmp_path / "hall.mkv")
    answers = [homeface("replay", clip, "--json") for _ in range(2)]
    assert [answer.code for answer in answers] == [0, 0]
    first, second = ([json.loads(line) for line in answer.out.splitlines()] for answer in answers)
    assert [line for line in first if line["kind"] != "summary"] == [
        line for line in second if line["kind"] != "summary"
    ]
    summary = first[-1]
    assert summary["kind"] == "summary"
    assert summary["frames"] == 35
    assert summary["recorded_seconds"] == pytest.approx(6.8)
    events = [line for line in first if line["kind"] == "event"]
    assert {event["person"] for event in events} == {"Laura"}
    assert events[0]["event"] == "arrived"
    assert {"room", "visit", "score", "margin", "votes", "reasons", "at"} <= events[0].keys()
    assert {line["person"] for line in first if line["kind"] == "visit"} <= {"Laura", None}

    table = homeface("replay", f"hall={clip}")
    assert table.code == 0
    assert "arrived" in table.out
    assert "× real time" in table.out


@pytest.mark.parametrize("content", [b"just some notes\n" * 50, b"", bytes(range(256)) * 40])
def test_a_file_that_is_no_recording(homeface: Command, config: Path, tmp_path: Path, content: bytes) -> None:
    clip = tmp_path / "hall.mp4"
    clip.write_bytes(content)
    answer = homeface("replay", clip)
    assert answer.code == 1
    assert str(clip) in answer.err
    assert len(answer.err.strip().splitlines()) == 1
    assert "Traceback" not in answer.err


def test_a_file_that_is_not_there(homeface: Command, config: Path) -> None:
    answer = homeface("replay", "hall=gone.mp4")
    assert answer.code == 1
    assert "gone.mp4" in answer.err


def test_a_camera_that_is_not_in_the_configuration(homeface: Command, config: Path) -> None:
    answer = homeface("replay", "gate=hall.mp4")
    assert answer.code == 1
    assert "Which camera made hall.mp4?" in answer.err


def test_a_single_camera_made_every_recording(homeface: Command, config: Path) -> None:
    answer = homeface("replay", "party.mp4", "more.mp4")
    assert answer.code == 1
    assert "Two recordings are given for camera hall" in answer.err
