"""An embedding network as a task of the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from homeface.lab.training.embedding.aligned import Aligned
from homeface.lab.training.embedding.data import FaceData
from homeface.lab.training.embedding.held_out import Examiner
from homeface.lab.training.embedding.losses import Distillation
from homeface.lab.training.embedding.networks import Backbone, part_of
from homeface.lab.training.embedding.views import Augmentation, Cutter, movements, weather, weathered
from homeface.lab.training.schedules import EachStep, warm_cosine
from homeface.lab.training.task import Figures

KIND = "embedding"
_EXAMINED_TOGETHER = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How the weights move.

    ``rate``: learning rate of the last part; each part before it has ``fall`` times its successor's.
    ``train_last``: only so many parts from the end are trained, 0 for all. ``warm_up``: share of the steps in
    which the rate rises. ``ema``: share of the average of the weights that a step keeps, 0 for no average.
    ``label_share``: of the labels' loss beside a teacher's.
    """

    rate: float = 1e-3
    fall: float = 1.0
    train_last: int = 0
    weight_decay: float = 5e-4
    optimizer: Literal["adamw", "sgd"] = "adamw"
    warm_up: float = 0.05
    ema: float = 0.999
    label_share: float = 0.0


class Taught(nn.Module):
    """A backbone and what teaches it. ``forward(pixels, labels, targets)`` gives the losses by name."""

    def __init__(
        self,
        network: nn.Module,
        head: nn.Module | None,
        distillation: Distillation | None,
        frozen: Sequence[str],
    ) -> None:
        super().__init__()
        self.network, self.head, self.distillation = network, head, distillation
        self._frozen = tuple(frozen)

    def train(self, mode: bool = True) -> Taught:
        """Parts that are not trained keep their batch statistics as well."""
        super().train(mode)
        for name, module in self.network.named_modules():
            if mode and name and any(name == part or name.startswith(f"{part}.") for part in self._frozen):
                module.train(False)
        return self

    def forward(self, pixels: Tensor, labels: Tensor, targets: Tensor | None) -> dict[str, Tensor]:
        """Losses of (N, 3, h, w) normalised pixels."""
        vectors = self.network(pixels)
        losses: dict[str, Tensor] = {}
        if self.head is not None:
            losses["label_loss"] = self.head(vectors, labels)
        if self.distillation is not None and targets is not None:
            losses["teacher_loss"] = self.distillation(vectors, targets)
        return losses


@dataclass(frozen=True, slots=True, eq=False)
class Teacher:
    """A network that is not trained, and how it is fed."""

    network: nn.Module
    backbone: Backbone


class EmbeddingTask:
    """Fine-tuning, training from scratch, and distillation of one backbone."""

    kind = KIND
    judged_by = "verify_accuracy"
    better: Literal["lower", "higher"] = "higher"

    def __init__(
        self,
        backbone: Backbone,
        taught: Taught,
        data: FaceData,
        examiner: Examiner,
        aligned: Aligned,
        how: tuple[Course, Augmentation],
        teacher: Teacher | None = None,
    ) -> None:
        self.backbone, self._data = backbone, data
        self._taught = taught.to(memory_format=torch.channels_last)
        self._examiner, self._aligned = examiner, aligned
        self._course, self._augmentation = how
        self._cutter = Cutter(backbone)
        if teacher is not None:
            teacher.network.to(memory_format=torch.channels_last)
        self._teacher = teacher
        self._teachers_cutter = None if teacher is None else Cutter(teacher.backbone)
        self._average = (
            AveragedModel(taught.network, multi_avg_fn=_average_by(self._course.ema), use_buffers=True)
            if self._course.ema
            else None
        )
        self._kept: Tensor | None = None
        self._examined: Tensor | None = None

    @property
    def module(self) -> nn.Module:
        """Backbone and losses."""
        return self._taught

    @property
    def data(self) -> FaceData:
        """The training list."""
        return self._data

    def optimizer(self) -> Optimizer:
        """Rates by depth; biases, batch norms and slopes are not decayed."""
        groups = list(_groups(self._taught, self.backbone, self._course))
        if self._course.optimizer == "sgd":
            return SGD(groups, lr=self._course.rate, momentum=0.9)
        return AdamW(groups, lr=self._course.rate)

    def schedule(self, optimizer: Optimizer, steps_per_epoch: int, epochs: int) -> EachStep:
        """Warm-up, then a cosine."""
        steps = steps_per_epoch * epochs
        return EachStep(optimizer, warm_cosine(steps, int(self._course.warm_up * steps)))

    def losses(self, module: nn.Module, batch: Any) -> Mapping[str, Tensor]:
        """Each face under a new view; the teacher is shown the very same one."""
        faces, labels = batch
        wide = self._wide(faces)
        moved = movements(len(labels), self._augmentation).to(wide.device)
        sky = weather(len(labels), self._augmentation)
        targets = None
        if self._teacher is not None and self._teachers_cutter is not None:
            cutter = self._teachers_cutter.to(wide.device)
            with torch.no_grad():
                network = self._teacher.network.to(wide.device).eval()
                targets = network(cutter.normalised(weathered(cutter.cut(wide, moved), sky)))
        cutter = self._cutter.to(wide.device)
        with torch.no_grad():
            pixels = cutter.normalised(weathered(cutter.cut(wide, moved), sky))
        losses = dict(module(pixels, labels, targets))
        if "teacher_loss" in losses and "label_loss" in losses:
            losses["label_loss"] = losses["label_loss"] * self._course.label_share
        return losses

    def stepped(self) -> None:
        """The average moves a little."""
        if self._average is not None:
            self._average.to(_device(self._taught)).update_parameters(self._taught.network)

    def validate(self) -> Figures:
        """Figures on the people who were kept apart."""
        return self._examiner.ask(self.vectors())

    def vectors(self) -> NDArray[np.float32]:
        """(N, D) vectors of the examiner's faces, plainly cut, by the averaged network."""
        network, device = self._averaged(), _device(self._taught)
        network.to(device).eval()
        cutter = self._cutter.to(device)
        if self._examined is None:
            faces = [self._aligned.read(face) for face in self._examiner.faces]
            self._examined = torch.from_numpy(np.stack(faces)).permute(0, 3, 1, 2).contiguous()
        parts = torch.split(self._examined, _EXAMINED_TOGETHER)
        with torch.no_grad():
            rows = [network(cutter(part.to(device))).float().cpu().numpy() for part in parts]
        return np.concatenate(rows)

    def untrained(self, device: torch.device) -> Figures:
        """Figures of the network as it is now, before anything was learned."""
        self._taught.to(device)
        return self.validate()

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be asked, in sentences."""
        why = self._examiner.without_households
        return (f"No households were asked: {why}",) if why else ()

    def state_dict(self) -> dict[str, Any]:
        """The average."""
        return {} if self._average is None else {"average": self._average.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on."""
        if self._average is not None:
            self._average.load_state_dict(state["average"])

    def product(self) -> dict[str, Tensor]:
        """The averaged backbone."""
        return {name: value.detach().cpu().clone() for name, value in self._averaged().state_dict().items()}

    def _averaged(self) -> nn.Module:
        return self._taught.network if self._average is None else self._average.module

    def _wide(self, faces: Tensor) -> Tensor:
        """Decoded faces as they come, or by their numbers out of the device's memory."""
        if faces.ndim == 4:
            return faces
        if self._kept is None:
            self._kept = self._data.stack().to(faces.device)
        return self._kept[faces]


def _device(module: nn.Module) -> torch.device:
    return next(module.parameters()).device


def _average_by(share: float) -> Any:
    """An average that forgets quickly at first: the weights of the beginning are worth little."""

    def average(kept: Any, current: Any, count: Any) -> None:
        seen = int(count)
        step: Any = get_ema_multi_avg_fn  # not typed
        step(min(share, (1 + seen) / (10 + seen)))(kept, current, count)

    return average


def frozen_parts(backbone: Backbone, train_last: int) -> tuple[str, ...]:
    """Names of the parts that are not trained."""
    return backbone.parts[: len(backbone.parts) - train_last] if train_last else ()


def _groups(taught: Taught, backbone: Backbone, course: Course) -> Sequence[dict[str, Any]]:
    """One group for each part and for what is (not) decayed; frozen parts need no gradient."""
    last = len(backbone.parts) - 1
    first = len(backbone.parts) - course.train_last if course.train_last else 0
    groups: dict[tuple[int, bool], list[nn.Parameter]] = {}
    for name, parameter in taught.network.named_parameters():
        part = part_of(name, backbone.parts)
        if part < first:
            parameter.requires_grad_(False)
        if parameter.requires_grad:
            groups.setdefault((part, parameter.ndim > 1), []).append(parameter)
    for teacher in (taught.head, taught.distillation):
        for parameter in () if teacher is None else teacher.parameters():
            groups.setdefault((last, parameter.ndim > 1), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": course.rate * course.fall ** (last - part),
            "weight_decay": course.weight_decay if decayed else 0.0,
        }
        for (part, decayed), parameters in groups.items()
    ]
