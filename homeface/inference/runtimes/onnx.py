"""ONNX Runtime as a runtime, on the CPU or on CUDA."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from homeface.errors import ModelError
from homeface.inference.arrays import Pixels
from homeface.inference.types import Tensor


class OnnxSession:
    """An ONNX network loaded from bytes that were verified.

    ``threads``: of the CPU, 0 for the runtime's choice. ``pixels``: ``run`` takes (N, h, w, 3) uint8 first.
    ``cache``: where TensorRT keeps its engines; without it TensorRT is left out: it builds them for minutes.
    """

    name = "onnxruntime"

    def __init__(
        self,
        content: bytes,
        what: str,
        device: str,
        threads: int = 0,
        *,
        pixels: Pixels | None = None,
        cache: Path | None = None,
    ) -> None:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as states

        self.device = device
        self._pixels = pixels
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Threads of the runtime that spin between two frames would take the cores from the cameras.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._failures: tuple[type[Exception], ...] = (
            states.Fail,
            states.InvalidArgument,
            states.InvalidGraph,
            states.InvalidProtobuf,
            states.NoSuchFile,
            states.NotImplemented,
            states.RuntimeException,
        )
        try:
            self._session: Any = onnxruntime.InferenceSession(
                content, options, providers=_providers(device, cache)
            )
        except self._failures as error:
            raise ModelError(f"{what} is no ONNX file that can be run: {error}") from error
        self._what = what
        self.input_names = tuple(value.name for value in self._session.get_inputs())
        self.input_shape = tuple(self._session.get_inputs()[0].shape)
        self.output_names = tuple(value.name for value in self._session.get_outputs())
        self.output_shapes = tuple(tuple(value.shape) for value in self._session.get_outputs())

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """All outputs by name."""
        if self._session is None:
            raise ModelError("The session is closed.")
        values = dict(inputs)
        if self._pixels is not None:
            values[self.input_names[0]] = self._pixels.batch(values[self.input_names[0]])
        try:
            results = self._session.run(None, values)
        except self._failures as error:
            raise ModelError(f"{self._what} does not take this input: {error}") from error
        return dict(zip(self.output_names, results, strict=True))

    def close(self) -> None:
        """Free the network."""
        self._session = None

    @property
    def fixed_batch(self) -> int | None:
        """The batch size the file was exported for; None when any will do."""
        first = self.input_shape[0]
        return first if isinstance(first, int) else None

    @property
    def fixed_side(self) -> tuple[int, int] | None:
        """(height, width) the file was exported for; None when any will do."""
        height, width = self.input_shape[2:4]
        return (height, width) if isinstance(height, int) and isinstance(width, int) else None


def _providers(device: str, cache: Path | None) -> list[Any]:
    """What may run the network, the fastest first; what one cannot run goes to the next."""
    import onnxruntime

    if device == "cpu":
        return ["CPUExecutionProvider"]
    index = int(device.partition(":")[2] or 0)
    providers: list[Any] = [("CUDAExecutionProvider", {"device_id": index}), "CPUExecutionProvider"]
    if cache is not None and "TensorrtExecutionProvider" in onnxruntime.get_available_providers():
        kept = {
            "device_id": index,
            "trt_engine_cache_enable": True,
            "trt_engine_cache_path": str(cache),
            "trt_timing_cache_enable": True,
        }
        providers.insert(0, ("TensorrtExecutionProvider", kept))
    return providers
