"""The backbones: what turns an aligned face into a vector, and what each wants to be fed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from homeface.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

_HALF = (127.5, 127.5, 127.5)
_IMAGENET_MEAN = (123.675, 116.28, 103.53)
_IMAGENET_STD = (58.395, 57.12, 57.375)


@dataclass(frozen=True, slots=True)
class Backbone:
    """How a backbone is built and fed. A pixel x (0..255, RGB) enters as (x - mean) / std.

    ``template``: how faces are cut (``inference.alignment``). ``parts``: prefixes of module names from the
    input to the output: learning rates fall by depth along them, and fine-tuning opens the last ones first.
    ``step``: the side of the input is a multiple of it.
    """

    name: str
    input_px: int
    dimension: int
    template: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    parts: tuple[str, ...]
    step: int = 16

    def sized(self, input_px: int | None, dimension: int | None) -> Backbone:
        """With another size of the input or the vector. Raises ``ModelError`` for one it cannot have."""
        sized = replace(self, input_px=input_px or self.input_px, dimension=dimension or self.dimension)
        if self.name == INCEPTION and sized.dimension != self.dimension:
            raise ModelError(f"{self.name} gives {self.dimension} numbers a face, not {sized.dimension}.")
        if sized.input_px < 32 or sized.input_px % self.step:
            raise ModelError(
                f"{self.name} takes pictures of a multiple of {self.step} pixels from 32 up, "
                f"not {sized.input_px}."
            )
        if not 8 <= sized.dimension <= 4096:
            raise ModelError(f"A vector has 8 to 4096 numbers, not {sized.dimension}.")
        return sized


INCEPTION = "inception_resnet_v1"
_RESNET_PARTS = ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4", "fc")
_IRESNET_PARTS = ("conv1", "bn1", "prelu", "layer1", "layer2", "layer3", "layer4", "bn2", "fc", "features")
_INCEPTION_PARTS = (
    *("conv2d_1a", "conv2d_2a", "conv2d_2b", "conv2d_3b", "conv2d_4a", "conv2d_4b", "repeat_1", "mixed_6a"),
    *("repeat_2", "mixed_7a", "repeat_3", "block8", "last_linear", "last_bn"),
)
_MOBILE_PARTS = (
    *("conv1", "dw_conv", *(f"features.{number}" for number in range(15)), "conv2", "gdconv", "conv3", "bn"),
)

BACKBONES: dict[str, Backbone] = {
    backbone.name: backbone
    for backbone in (
        Backbone("mobilefacenet", 112, 128, "arcface_112", _IMAGENET_MEAN, _IMAGENET_STD, _MOBILE_PARTS),
        Backbone("iresnet18", 112, 512, "arcface_112", _HALF, _HALF, _IRESNET_PARTS),
        Backbone("iresnet50", 112, 512, "arcface_112", _HALF, _HALF, _IRESNET_PARTS),
        Backbone("resnet50", 112, 512, "arcface_112", _IMAGENET_MEAN, _IMAGENET_STD, _RESNET_PARTS, step=1),
        Backbone("resnet101", 112, 512, "arcface_112", _IMAGENET_MEAN, _IMAGENET_STD, _RESNET_PARTS, step=1),
        Backbone(INCEPTION, 160, 512, "stretched", _HALF, (128.0, 128.0, 128.0), _INCEPTION_PARTS, step=1),
    )
}


def backbone_named(name: str) -> Backbone:
    """The backbone of that name. Raises ``ModelError`` naming the known ones."""
    if name not in BACKBONES:
        raise ModelError(f"There is no backbone called {name!r}. Known: {', '.join(BACKBONES)}.")
    return BACKBONES[name]


def build(backbone: Backbone) -> nn.Module:
    """The network with random weights: (N, 3, input_px, input_px) to (N, dimension), of any length."""
    if backbone.name == "mobilefacenet":
        from homeface.lab.training.embedding.networks.mobilefacenet import MobileFaceNet

        return MobileFaceNet(backbone.dimension, backbone.input_px)
    if backbone.name == INCEPTION:
        from facenet_pytorch.models.inception_resnet_v1 import InceptionResnetV1

        inception: nn.Module = InceptionResnetV1(pretrained=None)
        return inception
    if backbone.name.startswith("iresnet"):
        from homeface.lab.training.embedding.networks.iresnet import BLOCKS, IResNet

        return IResNet(BLOCKS[backbone.name], backbone.dimension, backbone.input_px)
    return _resnet(backbone)


def part_of(name: str, parts: Sequence[str]) -> int:
    """Which part (by number from the input) a parameter belongs to; the last one when none fits."""
    for number, part in enumerate(parts):
        if name == part or name.startswith(f"{part}."):
            return number
    return len(parts) - 1


def _resnet(backbone: Backbone) -> nn.Module:
    """torchvision's, with a linear layer and batch norm over the pooled map for the vector."""
    import torchvision
    from torch import nn

    module: nn.Module = getattr(torchvision.models, backbone.name)(weights=None)
    module.fc = nn.Sequential(nn.Linear(2048, backbone.dimension), nn.BatchNorm1d(backbone.dimension))
    return module
