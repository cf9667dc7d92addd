"""Pictures in many sizes: levels and crops are what plain averaging gives, and levels never mix."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from homeface.inference.detectors.pyramid import Halvings, canvas_of


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    noise = np.random.default_rng(3).integers(0, 255, (90, 160, 3), np.uint8)
    return cv2.GaussianBlur(cv2.resize(noise, (641, 361), interpolation=cv2.INTER_CUBIC), (0, 0), 6)


@pytest.mark.parametrize("size", [(361, 641), (200, 355), (60, 107), (12, 21)])
def test_a_level_is_the_picture_averaged(picture: np.ndarray, size: tuple[int, int]) -> None:
    level = Halvings(picture, 12).resized(size)
    plain = cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(level.astype(int) - plain).mean() < 4


def test_crops_are_the_boxes_averaged(picture: np.ndarray) -> None:
    boxes = np.array(
        [[0, 0, 48, 48], [100, 50, 300, 250], [600, 300, 641, 361], [20, 20, 30, 30]], np.float32
    )
    crops = Halvings(picture, 12).cut(boxes, 24)
    assert crops.shape == (4, 24, 24, 3)
    for box, crop in zip(boxes.astype(int), crops, strict=True):
        part = picture[box[1] : box[3], box[0] : box[2]]
        plain = cv2.resize(part, (24, 24), interpolation=cv2.INTER_AREA)
        assert np.abs(crop.astype(int) - plain).mean() < 6


@pytest.mark.parametrize("size", [(1080, 1920), (1920, 1080), (333, 517), (40, 900)])
def test_levels_stand_beside_each_other(size: tuple[int, int]) -> None:
    canvas = canvas_of(size, 0.3, 0.709, 12)
    assert canvas is not None
    taken = np.zeros(canvas.size, int)
    for (height, width), (top, left) in zip(canvas.sizes, canvas.corners, strict=True):
        assert (top % 2, left % 2) == (0, 0)
        taken[top : top + height, left : left + width] += 1
    assert taken.max() == 1
    assert taken.mean() > 0.5
    levels = canvas.level_of(12, 2)
    assert sorted(set(levels.ravel()) - {-1}) == list(range(len(canvas.scales)))
    for row, column in np.argwhere(levels >= 0)[::37]:
        (height, width), (top, left) = (side[levels[row, column]] for side in (canvas.sizes, canvas.corners))
        assert top <= row * 2 <= top + height + 1 - 12
        assert left <= column * 2 <= left + width + 1 - 12


def test_a_picture_smaller_than_any_face_has_no_canvas() -> None:
    assert canvas_of((30, 30), 0.3, 0.709, 12) is None
