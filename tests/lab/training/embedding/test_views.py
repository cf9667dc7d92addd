"""What the network is shown in training is what the daemon will show it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from homeface.core.geometry import ARCFACE_112
from homeface.inference.alignment import cut, template_named
from homeface.lab.training.embedding.aligned import WIDE, WIDE_PX
from homeface.lab.training.embedding.networks import Backbone, backbone_named
from homeface.lab.training.embedding.views import NOTHING, Augmentation, Cutter, movements, weather, weathered

LANDMARKS = ARCFACE_112 * 1.1 + 70
"""Of a face in a picture of 300 pixels, upright."""


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """Smooth colours with a corner here and there: (300, 300, 3) BGR."""
    y, x = np.mgrid[0:300, 0:300]
    waves = [np.sin(x / 9 + 1), np.cos(y / 11), np.sin((x + y) / 13)]
    return np.stack([127 + 100 * wave for wave in waves], axis=-1).astype(np.uint8)


def wide(picture: np.ndarray) -> torch.Tensor:
    face = cut(picture, LANDMARKS, WIDE_PX, WIDE)
    return torch.from_numpy(face).permute(2, 0, 1)[None]


@pytest.mark.parametrize(
    ("name", "input_px"), [("mobilefacenet", 112), ("inception_resnet_v1", 160), ("mobilefacenet", 64)]
)
def test_the_cut_is_the_daemons(name: str, input_px: int, picture: np.ndarray) -> None:
    backbone = backbone_named(name).sized(input_px, None)
    pixels = Cutter(backbone).cut(wide(picture))[0].permute(1, 2, 0).numpy() * 255
    template = template_named(backbone.template)
    truth = cut(picture, LANDMARKS, input_px, template).astype(float)  # type: ignore[arg-type]
    inner = slice(input_px // 10, -(input_px // 10))
    assert np.abs(pixels - truth)[inner, inner].mean() < 3.0
    moved = np.roll(truth, 4, axis=1)  # the measure notices four pixels
    assert np.abs(pixels - moved)[inner, inner].mean() > 6.0


def test_pixels_are_normalised_as_the_daemon_does(picture: np.ndarray) -> None:
    backbone = backbone_named("mobilefacenet")
    cutter = Cutter(backbone)
    plain = cutter.cut(wide(picture))[0, :, 50, 60].numpy() * 255
    fed = cutter(wide(picture))[0, :, 50, 60].numpy()
    assert fed == pytest.approx((plain - np.array(backbone.mean)) / np.array(backbone.std), abs=1e-4)


def test_no_augmentation_is_the_plain_cut(picture: np.ndarray) -> None:
    cutter = Cutter(backbone_named("mobilefacenet"))
    still = cutter.cut(wide(picture), movements(1, NOTHING))
    assert torch.allclose(still, cutter.cut(wide(picture)), atol=1e-5)
    assert torch.allclose(weathered(still, weather(1, NOTHING)), still, atol=1e-5)


def test_a_seed_repeats_every_view(picture: np.ndarray) -> None:
    def view(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        cutter = Cutter(backbone_named("mobilefacenet"))
        faces = wide(picture).expand(8, -1, -1, -1)
        return weathered(cutter.cut(faces, movements(8, Augmentation())), weather(8, Augmentation()))

    first = view(1)
    assert torch.equal(first, view(1))
    assert not torch.equal(first, view(2))
    assert float(first.min()) >= 0
    assert float(first.max()) <= 1
    assert len({round(float(face.mean()), 4) for face in first}) == 8


def test_a_mirrored_face_is_mirrored_about_its_middle(picture: np.ndarray) -> None:
    always = Augmentation(0, 0, 0, 0, 0, 1.0, 0, 0, 0, 0, 0, 0, 0)
    cutter = Cutter(backbone_named("mobilefacenet"))
    mirrored = cutter.cut(wide(picture), movements(1, always))
    # the template's middle is the wide face's, to a tenth of a pixel
    assert float((mirrored.flip(-1) - cutter.cut(wide(picture))).abs().mean()) < 0.02


def test_a_template_without_landmarks_cannot_be_trained() -> None:
    from dataclasses import replace

    from homeface.errors import ModelError

    boxed: Backbone = replace(backbone_named("mobilefacenet"), template="plain")
    with pytest.raises(ModelError, match="train with arcface_112 or stretched"):
        Cutter(boxed)
