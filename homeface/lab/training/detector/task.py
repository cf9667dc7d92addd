"""Training of the detector, in the engine's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from homeface.lab.training.detector.augmentation import Augmentation
from homeface.lab.training.detector.figures import average_precision
from homeface.lab.training.detector.labels import Corners, FacePicture
from homeface.lab.training.detector.network import FaceRcnn, Shape
from homeface.lab.training.detector.pictures import FaceData, targets_of, whole_pictures
from homeface.lab.training.schedules import EachStep, Plateau, warm_cosine
from homeface.lab.training.task import Figures, Schedule

KIND = "detector"


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """``rate``: of learning. ``schedule``: ``plateau`` shrinks it by ``factor`` after ``patience`` epochs in
    which the validation loss has not fallen; ``cosine`` lets it fall from step to step to nearly nothing at
    the end. ``warm_up_steps`` come first. ``batch``: pictures of one validation step. ``repeat``: how often
    each picture is drawn in an epoch.
    """

    rate: float = 1e-3
    schedule: Literal["plateau", "cosine"] = "plateau"
    decay: float = 1e-4
    factor: float = 0.5
    patience: int = 8
    warm_up_steps: int = 50
    batch: int = 8
    repeat: int = 1


class DetectorTask:
    """Faster R-CNN on labelled pictures, judged by its average precision on ``held_out`` ones."""

    kind = KIND
    judged_by = "ap"
    better: Literal["lower", "higher"] = "higher"

    def __init__(
        self,
        shape: Shape,
        pictures: Sequence[FacePicture],
        held_out: Sequence[FacePicture],
        how: Augmentation,
        learning: Learning,
    ) -> None:
        self.network = FaceRcnn(shape)
        self.data = FaceData(pictures, how, learning.repeat)
        self._shape, self._held_out, self._how, self._learning = shape, held_out, how, learning

    @property
    def module(self) -> nn.Module:
        """The network."""
        return self.network

    def optimizer(self) -> Optimizer:
        """AdamW in its AMSGrad variant; norms and biases do not decay."""
        named = [item for item in self.network.named_parameters() if item[1].requires_grad]
        groups = [
            {"params": [p for _, p in named if p.ndim > 1], "weight_decay": self._learning.decay},
            {"params": [p for _, p in named if p.ndim <= 1], "weight_decay": 0.0},
        ]
        return AdamW(groups, lr=self._learning.rate, amsgrad=True)

    def schedule(self, optimizer: Optimizer, steps_per_epoch: int, epochs: int) -> Schedule:
        """Down when the validation loss no longer falls, or with the steps."""
        learning = self._learning
        if learning.schedule == "cosine":
            return EachStep(optimizer, warm_cosine(steps_per_epoch * epochs, learning.warm_up_steps))
        return Plateau(
            optimizer,
            "val_loss",
            factor=learning.factor,
            patience=learning.patience,
            warm_up_steps=learning.warm_up_steps,
        )

    def losses(self, module: nn.Module, batch: Any) -> Mapping[str, Tensor]:
        """Of both stages: is it a face, and where."""
        pictures, boxes = batch
        found: dict[str, Tensor] = module(pictures, targets_of(boxes))
        return {
            "face": found["loss_classifier"],
            "box": found["loss_box_reg"],
            "proposal": found["loss_objectness"],
            "anchor": found["loss_rpn_box_reg"],
        }

    def stepped(self) -> None:
        """Nothing more."""

    def validate(self) -> Figures:
        """``val_loss`` and average precision on the held-out pictures."""
        side = self._how.side_px
        sums: list[float] = []
        found: list[tuple[Corners, np.ndarray[Any, Any]]] = []
        for (pictures, boxes), scales in whole_pictures(self._held_out, side, self._learning.batch):
            device = next(self.network.parameters()).device
            here, there = pictures.to(device), [each.to(device) for each in boxes]
            sums.append(self._loss(here, there) * len(pictures))
            self.network.eval()
            for seen, scale in zip(self.network(here), scales, strict=True):
                found.append((seen["boxes"].cpu().numpy() / scale, seen["scores"].cpu().numpy()))
        figures = {"val_loss": sum(sums) / max(1, len(self._held_out))}
        return figures | average_precision(self._held_out, found)

    def _loss(self, pictures: Tensor, boxes: list[Tensor]) -> float:
        """As in training, but the statistics of the batch norms stay as they are."""
        self.network.train()
        for module in self.network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        torch.manual_seed(0)  # both stages draw the regions they look at
        kept = [each[(each[:, 2:] - each[:, :2]).min(dim=1).values >= 1] for each in boxes]
        losses = self.losses(self.network, (pictures, kept))
        return float(torch.stack(list(losses.values())).sum())

    def state_dict(self) -> dict[str, Any]:
        """What it is the training of."""
        return {"shape": self._shape.as_json()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raises ``ValueError`` for another network's checkpoint."""
        if state["shape"] != self._shape.as_json():
            raise ValueError(f"it is of a network of {state['shape']}, not {self._shape.as_json()}")

    def product(self) -> dict[str, Tensor]:
        """The network's weights."""
        return self.network.state_dict()
