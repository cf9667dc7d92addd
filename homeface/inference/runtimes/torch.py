"""PyTorch as a runtime. Imported by the device thread only."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pickle import UnpicklingError

import numpy as np
import torch
from torch import nn

from homeface.errors import ModelError
from homeface.inference.arrays import Pixels
from homeface.inference.runtimes.graphs import Replayed, entering
from homeface.inference.runtimes.networks import TorchNetwork
from homeface.inference.runtimes.onnx_modules import OnnxModule, any_batch
from homeface.inference.types import Tensor


def set_threads(count: int) -> None:
    """CPU threads of this (the device) thread's work; 0 leaves torch's choice."""
    if count > 0:
        torch.set_num_threads(count)


def dtype_on(device: str, precision: str) -> torch.dtype:
    """What to compute in: float32 on a processor, on CUDA half precision unless another one is wished for."""
    if not device.startswith("cuda"):
        return torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}.get(precision, torch.float16)


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
    """A module in evaluation mode: half precision and channels last on CUDA, float32 on the CPU.

    ``output_shapes``: where they are known. ``fixed_batch``, ``fixed_side``: what the network insists on.
    """

    name = "torch"

    def __init__(
        self,
        module: nn.Module,
        device: str,
        names: tuple[Sequence[str], Sequence[str]],
        *,
        dtype: torch.dtype,
        pixels: Pixels | None = None,
    ) -> None:
        """``names``: of the inputs and of the outputs; ``dtype``: what is computed in."""
        self.device = device
        self.input_names, self.output_names = (tuple(each) for each in names)
        self.output_shapes: tuple[tuple[object, ...], ...] = ()
        self.fixed_batch: int | None = None
        self.fixed_side: tuple[int, int] | None = None
        enter = None if pixels is None else entering(pixels, device)
        self._network: Replayed | None = Replayed(module, device, dtype=dtype, enter=enter)

    @classmethod
    def of_network(
        cls, network: TorchNetwork, device: str, *, dtype: torch.dtype, pixels: Pixels | None
    ) -> TorchSession:
        """Build the module and take it over."""
        session = cls(network.make(), device, (network.inputs, network.outputs), dtype=dtype, pixels=pixels)
        session.fixed_side = _side(network.shapes[0])
        return session

    @classmethod
    def of_onnx(
        cls, module: OnnxModule, device: str, *, dtype: torch.dtype, pixels: Pixels | None
    ) -> TorchSession:
        """Take over a network read from an ONNX file."""
        batch = None if any_batch(module) else module.input_shape[0]
        session = cls(module, device, (module.input_names, module.output_names), dtype=dtype, pixels=pixels)
        session.output_shapes = module.output_shapes
        session.fixed_side = _side(module.input_shape)
        session.fixed_batch = batch
        return session

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """All outputs by name. Networks have one input here."""
        if self._network is None:
            raise ModelError("The session is closed.")
        with torch.inference_mode():
            given = torch.from_numpy(np.ascontiguousarray(next(iter(inputs.values()))))
            values = self._network.rows(given)
            return {
                name: value.float().cpu().numpy()
                for name, value in zip(self.output_names, values, strict=True)
            }

    def close(self) -> None:
        """Drop the module; CUDA memory goes back to the driver."""
        if self._network is None:
            return
        self._network = None
        if self.device.startswith("cuda"):
            torch.cuda.empty_cache()


def _side(shape: Sequence[int | None]) -> tuple[int, int] | None:
    height, width = (*shape, None, None, None, None)[2:4]
    return None if height is None or width is None else (height, width)
