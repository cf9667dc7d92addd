"""Schedules of the learning rate, in the engine's words; torch's own do the work."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau


class Plateau:
    """Shrinks the rate by ``factor`` when ``figure`` has not fallen for more than ``patience`` epochs."""

    def __init__(
        self,
        optimizer: Optimizer,
        figure: str,
        *,
        factor: float = 0.5,
        patience: int = 3,
        floor: float = 1e-6,
        warm_up_steps: int = 0,
    ) -> None:
        self._figure = figure
        self._plateau = ReduceLROnPlateau(optimizer, "min", factor=factor, patience=patience, min_lr=floor)
        self._optimizer = optimizer
        self._warm_up_steps = warm_up_steps
        self._steps = 0
        self._rates = [float(group["lr"]) for group in optimizer.param_groups]
        if warm_up_steps:
            self._set(1 / (warm_up_steps + 1))

    def step(self) -> None:
        """Warm up; afterwards nothing."""
        if self._steps < self._warm_up_steps:
            self._steps += 1
            self._set((self._steps + 1) / (self._warm_up_steps + 1))

    def epoch(self, figures: Mapping[str, float]) -> None:
        """Look at the figure; not before the rate has warmed up."""
        if self._steps >= self._warm_up_steps:
            self._plateau.step(figures[self._figure])

    def state_dict(self) -> dict[str, Any]:
        """Counters; the rates are the optimiser's."""
        return {"steps": self._steps, "plateau": self._plateau.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on."""
        self._steps = state["steps"]
        self._plateau.load_state_dict(state["plateau"])

    def _set(self, share: float) -> None:
        for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * share


class EachStep:
    """A rate that is a function of the step: ``share(step)`` of the optimiser's own, e.g. ``warm_cosine``."""

    def __init__(self, optimizer: Optimizer, share: Callable[[int], float]) -> None:
        self._schedule = LambdaLR(optimizer, share)

    def step(self) -> None:
        """Move on by one."""
        self._schedule.step()

    def epoch(self, figures: Mapping[str, float]) -> None:
        """Figures change nothing."""

    def state_dict(self) -> dict[str, Any]:
        """The step."""
        return {"step": self._schedule.last_epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on; the rates themselves come with the optimiser's state."""
        self._schedule.last_epoch = state["step"]


def warm_cosine(steps: int, warm_up_steps: int, floor: float = 0.01) -> Callable[[int], float]:
    """From near 0 up to 1 in ``warm_up_steps``, then down half a cosine to ``floor`` at ``steps``."""

    def share(step: int) -> float:
        if step < warm_up_steps:
            return (step + 1) / (warm_up_steps + 1)
        done = min(1.0, (step - warm_up_steps) / max(1, steps - warm_up_steps))
        return floor + (1 - floor) * (1 + math.cos(math.pi * done)) / 2

    return share
