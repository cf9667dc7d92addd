"""From a torch module to an ONNX file for ONNX Runtime, once; afterwards from the cache."""

from __future__ import annotations

import io
import warnings
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from homeface.errors import BackendUnavailableError, ModelError
from homeface.inference.runtimes.cache import ModelCache
from homeface.inference.runtimes.networks import TorchNetwork

EXPORTER = 1
"""Raised when this module exports differently, so that no older result is used."""


def exported(network: TorchNetwork, what: str, folder: Path | None) -> bytes:
    """The network as an ONNX file.

    Raises ``BackendUnavailableError`` when what exports it is not installed, ``ModelError`` when it fails.
    """
    cache = ModelCache(folder)
    key = f"{EXPORTER}|{version('torch')}|{network.identity}"
    kept = cache.load(f"{what}.onnx", key)
    if kept is None:
        kept = _export(network, what)
        cache.store(f"{what}.onnx", key, kept)
    return kept


def _export(network: TorchNetwork, what: str) -> bytes:
    if find_spec("onnx") is None:
        raise BackendUnavailableError(
            f"recognition.runtime: onnxruntime needs the package onnx to take over {what} from torch; "
            "install it, or use auto, openvino or torch."
        )
    import torch

    free = {
        name: {axis: f"{name}_{axis}" for axis, size in enumerate(shape) if size is None}
        for name, shape in zip(network.inputs, network.shapes, strict=True)
    }
    file = io.BytesIO()
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # that this exporter is the older one
            torch.onnx.export(
                network.make().eval(),
                network.examples(),
                file,  # type: ignore[arg-type]  # this exporter takes a file, too
                dynamo=False,
                input_names=list(network.inputs),
                output_names=list(network.outputs),
                dynamic_axes={**free, **{name: {0: "rows"} for name in network.outputs}},
            )
    except RuntimeError as error:
        raise ModelError(f"{what} cannot be exported for ONNX Runtime: {error}") from error
    return file.getvalue()
