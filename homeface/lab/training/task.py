"""What the engine wants of something that is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from torch import Tensor, nn
from torch.optim import Optimizer

Figures: TypeAlias = dict[str, float]
"""What was measured, by name."""
Dice: TypeAlias = np.random.Generator


class TrainingData(Protocol):
    """Samples to train on. Random choices come from the dice that is handed in and from nowhere else: then a
    resumed run draws what an uninterrupted one would have drawn, whatever the number of workers."""

    def __len__(self) -> int:
        """Samples in all, at least one."""

    def order(self, dice: Dice) -> Sequence[int]:
        """Indices of one epoch in their order, e.g. a permutation; its length is the same each time."""

    def sample(self, index: int, dice: Dice) -> Any:
        """One sample, augmented. Runs in a worker process when there are some."""

    def collate(self, samples: list[Any]) -> Any:
        """A batch of samples: tensors in lists, tuples or dicts."""


class Schedule(Protocol):
    """Moves the learning rate."""

    def step(self) -> None:
        """After each optimiser step."""

    def epoch(self, figures: Mapping[str, float]) -> None:
        """After each validation."""

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""


class Task(Protocol):
    """One thing to train. ``kind`` is kept in checkpoints: another kind's are refused.

    ``judged_by`` names the figure of ``validate`` by which the best epoch is chosen, ``better`` says which
    way.
    """

    kind: str
    judged_by: str
    better: Literal["lower", "higher"]

    @property
    def module(self) -> nn.Module:
        """What is trained; the engine places it on the device. Its ``forward`` is called by ``losses``."""

    @property
    def data(self) -> TrainingData:
        """What it is trained on."""

    def optimizer(self) -> Optimizer:
        """A new optimiser of the module's parameters."""

    def schedule(self, optimizer: Optimizer, steps_per_epoch: int, epochs: int) -> Schedule:
        """How its learning rate goes."""

    def losses(self, module: nn.Module, batch: Any) -> Mapping[str, Tensor]:
        """Scalar losses of one batch by name; their sum is minimised. ``module`` is the one to call."""

    def stepped(self) -> None:
        """After each step that the optimiser took, e.g. for a moving average of the weights."""

    def validate(self) -> Figures:
        """Figures of the module as it is; called on one device, without gradients."""

    def state_dict(self) -> dict[str, Any]:
        """What else belongs into a checkpoint; tensors, numbers and texts in dicts and lists."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""

    def product(self) -> dict[str, Tensor]:
        """State dict of what the training is for: kept for the best epoch, loaded by whoever exports."""
