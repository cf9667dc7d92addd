"""What is measured on: drawn frames whose faces are known, one's own files, recall."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from homeface.core.types import Box
from homeface.errors import ImageError
from homeface.lab.benchmark import drawing, frames
from homeface.lab.benchmark.recall import LARGE, LabelledPicture


def _portrait() -> drawing.Portrait:
    image = np.full((264, 252, 3), 90, np.uint8)
    return drawing.Portrait(image, Box(80.0, 60.0, 172.0, 174.0))


@pytest.mark.parametrize("faces", frames.FACES)
def test_so_many_faces_inside_the_frame_and_none_below_the_smallest(faces: int) -> None:
    frame, boxes = drawing.draw_frame([_portrait()], faces, np.random.default_rng(4))
    assert frame.shape == (1080, 1920, 3)
    assert boxes.shape == (faces, 4)
    assert (boxes[:, 3] - boxes[:, 1] >= 79).all()
    assert (boxes >= -1).all()
    assert (boxes[:, 2] <= 1921).all()


def test_recall_counts_labelled_faces_alone() -> None:
    blank = np.zeros((1, 1, 3), np.uint8)
    boxes = np.array([[0.0, 0, 100, 100], [500, 500, 600, 600]])
    known = LabelledPicture("a", blank, boxes, {LARGE: np.array([True, True])})
    found = {0: [[2.0, 2, 98, 98, 0.9]], 1: [[0.0, 0, 10, 10, 0.9]]}
    assert frames.recall_of([known, None], found) == 0.5
    assert frames.recall_of([None, None], found) is None


def test_a_folder_without_pictures_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"No picture and no recording .*\.mp4"):
        frames.prepare(frames.Wish(frames=(tmp_path,), quick=True), tmp_path)
