"""Detection on parts of frames: in few shapes that hold what is asked for; faces come back where they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeface.core.types import Box, Detection, ImageBGR
from homeface.inference.detectors.regions import GRID, SHAPES, Look, detect

SIZE = (1080, 1920)
FACE_PX = 40


class PaintedFaces:
    """Finds squares: each has a grey level of its own, whatever part of it is in the picture."""

    name = "painted"
    min_face_px = FACE_PX

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def detect(self, images: Sequence[ImageBGR]) -> list[list[Detection]]:
        self.shapes += [image.shape[:2] for image in images]
        return [[self._face(image, level) for level in np.unique(image[..., 0]) if level] for image in images]

    def close(self) -> None:
        """Nothing to free."""

    @staticmethod
    def _face(image: ImageBGR, level: int) -> Detection:
        rows, columns = np.nonzero(image[..., 0] == level)
        box = Box(float(columns.min()), float(rows.min()), columns.max() + 1.0, rows.max() + 1.0)
        x, y = box.centre
        return Detection(box, level / 255, np.full((5, 2), (x, y), np.float32))


def frame_with(*faces: tuple[int, int, int]) -> ImageBGR:
    """A frame with squares of 60 px at (x, y) in a grey level."""
    image = np.zeros((*SIZE, 3), np.uint8)
    for x, y, level in faces:
        image[y : y + 60, x : x + 60] = level
    return image


def around(x: int, y: int, margin: int = 45) -> Box:
    return Box(x - margin, y - margin, x + 60 + margin, y + 60 + margin)


def test_a_face_comes_back_where_it_is_in_the_frame() -> None:
    detector = PaintedFaces()
    (found,) = detect(detector, [Look(frame_with((700, 500, 200)), [around(700, 500)])])
    assert [face.box for face in found] == [Box(700.0, 500.0, 760.0, 560.0)]
    assert found[0].landmarks[0] == pytest.approx([730, 530])
    assert detector.shapes == [(192, 192)]


def test_frames_with_and_without_regions_go_together() -> None:
    image = frame_with((300, 300, 100), (1500, 800, 200))
    whole, part, nothing = detect(
        PaintedFaces(), [Look(image), Look(image, [around(300, 300)]), Look(image, [])]
    )
    assert [face.score * 255 for face in whole] == pytest.approx([100, 200])  # the detector's own order
    assert [face.score * 255 for face in part] == pytest.approx([100])
    assert nothing == []


def test_a_face_cut_by_a_part_is_left_out_but_not_one_at_the_edge_of_the_frame() -> None:
    image = frame_with((1000, 500, 100), (0, 500, 200))
    assert detect(PaintedFaces(), [Look(image, [Box(860, 450, 1020, 620)])]) == [[]]
    (found,) = detect(PaintedFaces(), [Look(image, [Box(-20, 450, 100, 620)])])
    assert [face.box.x1 for face in found] == [0.0]


def test_a_face_in_two_parts_is_one() -> None:
    image = frame_with((900, 500, 100))
    regions = [Box(850, 450, 1010, 610), Box(790, 440, 980, 600)]
    (found,) = detect(PaintedFaces(), [Look(image, regions)])
    assert len(found) == 1


def test_large_regions_are_looked_at_with_the_whole_frame() -> None:
    detector = PaintedFaces()
    detect(detector, [Look(frame_with(), [Box(100, 100, 1500, 900)])])
    detect(
        detector,
        [Look(frame_with(), [Box(100, 0, 600, 1080), Box(700, 0, 1200, 1080), Box(1300, 0, 1900, 1080)])],
    )
    assert detector.shapes == [SIZE, SIZE]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(-50, 1900),
    st.integers(-50, 1060),
    st.floats(1, 700),
    st.floats(1, 600),
)
def test_a_part_holds_its_region_and_has_one_of_few_shapes(x: int, y: int, wide: float, tall: float) -> None:
    marks = np.zeros((*SIZE, 3), np.uint8)
    inside = (slice(max(0, y), max(0, int(y + tall))), slice(max(0, x), max(0, int(x + wide))))
    marks[inside] = 255
    detector = PaintedFaces()
    (found,) = detect(detector, [Look(marks, [Box(x, y, x + wide, y + tall)])])
    known = {(min(round(h * FACE_PX), SIZE[0]), min(round(w * FACE_PX), SIZE[1])) for h, w in SHAPES} | {SIZE}
    assert set(detector.shapes) <= known
    if found:
        rows, columns = np.nonzero(marks[..., 0])
        assert found[0].box == Box(columns.min(), rows.min(), columns.max() + 1.0, rows.max() + 1.0)


def test_parts_begin_on_the_grid_of_the_frame_where_they_can() -> None:
    class Corner(PaintedFaces):
        def detect(self, images: Sequence[ImageBGR]) -> list[list[Detection]]:
            self.corners = [(int(image[0, 0, 0]), int(image[0, 0, 1])) for image in images]
            return [[] for _ in images]

    grid = round(GRID * FACE_PX)
    image = np.zeros((*SIZE, 3), np.uint8)
    image[..., 0] = (np.arange(SIZE[1]) // grid)[None, :]
    image[..., 1] = (np.arange(SIZE[0]) % grid)[:, None]
    detector = Corner()
    detect(detector, [Look(image, [Box(701, 303, 820, 420)])])
    assert detector.corners == [(640 // grid, 256 % grid)]
