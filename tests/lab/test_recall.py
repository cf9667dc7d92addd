"""Counting what detectors find: each face once, each detection for one face."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from homeface.core.types import Box, Detection, ImageBGR
from homeface.inference.manifest import Kind, find_spec
from homeface.inference.models import Placement, load_detector
from homeface.lab.benchmark.detectors import peer_finder
from homeface.lab.benchmark.recall import (
    LARGE,
    Find,
    LabelledPicture,
    agreed_faces,
    clip_frames,
    measure_recall,
    wider_pictures,
)
from tests.support.data import data_dir, requires_data, weights_dir

IMAGE = np.zeros((200, 300, 3), np.uint8)


def finder(*boxes: tuple[float, float, float, float]) -> Find:
    faces = [Detection(Box(*box), 0.9, np.zeros((5, 2), np.float32)) for box in boxes]

    def find(_: ImageBGR) -> Sequence[Detection]:
        return faces

    return find


def labelled(*boxes: tuple[float, float, float, float], large: Sequence[bool]) -> LabelledPicture:
    return LabelledPicture("x", IMAGE, np.array(boxes, float).reshape(-1, 4), {LARGE: np.array(large, bool)})


def test_a_detection_counts_for_one_face_and_far_ones_are_false() -> None:
    picture = labelled((0, 0, 50, 50), (10, 0, 60, 50), (200, 100, 220, 120), large=[True, True, False])
    result = measure_recall(finder((4, 0, 54, 50), (120, 120, 150, 150), (201, 100, 221, 120)), [picture])
    assert result.groups[LARGE].found == 1
    assert result.groups[LARGE].wanted == 2
    assert (result.detections, result.false) == (3, 1)
    assert result.as_json()["recall"] == {LARGE: 0.5}


def test_nothing_wanted_and_nothing_found() -> None:
    result = measure_recall(finder(), [labelled(large=[])])
    assert result.groups[LARGE].share == 1.0
    assert result.false == 0


def test_faces_are_those_that_two_agree_on() -> None:
    one, two = finder((0, 0, 50, 50), (100, 0, 150, 50)), finder((2, 0, 52, 50), (200, 0, 230, 30))
    three = finder((202, 0, 232, 30))
    picture = agreed_faces("x", IMAGE, [one, two, three], min_face_px=40)
    assert picture.boxes.tolist() == [[1, 0, 51, 50], [100, 0, 150, 50], [201, 0, 231, 30]]
    assert picture.groups[LARGE].tolist() == [True, False, False]  # alone, and too small


@requires_data
@pytest.mark.accuracy
def test_the_default_finds_no_fewer_than_facenet_pytorch() -> None:
    place = Placement([weights_dir()], "cpu", 1)
    detector = load_detector(find_spec("yunet_n", Kind.DETECTOR), place, 40)
    pictures = list(wider_pictures(data_dir() / "wider", step=20))
    ours = measure_recall(lambda image: detector.detect([image])[0], pictures)
    theirs = measure_recall(peer_finder(40), pictures)
    for group in ("easy", "medium", "hard", LARGE):
        assert ours.groups[group].wanted >= 8
        assert ours.groups[group].found >= theirs.groups[group].found, group
    assert ours.false <= theirs.false + 3


@requires_data
@pytest.mark.accuracy
def test_frames_are_spread_over_a_recording() -> None:
    frames = list(clip_frames(data_dir() / "clips" / "hieubkvn123_obama.mp4", 3))
    assert [frame.shape[2] for frame in frames] == [3, 3, 3]
    assert np.abs(frames[0].astype(int) - frames[2]).mean() > 1
