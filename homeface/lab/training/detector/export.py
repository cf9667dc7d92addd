"""The trained detector as TorchScript and as ONNX, compared, and its entry for a configuration."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from homeface.core.geometry import iou_matrix
from homeface.core.types import ImageBGR
from homeface.errors import TrainingError
from homeface.inference.arrays import as_batch
from homeface.inference.manifest import Artefact, Family, ModelSpec, custom_model
from homeface.lab.training.checkpoint import read_tensors
from homeface.lab.training.detector.network import MEAN, STD, FaceRcnn, OneFrame, Shape
from homeface.lab.training.detector.task import KIND
from homeface.lab.training.entry import entry_of
from homeface.lab.training.files import replace_file

NAME = "faster_rcnn"
_EXAMPLE_PX = (256, 320)
_SAME_BOX, _SAME_SCORE, _SURE = 0.95, 0.01, 0.1
"""Boxes of two forms that overlap so much are one, and their scores differ by no more. Only boxes that score
above ``_SURE`` must be in both: the network's own limit of 0.05 may fall between two roundings."""
_AGREEMENT = 0.98
"""Least share of such boxes: which one of two nearly equal boxes stays may depend on the last digit."""

Values: TypeAlias = NDArray[np.float32]
Run: TypeAlias = Callable[[Values], tuple[Values, Values]]
"""A (1, 3, h, w) normalised picture → boxes and scores."""


@dataclass(frozen=True, slots=True)
class Product:
    """Files of a made detector. ``compared``: faces of both forms and the network that were compared."""

    spec: ModelSpec
    files: Mapping[str, Path]
    compared: int

    @property
    def entry(self) -> str:
        """YAML: what to add to the configuration."""
        return f"models:\n{entry_of(self.spec)}\nrecognition:\n  detector: {self.spec.name}\n"


def load_network(weights: Path, shape: Shape) -> FaceRcnn:
    """The network of a run's ``best.pt``, for use. Raises ``TrainingError``."""
    content = read_tensors(weights)
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise TrainingError(f"{weights} holds no detector that was trained here.")
    network = FaceRcnn(shape)
    try:
        network.load_state_dict(content["state"])
    except (KeyError, RuntimeError) as error:
        raise TrainingError(f"{weights} does not fit {shape}: {error}") from error
    return network.eval()


def export(network: FaceRcnn, folder: Path, name: str, pictures: Sequence[ImageBGR]) -> Product:
    """Write both forms into ``folder`` and compare them with the network on the pictures.

    Raises ``TrainingError`` when they see something else (the files are then removed) or the disk is full.
    """
    module = OneFrame(network.cpu()).eval()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"{folder} cannot be made: {error.strerror}.") from error
    files = {"onnx": folder / f"{name}.onnx", "torchscript": folder / f"{name}.torchscript.pt"}
    onnx = _onnx(module)
    replace_file(files["onnx"], onnx)
    replace_file(files["torchscript"], _torchscript(module))
    forms: dict[str, Run] = {"onnx": _onnx_run(onnx), "torchscript": _torchscript_run(files["torchscript"])}
    compared = 0
    for form, run in forms.items():
        same, seen = _agreement(module, run, pictures)
        compared += seen
        if same < _AGREEMENT * seen:
            for file in files.values():
                file.unlink()
            raise TrainingError(
                f"{name} as {form} sees something else than the network: of {seen} faces {seen - same} are "
                "missing or others. The files were removed."
            )
    spec = _spec(name, onnx)
    product = Product(spec, files, compared)
    replace_file(folder / f"{name}.yaml", product.entry.encode())
    return product


def normalised(picture: ImageBGR) -> Values:
    """As the exported network takes it: (1, 3, h, w)."""
    return as_batch([picture], swap=True, mean=MEAN, std=STD)


def _spec(name: str, content: bytes) -> ModelSpec:
    return custom_model(
        ModelSpec(
            name=name,
            family=Family.FASTER_RCNN,
            licence="made here; the terms of the pictures and of the weights it began with apply",
            artefacts=(
                Artefact(f"{name}.onnx", hashlib.sha256(content).hexdigest(), size_bytes=len(content)),
            ),
            colour="rgb",
            mean=MEAN,
            std=STD,
        )
    )


def _onnx(module: OneFrame) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # about values that tracing fixes: the comparison would tell
        torch.onnx.export(
            module,
            (torch.zeros(1, 3, *_EXAMPLE_PX),),
            file,  # type: ignore[arg-type]  # this exporter takes a file, too
            dynamo=False,
            opset_version=17,
            input_names=["picture"],
            output_names=["boxes", "scores"],
            dynamic_axes={
                "picture": {2: "height", 3: "width"},
                "boxes": {0: "faces"},
                "scores": {0: "faces"},
            },
        )
    return file.getvalue()


def _torchscript(module: OneFrame) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        trace: Any = torch.jit.trace
        torch.jit.save(trace(module, torch.zeros(1, 3, *_EXAMPLE_PX), check_trace=False), file)
    return file.getvalue()


def _onnx_run(content: bytes) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])

    def run(tensor: Values) -> tuple[Values, Values]:
        boxes, scores = session.run(["boxes", "scores"], {"picture": tensor})
        return np.asarray(boxes, np.float32), np.asarray(scores, np.float32)

    return run


def _torchscript_run(path: Path) -> Run:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module: Any = torch.jit.load(str(path))  # type: ignore[no-untyped-call]
    return lambda tensor: _outputs(module, tensor)


def _outputs(module: Any, tensor: Values) -> tuple[Values, Values]:
    with torch.no_grad():
        boxes, scores = module(torch.from_numpy(tensor))
    return boxes.numpy(), scores.numpy()


def _agreement(module: OneFrame, run: Run, pictures: Sequence[ImageBGR]) -> tuple[int, int]:
    """Faces that are the same in both, and all of them; each form's are looked for among the other's."""
    same = seen = 0
    for picture in pictures:
        tensor = normalised(picture)
        truth, other = _outputs(module, tensor), run(tensor)
        for found, partner in ((truth, other), (other, truth)):
            hits = _hits(found, partner)
            same, seen = same + int(hits.sum()), seen + len(hits)
    return same, seen


def _hits(found: tuple[Values, Values], partner: tuple[Values, Values]) -> NDArray[np.bool_]:
    """For each sure face of ``found`` whether it is in ``partner``, too."""
    sure = found[1] > _SURE
    overlap = iou_matrix(found[0][sure].astype(np.float64), partner[0].astype(np.float64))
    close = np.abs(found[1][sure][:, None] - partner[1][None]) <= _SAME_SCORE
    hits: NDArray[np.bool_] = ((overlap >= _SAME_BOX) & close).any(axis=1)
    return hits
