"""Boxes, suppression, alignment and pose."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from homeface.core.geometry import (
    ARCFACE_112,
    head_pose,
    iou,
    iou_matrix,
    nms,
    similarity_transform,
    unrivalled,
)
from homeface.core.types import Box

coordinate = st.floats(-500, 500, allow_nan=False)
side = st.floats(0, 300, allow_nan=False)
boxes = st.builds(lambda x, y, w, h: Box(x, y, x + w, y + h), coordinate, coordinate, side, side)
near = st.integers(0, 12)
close = st.builds(
    lambda x, y, w, h: Box(x, y, x + w, y + h), near, near, st.integers(1, 12), st.integers(1, 12)
)
"""Small whole numbers: many boxes overlap, and some exactly as much as others."""


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (Box(0, 0, 10, 10), Box(0, 0, 10, 10), 1.0),
        (Box(0, 0, 10, 10), Box(5, 0, 15, 10), 1 / 3),
        (Box(0, 0, 10, 10), Box(10, 0, 20, 10), 0.0),
        (Box(0, 0, 10, 10), Box(20, 20, 30, 30), 0.0),
        (Box(0, 0, 0, 10), Box(0, 0, 10, 10), 0.0),
        (Box(0, 0, 10, 10), Box(2, 2, 4, 4), 0.04),
        (Box(0, 0, 0.5, 5e-324), Box(0, 0, 0.5, 5e-324), 0.0),
    ],
)
def test_iou_table(a: Box, b: Box, expected: float) -> None:
    assert iou(a, b) == pytest.approx(expected)


@given(st.lists(boxes, min_size=1, max_size=5), st.lists(boxes, min_size=1, max_size=5))
def test_iou_matrix_is_iou_pair_by_pair_and_symmetric(first: list[Box], second: list[Box]) -> None:
    matrix = iou_matrix(np.array(first), np.array(second))
    assert matrix.shape == (len(first), len(second))
    expected = [[iou(a, b) for b in second] for a in first]
    np.testing.assert_allclose(matrix, expected, atol=1e-9)
    np.testing.assert_allclose(iou_matrix(np.array(second), np.array(first)), matrix.T, atol=1e-12)
    assert ((matrix >= 0) & (matrix <= 1 + 1e-9)).all()


def test_iou_matrix_of_nothing() -> None:
    assert iou_matrix(np.zeros((0, 4)), np.zeros((3, 4))).shape == (0, 3)


def _one_by_one(rectangles: NDArray[np.float64], scores: NDArray[np.float64], threshold: float) -> list[int]:
    """Suppression as textbooks write it: the best of what is left stays, what overlaps it goes."""
    left = sorted(range(len(scores)), key=lambda index: -scores[index])
    kept = []
    while left:
        best, *left = left
        kept.append(best)
        left = [index for index in left if iou_matrix(rectangles[best], rectangles[index])[0, 0] <= threshold]
    return kept


@given(st.lists(st.tuples(close, st.sampled_from([0.2, 0.5, 0.7, 0.9])), max_size=25), st.floats(0.05, 0.95))
def test_nms_keeps_what_going_through_the_boxes_one_by_one_keeps(
    faces: list[tuple[Box, float]], threshold: float
) -> None:
    rectangles = np.array([box for box, _ in faces], np.float64).reshape(-1, 4)
    scores = np.array([score for _, score in faces], np.float64)
    assert nms(rectangles, scores, threshold).tolist() == _one_by_one(rectangles, scores, threshold)


def test_a_long_chain_of_rivals_is_settled_one_after_the_other() -> None:
    each = np.arange(9)
    assert unrivalled(abs(each[:, None] - each) <= 1).tolist() == [index % 2 == 0 for index in range(9)]
    assert unrivalled(np.zeros((0, 0), np.bool_)).tolist() == []


@given(st.lists(st.tuples(boxes, st.floats(0, 1)), max_size=12), st.floats(0.05, 0.95))
def test_nms_keeps_the_best_and_nothing_that_overlaps_it(
    scored: list[tuple[Box, float]], threshold: float
) -> None:
    rectangles = np.array([box for box, _ in scored], dtype=float).reshape(-1, 4)
    scores = np.array([score for _, score in scored])
    kept = nms(rectangles, scores, threshold)
    overlap = iou_matrix(rectangles[kept], rectangles[kept])
    assert (overlap[~np.eye(len(kept), dtype=bool)] <= threshold).all()
    assert list(scores[kept]) == sorted(scores[kept], reverse=True)
    if len(scored):
        assert scores[kept[0]] == scores.max()
    for index in set(range(len(scored))) - set(kept.tolist()):
        assert (iou_matrix(rectangles[[index]], rectangles[kept])[0] > threshold).any()


@given(
    st.floats(-math.pi, math.pi),
    st.floats(0.05, 20),
    st.floats(-1000, 1000),
    st.floats(-1000, 1000),
)
def test_similarity_transform_undoes_any_similarity(angle: float, scale: float, x: float, y: float) -> None:
    rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    moved = scale * ARCFACE_112.astype(float) @ rotation.T + [x, y]
    matrix = similarity_transform(moved, ARCFACE_112)
    assert matrix.shape == (2, 3)
    assert matrix.dtype == np.float32
    back = np.hstack([moved, np.ones((5, 1))]) @ matrix.astype(float).T
    np.testing.assert_allclose(back, ARCFACE_112, atol=0.05)


def test_similarity_transform_never_mirrors() -> None:
    mirrored = ARCFACE_112 * [-1, 1]
    matrix = similarity_transform(mirrored, ARCFACE_112)
    assert np.linalg.det(matrix[:, :2]) > 0


def test_similarity_transform_refuses_one_point_and_odd_shapes() -> None:
    with pytest.raises(ValueError, match="one point"):
        similarity_transform(np.zeros((5, 2)), ARCFACE_112)
    with pytest.raises(ValueError, match="not finite"):
        similarity_transform(np.full((5, 2), np.nan), ARCFACE_112)
    with pytest.raises(ValueError, match="expected"):
        similarity_transform(np.zeros((4, 2)), ARCFACE_112)


def _head(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Five points of an average head, turned and projected without perspective."""
    model = np.array(
        [[-0.5, 0, 0], [0.5, 0, 0], [0, 0.573, 0.44], [-0.41, 1.157, 0], [0.41, 1.157, 0]], dtype=float
    )
    a, b, c = (math.radians(v) for v in (yaw, pitch, roll))
    around_y = np.array([[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]])
    around_x = np.array([[1, 0, 0], [0, math.cos(b), math.sin(b)], [0, -math.sin(b), math.cos(b)]])
    around_z = np.array([[math.cos(c), -math.sin(c), 0], [math.sin(c), math.cos(c), 0], [0, 0, 1]])
    return ((around_z @ around_x @ around_y @ model.T).T[:, :2] * 60 + 200).astype(np.float32)


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll"),
    [(0, 0, 0), (30, 0, 0), (-30, 0, 0), (0, 20, 0), (0, -20, 0), (0, 0, 25), (0, 0, -60), (20, 10, 15)],
)
def test_head_pose_of_a_known_head(yaw: float, pitch: float, roll: float) -> None:
    found = head_pose(_head(yaw, pitch, roll))
    assert found == pytest.approx((yaw, pitch, roll), abs=6)


def test_the_template_is_frontal_and_cannot_be_changed() -> None:
    assert head_pose(ARCFACE_112) == pytest.approx((0, 0, 0), abs=2)
    with pytest.raises(ValueError, match="read-only"):
        ARCFACE_112[0, 0] = 0
