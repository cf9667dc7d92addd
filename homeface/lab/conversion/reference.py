"""The same network once more, in plain numpy and TensorFlow's terms, to compare a conversion with.

It shares nothing with facenet-pytorch: pictures are (height, width, channels), kernels (height, width, in,
out), ``same`` pads at the end first, and variables go by TensorFlow's names. Szegedy et al., "Inception-v4,
Inception-ResNet and the Impact of Residual Connections on Learning", 2016, figures 9 to 14, with FaceNet's
widths.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from homeface.lab.conversion.checkpoint import TensorFlowCheckpoint
from homeface.lab.conversion.inception import SCOPE, Values, read

_EPSILON = 0.001
_SCALES = {"block35": 0.17, "block17": 0.10, "block8": 0.20}


class Reference:
    """FaceNet as its checkpoint has it."""

    def __init__(self, checkpoint: TensorFlowCheckpoint) -> None:
        self._checkpoint = checkpoint

    def embed(self, picture: Values) -> Values:
        """(D,) unit vector of one (160, 160, 3) RGB picture, (x - 127.5) / 128."""
        x = self._conv("Conv2d_1a_3x3", picture, 2, same=False)
        x = self._conv("Conv2d_2a_3x3", x, same=False)
        x = self._conv("Conv2d_2b_3x3", x)
        x = _max_pool(x)
        x = self._conv("Conv2d_3b_1x1", x, same=False)
        x = self._conv("Conv2d_4a_3x3", x, same=False)
        x = self._conv("Conv2d_4b_3x3", x, 2, same=False)
        for number in range(5):
            x = self._residual(f"Repeat/block35_{number + 1}", x, (("1x1", "3x3"), ("1x1", "3x3", "3x3")))
        x = self._first_reduction(x)
        for number in range(10):
            x = self._residual(f"Repeat_1/block17_{number + 1}", x, (("1x1", "1x7", "7x1"),))
        x = self._second_reduction(x)
        for number in range(5):
            x = self._residual(f"Repeat_2/block8_{number + 1}", x, (("1x1", "1x3", "3x1"),))
        # the last block is added as it is: neither scaled nor rectified
        x = x + self._mixed("Block8", x, (("1x1", "1x3", "3x1"),))
        vector = x.mean(axis=(0, 1)) @ self._value("Bottleneck/weights")
        vector = self._norm("Bottleneck", vector)
        return np.asarray(vector / np.linalg.norm(vector), np.float32)

    def _residual(self, scope: str, x: Values, branches: tuple[tuple[str, ...], ...]) -> Values:
        kind = scope.rpartition("/")[2].partition("_")[0]
        return _rectified(x + np.float32(_SCALES[kind]) * self._mixed(scope, x, branches))

    def _mixed(self, scope: str, x: Values, branches: tuple[tuple[str, ...], ...]) -> Values:
        parts = [self._conv(f"{scope}/Branch_0/Conv2d_1x1", x)]
        for number, kernels in enumerate(branches, 1):
            part = x
            for letter, kernel in zip("abc", kernels, strict=False):
                part = self._conv(f"{scope}/Branch_{number}/Conv2d_0{letter}_{kernel}", part)
            parts.append(part)
        joined = np.concatenate(parts, axis=-1)
        together = self._value(f"{scope}/Conv2d_1x1/weights")
        return _convolved(joined, together, 1, same=True) + self._value(f"{scope}/Conv2d_1x1/biases")

    def _first_reduction(self, x: Values) -> Values:
        one = self._conv("Mixed_6a/Branch_0/Conv2d_1a_3x3", x, 2, same=False)
        two = self._conv("Mixed_6a/Branch_1/Conv2d_0b_3x3", self._conv("Mixed_6a/Branch_1/Conv2d_0a_1x1", x))
        two = self._conv("Mixed_6a/Branch_1/Conv2d_1a_3x3", two, 2, same=False)
        return np.concatenate([one, two, _max_pool(x)], axis=-1)

    def _second_reduction(self, x: Values) -> Values:
        parts = []
        for number in range(3):
            part = self._conv(f"Mixed_7a/Branch_{number}/Conv2d_0a_1x1", x)
            if number == 2:
                part = self._conv(f"Mixed_7a/Branch_{number}/Conv2d_0b_3x3", part)
            parts.append(self._conv(f"Mixed_7a/Branch_{number}/Conv2d_1a_3x3", part, 2, same=False))
        return np.concatenate([*parts, _max_pool(x)], axis=-1)

    def _conv(self, scope: str, x: Values, stride: int = 1, *, same: bool = True) -> Values:
        return _rectified(
            self._norm(scope, _convolved(x, self._value(f"{scope}/weights"), stride, same=same))
        )

    def _norm(self, scope: str, x: Values) -> Values:
        mean, variance, shift = (
            self._value(f"{scope}/BatchNorm/{name}") for name in ("moving_mean", "moving_variance", "beta")
        )
        factor = 1 / np.sqrt(variance + np.float32(_EPSILON))
        if f"{SCOPE}/{scope}/BatchNorm/gamma" in self._checkpoint.entries:
            factor = factor * self._value(f"{scope}/BatchNorm/gamma")
        return np.asarray((x - mean) * factor + shift, np.float32)

    def _value(self, name: str) -> Values:
        return read(self._checkpoint, f"{SCOPE}/{name}")


def _rectified(x: Values) -> Values:
    return np.maximum(x, 0)


def _convolved(x: Values, kernel: Values, stride: int, *, same: bool) -> Values:
    height, width = kernel.shape[:2]
    if same:
        before = (height - 1) // 2, (width - 1) // 2
        after = height - 1 - before[0], width - 1 - before[1]
        x = np.pad(x, ((before[0], after[0]), (before[1], after[1]), (0, 0)))
    windows = sliding_window_view(x, (height, width), axis=(0, 1))[::stride, ::stride]
    # windows are (rows, columns, channels, height, width)
    return np.asarray(np.tensordot(windows, kernel, axes=([3, 4, 2], [0, 1, 2])), np.float32)


def _max_pool(x: Values) -> Values:
    return np.asarray(sliding_window_view(x, (3, 3), axis=(0, 1))[::2, ::2].max(axis=(3, 4)), np.float32)
