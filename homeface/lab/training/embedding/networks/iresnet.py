"""IResNet: the residual network of ArcFace.

Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", 2019: batch norm before
the first convolution of each block, PReLU, a linear layer over the whole last map. Modules are named as in
InsightFace's ``backbone.pth`` files, so that those load as they are.
"""

from __future__ import annotations

import torch
from torch import nn

_EPSILON = 1e-5
_WIDTHS = (64, 128, 256, 512)
BLOCKS = {"iresnet18": (2, 2, 2, 2), "iresnet50": (3, 4, 14, 3)}
_SHRINKS_BY = 16


class _Block(nn.Module):
    """Batch norm, convolution, batch norm, PReLU, convolution, batch norm; plus what came in."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs, _EPSILON)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs, _EPSILON)
        self.prelu = nn.PReLU(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs, _EPSILON)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs, _EPSILON)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, inputs, h, w) to (N, outputs, h / stride, w / stride)."""
        y: torch.Tensor = self.bn3(self.conv2(self.prelu(self.bn2(self.conv1(self.bn1(x))))))
        return y + (x if self.downsample is None else self.downsample(x))


class IResNet(nn.Module):
    """(N, 3, input_px, input_px) to (N, dimension), not of unit length. ``input_px`` is a multiple of 16."""

    def __init__(self, blocks: tuple[int, ...], dimension: int = 512, input_px: int = 112) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, _WIDTHS[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(_WIDTHS[0], _EPSILON)
        self.prelu = nn.PReLU(_WIDTHS[0])
        width = _WIDTHS[0]
        stages = []
        for channels, count in zip(_WIDTHS, blocks, strict=True):
            stages.append(
                nn.Sequential(
                    _Block(width, channels, 2), *(_Block(channels, channels, 1) for _ in range(count - 1))
                )
            )
            width = channels
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.bn2 = nn.BatchNorm2d(width, _EPSILON)
        side = input_px // _SHRINKS_BY
        self.fc = nn.Linear(width * side * side, dimension)
        self.features = nn.BatchNorm1d(dimension, _EPSILON)
        self.features.weight.requires_grad_(False)  # the length of the vector means nothing

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Vectors of pictures in -1..1."""
        x = self.prelu(self.bn1(self.conv1(x)))
        x = self.bn2(self.layer4(self.layer3(self.layer2(self.layer1(x)))))
        y: torch.Tensor = self.features(self.fc(x.flatten(1)))
        return y
