"""From an ONNX file or a torch module to OpenVINO's own form, once; afterwards from the cache.

torch is imported only when something has to be converted.
"""

from __future__ import annotations

import hashlib
import tempfile
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from homeface.errors import BackendUnavailableError, ModelError
from homeface.inference.runtimes.cache import ModelCache
from homeface.inference.runtimes.networks import TorchNetwork
from homeface.inference.runtimes.openvino import OpenVinoOptions, OpenVinoSession, core, openvino

CONVERTER = 1
"""Raised when this module converts differently, so that no older result is used."""
_LENGTH_BYTES = 8


def onnx_session(content: bytes, what: str, options: OpenVinoOptions) -> OpenVinoSession:
    """A session of an ONNX file's verified ``content``; any batch size is taken where that is harmless.

    Raises ``ModelError`` when it is no network that OpenVINO can run.
    """
    key = hashlib.sha256(content).hexdigest()
    model = _cached(what, key, ModelCache(options.cache), lambda: _convert_onnx(content, what))
    return OpenVinoSession(model, key, what, options)


def torch_session(network: TorchNetwork, what: str, options: OpenVinoOptions) -> OpenVinoSession:
    """A session of a torch module.

    Raises ``ModelError`` when OpenVINO cannot express it, ``BackendUnavailableError`` without torch.
    """
    key = hashlib.sha256(network.identity.encode()).hexdigest()
    model = _cached(what, key, ModelCache(options.cache), lambda: _convert_torch(network, what))
    return OpenVinoSession(model, key, what, options)


def _cached(what: str, key: str, cache: ModelCache, convert: Callable[[], Any]) -> Any:
    key = f"{openvino().get_version()}|{CONVERTER}|{key}"
    name = f"{what}.converted"
    kept = cache.load(name, key)
    if kept is not None:
        try:
            return _unpack(kept)
        except (RuntimeError, ValueError) as error:
            cache.distrust(name, key, str(error))
    model = convert()
    cache.store(name, key, _pack(model))
    return model


def _pack(model: Any) -> bytes:
    """Graph and weights in one piece: length of the graph, graph, weights."""
    with tempfile.TemporaryDirectory() as folder:
        graph, weights = Path(folder, "model.xml"), Path(folder, "model.bin")
        openvino().serialize(model, str(graph), str(weights))
        text = graph.read_bytes()
        return len(text).to_bytes(_LENGTH_BYTES, "little") + text + weights.read_bytes()


def _unpack(content: bytes) -> Any:
    length = int.from_bytes(content[:_LENGTH_BYTES], "little")
    graph = content[_LENGTH_BYTES : _LENGTH_BYTES + length]
    return core().read_model(graph, content[_LENGTH_BYTES + length :])


def _convert_onnx(content: bytes, what: str) -> Any:
    try:
        model = core().read_model(content, b"")
    except RuntimeError as error:
        raise ModelError(f"{what} is no ONNX file that can be run: {error}") from error
    return _with_any_batch(model) or model


def _with_any_batch(model: Any) -> Any | None:
    """The same network for any batch size; None unless a trial shows that each row is what it was alone.

    Exporters write the batch size of their example into the reshapes; only these are opened, and only
    constant ones.
    """
    shape = model.inputs[0].get_partial_shape()
    if len(model.inputs) != 1 or shape.is_dynamic or shape[0].get_length() != 1 or len(shape) != 4:
        return None
    package = openvino()
    opened = model.clone()
    try:
        for op in [op for op in opened.get_ops() if op.get_type_name() == "Reshape"]:
            pattern = op.input_value(1).get_node()
            if pattern.get_type_name() != "Constant" or not (values := pattern.get_data().copy()).ndim:
                continue
            if values[0] == 1 and _leads_with_batch(op):
                values[0] = 0  # what comes in
                replacement = package.opset8.reshape(
                    op.input_value(0), package.opset8.constant(values), special_zero=True
                )
                replacement.set_friendly_name(op.get_friendly_name())

                replacement.output(0).get_tensor().set_names(op.output(0).get_tensor().get_names())
                op.output(0).replace(replacement.output(0))
        opened.reshape([-1, *(size.get_length() for size in list(shape)[1:])])
        return opened if _same_rows(model, opened) else None
    except RuntimeError:
        return None


def _leads_with_batch(op: Any) -> bool:
    shape = op.input_value(0).get_partial_shape()
    return not shape.rank.is_dynamic and len(shape) > 0 and shape[0].is_static and shape[0].get_length() == 1


def _same_rows(single: Any, opened: Any) -> bool:
    sizes = [size.get_length() for size in single.inputs[0].get_partial_shape()]
    rows = np.random.default_rng(0).normal(size=(3, *sizes[1:])).astype(np.float32)
    one, many = core().compile_model(single, "CPU"), core().compile_model(opened, "CPU")
    together = many(rows)
    for row in range(len(rows)):
        alone = one(rows[row : row + 1])
        for index in range(len(single.outputs)):
            if together[index].shape[0] != len(rows):
                return False
            if not np.allclose(together[index][row], alone[index][0], rtol=1e-3, atol=1e-4):
                return False
    return True


def _convert_torch(network: TorchNetwork, what: str) -> Any:
    """Through OpenVINO's PyTorch frontend itself: the package's ``convert_model`` reports to its maker."""
    if find_spec("torch") is None:
        raise BackendUnavailableError(
            f"{what} is converted once by torch, which is not installed here. Install torch and "
            "facenet-pytorch; or export it where they are (homeface lab export), and name the file under "
            "models; or use mobilefacenet."
        )
    import torch

    openvino()
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # that tracing is to be replaced one day
            decoder = TorchScriptPythonDecoder(
                network.make().eval(),
                example_input=network.examples(),
                trace_kwargs={"check_trace": False},  # tracing twice takes as long again
            )
            frontend = FrontEndManager().load_by_framework("pytorch")
            model = frontend.convert(frontend.load(decoder))
    except RuntimeError as error:
        raise ModelError(f"{what} cannot be converted for OpenVINO: {error}") from error
    for value, name, shape in zip(model.inputs, network.inputs, network.shapes, strict=True):
        value.get_tensor().set_names({name})
        value.get_node().set_element_type(openvino().Type.f32)
        value.get_node().set_partial_shape(openvino().PartialShape([-1 if s is None else s for s in shape]))
    for value, name in zip(model.outputs, network.outputs, strict=True):
        value.get_tensor().set_names({name})
    model.validate_nodes_and_infer_types()
    return model
