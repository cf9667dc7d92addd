"""Faster R-CNN on MobileNetV2, from torchvision's parts, with one class: face.

Ren et al., "Faster R-CNN: Towards Real-Time Object Detection with Region Proposal Networks", 2015; Sandler et
al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018; Lin et al., "Feature Pyramid Networks for
Object Detection", 2017.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torchvision.models import mobilenet_v2
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import MultiScaleRoIAlign

from homeface.errors import TrainingError

Variant = Literal["single", "fpn"]
MEAN = (123.675, 116.28, 103.53)
STD = (58.395, 57.12, 57.375)
"""ImageNet's, red first, of pixels from 0 to 255: what weights of MobileNetV2 expect."""
_SINGLE_CHANNELS = 1280
_LEVELS = {"6": "0", "13": "1", "18": "2"}
"""The last blocks of MobileNetV2 at strides 8, 16 and 32, and what their maps are called."""
_ANCHORS: dict[str, tuple[tuple[int, ...], ...]] = {
    "single": ((32, 64, 128, 256, 512),),
    "fpn": ((16, 24), (32, 48), (64, 96), (128, 256)),
}
_RATIOS = (1.0, 1.4)
"""Height by width: faces are a little taller than wide."""
_POOL = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What is built. ``variant``: one map of 1280 channels at stride 32 (``single``), or a pyramid of
    ``pyramid`` channels at strides 8 to 64 (``fpn``). ``head``: width of the two layers that judge a region.
    ``width``: of MobileNetV2's layers, 1 as published. ``regions``: of a picture, that the second stage
    learns from.
    """

    variant: Variant = "single"
    pyramid: int = 128
    head: int = 1024
    width: float = 1.0
    regions: int = 128

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


class FaceRcnn(nn.Module):
    """The network with pictures as bytes: (N, 3, h, w) uint8, red first.

    With targets the losses, without them for each picture ``boxes`` (K, 4), ``scores`` (K,) and ``labels``.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.net = _faster_rcnn(shape).to(memory_format=torch.channels_last)
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(STD)[:, None, None], persistent=False)

    def forward(self, pictures: Tensor, targets: list[dict[str, Tensor]] | None = None) -> Any:
        """Losses by name, or detections by picture."""
        normal = (pictures.float() - self.mean) / self.std
        normal = normal.contiguous(memory_format=torch.channels_last)  # convolutions are quicker so
        features = _features(self.net.backbone(normal))
        sizes = [(normal.shape[2], normal.shape[3])] * len(normal)
        proposals, first = self.net.rpn(ImageList(normal, sizes), features, targets)
        found, second = self.net.roi_heads(features, proposals, sizes, targets)
        return found if targets is None else {**first, **second}


class OneFrame(nn.Module):
    """The same for one normalised picture (1, 3, h, w) of any size, as it is exported: boxes and scores."""

    def __init__(self, network: FaceRcnn) -> None:
        super().__init__()
        self.backbone = network.net.backbone
        self.rpn = network.net.rpn
        self.heads = network.net.roi_heads

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """(K, 4) corners in pixels and (K,) scores, best first."""
        features = self.backbone(picture)
        if isinstance(features, Tensor):
            features = OrderedDict([("0", features)])
        sizes = [(picture.shape[2], picture.shape[3])]
        proposals = self.rpn(ImageList(picture, sizes), features)[0]
        found = self.heads(features, proposals, sizes)[0][0]
        return found["boxes"], found["scores"]


def load_backbone(network: FaceRcnn, state: Any, what: str) -> None:
    """Weights of torchvision's MobileNetV2 (``features.*``) into the backbone. Raises ``TrainingError``."""
    if not isinstance(state, dict):
        raise TrainingError(f"{what} holds no state dict.")
    given = {k.removeprefix("features."): v for k, v in state.items() if not k.startswith("classifier.")}
    backbone = network.net.backbone
    target: Any = backbone.body if isinstance(backbone, BackboneWithFPN) else backbone
    try:
        target.load_state_dict(given)
    except (RuntimeError, AttributeError, TypeError) as error:
        raise TrainingError(f"{what} holds no weights of torchvision's MobileNetV2: {error}") from error


class _FloatRPNHead(RPNHead):  # type: ignore[misc]  # torchvision has no types
    """Half precision ends here: a box of 300 px has no fractions of a pixel in it."""

    def forward(self, x: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        logits, shifts = super().forward(x)
        return [value.float() for value in logits], [value.float() for value in shifts]


class _FloatPredictor(FastRCNNPredictor):  # type: ignore[misc]
    """The same for the second stage."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        scores, shifts = super().forward(x)
        return scores.float(), shifts.float()


def _features(value: Any) -> OrderedDict[str, Tensor]:
    return OrderedDict([("0", value)]) if isinstance(value, Tensor) else value


def _faster_rcnn(shape: Shape) -> FasterRCNN:
    blocks = mobilenet_v2(weights=None, width_mult=shape.width).features
    if shape.variant == "fpn":
        widths = [blocks[int(block)].out_channels for block in _LEVELS]
        backbone: Any = BackboneWithFPN(blocks, _LEVELS, widths, shape.pyramid)
        maps = list(_LEVELS.values())
    else:
        backbone = blocks
        backbone.out_channels = _SINGLE_CHANNELS
        maps = ["0"]
    sizes = _ANCHORS[shape.variant]
    anchors = AnchorGenerator(sizes, (_RATIOS,) * len(sizes))
    return FasterRCNN(
        backbone,
        rpn_anchor_generator=anchors,
        rpn_head=_FloatRPNHead(backbone.out_channels, anchors.num_anchors_per_location()[0]),
        rpn_pre_nms_top_n_train=1000,
        rpn_post_nms_top_n_train=500,
        rpn_pre_nms_top_n_test=500,
        rpn_post_nms_top_n_test=250,
        box_roi_pool=MultiScaleRoIAlign(maps, _POOL, 2),
        box_head=TwoMLPHead(backbone.out_channels * _POOL**2, shape.head),
        box_predictor=_FloatPredictor(shape.head, 2),
        box_batch_size_per_image=shape.regions,
        box_nms_thresh=0.4,
        box_detections_per_img=250,
    )
