"""ONNX Runtime as a runtime, on the CPU or on CUDA."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homeface.errors import BackendUnavailableError, ModelError
from homeface.inference.types import Tensor


def pick_device(wish: str) -> str:
    """``auto``, ``cpu``, ``cuda`` or ``cuda:N`` as the device to use. Raises ``BackendUnavailableError``."""
    import onnxruntime

    if wish == "cpu":
        return "cpu"
    has_cuda = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    if wish == "auto":
        return "cuda:0" if has_cuda else "cpu"
    kind, _, number = wish.partition(":")
    if kind != "cuda" or (number and not number.isdigit()):
        raise BackendUnavailableError(f"There is no device {wish!r}: use auto, cpu, cuda or cuda:N.")
    if not has_cuda:
        raise BackendUnavailableError(
            f"The device {wish} was asked for, but this ONNX Runtime has no CUDA; "
            "install onnxruntime-gpu, or use auto or cpu."
        )
    return f"cuda:{number or 0}"


class OnnxSession:
    """An ONNX network loaded from bytes that were verified."""

    name = "onnxruntime"

    def __init__(self, content: bytes, what: str, device: str, threads: int = 0) -> None:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as states

        self.device = device
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
            self._session: Any = onnxruntime.InferenceSession(content, options, providers=_providers(device))
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
        try:
            values = self._session.run(None, dict(inputs))
        except self._failures as error:
            raise ModelError(f"{self._what} does not take this input: {error}") from error
        return dict(zip(self.output_names, values, strict=True))

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


def _providers(device: str) -> list[Any]:
    if device == "cpu":
        return ["CPUExecutionProvider"]
    index = int(device.partition(":")[2] or 0)
    return [("CUDAExecutionProvider", {"device_id": index}), "CPUExecutionProvider"]
