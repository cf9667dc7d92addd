"""The smallest thing that can be trained: a line through points, with every kind of chance in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from homeface.lab.training.schedules import Plateau
from homeface.lab.training.task import Dice, Figures


class Points:
    """Points about y = 3x − 1, moved a little each time they are drawn."""

    def __init__(self, count: int = 20) -> None:
        self.xs = np.linspace(-1, 1, count)

    def __len__(self) -> int:
        return len(self.xs)

    def order(self, dice: Dice) -> Sequence[int]:
        return [int(i) for i in dice.permutation(len(self))]

    def sample(self, index: int, dice: Dice) -> tuple[float, float]:
        x = self.xs[index] + dice.normal(0, 0.05)
        return x, 3 * x - 1

    def collate(self, samples: list[Any]) -> tuple[Tensor, Tensor]:
        x, y = torch.tensor(samples, dtype=torch.float32).T
        return x[:, None], y[:, None]


class Line:
    """A task; ``meddle(step, batch)`` may change a batch, or do anything else before its step."""

    kind = "line"
    judged_by = "val_loss"
    better: Literal["lower", "higher"] = "lower"

    def __init__(
        self, meddle: Callable[[int, Any], Any] = lambda _step, batch: batch, dropout: float = 0.2
    ) -> None:
        self.module: nn.Module = nn.Sequential(nn.Linear(1, 8), nn.Dropout(dropout), nn.Linear(8, 1))
        self.data = Points()
        self.steps = 0
        self._meddle = meddle

    def optimizer(self) -> Optimizer:
        return AdamW(self.module.parameters(), lr=0.05, amsgrad=True)

    def schedule(self, optimizer: Optimizer, steps_per_epoch: int, epochs: int) -> Plateau:
        return Plateau(optimizer, "val_loss", patience=0, warm_up_steps=3)

    def losses(self, module: nn.Module, batch: Any) -> Mapping[str, Tensor]:
        x, y = self._meddle(self.steps, batch)
        return {"square": nn.functional.mse_loss(module(x), y)}

    def stepped(self) -> None:
        self.steps += 1

    def validate(self) -> Figures:
        self.module.eval()
        x = torch.linspace(-1, 1, 9)[:, None]
        return {"val_loss": float(nn.functional.mse_loss(self.module(x), 3 * x - 1))}

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.steps = state["steps"]

    def product(self) -> dict[str, Tensor]:
        return self.module.state_dict()
