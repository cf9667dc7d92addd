"""Marks and contact sheets: drawn where they belong, at any size and with any name."""

from __future__ import annotations

import io
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from homeface.adapters import drawing
from homeface.adapters.drawing import Cell, Mark, Row, colour_of, contact_sheet, drawn
from homeface.core.types import Box

GREY = np.full((200, 300, 3), 90, np.uint8)


def test_a_mark_is_drawn_in_its_colour_and_the_picture_stays_as_it_is() -> None:
    image = drawn(GREY, [Mark(Box(100, 60, 180, 150), "Ada 0.71", (10, 200, 30))], "hall 3.4 s")
    assert (GREY == 90).all()
    assert image[100, 100].tolist() == [30, 200, 10]  # BGR
    assert (image[80:140, 110:170] == 90).all()
    assert (image[35:58, 100:150] != 90).any()  # the name stands above
    assert (image[180:, :60] != 90).any()


@pytest.mark.parametrize(
    "box", [Box(-50, -50, 20, 20), Box(290, 190, 900, 900), Box(5, 5, 5, 5), Box(0, 0, 300, 200)]
)
@pytest.mark.parametrize("size", [(200, 300), (2, 2), (1, 900)])
def test_boxes_at_the_edge_and_small_pictures(box: Box, size: tuple[int, int]) -> None:
    image = drawn(np.zeros((*size, 3), np.uint8), [Mark(box, "Ada", (255, 255, 255))], "hall")
    assert image.shape == (*size, 3)


@pytest.mark.parametrize("own_font", [False, True])
def test_names_with_letters_of_their_own(monkeypatch: pytest.MonkeyPatch, own_font: bool) -> None:
    """With Pillow's own font they lose their accents, not their letters."""
    drawing._font.cache_clear()
    if own_font:
        monkeypatch.setattr(drawing, "_font_file", lambda: None)
    seen = [drawn(GREY, [Mark(Box(20, 60, 90, 150), name, (255, 255, 255))]) for name in ("Žižek", "Zizek")]
    assert (seen[0] == seen[1]).all() == own_font
    drawing._font.cache_clear()


def test_neighbouring_tracks_look_different() -> None:
    colours = [np.array(colour_of(number)) for number in range(12)]
    assert min(np.abs(a - b).max() for a, b in pairwise(colours)) > 60
    assert min(int(colour.max()) for colour in colours) > 200


def test_a_sheet_has_room_for_everybody() -> None:
    face = Cell(
        np.full((40, 90, 3), 200, np.uint8), ["0.91", "a line that is much too long for so small a cell"]
    )
    sizes = []
    for rows in (
        [],
        [Row("Nobody", [])],
        [Row("Ada", [face] * 8)],
        [Row("Ada", [face] * 9), Row("Bob", [face])],
    ):
        with Image.open(io.BytesIO(contact_sheet("Gallery", rows))) as sheet:
            sizes.append(sheet.size)
    assert len({width for width, _ in sizes}) == 1
    heights = [height for _, height in sizes]
    assert heights == sorted(set(heights))
