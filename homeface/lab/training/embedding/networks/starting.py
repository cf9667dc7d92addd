"""Weights to start from: our own checkpoints, InsightFace's ``backbone.pth``, facenet-pytorch's files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING

from homeface.errors import ModelError

if TYPE_CHECKING:
    import torch
    from torch import nn

_PREFIXES = ("module.", "backbone.", "network.")
"""What trainers put before the names: wrappers for several devices, and modules that hold a backbone."""
_NESTED = ("state_dict", "model", "state")
_CLASSIFIER = ("logits.", "head.", "classifier.")


@dataclass(frozen=True, slots=True)
class Started:
    """What a file brought: how many tensors were taken, and the parts that stay random."""

    taken: int
    fresh: tuple[str, ...]


def start_from(module: nn.Module, file: Path) -> Started:
    """Load what fits of a weight file into the network; the vector's own layers may differ in size.

    Raises ``ModelError`` when the file is none, holds a value that is not finite, or is another network's.
    """
    state = _without_prefix(read_state(file))
    own = module.state_dict()
    fitting = {name: value for name, value in state.items() if name in own and own[name].shape == value.shape}
    fresh = [name for name in own if name not in fitting and not name.endswith("num_batches_tracked")]
    weights = [name for name in own if not name.endswith("num_batches_tracked")]
    if len(weights) - len(fresh) < len(weights) // 2:
        raise ModelError(
            f"{file} holds the weights of another network: {len(weights) - len(fresh)} of "
            f"{len(weights)} tensors fit. Name the backbone that they belong to with --backbone."
        )
    module.load_state_dict({**own, **fitting})
    parts = dict.fromkeys(name.rpartition(".")[0] for name in fresh)
    return Started(len(fitting), tuple(parts))


def read_state(file: Path) -> dict[str, torch.Tensor]:
    """The tensors of a weight file as float32; nothing but tensors is unpickled. Raises ``ModelError``."""
    import torch

    try:
        loaded = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ModelError(f"The weights {file} cannot be read: {error.strerror or error}.") from error
    except UnpicklingError as error:
        raise ModelError(f"{file} holds more than weights and is not loaded: {error}") from error
    except (RuntimeError, ValueError, EOFError, KeyError) as error:
        raise ModelError(f"{file} is no PyTorch weight file: {error}") from error
    nested = next((loaded[key] for key in _NESTED if isinstance(loaded, dict) and key in loaded), loaded)
    tensors = nested.items() if isinstance(nested, Mapping) else ()
    state = {str(name): value for name, value in tensors if isinstance(value, torch.Tensor)}
    if not state:
        raise ModelError(f"{file} holds no weights.")
    for name, value in state.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise ModelError(f"{file}: {name} holds values that are not finite; take another file.")
    return {name: value.float() if value.is_floating_point() else value for name, value in state.items()}


def _without_prefix(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Names as the bare network has them, without the classifier it was trained with."""
    plain: dict[str, torch.Tensor] = {}
    for name, value in state.items():
        bare = name
        while (prefix := next((p for p in _PREFIXES if bare.startswith(p)), "")) != "":
            bare = bare.removeprefix(prefix)
        if not bare.startswith(_CLASSIFIER):
            plain[bare] = value
    return plain
