"""OpenVINO as a runtime, on the CPU. Imported by the device thread only.

A network is converted once (``conversion``), and compiled once for each input shape; both results lie in the
cache, so that a later start needs neither the original framework nor the compiler.
"""

from __future__ import annotations

import math
import os
import sys
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

from homeface.errors import BackendUnavailableError, ModelError
from homeface.inference.arrays import Pixels
from homeface.inference.runtimes.cache import ModelCache
from homeface.inference.runtimes.precision import Low
from homeface.inference.types import Tensor

Shape: TypeAlias = tuple[int | None, ...]
"""Sizes of an input's axes; None: any size."""
REVISION = 3
"""Raised when networks are compiled otherwise, so that no older result is used."""
_NOTHING = 1e-30
"""Taken from each pixel of a network that wants no mean taken: too small to change one, and yet a step.

A step keeps the conversion to float32 before the turn to planes, which then costs nothing. Without one
OpenVINO turns the bytes, converts them and turns the numbers back: a twentieth of YuNet's time."""
VARIANTS_LIMIT = 8_000_000
"""Numbers in the inputs of all variants together: five half-size 1080p frames, some 150 MB inside YuNet."""
BLOB_LIMIT_BYTES = 32_000_000
"""Larger networks are compiled from their converted form each time: reading the compiled one takes longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenVinoOptions:
    """How a network runs.

    ``threads``: of the CPU, 0 lets OpenVINO choose. ``cache``: folder of compiled models, None for none.
    ``pixels``: the first input takes pictures. ``free``: axes of the (first) input whose size
    changes from call to call without being compiled anew, e.g. (0,) for the batch; each other change of
    shape makes a variant, and the ``variants`` used last are kept. ``bfloat16``: what is computed so.
    ``apart``: rows run side by side, each on one core: for a small network, whose row fits the
    core's cache, that costs a sixth less.
    """

    threads: int = 0
    cache: Path | None = None
    pixels: Pixels | None = None
    free: tuple[int, ...] = ()
    variants: int = 16
    apart: bool = False
    bfloat16: Low = Low.NOTHING


def openvino() -> ModuleType:
    """The package, without its converter: that takes half of the import, and reports to its maker.

    Raises ``BackendUnavailableError`` when it is not installed.
    """
    if "openvino" in sys.modules:
        return sys.modules["openvino"]
    converter = "openvino.tools.ovc"
    sys.modules[converter] = None  # type: ignore[assignment]  # the documented way to make an import fail
    try:
        package = import_module("openvino")
    except ImportError as error:
        raise BackendUnavailableError(
            f"OpenVINO cannot be loaded ({error}); install the package openvino, or choose another "
            "recognition.runtime."
        ) from error
    finally:
        sys.modules.pop(converter, None)
    return package


def is_installed() -> bool:
    """Whether the package is there, without loading it."""
    return find_spec("openvino") is not None


def version() -> str:
    """Version of the runtime, short."""
    return str(openvino().get_version()).partition("-")[0]


@cache
def core() -> Any:
    """The one entry to the runtime in this process."""
    return openvino().Core()


@cache
def machine() -> str:
    """What compiled networks depend on besides themselves."""
    cpu = core().get_property("CPU", "FULL_DEVICE_NAME")
    able = ",".join(core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
    return f"{openvino().get_version()}|{cpu}|{able}"


class OpenVinoSession:
    """A network in OpenVINO, float32 inside but for what the options name.

    Made by ``conversion.onnx_session`` and ``conversion.torch_session``.
    """

    name = "openvino"
    device = "cpu"

    def __init__(self, model: Any, key: str, what: str, options: OpenVinoOptions) -> None:
        """``model``: in OpenVINO's own form; ``key`` tells it from all others; ``what``: name for people."""
        self._options = options
        self._cache = ModelCache(options.cache)
        self._model: Any = model
        self._what = what
        self._key = key
        self._variants: OrderedDict[tuple[Shape, ...], Any] = OrderedDict()
        self._queue: Any = None
        self._weight_bytes = sum(
            op.get_byte_size() for op in model.get_ops() if op.get_type_name() == "Constant"
        )
        self.input_names: tuple[str, ...] = tuple(value.get_any_name() for value in model.inputs)
        self.output_names: tuple[str, ...] = tuple(value.get_any_name() for value in model.outputs)
        self.input_shape: Shape = _sizes(model.inputs[0])
        self.output_shapes: tuple[Shape, ...] = tuple(_sizes(value) for value in model.outputs)

    @property
    def fixed_batch(self) -> int | None:
        """The batch size the network insists on; None when any will do."""
        return self.input_shape[0]

    @property
    def fixed_side(self) -> tuple[int, int] | None:
        """(height, width) the network insists on; None when any will do."""
        height, width = self.input_shape[2:4]
        return None if height is None or width is None else (height, width)

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """All outputs by name. With ``pixels`` the first input is (N, h, w, 3) uint8.

        A shape not seen lately is compiled first, which takes about 0.1 s for a small network.
        """
        if self._model is None:
            raise ModelError("The session is closed.")
        arrays = [np.ascontiguousarray(inputs[name]) for name in self.input_names]
        try:
            if self._options.apart and len(arrays) == 1 and len(arrays[0]):
                return self._run_apart(arrays[0])
            results = self.variant([array.shape for array in arrays])(arrays, share_inputs=True)
        except RuntimeError as error:
            raise ModelError(f"{self._what} does not take this input: {_first_line(error)}") from error
        return {name: results[index] for index, name in enumerate(self.output_names)}

    def prepare(self, *shapes: Sequence[int]) -> None:
        """Compile for these shapes of the inputs now, or take it from the cache."""
        self.variant(list(shapes))

    def close(self) -> None:
        """Free the network and what was compiled of it."""
        self._model = None
        self._queue = None
        self._variants.clear()

    def variant(self, shapes: Sequence[Sequence[int]]) -> Any:
        """The compiled network for inputs of these shapes, as ``run`` uses it."""
        free = self._options.free
        wanted = tuple(
            tuple(None if index == 0 and axis in free else size for axis, size in enumerate(shape))
            for index, shape in enumerate(shapes)
        )
        compiled = self._variants.pop(wanted, None)
        if compiled is None:
            compiled = self._compile(wanted, self._settings())
        self._variants[wanted] = compiled
        while len(self._variants) > 1 and (
            len(self._variants) > self._options.variants
            or sum(map(_numbers_in, self._variants)) > VARIANTS_LIMIT
        ):
            self._variants.popitem(last=False)
        return compiled

    def _run_apart(self, rows: Tensor) -> dict[str, Tensor]:
        if self._queue is None:
            cores = self._options.threads or len(os.sched_getaffinity(0))
            settings = self._settings() | {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": cores}
            compiled = self._compile(((1, *rows.shape[1:]),), settings)
            self._queue = openvino().AsyncInferQueue(compiled, cores)
        results: list[list[Tensor]] = [[] for _ in rows]

        def keep(request: Any, index: int) -> None:
            results[index] = [value.data.copy() for value in request.output_tensors]

        self._queue.set_callback(keep)
        for index in range(len(rows)):
            self._queue.start_async({0: rows[index : index + 1]}, index)
        self._queue.wait_all()
        columns = zip(*results, strict=True)
        return {name: np.concatenate(c) for name, c in zip(self.output_names, columns, strict=True)}

    def _compile(self, shapes: tuple[Shape, ...], settings: Mapping[str, Any]) -> Any:
        key = f"{machine()}|{self._key}|{shapes}|{self._options.pixels}|{sorted(settings.items())}"
        key += f"|{self._options.bfloat16}|{REVISION}"
        keep = self._weight_bytes <= BLOB_LIMIT_BYTES
        blob = self._cache.load(f"{self._what}.compiled", key) if keep else None
        if blob is not None:
            try:
                return core().import_model(blob, "CPU", settings)
            except RuntimeError as error:
                self._cache.distrust(f"{self._what}.compiled", key, _first_line(error))
        try:
            model = self._model.clone()
            model.reshape(dict(zip(self.input_names, map(self._inside, shapes), strict=True)))
            if self._options.bfloat16 is Low.PRODUCTS:
                _products_in_bfloat16(model)
            if self._options.pixels is not None:
                model = _with_pixels(model, self._options.pixels)
            compiled = core().compile_model(model, "CPU", settings)
            exported = compiled.export_model() if keep else None
        except RuntimeError as error:
            raise ModelError(f"{self._what} does not take this input: {_first_line(error)}") from error
        if exported is not None:
            content = exported if isinstance(exported, bytes) else exported.getvalue()
            self._cache.store(f"{self._what}.compiled", key, content)
        return compiled

    def _inside(self, shape: Shape) -> list[int]:
        """The network's own (N, c, h, w), from what ``run`` is given; -1: any size."""
        sizes = [-1 if size is None else size for size in shape]
        if self._options.pixels is not None and len(sizes) == 4:
            sizes = [sizes[0], sizes[3], sizes[1], sizes[2]]
        return sizes

    def _settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            # Said always: on a processor with bfloat16 OpenVINO would take that unasked.
            "INFERENCE_PRECISION_HINT": "bf16" if self._options.bfloat16 is Low.ALL else "f32",
            # Threads tied to cores wait for those cores while a camera is decoded on them.
            "ENABLE_CPU_PINNING": False,
        }
        if self._options.threads > 0:
            settings["INFERENCE_NUM_THREADS"] = self._options.threads
        return settings


def _with_pixels(model: Any, pixels: Pixels) -> Any:
    package = openvino()
    builder = package.preprocess.PrePostProcessor(model)
    first = builder.input(0)
    first.tensor().set_element_type(package.Type.u8).set_layout(package.Layout("NHWC"))
    first.model().set_layout(package.Layout("NCHW"))
    steps = first.preprocess().convert_element_type(package.Type.f32)
    if pixels.swap:
        steps.reverse_channels()
    steps.mean(list(pixels.mean) if any(pixels.mean) else [_NOTHING] * len(pixels.mean))
    if any(value != 1.0 for value in pixels.std):
        steps.scale(list(pixels.std))
    return builder.build()


def _products_in_bfloat16(model: Any) -> None:
    """Let convolutions over channels multiply bfloat16 numbers; what comes before and after stays float32.

    Biases in bfloat16 would shift each channel for all faces alike, and sums of many blocks lose most.
    """
    build = openvino().opset8
    for op in [op for op in model.get_ordered_ops() if op.get_type_name() == "Convolution"]:
        numbers = op.get_attributes()
        data, weights = (build.convert(op.input_value(index), "bf16") for index in (0, 1))
        product = build.convolution(
            data,
            weights,
            numbers["strides"],
            numbers["pads_begin"],
            numbers["pads_end"],
            numbers["dilations"],
            numbers["auto_pad"],
        )
        op.output(0).replace(build.convert(product, "f32").output(0))


def _numbers_in(shapes: tuple[Shape, ...]) -> int:
    return sum(math.prod(size or 1 for size in shape) for shape in shapes)


def _sizes(value: Any) -> Shape:
    shape = value.get_partial_shape()
    if shape.rank.is_dynamic:
        return ()
    return tuple(size.get_length() if size.is_static else None for size in shape)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
