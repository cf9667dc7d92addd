"""MTCNN's last suppression, by overlap over the smaller box, beside its textbook form."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from homeface.inference.detectors.mtcnn import nms_of_smaller
from homeface.inference.detectors.pyramid import Boxes

corner, side = st.integers(0, 12), st.integers(1, 12)
rows = st.builds(
    lambda x, y, w, h, score: [x, y, x + w, y + h, score], corner, corner, side, side, st.integers(1, 5)
)


def _one_by_one(boxes: Boxes, threshold: float) -> list[int]:
    areas = (boxes[:, 2] - boxes[:, 0] + 1) * (boxes[:, 3] - boxes[:, 1] + 1)
    order = np.argsort(-boxes[:, 4], kind="stable")
    kept = []
    while len(order):
        first, order = order[0], order[1:]
        kept.append(int(first))
        top_left = np.maximum(boxes[first, :2], boxes[order, :2])
        bottom_right = np.minimum(boxes[first, 2:4], boxes[order, 2:4])
        common = np.clip(bottom_right - top_left + 1, 0, None).prod(axis=1)
        order = order[common / np.minimum(areas[first], areas[order]) <= threshold]
    return kept


@given(st.lists(rows, max_size=25), st.floats(0.05, 0.95))
def test_it_keeps_what_going_through_the_boxes_one_by_one_keeps(
    faces: list[list[float]], threshold: float
) -> None:
    boxes = np.array(faces, np.float32).reshape(-1, 5)
    assert nms_of_smaller(boxes, threshold).tolist() == _one_by_one(boxes, threshold)
