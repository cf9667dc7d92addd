"""What a training is for: one network as TorchScript, ONNX and OpenVINO, and the entry that names it."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from homeface.errors import ModelError
from homeface.inference.embedders import unit_rows
from homeface.inference.manifest import Artefact, Family, ModelSpec, custom_model
from homeface.lab.training.embedding.networks import Backbone, build
from homeface.lab.training.entry import entry_of
from homeface.lab.training.files import replace_file

if TYPE_CHECKING:
    from torch import Tensor, nn

Vectors = NDArray[np.float32]
_LEAST_COSINE = 0.9999
"""Two runtimes' vectors of one face are at least so alike, or the file is not given out."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Product:
    """Files of a made model. ``alike``: least cosine between each file's vectors and the network's own."""

    spec: ModelSpec
    folder: Path
    files: Mapping[str, Path]
    alike: Mapping[str, float]

    @property
    def entry(self) -> str:
        """Lines for ``models`` in the configuration."""
        return entry_of(self.spec)


def check_name(name: str) -> str:
    """The name itself. Raises ``ModelError`` for one that cannot stand in a configuration."""
    if _NAME.fullmatch(name) is None:
        raise ModelError(f"A model cannot be called {name!r}: use lower-case letters, digits and _ . -")
    return name


def make_product(
    backbone: Backbone, state: Mapping[str, Tensor], name: str, folder: Path, trial: Tensor
) -> Product:
    """Write every form of the network into ``folder`` and compare each on the trial pictures.

    ``trial``: (N, 3, input_px, input_px) normalised faces. Raises ``ModelError`` when a form gives other
    vectors, ``TrainingError`` when the disk is full.
    """
    import torch

    network = build(backbone)
    network.load_state_dict(dict(state))
    network.eval()
    with torch.no_grad():
        truth = unit_rows(network(trial).numpy())
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "onnx": folder / f"{name}.onnx",
        "torchscript": folder / f"{name}.torchscript.pt",
        "openvino": folder / f"{name}.xml",
    }
    content = _write_onnx(network, backbone, name, files["onnx"])
    _write_torchscript(network, trial[:2], files["torchscript"])
    if find_spec("openvino") is None:  # the ONNX file serves it as well
        files.pop("openvino")
    else:
        _write_openvino(files["onnx"], files["openvino"])
    alike = {form: _compare(form, path, trial.numpy(), truth) for form, path in files.items()}
    spec = custom_model(
        ModelSpec(
            name=name,
            family=Family.ONNX_EMBEDDER,
            licence="made here; the terms of the weights it began with and of the pictures apply",
            artefacts=(
                Artefact(f"{name}.onnx", hashlib.sha256(content).hexdigest(), size_bytes=len(content)),
            ),
            input_px=backbone.input_px,
            colour="rgb",
            mean=backbone.mean,
            std=backbone.std,
            template=backbone.template,
        )
    )
    replace_file(folder / f"{name}.yaml", f"models:\n{entry_of(spec)}\n".encode())
    return Product(spec, folder, files, alike)


def _write_onnx(network: nn.Module, backbone: Backbone, name: str, path: Path) -> bytes:
    from homeface.inference.runtimes.export import exported
    from homeface.inference.runtimes.networks import TorchNetwork

    side = backbone.input_px
    whole = TorchNetwork(lambda: network, name, [(None, 3, side, side)], ["input"], ["embedding"])
    content = exported(whole, name, None)
    replace_file(path, content)
    return content


def _write_torchscript(network: nn.Module, example: Tensor, path: Path) -> None:
    import torch

    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # that tracing is to be replaced one day
        torch.jit.trace(network, example, check_trace=False).save(str(path))  # type: ignore[no-untyped-call]


def _write_openvino(onnx: Path, path: Path) -> None:
    from homeface.inference.runtimes.openvino import core, openvino

    openvino().serialize(core().read_model(str(onnx)), str(path), str(path.with_suffix(".bin")))


def _compare(form: str, path: Path, trial: Vectors, truth: Vectors) -> float:
    """Least cosine between a file's vectors and the network's. Raises ``ModelError``, the file is removed."""
    vectors = unit_rows(_RUN[form](path, trial))
    alike = float((vectors * truth).sum(axis=1).min())
    if not alike >= _LEAST_COSINE:
        path.unlink()
        raise ModelError(
            f"{path} gave other vectors than the network it was made of (cosine {alike:.5f}): it was removed."
        )
    return alike


def _run_onnx(path: Path, trial: Vectors) -> Vectors:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"input": trial})[0], np.float32)


def _run_torchscript(path: Path, trial: Vectors) -> Vectors:
    import torch

    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        module: Any = torch.jit.load(str(path))  # type: ignore[no-untyped-call]
        return np.asarray(module(torch.from_numpy(trial)).numpy(), np.float32)


def _run_openvino(path: Path, trial: Vectors) -> Vectors:
    from homeface.inference.runtimes.openvino import core

    exactly = {"INFERENCE_PRECISION_HINT": "f32"}  # some processors would take bfloat16 by themselves
    return np.asarray(core().compile_model(str(path), "CPU", exactly)(trial)[0], np.float32)


_RUN: dict[str, Callable[[Path, Vectors], Vectors]] = {
    "onnx": _run_onnx,
    "torchscript": _run_torchscript,
    "openvino": _run_openvino,
}
