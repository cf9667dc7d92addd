"""Detectors on real pictures: against the libraries they come from, and against annotated faces."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from homeface.core.geometry import iou_matrix
from homeface.core.types import Detection, ImageBGR
from homeface.errors import ModelError
from homeface.inference.detectors import as_detections
from homeface.inference.detectors.letterbox import letterbox
from homeface.inference.manifest import Kind, find_spec
from homeface.inference.models import Placement, load_detector
from homeface.inference.types import Detector
from homeface.inference.weights import locate
from tests.support.data import data_dir, requires_data, weights_dir

NAMES = ("mtcnn", "yunet_n", "yunet_2023mar", "scrfd_500m", "scrfd_2.5g")
MIN_FACE_PX = 40


def load(name: str, min_face_px: int = MIN_FACE_PX, runtime: str = "auto") -> Detector:
    """In float32: what fewer bits change is told in test_precision."""
    place = Placement([weights_dir()], "cpu", 1, runtime, precision="float32")
    return load_detector(find_spec(name, Kind.DETECTOR), place, min_face_px)


@pytest.fixture(scope="module", params=NAMES)
def detector(request: pytest.FixtureRequest) -> Iterator[Detector]:
    made = load(request.param)
    yield made
    made.close()


def boxes_of(detections: list[Detection]) -> np.ndarray:
    return np.array([d.box for d in detections], float).reshape(-1, 4)


def crowd_pictures() -> list[tuple[ImageBGR, np.ndarray]]:
    """Pictures of the annotated sample with the corner boxes of their faces."""
    folder = data_dir() / "wider"
    annotations = json.loads((folder / "annotations.json").read_text())
    found = []
    for name in sorted(annotations)[::8]:
        boxes = np.array(annotations[name]["boxes_xywh"], float).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        found.append((cv2.imread(str(folder / "images" / name)), boxes))
    return found


@requires_data
@pytest.mark.accuracy
def test_faces_of_the_sample_are_found_and_little_else(detector: Detector) -> None:
    wanted = hits = false = 0
    for image, truth in crowd_pictures():
        found = boxes_of([d for d in detector.detect([image])[0] if d.score >= 0.6])
        overlap = iou_matrix(truth, found)
        large = (truth[:, 2:] - truth[:, :2]).min(axis=1) >= MIN_FACE_PX * 1.1
        wanted += int(large.sum())
        hits += int((large & (overlap.max(axis=1, initial=0) > 0.4)).sum())
        false += int((overlap.max(axis=0, initial=0) <= 0.2).sum())
    assert wanted >= 30
    assert hits / wanted >= 0.75
    assert false <= 12


@requires_data
@pytest.mark.accuracy
def test_pictures_of_different_sizes_go_together(detector: Detector) -> None:
    paths = [data_dir() / "gallery" / name for name in ("obama/1.jpg", "biden/1.jpg")]
    images = [cv2.imread(str(path)) for path in paths]
    together = detector.detect(images)
    for image, found in zip(images, together, strict=True):
        alone = detector.detect([image])[0]
        assert [d.box for d in found] == [d.box for d in alone]
        eyes_apart = np.linalg.norm(found[0].landmarks[1] - found[0].landmarks[0])
        assert 0.3 < eyes_apart / found[0].box.width < 0.6


@requires_data
@pytest.mark.accuracy
@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_boxes_are_in_pixels_of_the_frame_at_any_size(detector: Detector, scale: float) -> None:
    image = cv2.imread(str(data_dir() / "gallery" / "obama" / "1.jpg"))
    (reference,) = (detector.detect([image])[0][0],)
    scaled = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    found = detector.detect([scaled])[0][0]
    assert iou_matrix(boxes_of([found]) / scale, boxes_of([reference]))[0, 0] > 0.75
    assert np.abs(found.landmarks / scale - reference.landmarks).max() < 0.15 * reference.box.width


@requires_data
@pytest.mark.accuracy
def test_our_mtcnn_finds_what_facenet_pytorchs_finds() -> None:
    from facenet_pytorch import MTCNN

    ours, theirs = load("mtcnn"), MTCNN(keep_all=True, min_face_size=MIN_FACE_PX)
    wanted = hits = 0
    apart = []
    lfw = sorted((data_dir() / "lfw" / "images").rglob("*.jpg"))[::150]
    for image in [cv2.imread(str(path)) for path in lfw] + [image for image, _ in crowd_pictures()[::3]]:
        boxes, scores, points = theirs.detect(image[..., ::-1].copy(), landmarks=True)
        if boxes is None:
            continue
        found = ours.detect([image])[0]
        overlap = iou_matrix(np.array(boxes, float), boxes_of(found))
        for row, score, landmarks in zip(overlap, scores, points, strict=True):
            if score < 0.95:
                continue
            wanted += 1
            if row.max(initial=0) > 0.6:
                hits += 1
                eyes_apart = np.linalg.norm(landmarks[1] - landmarks[0])
                apart.append(np.abs(found[int(row.argmax())].landmarks - landmarks).mean() / eyes_apart)
    assert wanted > 25
    assert hits / wanted > 0.97
    assert np.median(apart) < 0.03


@requires_data
@pytest.mark.accuracy
def test_our_yunet_agrees_with_opencvs() -> None:
    path = locate(find_spec("yunet_2023mar", Kind.DETECTOR), [weights_dir()])
    opencv = cv2.FaceDetectorYN.create(str(path), "", (640, 640), 0.6, 0.4, 5000)
    ours = load("yunet_2023mar", 16)
    seen = 0
    for image, _ in crowd_pictures():
        square = letterbox(image, (640, 640), 1.0).image
        theirs = opencv.detect(square)[1]
        theirs = np.zeros((0, 15)) if theirs is None else theirs[theirs[:, 14] > 0.65]
        found = ours.detect([square])[0]
        corners = np.hstack([theirs[:, :2], theirs[:, :2] + theirs[:, 2:4]])
        overlap = iou_matrix(corners, boxes_of(found))
        for row, line in zip(overlap, theirs, strict=True):
            assert row.max(initial=0) > 0.9
            match = found[int(row.argmax())]
            assert match.landmarks.reshape(-1) == pytest.approx(line[4:14], abs=1.5)
            assert match.score == pytest.approx(line[14], abs=0.02)
            seen += 1
    assert seen > 10


@requires_data
@pytest.mark.accuracy
def test_another_kind_of_network_is_refused(tmp_path: Path) -> None:
    from homeface.inference.detectors.scrfd import ScrfdDetector
    from homeface.inference.detectors.yunet import YuNetDetector
    from homeface.inference.runtimes.onnx import OnnxSession
    from homeface.inference.weights import read_weights

    yunet, scrfd = find_spec("yunet_n", Kind.DETECTOR), find_spec("scrfd_500m", Kind.DETECTOR)
    with pytest.raises(ModelError, match="no YuNet"):
        YuNetDetector(scrfd, OnnxSession(read_weights(scrfd, [weights_dir()]), "x", "cpu"), 40)
    with pytest.raises(ModelError, match="no SCRFD"):
        ScrfdDetector(yunet, OnnxSession(read_weights(yunet, [weights_dir()]), "x", "cpu"), 40)


@requires_data
@pytest.mark.accuracy
@pytest.mark.parametrize(
    ("name", "runtime"),
    [("yunet_n", "onnxruntime"), ("scrfd_500m", "onnxruntime"), ("mtcnn", "torch")],
)
def test_runtimes_find_the_same(name: str, runtime: str) -> None:
    openvino, other = load(name, runtime="openvino"), load(name, runtime=runtime)
    images = [cv2.imread(str(data_dir() / "gallery" / p)) for p in ("obama/1.jpg", "biden/1.jpg")]
    images += [image for image, _ in crowd_pictures()[:8:2]]
    seen = 0
    for here, there in zip(openvino.detect(images), other.detect(images), strict=True):
        assert len(here) == len(there)
        if not here:
            continue
        overlap = iou_matrix(boxes_of(here), boxes_of(there))
        assert overlap.max(axis=1).min() >= 0.99
        for face, partner in zip(here, overlap.argmax(axis=1), strict=True):
            assert face.score == pytest.approx(there[partner].score, abs=0.01)
            assert face.landmarks == pytest.approx(there[partner].landmarks, abs=0.05 * face.box.width)
        seen += len(here)
    assert seen >= 4


@requires_data
@pytest.mark.accuracy
def test_a_closer_look_puts_the_landmarks_of_small_faces_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faces of 40 px beside the same ones looked at in full size: the error falls, hardly any gets worse."""
    from homeface.inference.detectors import yunet

    small, full = load("yunet_n"), load("yunet_n", 20)
    pictures, truth = [], []
    for path in sorted((data_dir() / "lfw" / "images").rglob("*.jpg"))[:300:12]:
        image = cv2.imread(str(path))
        face = full.detect([image])[0][0]
        shrink = MIN_FACE_PX * 1.05 / face.box.width
        side = round(len(image) * shrink)
        pictures.append(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA))
        truth.append(face.landmarks * side / len(image))

    def errors() -> list[float]:
        found = small.detect(pictures)
        return [
            min(float(np.abs(face.landmarks - points).mean()) for face in faces)
            for faces, points in zip(found, truth, strict=True)
            if faces
        ]

    close = errors()
    monkeypatch.setattr(yunet, "CLOSEUP", replace(yunet.CLOSEUP, most=0))
    first = errors()
    assert len(close) == len(first) >= 20
    assert np.mean(close) < 0.85 * np.mean(first)


def test_detections_are_sorted_and_senseless_ones_dropped() -> None:
    boxes = np.array(
        [[0, 0, 10, 10], [5, 5, 5, 20], [0, 0, 8, 8], [0, 0, np.nan, 3], [1, 1, 9, 9]], np.float32
    )
    points = np.tile(np.array([[2, 3], [7, 3], [5, 5], [3, 8], [6, 8]], np.float32), (5, 1, 1))
    points[4, 1] = points[4, 0]  # both eyes in one place
    found = as_detections(boxes, np.array([0.7, 0.9, 0.8, 0.9, 0.9]), points)
    assert [d.score for d in found] == pytest.approx([0.8, 0.7])
    assert as_detections(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2))) == []


@pytest.mark.parametrize(
    ("size", "side", "max_scale", "expected", "scale"),
    [
        ((1080, 1920), None, 0.4, (448, 768), 0.4),
        ((1080, 1920), None, 0.5, (544, 960), 0.5),
        ((1080, 1920), (640, 640), 1.0, (640, 640), 1 / 3),
        ((100, 100), (640, 640), 1.0, (640, 640), 1.0),
        ((1, 1), None, 0.4, (32, 32), 0.4),
        ((5000, 3), (640, 640), 1.0, (640, 640), 0.128),
    ],
)
def test_letterbox_sizes(
    size: tuple[int, int],
    side: tuple[int, int] | None,
    max_scale: float,
    expected: tuple[int, int],
    scale: float,
) -> None:
    fit = letterbox(np.full((*size, 3), 7, np.uint8), side, max_scale)
    assert fit.image.shape == (*expected, 3)
    assert fit.scale == pytest.approx(scale)
    assert fit.image[0, 0, 0] == 7
