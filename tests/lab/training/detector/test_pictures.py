"""Augmentation keeps boxes on faces; average precision counts as WIDER FACE does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from homeface.lab.training.detector.augmentation import Augmentation, augmented, fitted
from homeface.lab.training.detector.figures import average_precision
from homeface.lab.training.detector.labels import FacePicture

PLAIN = Augmentation(side_px=64, mirrored=0.5, coloured=0, grey=0, blurred=0, least_px=2)


def marked() -> tuple[np.ndarray, np.ndarray]:
    """A dark picture with three bright rectangles and their boxes."""
    image = np.zeros((90, 120, 3), np.uint8)
    boxes = np.array([[10, 10, 40, 50], [60, 20, 90, 44], [80, 60, 100, 85]], np.float32)
    for x1, y1, x2, y2 in boxes.astype(int):
        image[y1:y2, x1:x2] = 255
    return image, boxes


@pytest.mark.parametrize("zoom", [(0.3, 0.5), (0.8, 1.0), (1.1, 2.0)])
def test_boxes_stay_on_what_they_mark(zoom: tuple[float, float]) -> None:
    image, boxes = marked()
    seen = 0
    for seed in range(40):
        how = Augmentation(side_px=64, zoom=zoom, coloured=0, grey=0, blurred=0, least_px=6)
        picture, placed = augmented(image, boxes, how, np.random.default_rng(seed))
        assert picture.shape == (64, 64, 3)
        for x1, y1, x2, y2 in placed:
            assert 0 <= x1 < x2 <= 64
            assert 0 <= y1 < y2 <= 64
            inner = picture[round(y1) + 1 : round(y2) - 1, round(x1) + 1 : round(x2) - 1]
            assert inner.mean() > 235
            seen += 1
    assert seen >= 20


def test_the_same_dice_give_the_same_picture() -> None:
    image, boxes = marked()
    how = Augmentation(side_px=64)
    first, again, other = (augmented(image, boxes, how, np.random.default_rng(s)) for s in (1, 1, 2))
    assert (first[0] == again[0]).all()
    assert (first[1] == again[1]).all()
    assert first[0].shape == other[0].shape
    assert (first[0] != other[0]).any()


def test_pictures_of_nothing_stay_so() -> None:
    nothing = np.zeros((0, 4), np.float32)
    picture, boxes = augmented(marked()[0], nothing, PLAIN, np.random.default_rng(0))
    assert boxes.shape == (0, 4)
    assert picture.shape == (64, 64, 3)


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (500, 3)])
def test_pictures_of_strange_sizes(size: tuple[int, int]) -> None:
    image = np.full((*size, 3), 9, np.uint8)
    for seed in range(10):
        picture, _ = augmented(image, np.zeros((0, 4), np.float32), PLAIN, np.random.default_rng(seed))
        assert picture.shape == (64, 64, 3)
    assert fitted(image, np.zeros((0, 4), np.float32), 64)[0].shape == (64, 64, 3)


def labelled(boxes: list[list[float]], easy: list[bool]) -> FacePicture:
    mask = np.array(easy, bool)
    everything = np.ones(len(boxes), bool)
    groups = {"easy": mask, "medium": everything, "hard": everything}
    return FacePicture("a", Path("a"), np.array(boxes, np.float32).reshape(-1, 4), groups)


def found(*rows: tuple[float, float, float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    values = np.array(rows, np.float32).reshape(-1, 5)
    return values[:, :4], values[:, 4]


NEAR, FAR = [10.0, 10.0, 50.0, 60.0], [70.0, 10.0, 90.0, 40.0]


def test_everything_found_is_one_and_nothing_is_zero() -> None:
    picture = labelled([NEAR, FAR], [True, False])
    every = found((*NEAR, 0.9), (*FAR, 0.8))
    assert average_precision([picture], [every]) == pytest.approx(
        {"ap": 1, "ap_easy": 1, "ap_medium": 1, "ap_hard": 1}
    )
    assert set(average_precision([picture], [found()]).values()) == {0.0}


def test_a_face_of_another_group_is_neither_asked_for_nor_false() -> None:
    picture = labelled([NEAR, FAR], [True, False])
    figures = average_precision([picture], [found((*FAR, 0.95), (*NEAR, 0.9))])
    assert figures["ap_easy"] == pytest.approx(1)
    missed = average_precision([picture], [found((*NEAR, 0.9))])
    assert missed["ap_easy"] == pytest.approx(1)
    assert missed["ap"] == pytest.approx(0.5, abs=0.02)


def test_false_faces_and_loose_boxes_cost() -> None:
    picture = labelled([NEAR], [True])
    false = average_precision([picture], [found((60, 60, 80, 80, 0.99), (*NEAR, 0.9))])
    assert false["ap"] == pytest.approx(0.5, abs=0.01)
    loose = average_precision([picture], [found((10, 10, 30, 30, 0.9))])
    assert loose["ap"] == 0


def test_a_group_without_faces_is_left_out() -> None:
    assert "ap_easy" not in average_precision([labelled([NEAR], [False])], [found()])
