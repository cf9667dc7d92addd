"""FaceNet's Inception-ResNet V1: TensorFlow's variables under facenet-pytorch's names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from homeface.errors import ModelError
from homeface.lab.conversion.checkpoint import TensorFlowCheckpoint

if TYPE_CHECKING:
    import torch

SCOPE = "InceptionResnetV1"
Values = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: its scope in TensorFlow, its module here. ``normalised``: it has a batch norm, no bias."""

    scope: str
    module: str
    normalised: bool = True


def _stem() -> Iterator[Layer]:
    for scope in ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3"):
        yield Layer(scope, scope[: len("Conv2d_1a")].lower())
    yield Layer("Conv2d_4b_3x3", "conv2d_4b")


def _block(scope: str, module: str, *branches: tuple[str, ...]) -> Iterator[Layer]:
    """A residual block: a branch of one layer, then longer ones, then the layer that puts them together."""
    yield Layer(f"{scope}/Branch_0/Conv2d_1x1", f"{module}.branch0")
    for number, layers in enumerate(branches, 1):
        for place, layer in enumerate(layers):
            yield Layer(
                f"{scope}/Branch_{number}/Conv2d_0{'abc'[place]}_{layer}", f"{module}.branch{number}.{place}"
            )
    yield Layer(f"{scope}/Conv2d_1x1", f"{module}.conv2d", normalised=False)


def _reductions() -> Iterator[Layer]:
    first, second = "Mixed_6a", "Mixed_7a"
    yield Layer(f"{first}/Branch_0/Conv2d_1a_3x3", "mixed_6a.branch0")
    for place, scope in enumerate(("Conv2d_0a_1x1", "Conv2d_0b_3x3", "Conv2d_1a_3x3")):
        yield Layer(f"{first}/Branch_1/{scope}", f"mixed_6a.branch1.{place}")
    for branch in (0, 1):
        for place, scope in enumerate(("Conv2d_0a_1x1", "Conv2d_1a_3x3")):
            yield Layer(f"{second}/Branch_{branch}/{scope}", f"mixed_7a.branch{branch}.{place}")
    for place, scope in enumerate(("Conv2d_0a_1x1", "Conv2d_0b_3x3", "Conv2d_1a_3x3")):
        yield Layer(f"{second}/Branch_2/{scope}", f"mixed_7a.branch2.{place}")


def layers() -> tuple[Layer, ...]:
    """Every layer but the last linear one."""
    found = [*_stem(), *_reductions()]
    for number in range(5):
        found += _block(
            f"Repeat/block35_{number + 1}", f"repeat_1.{number}", ("1x1", "3x3"), ("1x1", "3x3", "3x3")
        )
        found += _block(f"Repeat_2/block8_{number + 1}", f"repeat_3.{number}", ("1x1", "1x3", "3x1"))
    for number in range(10):
        found += _block(f"Repeat_1/block17_{number + 1}", f"repeat_2.{number}", ("1x1", "1x7", "7x1"))
    found += _block("Block8", "block8", ("1x1", "1x3", "3x1"))
    return tuple(found)


def state_from(checkpoint: TensorFlowCheckpoint) -> dict[str, torch.Tensor]:
    """A state dict for facenet-pytorch's ``InceptionResnetV1``.

    Raises ``ModelError`` for a checkpoint of another network, or values that are not finite.
    """
    import torch

    state: dict[str, Values] = {}
    for layer in layers():
        scope = f"{SCOPE}/{layer.scope}"
        kernel = read(checkpoint, f"{scope}/weights")
        if layer.normalised:
            state[f"{layer.module}.conv.weight"] = kernel.transpose(3, 2, 0, 1)
            state |= _norm(checkpoint, f"{scope}/BatchNorm", f"{layer.module}.bn")
        else:
            state[f"{layer.module}.weight"] = kernel.transpose(3, 2, 0, 1)
            state[f"{layer.module}.bias"] = read(checkpoint, f"{scope}/biases")
    state["last_linear.weight"] = read(checkpoint, f"{SCOPE}/Bottleneck/weights").T
    state |= _norm(checkpoint, f"{SCOPE}/Bottleneck/BatchNorm", "last_bn")
    return {name: torch.from_numpy(np.array(value, np.float32)) for name, value in state.items()}


def _norm(checkpoint: TensorFlowCheckpoint, scope: str, module: str) -> dict[str, Values]:
    """Slim's batch norm has no factor unless it was asked for: then it is one."""
    shift = read(checkpoint, f"{scope}/beta")
    factor = f"{scope}/gamma"
    return {
        f"{module}.weight": read(checkpoint, factor) if factor in checkpoint.entries else np.ones_like(shift),
        f"{module}.bias": shift,
        f"{module}.running_mean": read(checkpoint, f"{scope}/moving_mean"),
        f"{module}.running_var": read(checkpoint, f"{scope}/moving_variance"),
    }


def read(checkpoint: TensorFlowCheckpoint, name: str) -> Values:
    """A variable as float32. Raises ``ModelError`` when it is lacking or not finite."""
    if name not in checkpoint.entries:
        raise ModelError(
            f"{checkpoint.prefix} is no FaceNet of the kind Inception-ResNet V1: it has no {name}."
        )
    values = checkpoint.read(name).astype(np.float32)
    if not np.isfinite(values).all():
        raise ModelError(f"{checkpoint.prefix}: {name} holds values that are not finite.")
    return values
