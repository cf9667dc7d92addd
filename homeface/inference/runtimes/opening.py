"""From a network to a session in the runtime that was chosen for it. On the device thread only."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from homeface.errors import BackendUnavailableError
from homeface.inference.arrays import Pixels
from homeface.inference.runtimes.choice import Choice, Runtime, choose, installed
from homeface.inference.runtimes.networks import TorchNetwork
from homeface.inference.runtimes.precision import Low, low_on_cpu
from homeface.inference.types import Network

if TYPE_CHECKING:
    from homeface.inference.runtimes.openvino import OpenVinoOptions

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where weights lie, and where and how models shall run.

    ``device``: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``. ``threads``: of the CPU, 0 lets the runtime choose.
    ``runtime``: one of ``choice.RUNTIME_WISHES``. ``cache``: folder of compiled models, None for none.
    ``precision``: ``auto``, ``float32`` or ``bfloat16``.
    """

    folders: Sequence[Path]
    device: str
    threads: int = 0
    runtime: str = "auto"
    cache: Path | None = None
    precision: str = "auto"

    def choose(self, what: str, *, onnx_only: bool) -> Choice:
        """Runtime and device of a model. Raises ``BackendUnavailableError``.

        Without a cache ``auto`` leaves a torch module where it is: its conversion takes longer (10 to 20 s)
        than a short life could win back.
        """
        choice = choose(self.runtime, self.device, what, onnx_only=onnx_only)
        keep = self.runtime == "auto" and not onnx_only and self.cache is None and installed(Runtime.TORCH)
        return Choice(Runtime.TORCH, choice.device) if keep else choice


@dataclass(frozen=True, slots=True, kw_only=True)
class Feeding:
    """How a network is fed.

    ``pixels``: with pictures, see ``Pixels``. ``free``: axes of the first input whose sizes change often,
    usually (0,). ``apart``: on a processor each row of a batch gets a core of its own, which is faster for a
    small network. ``bfloat16``: what may be computed so there.
    """

    pixels: Pixels | None = None
    free: tuple[int, ...] = ()
    apart: bool = False
    bfloat16: Low = Low.NOTHING


def open_onnx(content: bytes, what: str, place: Placement, feeding: Feeding | None = None) -> Network:
    """A session of an ONNX file's verified ``content``. Raises the ``ModelError`` tree."""
    feeding = feeding or Feeding()
    choice = place.choose(what, onnx_only=True)
    if choice.runtime is Runtime.OPENVINO:
        from homeface.inference.runtimes.conversion import onnx_session

        return onnx_session(content, what, _openvino_options(what, place, feeding))
    if choice.runtime is Runtime.TORCH:
        return _onnx_in_torch(content, what, choice, place, feeding)
    return _onnxruntime(content, what, choice, place, feeding)


def open_torch(network: TorchNetwork, what: str, place: Placement, feeding: Feeding | None = None) -> Network:
    """A session of a torch module. Raises the ``ModelError`` tree."""
    feeding = feeding or Feeding()
    choice = place.choose(what, onnx_only=False)
    if choice.runtime is Runtime.OPENVINO:
        from homeface.inference.runtimes.conversion import torch_session

        return torch_session(network, what, _openvino_options(what, place, feeding))
    if choice.runtime is Runtime.ONNXRUNTIME:
        from homeface.inference.runtimes.export import exported

        return _onnxruntime(exported(network, what, place.cache), what, choice, place, feeding)
    from homeface.inference.runtimes.torch import TorchSession, dtype_on, set_threads

    set_threads(place.threads)
    dtype = dtype_on(choice.device, place.precision)
    return TorchSession.of_network(network, choice.device, dtype=dtype, pixels=feeding.pixels)


def _onnx_in_torch(content: bytes, what: str, choice: Choice, place: Placement, feeding: Feeding) -> Network:
    """In torch; where a file has what torch is not taught here, ``auto`` takes the processor instead."""
    from homeface.inference.runtimes.onnx_modules import OnnxModule
    from homeface.inference.runtimes.torch import TorchSession, dtype_on, set_threads

    set_threads(place.threads)
    try:
        module = OnnxModule(content, what)
    except BackendUnavailableError as error:
        if place.runtime != "auto" or place.device != "auto":
            raise
        _LOG.warning("%s It runs on the processor.", error)
        return open_onnx(content, what, replace(place, device="cpu"), feeding)
    dtype = dtype_on(choice.device, place.precision)
    return TorchSession.of_onnx(module, choice.device, dtype=dtype, pixels=feeding.pixels)


def _openvino_options(what: str, place: Placement, feeding: Feeding) -> OpenVinoOptions:
    from homeface.inference.runtimes.openvino import OpenVinoOptions

    return OpenVinoOptions(
        threads=place.threads,
        cache=place.cache,
        pixels=feeding.pixels,
        free=feeding.free,
        apart=feeding.apart,
        bfloat16=low_on_cpu(place.precision, feeding.bfloat16, what),
    )


def _onnxruntime(content: bytes, what: str, choice: Choice, place: Placement, feeding: Feeding) -> Network:
    from homeface.inference.runtimes.onnx import OnnxSession

    return OnnxSession(content, what, choice.device, place.threads, pixels=feeding.pixels, cache=place.cache)
