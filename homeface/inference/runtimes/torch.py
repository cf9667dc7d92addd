"""PyTorch as a runtime. Imported by the device thread only."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch import nn

from homeface.errors import BackendUnavailableError, ModelError
from homeface.inference.types import Tensor


def pick_device(wish: str) -> str:
    """``auto``, ``cpu``, ``cuda`` or ``cuda:N`` as the device to use. Raises ``BackendUnavailableError``."""
    if wish == "cpu":
        return "cpu"
    index = 0
    if wish not in {"auto", "cuda"}:
        kind, _, number = wish.partition(":")
        if kind != "cuda" or not number.isdigit():
            raise BackendUnavailableError(f"There is no device {wish!r}: use auto, cpu, cuda or cuda:N.")
        index = int(number)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if index < count:
        return f"cuda:{index}"
    if wish == "auto":
        return "cpu"
    seen = f"{count} CUDA device(s)" if count else "no CUDA device"
    raise BackendUnavailableError(f"The device {wish} was asked for, but torch sees {seen}; use auto or cpu.")


def set_threads(count: int) -> None:
    """CPU threads of this (the device) thread's work; 0 leaves torch's choice."""
    if count > 0:
        torch.set_num_threads(count)


def load_state(content: bytes, what: str) -> dict[str, torch.Tensor]:
    """A state dict as float32 from the bytes of a weight file; nothing but tensors is unpickled."""
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (RuntimeError, ValueError, EOFError, KeyError, OSError) as error:
        raise ModelError(f"{what} is no PyTorch weight file: {error}") from error
    except UnpicklingError as error:
        raise ModelError(f"{what} holds more than weights and is not loaded: {error}") from error
    if not isinstance(state, dict):
        raise ModelError(f"{what} holds no state dict.")
    return {key: value.float() if value.is_floating_point() else value for key, value in state.items()}


class TorchSession:
    """A module in evaluation mode: half precision and channels last on CUDA, float32 on the CPU."""

    name = "torch"

    def __init__(self, module: nn.Module, device: str, outputs: Sequence[str], *, half: bool = True) -> None:
        self.device = device
        self._outputs = tuple(outputs)
        self._dtype = torch.float16 if half and device.startswith("cuda") else torch.float32
        placed = module.eval().to(device=device, dtype=self._dtype)
        self._module: nn.Module | None = placed.to(memory_format=torch.channels_last)

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Inputs in the order of the module's arguments; outputs by the names given."""
        if self._module is None:
            raise ModelError("The session is closed.")
        with torch.inference_mode():
            tensors = [self._enter(array) for array in inputs.values()]
            result: Any = self._module(*tensors)
            values = result if isinstance(result, tuple) else (result,)
            return {
                name: value.float().cpu().numpy() for name, value in zip(self._outputs, values, strict=True)
            }

    def close(self) -> None:
        """Drop the module; CUDA memory goes back to the driver."""
        if self._module is None:
            return
        self._module = None
        if self.device.startswith("cuda"):
            torch.cuda.empty_cache()

    def _enter(self, array: Tensor) -> torch.Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(array)).to(self.device, self._dtype)
        return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor
