"""Backbones and the weights they start from: published files give the vectors that they are known for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from homeface.errors import ModelError
from homeface.lab.training.embedding.networks import BACKBONES, backbone_named, build, part_of
from homeface.lab.training.embedding.networks.starting import start_from
from homeface.lab.training.embedding.task import frozen_parts
from tests.support.data import requires_data, weights_dir

SMALL = {"iresnet50": 32, "resnet50": 32, "mobilefacenet": 32}


@pytest.mark.parametrize("name", SMALL)
def test_a_face_becomes_a_vector_of_the_wanted_length(name: str) -> None:
    backbone = backbone_named(name).sized(SMALL[name], 64)
    network = build(backbone).eval()
    with torch.no_grad():
        assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 64)


@pytest.mark.parametrize("name", BACKBONES)
def test_every_weight_belongs_to_a_part(name: str) -> None:
    backbone = backbone_named(name)
    with torch.device("meta"):
        network = build(backbone)
    parts = {part_of(name, backbone.parts) for name, _ in network.named_parameters()}
    assert parts == {number for number, part in enumerate(backbone.parts) if _has_weights(network, part)}
    for parameter, _ in network.named_parameters():
        assert any(parameter.startswith(f"{part}.") for part in backbone.parts)


def _has_weights(network: torch.nn.Module, part: str) -> bool:
    return any(True for _ in network.get_submodule(part).parameters())


@requires_data
def test_published_mobilefacenet_gives_the_vectors_of_its_onnx_file() -> None:
    import onnxruntime

    network = build(backbone_named("mobilefacenet")).eval()
    started = start_from(network, weights_dir() / "embed" / "mobilefacenet_foamliu.pt")
    assert started.fresh == ()
    face = torch.randn(1, 3, 112, 112, generator=torch.Generator().manual_seed(0))
    session = onnxruntime.InferenceSession(weights_dir() / "embed" / "MobileFaceNet_foamliu.onnx")
    with torch.no_grad():
        ours = network(face).numpy()
    assert np.abs(ours - session.run(None, {"input0": face.numpy()})[0]).max() < 1e-4


@requires_data
def test_published_facenet_starts_inception_whole() -> None:
    network = build(backbone_named("inception_resnet_v1"))
    file = weights_dir() / "embed" / "inception_resnet_v1_vggface2_fp16.pt"
    assert start_from(network, file).fresh == ()


def test_insightface_backbone_with_wrappers_and_classifier(tmp_path: Path) -> None:
    """The layout of ``ms1mv3_arcface_r50/backbone.pth``, as trainers save it."""
    backbone = backbone_named("iresnet18").sized(32, 64)
    source, target = build(backbone), build(backbone)
    state = {f"module.{name}": value for name, value in source.state_dict().items()}
    torch.save({"state_dict": {**state, "head.weight": torch.zeros(10, 64)}}, tmp_path / "backbone.pth")
    assert start_from(target, tmp_path / "backbone.pth").fresh == ()
    assert torch.equal(target.state_dict()["fc.weight"], source.state_dict()["fc.weight"])


def test_another_length_of_the_vector_leaves_its_own_layers_fresh(tmp_path: Path) -> None:
    torch.save(build(backbone_named("mobilefacenet")).state_dict(), tmp_path / "weights.pt")
    started = start_from(build(backbone_named("mobilefacenet").sized(None, 64)), tmp_path / "weights.pt")
    assert started.fresh == ("conv3", "bn")


class _Strange:
    pass


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot be read"),
        (b"no weights", "is no PyTorch weight file|holds more than weights"),
        ({"conv1.weight": torch.zeros(3)}, "holds the weights of another network: 0 of"),
        ({}, "holds no weights"),
        (
            {"conv1.0.weight": torch.full((64, 3, 3, 3), torch.nan)},
            "conv1.0.weight holds values that are not",
        ),
        (_Strange(), "holds more than weights"),
    ],
)
def test_weights_that_cannot_be_started_from(content: object, told: str, tmp_path: Path) -> None:
    file = tmp_path / "weights.pt"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        torch.save(content, file)
    with pytest.raises(ModelError, match=told):
        start_from(build(backbone_named("mobilefacenet")), file)


@pytest.mark.parametrize(
    ("name", "input_px", "dimension", "told"),
    [
        ("mobilefacenet", 100, None, "a multiple of 16 pixels"),
        ("inception_resnet_v1", None, 128, "gives 512 numbers a face, not 128"),
        ("mobilefacenet", None, 4, "8 to 4096 numbers"),
    ],
)
def test_sizes_that_a_backbone_cannot_have(
    name: str, input_px: int | None, dimension: int | None, told: str
) -> None:
    with pytest.raises(ModelError, match=told):
        backbone_named(name).sized(input_px, dimension)


def test_an_unknown_backbone() -> None:
    with pytest.raises(ModelError, match=r"no backbone called 'vit'\. Known: mobilefacenet"):
        backbone_named("vit")


def test_parts_that_are_not_trained() -> None:
    assert frozen_parts(backbone_named("mobilefacenet"), 0) == ()
    assert "gdconv" not in frozen_parts(backbone_named("mobilefacenet"), 3)
    assert "conv2" in frozen_parts(backbone_named("mobilefacenet"), 3)
