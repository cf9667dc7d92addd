"""How a training is run, whatever is trained. Plain values; loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Precision = Literal["auto", "32-true", "16-mixed", "bf16-mixed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """Values of one run.

    ``batch``: samples of one device in one step. ``device``: ``auto`` (a GPU when there is one), ``cpu`` or
    ``cuda``; ``devices``: how many, 0 for all GPUs (one, on a processor). ``precision``: ``auto`` is
    ``16-mixed`` on CUDA and ``32-true`` elsewhere. ``clip_norm``: longest gradient, 0 for any.
    ``workers``: processes that prepare samples, 0 for none. ``save_steps``: a checkpoint every so many steps
    besides the one at the end of each epoch, 0 for none. ``patience``: epochs without a better one after
    which the training ends, 0 for never.
    """

    epochs: int
    batch: int
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    devices: int = 0
    precision: Precision = "auto"
    clip_norm: float = 0.0
    workers: int = 0
    save_steps: int = 0
    patience: int = 0
