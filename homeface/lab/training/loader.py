"""Batches in an order that depends on the seed, the epoch and the step alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, Dataset

from homeface.lab.training.settings import TrainingSettings
from homeface.lab.training.task import Dice, TrainingData

_ORDER, _SAMPLE = 0, 1
"""What a dice is thrown for: streams of one seed never meet."""


@dataclass(frozen=True, slots=True)
class Share:
    """Which part of each step is this process's: ``rank`` of ``world``."""

    rank: int = 0
    world: int = 1


def steps_per_epoch(data: TrainingData, batch: int, world: int) -> int:
    """Full steps in an epoch; at least one."""
    return max(1, len(data.order(np.random.default_rng(0))) // (batch * world))


def batches(
    data: TrainingData, settings: TrainingSettings, share: Share, begin: tuple[int, int], *, pinned: bool
) -> Iterator[Any]:
    """Batches from (epoch, step) ``begin`` to the end of the last epoch, one after the other."""
    workers = settings.workers
    loader: DataLoader[Any] = DataLoader(
        _Drawn(data, settings.seed),
        batch_sampler=_Batches(data, settings, share, begin),
        collate_fn=data.collate,
        num_workers=workers,
        pin_memory=pinned,
        prefetch_factor=4 if workers else None,
    )
    with one_thread():
        return iter(loader)


@contextmanager
def one_thread() -> Iterator[None]:
    """What is forked in here has an OpenCV of one thread.

    Else each worker would start as many as there are cores. It is done before the fork, not after it: a child
    has its parent's threads in name only.
    """
    if find_spec("cv2") is None:
        yield
        return
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


class _Drawn(Dataset[Any]):
    """Samples by (epoch, index), each with a dice of its own."""

    def __init__(self, data: TrainingData, seed: int) -> None:
        self._data, self._seed = data, seed

    def __getitem__(self, key: tuple[int, int]) -> Any:
        epoch, index = key
        return self._data.sample(index, np.random.default_rng((self._seed, _SAMPLE, epoch, index)))


class _Batches:
    """Keys of each step's samples."""

    def __init__(
        self, data: TrainingData, settings: TrainingSettings, share: Share, begin: tuple[int, int]
    ) -> None:
        self._data, self._settings, self._share, self._begin = data, settings, share, begin

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        settings, share = self._settings, self._share
        first, skip = self._begin
        whole = settings.batch * share.world
        for epoch in range(first, settings.epochs):
            dice: Dice = np.random.default_rng((settings.seed, _ORDER, epoch))
            order = self._data.order(dice)
            for step in range(skip, max(1, len(order) // whole)):
                mine = order[step * whole : (step + 1) * whole][share.rank :: share.world]
                yield [(epoch, index) for index in mine or order[:1]]
            skip = 0
