"""Which runtime a model gets, and on which device: by what the machine has, or by what the config names."""

from __future__ import annotations

import ctypes
import logging
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.util import find_spec

from homeface.errors import BackendUnavailableError

_LOG = logging.getLogger(__name__)
_DEVICE = re.compile(r"cuda(?::(\d{1,2}))?")


class Runtime(StrEnum):
    """What runs networks."""

    TORCH = "torch"
    OPENVINO = "openvino"
    ONNXRUNTIME = "onnxruntime"


RUNTIME_WISHES = ("auto", *(runtime.value for runtime in Runtime))


@dataclass(frozen=True, slots=True)
class Choice:
    """A runtime and a device, ``cpu`` or ``cuda:N``."""

    runtime: Runtime
    device: str

    def __str__(self) -> str:
        """For people: ``openvino on cpu``."""
        return f"{self.runtime} on {self.device}"


def choose(runtime: str, device: str, what: str, *, onnx_only: bool) -> Choice:
    """The runtime and device of one model.

    ``runtime``: one of ``RUNTIME_WISHES``; ``device``: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    ``onnx_only``: the model is an ONNX file, which ONNX Runtime takes as it is.
    Raises ``BackendUnavailableError`` naming the key of the configuration whose wish cannot be met.
    """
    if runtime not in RUNTIME_WISHES:
        raise BackendUnavailableError(
            f"recognition.runtime: there is no {runtime!r}; use one of {', '.join(RUNTIME_WISHES)}."
        )
    place = pick_device(device)
    if runtime != "auto":
        return _named(Runtime(runtime), device, place)
    if place != "cpu":
        on_gpu = Runtime.TORCH
        if _has_cuda(on_gpu):
            return Choice(on_gpu, place)
        if onnx_only and _has_cuda(Runtime.ONNXRUNTIME):
            return Choice(Runtime.ONNXRUNTIME, place)
        if device != "auto":
            raise BackendUnavailableError(_without_cuda(on_gpu, f"recognition.device: {device}"))
        _warn_once(f"{_without_cuda(on_gpu, what)} It runs on the processor.")
    return _on_processor(what, onnx_only)


def pick_device(wish: str) -> str:
    """``cpu`` or ``cuda:N``, from ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Loads no runtime. Raises ``BackendUnavailableError`` when there is no such device.
    """
    if wish == "cpu":
        return "cpu"
    count = cuda_devices()
    if wish == "auto":
        return "cuda:0" if count else "cpu"
    match = _DEVICE.fullmatch(wish)
    if match is None:
        raise BackendUnavailableError(f"There is no device {wish!r}: use auto, cpu, cuda or cuda:N.")
    index = int(match.group(1) or 0)
    if index >= count:
        seen = f"{count} CUDA device(s)" if count else "no CUDA device"
        raise BackendUnavailableError(
            f"The device {wish} was asked for, but this machine has {seen}; use auto or cpu."
        )
    return f"cuda:{index}"


@cache
def cuda_devices() -> int:
    """CUDA devices, from the driver itself: asking torch costs seconds of its import."""
    for name in ("libcuda.so.1", "libcuda.so"):
        try:
            driver = ctypes.CDLL(name)
        except OSError:
            continue
        count = ctypes.c_int(0)
        if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0:
            return count.value
    return 0


def installed(runtime: Runtime) -> bool:
    """Whether its package is there; loads nothing."""
    return find_spec(runtime.value) is not None


def _named(runtime: Runtime, device: str, place: str) -> Choice:
    key = f"recognition.runtime: {runtime}"
    if not installed(runtime):
        raise BackendUnavailableError(
            f"{key}: the package {runtime} is not installed; install it or use auto."
        )
    if place == "cpu":
        return Choice(runtime, "cpu")
    if runtime is Runtime.OPENVINO or not _has_cuda(runtime):
        why = f"{key}: it runs on the processor only" if runtime is Runtime.OPENVINO else ""
        if device != "auto":
            raise BackendUnavailableError(
                f"{why}, and recognition.device is {device}; use device: cpu, or runtime: auto."
                if why
                else _without_cuda(runtime, key)
            )
        return Choice(runtime, "cpu")
    return Choice(runtime, place)


def _on_processor(what: str, onnx_only: bool) -> Choice:
    if installed(Runtime.OPENVINO):
        return Choice(Runtime.OPENVINO, "cpu")
    other = Runtime.ONNXRUNTIME if onnx_only else Runtime.TORCH
    if not installed(other):
        raise BackendUnavailableError(
            f"{what} needs one of the packages openvino and {other}; install openvino."
        )
    _warn_once(f"OpenVINO is not installed, {other} runs the models instead: slower on a processor.")
    return Choice(other, "cpu")


def _has_cuda(runtime: Runtime) -> bool:
    if not installed(runtime):
        return False
    if runtime is Runtime.TORCH:
        import torch

        return torch.cuda.is_available()
    if runtime is Runtime.ONNXRUNTIME:
        import onnxruntime

        return "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    return False


def _without_cuda(runtime: Runtime, what: str) -> str:
    package = "onnxruntime-gpu" if runtime is Runtime.ONNXRUNTIME else "a torch built with CUDA"
    return f"{what}: the installed {runtime} has no CUDA; install {package}, or use device: cpu."


@cache
def _warn_once(sentence: str) -> None:
    _LOG.warning("%s", sentence)
