"""Regions: what has to be looked at lies inside one of them, and no known face is cut."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from homeface.core.regions import cover, grown, holds, merged, parts_of
from homeface.core.types import Box

FRAME = (1080, 1920)
numbers = st.floats(0, 1, allow_nan=False)


@st.composite
def boxes(draw: st.DrawFn, largest: float = 1.0) -> Box:
    """Inside the frame."""
    height, width = FRAME
    w, h = draw(numbers) * largest * width, draw(numbers) * largest * height
    x, y = draw(numbers) * (width - w), draw(numbers) * (height - h)
    return Box(x, y, x + w, y + h)


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 19)), max_size=40))
def test_every_cell_is_in_one_part_and_parts_are_apart(marked: list[tuple[int, int]]) -> None:
    cells = np.zeros((12, 20), np.bool_)
    for row, column in marked:
        cells[row, column] = True
    parts = parts_of(cells, FRAME)
    for row, column in marked:
        assert any(
            holds(part, Box(column * 96.0, row * 90.0, column * 96 + 96.0, row * 90 + 90.0)) for part in parts
        )
    for part in parts:
        cover(part, cells, FRAME)
    assert not cells.any()


def test_cells_that_touch_at_a_corner_are_one_part() -> None:
    cells = np.eye(4, dtype=np.bool_)
    assert parts_of(cells, (400, 400)) == (Box(0, 0, 400, 400),)


def test_no_cells_are_no_parts() -> None:
    assert parts_of(np.zeros((12, 20), np.bool_), FRAME) == ()


def test_what_is_covered_is_all_that_is_touched() -> None:
    cells = np.ones((10, 10), np.bool_)
    cover(Box(15, 25, 30, 35), cells, (100, 100))
    assert np.argwhere(~cells).tolist() == [[2, 1], [2, 2], [3, 1], [3, 2]]
    cover(Box(-50, -50, -10, -10), cells, (100, 100))
    assert cells.sum() == 96


@given(st.lists(boxes(), max_size=8), st.integers(1, 4))
def test_merged_boxes_hold_all_and_are_no_larger_where_few_enough(given_boxes: list[Box], most: int) -> None:
    found = merged(given_boxes, most)
    assert len(found) <= most
    assert all(any(holds(outer, box) for outer in found) for box in given_boxes)
    if len(given_boxes) <= most:
        assert sum(box.area for box in found) <= sum(box.area for box in given_boxes) + 1e-3
    assert merged(given_boxes[::-1], most) == found


def test_boxes_that_lie_on_each_other_become_one() -> None:
    assert merged([Box(0, 0, 10, 10), Box(1, 1, 9, 9), Box(0, 5, 10, 15)], 4) == [Box(0, 0, 10, 15)]
    crossing = [Box(0, 4, 10, 6), Box(4, 0, 6, 10)]
    assert merged(crossing, 4) == crossing
    assert merged(crossing, 1) == [Box(0, 0, 10, 10)]


@given(boxes(), st.floats(0, 500))
def test_a_margin_ends_at_the_frame(box: Box, margin: float) -> None:
    assert holds(Box(0, 0, 1920, 1080), grown(box, margin, FRAME))
    assert holds(grown(box, margin, FRAME), box)
