"""PyTorch as a runtime. Imported by the device thread only."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch import nn

from homeface.errors import ModelError
from homeface.inference.arrays import Pixels
from homeface.inference.runtimes.networks import TorchNetwork
from homeface.inference.types import Tensor


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

    def __init__(
        self,
        module: nn.Module,
        device: str,
        outputs: Sequence[str],
        *,
        half: bool = True,
        pixels: Pixels | None = None,
    ) -> None:
        self.device = device
        self.output_names = tuple(outputs)
        self.input_names: tuple[str, ...] = ("input",)
        self.output_shapes: tuple[tuple[object, ...], ...] = ()
        self.fixed_batch: int | None = None
        self.fixed_side: tuple[int, int] | None = None
        self._pixels = pixels
        self._dtype = torch.float16 if half and device.startswith("cuda") else torch.float32
        placed = module.eval().to(device=device, dtype=self._dtype)
        self._module: nn.Module | None = placed.to(memory_format=torch.channels_last)

    @classmethod
    def of_network(
        cls, network: TorchNetwork, device: str, *, half: bool, pixels: Pixels | None
    ) -> TorchSession:
        """Build the module and take it over."""
        session = cls(network.make(), device, network.outputs, half=half, pixels=pixels)
        session.input_names = tuple(network.inputs)
        height, width = (*network.shapes[0], None, None, None)[2:4]
        session.fixed_side = None if height is None or width is None else (height, width)
        return session

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Inputs in the order of the module's arguments; outputs by the names given."""
        if self._module is None:
            raise ModelError("The session is closed.")
        with torch.inference_mode():
            tensors = [self._enter(array, index) for index, array in enumerate(inputs.values())]
            result: Any = self._module(*tensors)
            values = result if isinstance(result, tuple) else (result,)
            return {
                name: value.float().cpu().numpy()
                for name, value in zip(self.output_names, values, strict=True)
            }

    def close(self) -> None:
        """Drop the module; CUDA memory goes back to the driver."""
        if self._module is None:
            return
        self._module = None
        if self.device.startswith("cuda"):
            torch.cuda.empty_cache()

    def _enter(self, array: Tensor, index: int) -> torch.Tensor:
        """To the device; pictures travel as bytes and become numbers there."""
        tensor = torch.from_numpy(np.ascontiguousarray(array)).to(self.device)
        if self._pixels is not None and index == 0:
            if self._pixels.swap:
                tensor = tensor.flip(-1)
            mean, std = (torch.tensor(v, device=self.device) for v in (self._pixels.mean, self._pixels.std))
            tensor = ((tensor.float() - mean) / std).permute(0, 3, 1, 2)
        tensor = tensor.to(self._dtype)
        return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor
