"""MobileFaceNet: about a million weights, made for phones.

Chen et al., "MobileFaceNets: Efficient CNNs for Accurate Real-Time Face Verification on Mobile Devices",
2018, built from the inverted residuals of Sandler et al., "MobileNetV2", 2018. Modules are named as in the
weights that foamliu/MobileFaceNet publishes, so that those load as they are.
"""

from __future__ import annotations

import torch
from torch import nn

_STAGES = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))
"""Expansion, channels, blocks and stride of each stage (table 1 of the paper)."""
_WIDE, _NARROW = 512, 64
_SHRINKS_BY = 16


def _rectified(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU6."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU6(inplace=True))


class _InvertedResidual(nn.Module):
    """Wide inside, narrow outside; what comes in is added where the shapes allow it."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        inside = inputs * expansion
        self.adds = stride == 1 and inputs == outputs
        self.conv = nn.Sequential(
            _rectified(inputs, inside, 1),
            _rectified(inside, inside, 3, stride, groups=inside),
            nn.Conv2d(inside, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps of (N, inputs, h, w) to (N, outputs, h / stride, w / stride)."""
        y: torch.Tensor = self.conv(x)
        return x + y if self.adds else y


class _Separable(nn.Module):
    """A convolution in each channel, then one across them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Keeps the shape."""
        x = torch.relu(self.bn1(self.depthwise(x)))
        return torch.relu(self.bn2(self.pointwise(x)))


class _GlobalDepthwise(nn.Module):
    """Each channel's map becomes one number by learned weights: a nose counts for more than a corner."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, side, groups=channels, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, channels, side, side) to (N, channels, 1, 1)."""
        y: torch.Tensor = self.bn(self.depthwise(x))
        return y


class MobileFaceNet(nn.Module):
    """(N, 3, input_px, input_px) to (N, dimension), not of unit length. ``input_px`` is a multiple of 16."""

    def __init__(self, dimension: int = 128, input_px: int = 112) -> None:
        super().__init__()
        self.conv1 = _rectified(3, _NARROW, 3, 2)
        self.dw_conv = _Separable(_NARROW)
        blocks: list[nn.Module] = []
        width = _NARROW
        for expansion, channels, count, stride in _STAGES:
            for number in range(count):
                blocks.append(_InvertedResidual(width, channels, stride if number == 0 else 1, expansion))
                width = channels
        self.features = nn.Sequential(*blocks)
        self.conv2 = _rectified(width, _WIDE, 1)
        self.gdconv = _GlobalDepthwise(_WIDE, input_px // _SHRINKS_BY)
        self.conv3 = nn.Conv2d(_WIDE, dimension, 1)
        self.bn = nn.BatchNorm1d(dimension)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Vectors of pictures whose pixels are normalised as the published weights want them."""
        x = self.conv2(self.features(self.dw_conv(self.conv1(x))))
        y: torch.Tensor = self.bn(self.conv3(self.gdconv(x)).flatten(1))
        return y
