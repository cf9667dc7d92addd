"""``homeface lab train-detector`` from labels to a file that the daemon takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from homeface.core.types import ImageBGR
from homeface.inference.detectors.letterbox import resized
from homeface.lab.training.checkpoint import read_tensors
from homeface.lab.training.detector.augmentation import Augmentation
from homeface.lab.training.detector.export import Product, export, load_network
from homeface.lab.training.detector.figures import require_coco
from homeface.lab.training.detector.labels import FacePicture, Labels, require_faces, split
from homeface.lab.training.detector.network import Shape, load_backbone
from homeface.lab.training.detector.pictures import read_picture
from homeface.lab.training.detector.sources import read_labels
from homeface.lab.training.detector.task import DetectorTask, Learning
from homeface.lab.training.engine import Engine, Outcome, draw, engine
from homeface.lab.training.files import replace_file
from homeface.lab.training.folder import RunFolder
from homeface.lab.training.progress import Listener, Silence
from homeface.lab.training.settings import TrainingSettings
from homeface.lab.training.task import Figures

_TOLD = 10
"""Problems of the labels that are told; all of them are in ``problems.txt``."""
_COMPARED_PX = (256, 352, 480)
"""Longer sides of the pictures on which the exported files are compared with the network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorRequest:
    """What to train on and how. ``held_out`` None: a fifth of ``data`` is kept for validation."""

    data: Path
    out: Path
    shape: Shape
    how: Augmentation
    learning: Learning
    training: TrainingSettings
    held_out: Path | None = None
    images: Path | None = None
    held_out_images: Path | None = None
    classes: tuple[str, ...] = ("face",)
    backbone_weights: Path | None = None
    name: str = "faster_rcnn"
    resume: bool = False
    exports: bool = True

    def as_json(self) -> dict[str, Any]:
        """What the weights depend on: a run goes on with the same alone."""
        training = self.training
        return {
            "kind": DetectorTask.kind,
            "data": str(self.data.resolve()),
            "held_out": None if self.held_out is None else str(self.held_out.resolve()),
            "classes": list(self.classes),
            "shape": self.shape.as_json(),
            "augmentation": asdict(self.how),
            "learning": asdict(self.learning),
            "batch": training.batch,
            "seed": training.seed,
            "precision": training.precision,
            "clip_norm": training.clip_norm,
        }


@dataclass(frozen=True, slots=True)
class Trained:
    """``before``: figures of the untrained network, None for a run that went on. ``product`` None: stopped
    before its end, not wanted, or in another process than the first."""

    outcome: Outcome
    before: Figures | None
    product: Product | None


def train_detector(request: DetectorRequest, listener: Listener | None = None) -> Trained:
    """Read, train, draw, export. Raises the ``TrainingError`` tree."""
    require_coco()
    with engine(request.training, listener) as running:
        speaker: Listener = (listener if running.main else None) or Silence()
        folder = RunFolder(request.out)
        if running.main:
            folder.begin(request.as_json(), resume=request.resume)
        pictures, held_out = _pictures(request, folder, speaker)
        task = DetectorTask(request.shape, pictures, held_out, request.how, request.learning)
        if request.backbone_weights is not None:
            state = read_tensors(request.backbone_weights)
            load_backbone(task.network, state, str(request.backbone_weights))
        before = _before(task, running, speaker) if running.main and not folder.last.exists() else None
        outcome = running.fit(task, folder)
        if not running.main:
            return Trained(outcome, before, None)
        draw(folder, outcome, f"{request.name}: {request.shape.variant}, {len(pictures)} pictures")
        if outcome.stopped or not request.exports:
            return Trained(outcome, before, None)
        speaker.begin("Exporting", 1)
        network = load_network(folder.best, request.shape)
        product = export(network, request.out / "product", request.name, _trial(held_out))
        return Trained(outcome, before, product)


def _pictures(
    request: DetectorRequest, folder: RunFolder, speaker: Listener
) -> tuple[Sequence[FacePicture], Sequence[FacePicture]]:
    speaker.begin("Checking pictures", 1)
    labels = read_labels(request.data, request.images, request.classes)
    problems = labels.problems
    if request.held_out is None:
        pictures, held_out = split(labels)
    else:
        others = read_labels(request.held_out, request.held_out_images, request.classes)
        pictures, held_out = labels.pictures, others.pictures
        problems = [*problems, *others.problems]
    _tell(labels, len(pictures), held_out, problems, speaker)
    if problems:
        replace_file(folder.path / "problems.txt", "".join(f"{line}\n" for line in problems).encode())
    require_faces(pictures, "to train on")
    require_faces(held_out, "to validate on")
    return pictures, held_out


def _tell(
    labels: Labels, count: int, held_out: Sequence[FacePicture], problems: Sequence[str], speaker: Listener
) -> None:
    empty = sum(not len(picture.boxes) for picture in labels.pictures)
    speaker.tell(
        f"{count} pictures to train on and {len(held_out)} to validate on; {labels.faces} faces, "
        f"{empty} pictures without any."
    )
    for line in problems[:_TOLD]:
        speaker.tell(line)
    if len(problems) > _TOLD:
        speaker.tell(f"And {len(problems) - _TOLD} problems more, see problems.txt.")


def _before(task: DetectorTask, running: Engine, speaker: Listener) -> Figures:
    """Figures of the network as it is before the first step; its random numbers change nothing later."""
    task.network.to(running.device)
    with torch.no_grad(), torch.random.fork_rng():
        figures = task.validate()
    speaker.tell("Untrained: " + "  ".join(f"{name} {value:.4g}" for name, value in figures.items()))
    return figures


def _trial(pictures: Sequence[FacePicture]) -> list[ImageBGR]:
    found = [read_picture(picture) for picture in pictures[: len(_COMPARED_PX)]]
    return [
        resized(image, (max(32, round(h * side / max(h, w))), max(32, round(w * side / max(h, w)))))
        for image, side in zip(found, _COMPARED_PX, strict=False)
        for h, w in (image.shape[:2],)
    ]
