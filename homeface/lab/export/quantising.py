"""ONNX files with eight-bit or half-precision weights.

Eight bits: convolutions over channels and dense layers take whole numbers in and give float32 out; the first
convolution, the depthwise ones and all sums stay float32, for they lose most and save least
(docs/decisions/0005). What is left in float32 is kept in half precision on disk.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeface.errors import ModelError

Batch = NDArray[np.float32]
"""(1, 3, h, w) as the network itself takes it."""
_WORTH_IT = 64
"""Numbers in a constant from which half precision saves more than the step back costs."""


def in_eight_bits(content: bytes, pictures: Sequence[Batch], what: str) -> bytes:
    """The network with eight-bit products; ranges are those of the calibration ``pictures``.

    Raises ``ModelError`` for a network that has nothing to quantise or cannot be read.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # the package has no types
        def __init__(self, name: str) -> None:
            self._rows: Iterator[Batch] = iter(pictures)
            self._name = name

        def get_next(self) -> dict[str, Batch] | None:
            row = next(self._rows, None)
            return None if row is None else {self._name: row}

    with tempfile.TemporaryDirectory() as folder:
        given, plain, made = (Path(folder, name) for name in ("given.onnx", "plain.onnx", "made.onnx"))
        given.write_bytes(content)
        try:
            quant_pre_process(str(given), str(plain), skip_symbolic_shape=True)
            graph = onnx.load(str(plain)).graph
            kept = _kept_in_float(graph)
            if len(kept) == sum(node.op_type in _PRODUCTS for node in graph.node):
                raise ModelError(f"{what} has no layer that eight bits would make smaller.")
            quantize_static(
                str(plain),
                str(made),
                Reader(graph.input[0].name),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=kept,
                op_types_to_quantize=list(_PRODUCTS),
                extra_options={"OpTypesToExcludeOutputQuantization": list(_PRODUCTS)},
            )
        except (RuntimeError, ValueError, onnx.checker.ValidationError) as error:
            raise ModelError(f"{what} cannot be quantised: {error}") from error
        return in_half(made.read_bytes())


def in_half(content: bytes) -> bytes:
    """The network with its float32 constants in half precision; it computes in float32 as before."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model: Any = onnx.load_model_from_string(content)
    graph, casts = model.graph, []
    scales = {name for node in graph.node if "Linear" in node.op_type for name in node.input[1:]}
    for node in [node for node in graph.node if node.op_type == "Constant"]:  # constants become initializers
        value = next((a.t for a in node.attribute if a.name == "value"), None)
        if value is not None:
            value.name = node.output[0]
            graph.initializer.append(value)
            graph.node.remove(node)
    for tensor in list(graph.initializer):
        array = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or array.size < _WORTH_IT or tensor.name in scales:
            continue
        if np.abs(array).max() > np.finfo(np.float16).max:
            continue
        half = numpy_helper.from_array(array.astype(np.float16), f"{tensor.name}_half")
        casts.append(helper.make_node("Cast", [half.name], [tensor.name], to=TensorProto.FLOAT))
        graph.initializer.remove(tensor)
        graph.initializer.append(half)
    for cast in reversed(casts):
        graph.node.insert(0, cast)
    made: bytes = model.SerializeToString()
    return made


_PRODUCTS = ("Conv", "Gemm", "MatMul")


def _kept_in_float(graph: Any) -> list[str]:
    """The first convolution and those of one channel each."""
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    narrow = [n for n in convolutions if any(a.name == "group" and a.i > 1 for a in n.attribute)]
    return [node.name for node in (*convolutions[:1], *narrow)]
