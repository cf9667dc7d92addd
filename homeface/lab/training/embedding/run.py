"""``homeface lab train-embedding``: from a folder of identities to a model that the daemon takes by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeface.errors import DatasetError, TrainingError
from homeface.inference.manifest import ModelSpec
from homeface.lab.training.checkpoint import read_tensors
from homeface.lab.training.embedding.aligned import (
    LIST,
    Aligned,
    AlignedFace,
    align_folder,
    is_aligned,
    read_aligned,
)
from homeface.lab.training.embedding.data import FaceData, Listed, chosen, read_list
from homeface.lab.training.embedding.held_out import Examination, Examiner, held_out
from homeface.lab.training.embedding.losses import Distillation, LossSettings, loss_of
from homeface.lab.training.embedding.networks import Backbone, backbone_named, build
from homeface.lab.training.embedding.networks.starting import start_from
from homeface.lab.training.embedding.task import KIND, Course, EmbeddingTask, Taught, Teacher, frozen_parts
from homeface.lab.training.embedding.views import Augmentation, Cutter
from homeface.lab.training.files import replace_file
from homeface.lab.training.folder import RunFolder
from homeface.lab.training.settings import TrainingSettings
from homeface.lab.training.task import Figures

if TYPE_CHECKING:
    from torch import Tensor

    from homeface.lab.training.embedding.product import Product
    from homeface.lab.training.progress import Listener

_TRIAL_FACES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Whose faces. ``folder``: identities, or faces that were aligned before; ``aligned``: where cut faces
    are kept; ``listed``: a training list of one's own. People with fewer than ``least`` faces teach nothing;
    one part in ``held_out`` of the people is kept apart for judging.
    """

    folder: Path
    aligned: Path
    detector: ModelSpec
    models: Sequence[Path]
    listed: Path | None = None
    least: int = 2
    held_out: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """What is taught to which network. ``teacher``: backbone and weights of a network to be distilled.

    ``groups``: faces of one person side by side, for triplets; ``repeat``: times an epoch shows every face.
    """

    backbone: Backbone
    weights: Path | None = None
    loss: LossSettings = LossSettings()  # noqa: RUF009 - frozen
    teacher: tuple[str, Path] | None = None
    course: Course = Course()  # noqa: RUF009 - frozen
    augmentation: Augmentation = Augmentation()  # noqa: RUF009 - frozen
    groups: int = 4
    repeat: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingRequest:
    """One run of ``train-embedding``."""

    name: str
    source: Source
    lesson: Lesson
    settings: TrainingSettings
    examination: Examination = Examination()  # noqa: RUF009 - frozen
    resume: bool = False


@dataclass(frozen=True, slots=True)
class Trained:
    """How it went. ``before``: figures of the network as it began; ``best``: of the epoch that was kept."""

    before: Figures
    best: Figures
    stopped: bool
    product: Product | None
    notes: tuple[str, ...] = field(default=())


def faces_of(source: Source, progress: Callable[[int, int], None] = lambda _done, _total: None) -> Aligned:
    """The aligned faces of a source, cut now where they were not yet."""
    if is_aligned(source.folder):
        return read_aligned(source.folder)
    return align_folder(source.folder, source.aligned, source.detector, source.models, progress)


def lists_of(source: Source, aligned: Aligned) -> tuple[Listed, tuple[AlignedFace, ...]]:
    """Whom the network learns from, and the faces that judge it. Raises DatasetError."""
    apart = held_out(aligned, source.held_out)
    judged = {
        aligned.folder / face.file for face in aligned.faces if face.person in {f.person for f in apart}
    }
    file = source.listed or aligned.folder / LIST
    entries = [(path, identity) for path, identity in read_list(file, aligned.folder) if path not in judged]
    if not apart:
        raise DatasetError(f"None of the people in {aligned.folder} was kept apart: lower --held-out.")
    return chosen(entries, source.least, str(file)), apart


def train_embedding(
    request: EmbeddingRequest,
    folder: RunFolder,
    aligned: Aligned,
    listener: Listener | None = None,
) -> Trained:
    """Train, or go on, and export the best epoch. Raises the ``TrainingError`` and ``ModelError`` trees."""
    from homeface.lab.training.engine import draw, engine

    folder.begin(_plain(request), resume=request.resume)
    listed, apart = lists_of(request.source, aligned)
    with engine(request.settings, listener) as running:
        task, notes = make_task(request, listed, aligned, apart)
        begun = folder.path / "begun.json"
        if running.main and not folder.last.exists():
            before = task.untrained(running.device)
            replace_file(begun, (json.dumps(before) + "\n").encode())
        outcome = running.fit(task, folder)
        if not running.main:
            return Trained({}, {}, outcome.stopped, None)
    try:
        draw(folder, outcome, f"{request.name}: {request.lesson.backbone.name}")
    except TrainingError as error:  # the weights are worth more than the picture
        notes = (*notes, str(error))
    before = json.loads(begun.read_text())
    if not request.settings.epochs:
        kept = {"state": task.product(), "figures": before}
    elif outcome.progress.best is None:
        return Trained(before, {}, outcome.stopped, None, notes)
    else:
        kept = read_tensors(folder.best)
    product = make(request, folder, aligned, kept["state"], apart)
    figures = {key: value for key, value in kept["figures"].items() if key in before}
    return Trained(before, figures, outcome.stopped, product, (*notes, *task.notes))


def make_task(
    request: EmbeddingRequest, listed: Listed, aligned: Aligned, apart: Sequence[AlignedFace]
) -> tuple[EmbeddingTask, tuple[str, ...]]:
    """The task, and what the weights it starts from did not bring."""
    lesson, notes = request.lesson, []
    network = build(lesson.backbone)
    if lesson.weights is not None:
        started = start_from(network, lesson.weights)
        if started.fresh:
            notes.append(f"Not in {lesson.weights.name}, begun at random: {', '.join(started.fresh)}.")
    teacher = None
    if lesson.teacher is not None:
        taught_by = backbone_named(lesson.teacher[0])
        teacher = Teacher(build(taught_by), taught_by)
        start_from(teacher.network, lesson.teacher[1])
        teacher.network.requires_grad_(False)
    dimension = lesson.backbone.dimension
    head = None
    if teacher is None or lesson.course.label_share:
        head = loss_of(lesson.loss, dimension, listed.people)
    distillation = None if teacher is None else Distillation(dimension, teacher.backbone.dimension)
    taught = Taught(network, head, distillation, frozen_parts(lesson.backbone, lesson.course.train_last))
    triplets = head is not None and lesson.loss.kind == "triplet"
    data = FaceData(listed, groups=lesson.groups if triplets else 1, repeat=lesson.repeat)
    examiner = Examiner(apart, request.examination, request.source.detector)
    how = (lesson.course, lesson.augmentation)
    return EmbeddingTask(lesson.backbone, taught, data, examiner, aligned, how, teacher), tuple(notes)


def make(
    request: EmbeddingRequest,
    folder: RunFolder,
    aligned: Aligned,
    state: dict[str, Tensor],
    apart: Sequence[AlignedFace],
) -> Product:
    """The files of the best epoch, in ``product`` within the run's folder."""
    import numpy as np
    import torch

    from homeface.lab.training.embedding.product import make_product

    faces = np.stack([aligned.read(face) for face in apart[:_TRIAL_FACES]])
    trial = Cutter(request.lesson.backbone)(torch.from_numpy(faces).permute(0, 3, 1, 2))
    return make_product(request.lesson.backbone, state, request.name, folder.path / "product", trial)


def _plain(request: EmbeddingRequest) -> dict[str, Any]:
    """What a run is begun with, as plain values; folders that may move are left out."""
    settings = asdict(request.settings)
    for movable in ("device", "devices", "workers", "patience"):
        settings.pop(movable)
    lesson = request.lesson
    return {
        "kind": KIND,
        "name": request.name,
        "backbone": asdict(lesson.backbone),
        "weights": lesson.weights and lesson.weights.name,
        "loss": asdict(lesson.loss),
        "teacher": lesson.teacher and [lesson.teacher[0], lesson.teacher[1].name],
        "course": asdict(lesson.course),
        "augmentation": asdict(lesson.augmentation),
        "repeat": lesson.repeat,
        "list": request.source.listed and request.source.listed.name,
        "least": request.source.least,
        "held_out": request.source.held_out,
        "examination": asdict(request.examination),
        "training": settings,
    }
