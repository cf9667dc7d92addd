"""An ONNX file as a torch module, for the operators that face networks are made of.

The CPU build of ONNX Runtime, which every installation has, knows no CUDA; torch does. Sizes are computed on
the processor, in whole numbers: they never make the device wait.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from homeface.errors import BackendUnavailableError, ModelError

Value = Any
"""A tensor, a list of whole numbers that says a shape, or None for an input that was left out."""
Step = Callable[..., Value]


class OnnxModule(nn.Module):
    """A network read from an ONNX file's verified ``content``; several outputs come as a tuple.

    ``input_names``, ``output_names``; ``input_shape``, ``output_shapes``: sizes of the first input and of all
    outputs, None where any will do.
    Raises ``ModelError`` for what is no such file, ``BackendUnavailableError`` for an operator unknown here.
    """

    def __init__(self, content: bytes, what: str) -> None:
        super().__init__()
        import onnx
        from google.protobuf.message import DecodeError

        try:
            graph = onnx.load_model_from_string(content).graph
        except DecodeError as error:
            raise ModelError(f"{what} is no ONNX file that can be run: {error}") from error
        constants: dict[str, np.ndarray[Any, Any]] = {
            tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer
        }
        inputs = [value for value in graph.input if value.name not in constants]
        self.input_names = tuple(value.name for value in inputs)
        self.output_names = tuple(value.name for value in graph.output)
        self.input_shape = tuple(
            dimension.dim_value or None for dimension in inputs[0].type.tensor_type.shape.dim
        )
        self.output_shapes = tuple(
            tuple(dimension.dim_value or None for dimension in value.type.tensor_type.shape.dim)
            for value in graph.output
        )
        self._steps: list[tuple[Step, tuple[str, ...], str]] = []
        for node in graph.node:
            options = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            if node.op_type == "Constant":
                constants[node.output[0]] = onnx.numpy_helper.to_array(options["value"])
                continue
            make = _OPERATORS.get(node.op_type)
            if make is None:
                raise BackendUnavailableError(
                    f"{what} uses the ONNX operator {node.op_type}, which torch is not taught here; use "
                    "recognition.runtime: openvino or onnxruntime."
                )
            step = make(options, [constants.get(name) for name in node.input])
            self._steps.append((step, tuple(node.input), node.output[0]))
        self._whole: dict[str, Value] = {"": None}
        self._weights: dict[str, str] = {}
        for number, (name, array) in enumerate(constants.items()):
            if array.dtype.kind == "f":
                self._weights[name] = f"constant_{number}"
                self.register_buffer(f"constant_{number}", torch.from_numpy(array.copy()))
            else:
                self._whole[name] = array.tolist()

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """The outputs, in the order of the file."""
        values: dict[str, Value] = dict(self._whole)
        values |= {name: getattr(self, place) for name, place in self._weights.items()}
        values |= zip(self.input_names, inputs, strict=True)
        for step, names, result in self._steps:
            values[result] = step(*(values[name] for name in names))
        outputs = tuple(values[name] for name in self.output_names)
        return outputs[0] if len(outputs) == 1 else outputs


def any_batch(module: OnnxModule) -> bool:
    """Whether each row of a batch comes out as it would alone, although the file is for one row."""
    sizes = [64 if size is None else size for size in module.input_shape[1:]]
    rows = torch.from_numpy(np.random.default_rng(0).normal(size=(3, *sizes)).astype(np.float32))
    with torch.inference_mode():
        try:
            together = _all(module(rows))
        except RuntimeError:
            return False
        for row in range(len(rows)):
            alone = _all(module(rows[row : row + 1]))
            for many, one in zip(together, alone, strict=True):
                if len(many) != len(rows) or not torch.allclose(many[row], one[0], rtol=1e-3, atol=1e-4):
                    return False
    return True


def _all(result: torch.Tensor | tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    return result if isinstance(result, tuple) else (result,)


Options = Mapping[str, Any]
Constants = Sequence["np.ndarray[Any, Any] | None"]


def _convolution(options: Options, _constants: Constants) -> Step:
    strides, dilations = list(options.get("strides", [1, 1])), list(options.get("dilations", [1, 1]))
    pads, groups = _pads(options), int(options.get("group", 1))

    def step(x: Value, weight: Value, bias: Value = None) -> Value:
        x, padding = _padded(x, pads, 0.0)
        return functional.conv2d(x, weight, bias, strides, padding, dilations, groups)

    return step


def _max_pool(options: Options, _constants: Constants) -> Step:
    kernel, strides = list(options["kernel_shape"]), list(options.get("strides", [1, 1]))
    pads, up = _pads(options), bool(options.get("ceil_mode", 0))

    def step(x: Value) -> Value:
        x, padding = _padded(x, pads, float("-inf"))
        return functional.max_pool2d(x, kernel, strides, padding, ceil_mode=up)

    return step


def _average_pool(options: Options, _constants: Constants) -> Step:
    kernel, strides = list(options["kernel_shape"]), list(options.get("strides", [1, 1]))
    top, left, _, _ = _pads(options)
    up, with_pads = bool(options.get("ceil_mode", 0)), bool(options.get("count_include_pad", 0))
    return lambda x: functional.avg_pool2d(x, kernel, strides, (top, left), up, with_pads)


def _resize(options: Options, constants: Constants) -> Step:
    mode = options.get("mode", b"nearest").decode()
    given = [None if c is None or not c.size else c for c in (*constants, None, None)][2:4]
    if mode != "nearest" or given[0] is None:
        if mode != "nearest":
            raise BackendUnavailableError(
                f"The ONNX operator Resize with the mode {mode} is not taught here."
            )
        return lambda x, _roi, _scales, sizes: functional.interpolate(x, size=[int(s) for s in sizes[2:]])
    scales = [float(scale) for scale in given[0][2:]]
    return lambda x, *_rest: functional.interpolate(x, scale_factor=scales)


def _clip(options: Options, constants: Constants) -> Step:
    given = [None if c is None else float(c) for c in (*constants, None, None)][1:3]
    low, high = (options.get(name, value) for name, value in zip(("min", "max"), given, strict=True))
    return lambda x, *_rest: torch.clamp(x, low, high)


def _normalisation(options: Options, _constants: Constants) -> Step:
    epsilon = float(options.get("epsilon", 1e-5))
    return lambda x, scale, shift, mean, variance: functional.batch_norm(
        x, mean, variance, scale, shift, eps=epsilon
    )


def _dense(options: Options, _constants: Constants) -> Step:
    alpha, beta = float(options.get("alpha", 1.0)), float(options.get("beta", 1.0))
    turned = bool(options.get("transB", 0))

    def step(x: Value, weight: Value, bias: Value = None) -> Value:
        product = alpha * (x @ (weight.T if turned else weight))
        return product if bias is None else product + beta * bias

    return step


def _slice(options: Options, _constants: Constants) -> Step:
    def step(x: Value, *where: Value) -> Value:
        starts, ends, axes, steps = (*where, None, None, None, None)[:4]
        first, last = starts or list(options["starts"]), ends or list(options["ends"])
        places = axes or list(options.get("axes", range(len(first))))
        for place, begin, end, by in zip(places, first, last, steps or [1] * len(first), strict=True):
            if isinstance(x, list):
                x = x[begin:end:by]
            else:
                x = x[(slice(None),) * place + (slice(begin, end, by),)]
        return x

    return step


def _concat(options: Options, _constants: Constants) -> Step:
    axis = int(options["axis"])

    def step(*parts: Value) -> Value:
        if all(isinstance(part, list) for part in parts):
            return [number for part in parts for number in part]
        return torch.cat(parts, axis)

    return step


def _unsqueeze(options: Options, _constants: Constants) -> Step:
    def step(x: Value, axes: Value = None) -> Value:
        if not isinstance(x, torch.Tensor):
            return [x]
        for axis in sorted(axes or options["axes"]):
            x = x.unsqueeze(axis)
        return x

    return step


def _gather(options: Options, _constants: Constants) -> Step:
    axis = int(options.get("axis", 0))

    def step(x: Value, indices: Value) -> Value:
        if isinstance(x, list):
            return [x[i] for i in indices] if isinstance(indices, list) else x[indices]
        return x.index_select(axis, torch.as_tensor(indices, device=x.device).reshape(-1))

    return step


def _reshape(_options: Options, _constants: Constants) -> Step:
    def step(x: Value, shape: Value) -> Value:
        sizes = [x.shape[axis] if size == 0 else size for axis, size in enumerate(shape)]
        if (
            sizes[0] == 1 and x.shape[0] != 1
        ):  # the exporter's example was one picture; `any_batch` tries this
            sizes[0] = x.shape[0]
        return x.reshape(sizes)

    return step


def _flatten(options: Options, _constants: Constants) -> Step:
    axis = int(options.get("axis", 1))
    return lambda x: x.flatten(axis) if axis == 1 else x.reshape(int(np.prod(x.shape[:axis])), -1)


def _plain(function: Step) -> Callable[[Options, Constants], Step]:
    return lambda _options, _constants: function


_OPERATORS: Mapping[str, Callable[[Options, Constants], Step]] = {
    "Add": _plain(lambda a, b: a + b),
    "AveragePool": _average_pool,
    "BatchNormalization": _normalisation,
    "Cast": _plain(lambda x: x),
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _convolution,
    "Dropout": _plain(lambda x, *_rest: x),
    "Flatten": _flatten,
    "Gather": _gather,
    "Gemm": _dense,
    "GlobalAveragePool": _plain(lambda x: x.mean((2, 3), keepdim=True)),
    "Identity": _plain(lambda x: x),
    "MaxPool": _max_pool,
    "Mul": _plain(lambda a, b: a * b),
    "PRelu": _plain(lambda x, slope: functional.prelu(x, slope.reshape(-1))),
    "Relu": _plain(functional.relu),
    "Reshape": _reshape,
    "Resize": _resize,
    "Shape": _plain(lambda x: [int(size) for size in x.shape]),
    "Sigmoid": _plain(lambda x: torch.sigmoid(x.float())),  # in half precision all that is sure is alike
    "Slice": _slice,
    "Sub": _plain(lambda a, b: a - b),
    "Transpose": lambda options, _constants: lambda x: x.permute(*options["perm"]),
    "Unsqueeze": _unsqueeze,
}


def _pads(options: Options) -> tuple[int, int, int, int]:
    """Top, left, bottom, right. Raises ``BackendUnavailableError`` for what depends on the picture."""
    kind = options.get("auto_pad", b"NOTSET")
    if kind not in {b"NOTSET", b"VALID"}:
        raise BackendUnavailableError(f"The ONNX padding {kind.decode()} is not taught here.")
    top, left, bottom, right = options.get("pads", [0, 0, 0, 0])
    return top, left, bottom, right


def _padded(x: Value, pads: tuple[int, int, int, int], with_what: float) -> tuple[Value, tuple[int, int]]:
    """The tensor and the padding left to do: the same on both sides can be done by the operator itself."""
    top, left, bottom, right = pads
    if (top, left) == (bottom, right):
        return x, (top, left)
    return functional.pad(x, (left, right, top, bottom), value=with_what), (0, 0)
