"""Faster R-CNN in the daemon: boxes of any network, landmarks of O-Net."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from homeface.core.types import Box, ImageBGR
from homeface.errors import ModelError
from homeface.inference.detectors.faster_rcnn import FasterRcnnDetector
from homeface.inference.detectors.mtcnn_networks import network
from homeface.inference.detectors.onet import OnetLandmarks
from homeface.inference.manifest import Artefact, Family, Kind, ModelSpec, custom_model, find_spec
from homeface.inference.models import Placement, load_detector, pixels_of
from homeface.inference.runtimes.opening import Feeding, open_torch
from tests.support.data import data_dir, requires_data, weights_dir

SPEC = custom_model(
    ModelSpec(
        name="faster_rcnn",
        family=Family.FASTER_RCNN,
        licence="none",
        artefacts=(Artefact("f.onnx", "0" * 64),),
    )
)
MIN_FACE_PX = 48
"""The network then sees the frame in half its size."""


class Boxes:
    """A network that sees what it is told to see, in pixels of its own input."""

    name, device = "fake", "cpu"
    input_names: tuple[str, ...] = ("picture",)
    output_names: tuple[str, ...] = ("boxes", "scores")
    output_shapes: tuple[tuple[object, ...], ...] = ()
    fixed_batch = fixed_side = None

    def __init__(self, *rows: tuple[float, ...]) -> None:
        self.rows = np.array(rows, np.float32).reshape(-1, 5)
        self.closed = False

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        assert inputs["picture"].dtype == np.uint8
        return {"boxes": self.rows[:, :4], "scores": self.rows[:, 4]}

    def close(self) -> None:
        self.closed = True


@pytest.fixture(scope="module")
def onet() -> OnetLandmarks:
    feeding = Feeding(pixels=pixels_of(find_spec("mtcnn", Kind.DETECTOR)), free=(0,))
    return OnetLandmarks(open_torch(network("ONet"), "mtcnn_onet", Placement([], "cpu", 1), feeding))


def portrait() -> tuple[ImageBGR, Box, np.ndarray]:
    """A picture, the box of its face and the landmarks, as another detector sees them."""
    image = cv2.imread(str(data_dir() / "gallery" / "obama" / "1.jpg"))
    other = load_detector(find_spec("scrfd_2.5g", Kind.DETECTOR), Placement([weights_dir()], "cpu", 1), 40)
    face = other.detect([image])[0][0]
    return image, face.box, face.landmarks


@requires_data
@pytest.mark.accuracy
@pytest.mark.parametrize("off", [(0.0, 0.0), (0.1, 0.0), (0.0, -0.12), (-0.08, 0.08)])
def test_a_box_that_is_a_little_off_gets_its_landmarks(onet: OnetLandmarks, off: tuple[float, float]) -> None:
    image, box, landmarks = portrait()
    x, y = off[0] * box.width, off[1] * box.height
    half = [(box.x1 + x) / 2, (box.y1 + y) / 2, (box.x2 + x) / 2, (box.y2 + y) / 2]
    detector = FasterRcnnDetector(SPEC, Boxes((*half, 0.9)), onet, MIN_FACE_PX)
    ((face,),) = detector.detect([image])
    assert face.box == pytest.approx([2 * value for value in half], abs=0.01)
    assert face.score == pytest.approx(0.9)
    eyes_apart = np.linalg.norm(landmarks[1] - landmarks[0])
    assert np.linalg.norm(face.landmarks - landmarks, axis=1).mean() < 0.12 * eyes_apart


@requires_data
@pytest.mark.accuracy
def test_what_is_no_face_to_the_second_network_is_none(onet: OnetLandmarks) -> None:
    image, box, _ = portrait()
    face = [value / 2 for value in box]
    wall = np.full_like(image, 90)
    network = Boxes((*face, 0.9), (0, 0, 30, 30, 0.8))
    detector = FasterRcnnDetector(SPEC, network, onet, MIN_FACE_PX)
    assert [found.score for found in detector.detect([image])[0]] == [pytest.approx(0.9)]
    assert detector.detect([wall]) == [[]]


def test_unsure_senseless_and_outlying_boxes(onet: OnetLandmarks) -> None:
    image = np.random.default_rng(0).integers(0, 255, (200, 300, 3), dtype=np.uint8)
    nan = float("nan")
    rows = [(10, 10, 40, 40, 0.3), (nan, 0, 9, 9, 0.9), (500, 500, 600, 600, 0.9), (9, 9, 9, 9, 0.9)]
    assert FasterRcnnDetector(SPEC, Boxes(*rows), onet, MIN_FACE_PX).detect([image]) == [[]]
    assert FasterRcnnDetector(SPEC, Boxes(), onet, MIN_FACE_PX).detect([image, image]) == [[], []]


def test_another_kind_of_network_is_refused(onet: OnetLandmarks) -> None:
    other = Boxes()
    other.output_names = ("cls_8", "obj_8")
    with pytest.raises(ModelError, match="no Faster R-CNN: its outputs are cls_8, obj_8"):
        FasterRcnnDetector(SPEC, other, onet, MIN_FACE_PX)


def test_the_entry_of_a_configuration_is_checked() -> None:
    with pytest.raises(ModelError, match="bare file name"):
        custom_model(replace(SPEC, artefacts=(Artefact("../f.onnx", None),)))
