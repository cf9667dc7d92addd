"""``homeface lab train-household``: a layer over a frozen backbone, then its last blocks; which is better?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from homeface.core.second_opinion import SecondOpinion, second_opinion_as_json, softmax
from homeface.errors import ModelError, TrainingError
from homeface.inference.embedders import unit_rows
from homeface.inference.manifest import ModelSpec
from homeface.lab.training.checkpoint import read_tensors
from homeface.lab.training.embedding.networks import Backbone, build
from homeface.lab.training.embedding.networks.starting import start_from
from homeface.lab.training.embedding.views import Cutter, movements, weather, weathered
from homeface.lab.training.files import replace_file
from homeface.lab.training.folder import RunFolder
from homeface.lab.training.household.data import HouseholdData
from homeface.lab.training.household.linear import Linear, cross_entropy, fit_linear, tempered
from homeface.lab.training.household.plots import confusion, plot_confusion, plot_reliability, reliability
from homeface.lab.training.settings import TrainingSettings

if TYPE_CHECKING:
    from torch import nn

    from homeface.lab.training.embedding.product import Product
    from homeface.lab.training.progress import Listener

_TOGETHER = 64
_SAME = 0.999
_DOUBTED = 0.02
"""Of members' own faces at most so many are doubted, as far as the judging faces tell."""
_TRIAL_FACES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseholdLesson:
    """``embedder``: whose vectors the layer judges, and ``weights`` its network. ``views``: how often each
    photo is shown to the layer; ``train_last``: parts that are fine-tuned afterwards, 0 for none.
    """

    backbone: Backbone
    weights: Path
    embedder: ModelSpec
    models: tuple[Path, ...]
    views: int = 8
    train_last: int = 3
    rate: float = 2e-4
    repeat: int = 4
    decay: float = 1e-3


@dataclass(frozen=True, slots=True)
class Judged:
    """Figures on photos and people that nothing was learned from."""

    loss: float
    accuracy: float
    members_found: float
    strangers_named: float
    calibration_error: float
    confusion: list[list[int]]
    reliability: list[tuple[float, float, int]]


@dataclass(frozen=True, slots=True)
class HouseholdTrained:
    """``finetuned`` None: not asked for, stopped, or in another process than the first. ``product``: the
    fine-tuned network, if it is better.
    """

    file: Path
    transfer: Judged
    finetuned: Judged | None
    stopped: bool = False
    product: Product | None = None
    notes: tuple[str, ...] = field(default=())


def train_household(
    lesson: HouseholdLesson,
    data: HouseholdData,
    settings: TrainingSettings,
    out: Path,
    listener: Listener | None = None,
    *,
    resume: bool = False,
) -> HouseholdTrained:
    """Write ``household.json`` and its pictures into ``out``, and the fine-tuned network if it is better.

    Raises the ``ModelError`` and ``TrainingError`` trees.
    """
    import torch

    network = build(lesson.backbone)
    start_from(network, lesson.weights)
    network.eval().to(memory_format=torch.channels_last)
    require_same_vectors(network, lesson, data)
    torch.manual_seed(settings.seed)
    learned, labels = _many_views(network, lesson, data)
    judged = _vectors(network, lesson.backbone, data.judged.faces)
    linear = fit_linear(learned, labels, len(data.names) + 1, lesson.decay)
    linear = tempered(linear, judged, data.judged.labels)
    out.mkdir(parents=True, exist_ok=True)
    transfer = examined(linear, judged, data.judged.labels)
    model_id = lesson.embedder.model_id
    file = _write(linear, judged, data, model_id, out, "household", transfer)
    if not lesson.train_last or not settings.epochs:
        return HouseholdTrained(file, transfer, None)
    return _fine_tuned(lesson, data, settings, (out, linear, network), transfer, listener, resume=resume)


def _fine_tuned(
    lesson: HouseholdLesson,
    data: HouseholdData,
    settings: TrainingSettings,
    begun: tuple[Path, Linear, nn.Module],
    transfer: Judged,
    listener: Listener | None,
    *,
    resume: bool,
) -> HouseholdTrained:
    from homeface.lab.training.embedding.task import frozen_parts
    from homeface.lab.training.engine import draw, engine
    from homeface.lab.training.household.task import Classifier, FineTuning

    out, linear, network = begun
    file = out / "household.json"
    folder = RunFolder(out / "finetuning")
    folder.begin(_plain(lesson, data, settings), resume=resume)
    with engine(settings, listener) as running:
        module = Classifier(network, linear, frozen_parts(lesson.backbone, lesson.train_last))
        task = FineTuning(lesson.backbone, module, data, rate=lesson.rate, repeat=lesson.repeat)
        outcome = running.fit(task, folder)
    if not running.main:
        return HouseholdTrained(file, transfer, None, outcome.stopped)
    notes: tuple[str, ...] = ()
    try:
        draw(folder, outcome, "fine-tuning")
    except TrainingError as error:
        notes = (str(error),)
    if outcome.stopped or outcome.progress.best is None:
        return HouseholdTrained(file, transfer, None, outcome.stopped, None, notes)
    module.load_state_dict(read_tensors(folder.best)["state"])
    module.to("cpu").eval()
    vectors = _vectors(module.network, lesson.backbone, data.judged.faces)
    head = Linear(module.head.weight.detach().numpy(), module.head.bias.detach().numpy())
    head = tempered(head, vectors, data.judged.labels)
    finetuned = examined(head, vectors, data.judged.labels)
    if finetuned.loss >= transfer.loss:
        return HouseholdTrained(file, transfer, finetuned, False, None, notes)
    product = _product(lesson, module.network, data, out)
    _write(head, vectors, data, product.spec.model_id, out, "household-finetuned", finetuned)
    return HouseholdTrained(file, transfer, finetuned, False, product, notes)


def require_same_vectors(network: nn.Module, lesson: HouseholdLesson, data: HouseholdData) -> None:
    """Raises ``ModelError`` when the network is not the one whose vectors the daemon compares."""
    import torch

    from homeface.inference.models import Placement, load_embedder

    cutter = Cutter(lesson.backbone)
    faces = torch.from_numpy(data.judged.faces[:_TRIAL_FACES])
    pixels = (cutter.cut(faces) * 255).round()
    crops = [np.ascontiguousarray(crop.permute(1, 2, 0).numpy().astype(np.uint8)) for crop in pixels]
    exact = Placement(list(lesson.models), "cpu", precision="float32")  # half of it costs more than _SAME
    embedder = load_embedder(lesson.embedder, exact)
    try:
        theirs = embedder.embed(crops)
    finally:
        embedder.close()
    with torch.no_grad():
        ours = unit_rows(network(cutter.normalised(pixels / 255)).numpy())
    alike = float((theirs * ours).sum(axis=1).min()) if theirs.shape == ours.shape else 0.0
    if alike < _SAME:
        raise ModelError(
            f"{lesson.weights} is not the network of {lesson.embedder.name}: their vectors of one face "
            f"differ (cosine {alike:.3f}). Name the embedder that these weights belong to, or other weights."
        )


def examined(linear: Linear, vectors: NDArray[np.float32], labels: NDArray[np.int64]) -> Judged:
    """What a layer says of faces that nothing was learned from."""
    logits = linear.logits(vectors)
    chances = softmax(logits)
    said = chances.argmax(axis=1)
    others = len(linear.bias) - 1
    rows, error = reliability(chances.max(axis=1), said == labels)
    member = labels < others
    return Judged(
        loss=cross_entropy(logits, labels),
        accuracy=float((said == labels).mean()),
        members_found=float((said == labels)[member].mean()) if member.any() else 0.0,
        strangers_named=float((said != others)[~member].mean()) if (~member).any() else 0.0,
        calibration_error=error,
        confusion=confusion(labels, said, others + 1).tolist(),
        reliability=rows,
    )


def _write(
    linear: Linear,
    vectors: NDArray[np.float32],
    data: HouseholdData,
    model_id: str,
    out: Path,
    name: str,
    told: Judged,
) -> Path:
    """The file for ``recognition.second_opinion``, and two pictures."""
    member = data.judged.labels < len(data.names)
    chances = softmax(linear.logits(vectors))[np.arange(len(member)), data.judged.labels][member]
    least = round(float(min(0.5, np.quantile(chances, _DOUBTED))), 4)
    opinion = SecondOpinion(model_id, data.names, linear.weights, linear.bias, least)
    provenance: Mapping[str, Any] = {
        "faces_learned": len(data.learned.labels),
        "faces_judged": len(data.judged.labels),
        "accuracy": round(told.accuracy, 4),
        "strangers_named": round(told.strangers_named, 4),
    }
    path = out / f"{name}.json"
    replace_file(path, (json.dumps(second_opinion_as_json(opinion, provenance)) + "\n").encode())
    try:
        names = (*data.names, "nobody of us")
        plot_confusion(np.array(told.confusion), names, out / f"{name}-confusion.png")
        plot_reliability(told.reliability, told.calibration_error, out / f"{name}-reliability.png")
    except ImportError as error:
        raise TrainingError("The pictures need matplotlib: uv sync --extra lab.") from error
    return path


def _product(lesson: HouseholdLesson, network: nn.Module, data: HouseholdData, out: Path) -> Product:
    import torch

    from homeface.lab.training.embedding.product import make_product

    trial = Cutter(lesson.backbone)(torch.from_numpy(data.judged.faces[:_TRIAL_FACES]))
    state = {name: value.detach() for name, value in network.state_dict().items()}
    return make_product(lesson.backbone, state, "household", out / "product", trial)


def _many_views(
    network: nn.Module, lesson: HouseholdLesson, data: HouseholdData
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Unit vectors of every learned face, as it is and under random views, and their classes."""
    import torch

    from homeface.lab.training.household.task import POSTURES

    cutter = Cutter(lesson.backbone)
    rows = [_vectors(network, lesson.backbone, data.learned.faces)]
    faces = torch.from_numpy(data.learned.faces)
    for _ in range(lesson.views - 1):
        for part in torch.split(faces, _TOGETHER):
            with torch.no_grad():
                pixels = cutter.cut(part, movements(len(part), POSTURES))
                pixels = cutter.normalised(weathered(pixels, weather(len(part), POSTURES)))
                rows.append(unit_rows(network(pixels).numpy()))
    return np.concatenate(rows), np.tile(data.learned.labels, lesson.views)


def _vectors(network: nn.Module, backbone: Backbone, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
    import torch

    cutter = Cutter(backbone)
    with torch.no_grad():
        parts = torch.split(torch.from_numpy(faces), _TOGETHER)
        return unit_rows(torch.cat([network(cutter(part)) for part in parts]).numpy())


def _plain(lesson: HouseholdLesson, data: HouseholdData, settings: TrainingSettings) -> dict[str, Any]:
    return {
        "kind": "household",
        "backbone": lesson.backbone.name,
        "weights": lesson.weights.name,
        "names": list(data.names),
        "faces": len(data.learned.labels),
        "train_last": lesson.train_last,
        "rate": lesson.rate,
        "repeat": lesson.repeat,
        "views": lesson.views,
        "epochs": settings.epochs,
        "batch": settings.batch,
        "seed": settings.seed,
    }
