"""What detectors do on a GPU, here on torch's processor, beside what they do without torch; and on CUDA."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from homeface.core.geometry import iou_matrix
from homeface.core.types import Detection, ImageBGR
from homeface.errors import BackendUnavailableError, ModelError
from homeface.inference.detectors.letterbox import resized as resized_by_cv2
from homeface.inference.detectors.mtcnn import nms_of_smaller
from homeface.inference.detectors.on_device import Pile, Upload, best_of_each, halved, resized, suppress_inner
from homeface.inference.detectors.opening_device import on_device
from homeface.inference.detectors.pyramid import Halvings
from homeface.inference.manifest import Kind, find_spec
from homeface.inference.models import Placement, load_detector, load_embedder, pixels_of
from homeface.inference.runtimes.choice import cuda_devices
from homeface.inference.runtimes.onnx_modules import OnnxModule, any_batch
from homeface.inference.types import Detector
from tests.support.data import data_dir, requires_data, weights_dir

DETECTORS = ("yunet_n", "mtcnn")
MIN_FACE_PX = 40
needs_cuda = pytest.mark.skipif(not cuda_devices(), reason="needs a CUDA device")


def noise(height: int, width: int) -> ImageBGR:
    image = np.random.default_rng(height * width).integers(0, 256, (height, width, 3)).astype(np.uint8)
    return cv2.GaussianBlur(image, (0, 0), 2)  # type: ignore[return-value]


@pytest.mark.parametrize("size", [(64, 96), (67, 120), (135, 241)])
def test_frames_are_shrunk_as_on_a_processor(size: tuple[int, int]) -> None:
    image = noise(*size)
    half = halved(torch.from_numpy(image)[None])[0].numpy()
    assert np.abs(half.astype(int) - Halvings(image, 16).levels[1].astype(int)).max() <= 1
    wanted = (size[0] * 3 // 7, size[1] * 3 // 7)
    found = resized(torch.from_numpy(image)[None], wanted)[0].numpy()
    if size[0] % 2 == 0:
        assert np.abs(found.astype(int) - resized_by_cv2(image, wanted).astype(int)).max() <= 1
    assert found.shape == (*wanted, 3)


def test_cuts_out_of_many_pictures_at_once() -> None:
    image = noise(90, 160)
    picture = Halvings(image, 12)
    boxes = np.array([[10, 5, 34, 29], [0, 0, 90, 84], [50, 20, 61, 33], [100, 40, 160, 90]], np.float32)
    expected = picture.cut(boxes, 24)
    levels = [torch.from_numpy(level)[None] for level in picture.levels]
    pile = Pile(levels)
    level = torch.tensor([0, 1, 0, 1])
    sides = torch.from_numpy(boxes[:, 2:] - boxes[:, :2])
    steps = (torch.arange(24) + 0.5) / 24
    scale = torch.tensor([1.0, 0.5, 1.0, 0.5])[:, None]
    columns = (torch.from_numpy(boxes[:, :1]) + steps * sides[:, :1]) * scale - 0.5
    rows = (torch.from_numpy(boxes[:, 1:2]) + steps * sides[:, 1:]) * scale - 0.5
    found = pile.cut(torch.zeros(4, dtype=torch.long), level, rows, columns).numpy()
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= 2  # cv2 counts in 1/32 of a pixel


def test_suppression_by_the_smaller_box_is_greedy() -> None:
    random = np.random.default_rng(5)
    corner = random.uniform(0, 60, (80, 2))
    boxes = np.hstack([corner, corner + random.uniform(10, 50, (80, 2))]).astype(np.float32)
    scores = random.permutation(80).astype(np.float32) / 80
    groups = np.repeat([0, 1], 40)
    expected = []
    for group in (0, 1):
        chosen = np.flatnonzero(groups == group)
        rows = np.hstack([boxes[chosen], scores[chosen, None]])
        expected += chosen[nms_of_smaller(rows, 0.4)].tolist()
    found = suppress_inner(torch.from_numpy(boxes), torch.from_numpy(scores), torch.from_numpy(groups), 0.4)
    assert sorted(found.tolist()) == sorted(expected)
    assert scores[found.numpy()].tolist() == sorted(scores[found.numpy()].tolist(), reverse=True)


def test_the_best_of_each_group() -> None:
    groups = torch.tensor([2, 0, 2, 0, 2, 1])
    scores = torch.tensor([0.1, 0.5, 0.9, 0.7, 0.8, 0.3])
    assert best_of_each(groups, scores, 2).tolist() == [3, 1, 5, 2, 4]
    assert best_of_each(groups[:0], scores[:0], 2).tolist() == []


def device_detector(name: str, device: str = "cpu", precision: str = "auto") -> Detector:
    spec = find_spec(name, Kind.DETECTOR)
    place = Placement([weights_dir()], device, 1, precision=precision)
    return on_device(spec, place, device, MIN_FACE_PX, pixels_of(spec))


def plain_detector(name: str) -> Detector:
    return load_detector(
        find_spec(name, Kind.DETECTOR), Placement([weights_dir()], "cpu", 1, precision="float32"), MIN_FACE_PX
    )


def pictures() -> list[ImageBGR]:
    """Crowds in one size, one of them mirrored, a portrait in another, and one without anybody."""
    crowds = sorted((data_dir() / "wider" / "images").glob("*/*.jpg"))[::15]
    read = [cv2.imread(str(path)) for path in crowds]
    alike = [image[:512, :896] for image in read if image.shape[0] >= 512 and image.shape[1] >= 896]
    portrait = cv2.imread(str(next(iter(sorted((data_dir() / "lfw" / "images").glob("*/*.jpg"))))))
    return [*alike, alike[0][:, ::-1], portrait, np.zeros((200, 300, 3), np.uint8)]  # type: ignore[list-item]


def assert_same_faces(found: list[list[Detection]], expected: list[list[Detection]], overlap: float) -> None:
    """Of the faces that are sure, nine of ten overlap by so much; nearly all are there at all."""
    overlaps = []
    for here, there in zip(found, expected, strict=True):
        sure = [face.box for face in there if face.score >= 0.8]
        matrix = iou_matrix(np.reshape(sure, (-1, 4)), np.reshape([face.box for face in here], (-1, 4)))
        overlaps += matrix.max(axis=1, initial=0.0).tolist()
    assert len(overlaps) >= 10
    assert np.mean(np.array(overlaps) > 0.5) >= 0.97
    assert np.mean(np.array(overlaps) >= overlap) >= 0.9


@requires_data
@pytest.mark.accuracy
@pytest.mark.parametrize(("name", "overlap"), [("yunet_n", 0.99), ("mtcnn", 0.8)])
def test_detectors_find_on_a_device_what_they_find_without(name: str, overlap: float) -> None:
    """MTCNN cuts crops in whole grey levels and lays them on again: what differs in the last bit, moves."""
    images = pictures()
    found = device_detector(name).detect(images)
    assert_same_faces(found, plain_detector(name).detect(images), overlap)
    assert found[-1] == []
    images[0].flags.writeable = False
    alone = [device_detector(name).detect([image])[0] for image in images[:2]]
    assert [len(faces) for faces in alone] == [len(faces) for faces in found[:2]]


@requires_data
def test_frames_too_small_and_a_closed_detector() -> None:
    for name in DETECTORS:
        detector = device_detector(name)
        assert detector.detect([np.zeros((8, 9, 3), np.uint8)]) == [[]]
        assert detector.detect([]) == []
        detector.close()
        detector.close()
        with pytest.raises(ModelError, match="closed"):
            detector.detect([np.zeros((80, 90, 3), np.uint8)])


@requires_data
@pytest.mark.accuracy
@pytest.mark.parametrize("name", ["mobilefacenet"])
def test_onnx_models_run_in_torch_too(name: str) -> None:
    spec = find_spec(name, Kind.EMBEDDER)
    crops = list(np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3)).astype(np.uint8))
    torch_made = load_embedder(spec, Placement([weights_dir()], "cpu", 1, "torch"))
    assert torch_made.runtime == "torch"
    expected = load_embedder(spec, Placement([weights_dir()], "cpu", 1, "onnxruntime")).embed(crops)
    assert (torch_made.embed(crops) * expected).sum(axis=1).min() > 0.9999


@requires_data
@pytest.mark.accuracy
def test_scrfd_in_torch_finds_the_same() -> None:
    spec = find_spec("scrfd_500m", Kind.DETECTOR)
    image = cv2.imread(str(next(iter(sorted((data_dir() / "lfw" / "images").glob("*/*.jpg"))))))
    found, expected = (
        load_detector(spec, Placement([weights_dir()], "cpu", 1, runtime), MIN_FACE_PX).detect([image])
        for runtime in ("torch", "onnxruntime")
    )
    assert_boxes = np.testing.assert_allclose
    assert_boxes([f.box for f in found[0]], [f.box for f in expected[0]], atol=0.1)


class TestOnnxModule:
    @staticmethod
    def file(*nodes: onnx.NodeProto, shape: tuple[object, ...] = ("n", 2, 4, 4)) -> bytes:
        graph = helper.make_graph(
            list(nodes),
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [helper.make_tensor("w", TensorProto.FLOAT, (2, 1, 3, 3), [1.0] * 18)],
        )
        return helper.make_model(graph).SerializeToString()

    def test_padding_that_is_not_the_same_on_both_sides(self) -> None:
        node = helper.make_node("Conv", ["x", "w"], ["y"], group=2, pads=[1, 0, 0, 1])
        module = OnnxModule(self.file(node), "mine")
        row = torch.arange(32.0).reshape(1, 2, 4, 4)
        expected = torch.nn.functional.conv2d(
            torch.nn.functional.pad(row, (0, 1, 1, 0)), torch.ones(2, 1, 3, 3), groups=2
        )
        assert torch.equal(module(row), expected)
        assert any_batch(module)

    @pytest.mark.parametrize(
        "node",
        [
            helper.make_node("Einsum", ["x"], ["y"]),
            helper.make_node("Conv", ["x", "w"], ["y"], auto_pad="SAME_UPPER"),
            helper.make_node("Resize", ["x", "", "w"], ["y"], mode="cubic"),
        ],
    )
    def test_what_it_was_not_taught_is_told(self, node: onnx.NodeProto) -> None:
        with pytest.raises(BackendUnavailableError, match="not taught"):
            OnnxModule(self.file(node), "mine")

    def test_what_is_no_onnx_file(self) -> None:
        with pytest.raises(ModelError, match="mine is no ONNX file"):
            OnnxModule(b"not a network", "mine")

    def test_a_batch_that_mixes_its_rows_is_refused(self) -> None:
        node = helper.make_node("Transpose", ["x"], ["y"], perm=[1, 0, 2, 3])
        assert not any_batch(OnnxModule(self.file(node, shape=(1, 2, 4, 4)), "mine"))


@pytest.mark.gpu
@requires_data
@needs_cuda
class TestCuda:
    @pytest.mark.parametrize(("name", "overlap"), [("yunet_n", 0.97), ("mtcnn", 0.8)])
    def test_detectors_find_there_what_the_processor_finds(self, name: str, overlap: float) -> None:
        images = pictures()
        made = load_detector(find_spec(name, Kind.DETECTOR), Placement([weights_dir()], "cuda"), MIN_FACE_PX)
        found = made.detect(images)
        assert type(made).__name__ in {"YuNetOnDevice", "MtcnnOnDevice"}
        assert_same_faces(found, device_detector(name).detect(images), overlap)
        again = made.detect(images)  # from recorded graphs, whose outputs are used again
        assert [len(faces) for faces in again] == [len(faces) for faces in found]

    @pytest.mark.parametrize("name", ["mobilefacenet", "facenet_vggface2"])
    @pytest.mark.parametrize("precision", ["auto", "bfloat16", "float32"])
    def test_vectors_are_the_processors(self, name: str, precision: str, tmp_path: Path) -> None:
        spec = find_spec(name, Kind.EMBEDDER)
        paths = sorted((data_dir() / "lfw" / "images").glob("*/*.jpg"))[::400]
        crops = [
            np.ascontiguousarray(cv2.resize(cv2.imread(str(p))[60:190, 60:190, ::-1], (spec.input_px,) * 2))
            for p in paths
        ]
        on_gpu = load_embedder(spec, Placement([weights_dir()], "cuda", precision=precision))
        on_cpu = load_embedder(spec, Placement([weights_dir()], "cpu", 0, "torch"))
        assert (on_gpu.device, on_gpu.runtime) == ("cuda:0", "torch")
        expected = on_cpu.embed(crops)  # type: ignore[arg-type]
        for count in (1, 3, len(crops)):
            cosine = (on_gpu.embed(crops[:count]) * expected[:count]).sum(axis=1)  # type: ignore[arg-type]
            assert cosine.min() > (0.998 if precision == "bfloat16" else 0.999)

    def test_frames_reach_the_device_unchanged(self) -> None:
        upload = Upload("cuda")
        for count in (3, 1, 2):
            images = [noise(60, 80 + index)[:, :70] for index in range(count)]
            assert np.array_equal(upload(images).cpu().numpy(), np.stack(images))
