"""Embedders on real faces, and what a weight file may hold."""

from __future__ import annotations

import io
from dataclasses import replace

import cv2
import numpy as np
import pytest

from homeface.core.geometry import ARCFACE_112
from homeface.core.types import Box, Detection, ImageRGB
from homeface.errors import BackendUnavailableError, ModelError
from homeface.inference.devices import device_report
from homeface.inference.embedders import unit_rows
from homeface.inference.manifest import Kind, find_spec
from homeface.inference.models import Placement, load_detector, load_embedder
from homeface.inference.runtimes.choice import cuda_devices, pick_device
from homeface.inference.types import Embedder
from homeface.inference.weights import read_weights
from tests.support.data import data_dir, requires_data, weights_dir

pytestmark = [requires_data, pytest.mark.accuracy]

PLACE = Placement([weights_dir()], "cpu", 1)


@pytest.fixture(scope="module", params=["facenet_vggface2", "mobilefacenet"])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    return load_embedder(find_spec(request.param, Kind.EMBEDDER), PLACE)


def crops_of_lfw(embedder: Embedder, people: int) -> list[list[ImageRGB]]:
    """Two crops for each of some people."""
    detector = load_detector(find_spec("mtcnn", Kind.DETECTOR), PLACE, 40)
    folders = sorted(f for f in (data_dir() / "lfw" / "images").iterdir() if f.is_dir())
    several = [sorted(f.glob("*.jpg"))[:2] for f in folders if len(list(f.glob("*.jpg"))) >= 2]
    found = []
    for paths in several[:: max(1, len(several) // people)][:people]:
        images = [cv2.imread(str(path)) for path in paths]
        middle = [min(detector.detect([i])[0], key=lambda d: abs(d.box.centre[0] - 125)) for i in images]
        found.append([embedder.align(i, d) for i, d in zip(images, middle, strict=True)])
    return found


def test_people_of_lfw_are_told_apart(embedder: Embedder) -> None:
    pairs = crops_of_lfw(embedder, 20)
    first = embedder.embed([pair[0] for pair in pairs])
    second = embedder.embed([pair[1] for pair in pairs])
    scores = first @ second.T
    assert (scores.argmax(axis=1) == np.arange(len(pairs))).mean() >= 0.9
    same, other = np.diag(scores), scores[~np.eye(len(pairs), dtype=bool)]
    assert np.median(same) > 0.5
    assert abs(np.median(other)) < 0.15


def test_vectors_do_not_depend_on_their_company(embedder: Embedder) -> None:
    side = 160 if embedder.dimension == 512 else 112
    crops = [np.random.default_rng(i).integers(0, 256, (side, side, 3)).astype(np.uint8) for i in range(3)]
    together = embedder.embed(crops)
    assert together.shape == (3, embedder.dimension)
    assert together.dtype == np.float32
    assert np.linalg.norm(together, axis=1) == pytest.approx(1, abs=1e-5)
    for crop, row in zip(crops, together, strict=True):
        assert embedder.embed([crop])[0] @ row > 0.9999
    assert embedder.embed([]).shape == (0, embedder.dimension)


def test_the_model_id_changes_with_the_alignment_only() -> None:
    spec = find_spec("facenet_vggface2", Kind.EMBEDDER)
    assert spec.model_id == "facenet_vggface2/stretched-1"
    assert replace(spec, artefacts=spec.artefacts[:1]).model_id == spec.model_id
    assert replace(spec, template="plain").model_id != spec.model_id
    assert replace(spec, revision=2).model_id != spec.model_id


def test_facenet_computes_what_facenet_pytorch_computes() -> None:
    import torch
    from facenet_pytorch import InceptionResnetV1, fixed_image_standardization

    spec = find_spec("facenet_vggface2", Kind.EMBEDDER)
    state = torch.load(io.BytesIO(read_weights(spec, [weights_dir()])), weights_only=True)
    theirs = InceptionResnetV1(pretrained=None).eval()
    theirs.load_state_dict({k: v.float() for k, v in state.items() if not k.startswith("logits.")})
    ours = load_embedder(replace(spec, template="plain"), PLACE)
    image = cv2.imread(str(data_dir() / "gallery" / "obama" / "1.jpg"))
    points = ((ARCFACE_112 - 56) * 2.5 + (500, 260)).astype(np.float32)
    crop = ours.align(image, Detection(Box(378, 82, 613, 420), 0.9, points))
    tensor = fixed_image_standardization(torch.from_numpy(crop.copy()).permute(2, 0, 1).float())
    with torch.inference_mode():
        vector = theirs(tensor[None])[0].numpy()
    assert ours.embed([crop])[0] @ vector > 0.99999


def test_a_weight_file_with_code_in_it_is_not_loaded() -> None:
    import pickle

    from homeface.inference.runtimes.torch import load_state

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (print, ("this must never run",))

    import torch

    buffer = io.BytesIO()
    torch.save({"weight": Evil()}, buffer)
    for content in (buffer.getvalue(), pickle.dumps(Evil(), protocol=2), b"no weights at all", b""):
        with pytest.raises(ModelError):
            load_state(content, "model.pt")


def test_weights_of_another_network_are_refused() -> None:
    import torch

    from homeface.inference.embedders.facenet import facenet

    buffer = io.BytesIO()
    torch.save({"weight": torch.zeros(3)}, buffer)
    with pytest.raises(ModelError, match="another network"):
        facenet(find_spec("facenet_vggface2", Kind.EMBEDDER), buffer.getvalue()).make()


def test_a_wrong_entry_for_an_onnx_file_is_told() -> None:
    spec = find_spec("mobilefacenet", Kind.EMBEDDER)
    with pytest.raises(ModelError, match="input_px"):
        load_embedder(replace(spec, input_px=160), PLACE)
    with pytest.raises(ModelError, match="template"):
        load_embedder(replace(spec, template="oval"), PLACE)
    detector = replace(spec, artefacts=find_spec("yunet_n", Kind.DETECTOR).artefacts)
    with pytest.raises(ModelError):
        load_embedder(detector, PLACE)


def test_what_is_no_onnx_file_is_told() -> None:
    from homeface.inference.runtimes.onnx import OnnxSession

    with pytest.raises(ModelError, match="ONNX"):
        OnnxSession(b"not a network", "mine", "cpu")


def test_a_closed_session_says_so() -> None:
    for name in ("facenet_vggface2", "mobilefacenet"):
        embedder = load_embedder(find_spec(name, Kind.EMBEDDER), PLACE)
        embedder.close()
        embedder.close()
        with pytest.raises(ModelError, match="closed"):
            embedder.embed([np.zeros((160, 160, 3), np.uint8)])


def test_the_device_is_picked_or_told() -> None:
    assert pick_device("cpu") == "cpu"
    with pytest.raises(BackendUnavailableError, match="gpu"):
        pick_device("gpu")
    lines = device_report("cpu", specs=[find_spec("mobilefacenet", Kind.EMBEDDER)])
    assert lines[0] == "cpu"
    assert lines[1].startswith("mobilefacenet in ")
    assert any(line.startswith("torch ") for line in lines)
    if not cuda_devices():
        assert pick_device("auto") == "cpu"
        with pytest.raises(BackendUnavailableError, match="no CUDA"):
            device_report("cuda")


@pytest.mark.parametrize("bad", [[[0.0, 0.0]], [[np.nan, 1.0]], [[np.inf, 1.0]]])
def test_a_vector_without_a_direction_is_an_error(bad: list[list[float]]) -> None:
    with pytest.raises(ModelError, match="not finite or has no length"):
        unit_rows(np.array(bad))
