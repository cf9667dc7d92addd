"""What the training engine costs beside a plain PyTorch loop: samples a second of both, in turns.

python -m homeface.lab.benchmark.training_detector DATA [--variant fpn] [--side 640] [--batch 16]

Both loops train the same detector on the same pictures with the same optimiser, precision and clipping; the
plain one is what one would write by hand, and looks at its loss as seldom as the engine does. The first epoch
of each turn warms up and does not count.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import homeface.inference  # noqa: F401 - before torch is used: it sets how OpenMP's threads wait
from homeface.lab.training.detector.augmentation import Augmentation
from homeface.lab.training.detector.network import Shape
from homeface.lab.training.detector.sources import read_labels
from homeface.lab.training.detector.task import DetectorTask, Learning
from homeface.lab.training.engine import engine
from homeface.lab.training.folder import RunFolder
from homeface.lab.training.loader import one_thread
from homeface.lab.training.settings import TrainingSettings
from homeface.lab.training.task import Figures, Task

LOOK_STEPS = 20


class _Unjudged:
    """A task that is not validated: what is measured is training."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def validate(self) -> Figures:
        """Nothing but what the schedule asks for."""
        return {"val_loss": 0.0}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task, name)


def of_engine(task: Task, settings: TrainingSettings) -> list[float]:
    """Samples a second in each epoch."""
    with tempfile.TemporaryDirectory() as folder, engine(settings) as running:
        run = RunFolder(Path(folder))
        judged: Any = _Unjudged(task)
        outcome = running.fit(judged, run)
        return [row["per_second"] for row in outcome.progress.history]


class _Plain(Dataset[Any]):
    def __init__(self, task: Task) -> None:
        self._data = task.data

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, index: int) -> Any:
        return self._data.sample(index, np.random.default_rng(index))


def of_plain_loop(task: Task, settings: TrainingSettings) -> list[float]:
    """The same by hand."""
    cuda = torch.cuda.is_available() and settings.device != "cpu"
    device = torch.device("cuda" if cuda else "cpu")
    loader = DataLoader(
        _Plain(task),
        batch_size=settings.batch,
        shuffle=True,
        drop_last=True,
        num_workers=settings.workers,
        collate_fn=task.data.collate,
        pin_memory=cuda,
        persistent_workers=settings.workers > 0,
        prefetch_factor=4 if settings.workers else None,
    )
    module = task.module.to(device).train()
    optimizer, scaler = task.optimizer(), torch.amp.GradScaler("cuda", enabled=cuda)
    speeds = []
    for _ in range(settings.epochs):
        began, done = time.monotonic(), 0
        with one_thread():
            batches = iter(loader)
        for step, batch in enumerate(batches):
            with torch.autocast(device.type, torch.float16, enabled=cuda):
                loss = _sum(task.losses(module, _to(batch, device)))
            optimizer.zero_grad(set_to_none=True)
            scaled: Any = scaler.scale(loss)
            scaled.backward()
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(module.parameters(), settings.clip_norm)
            scaler.step(optimizer)
            scaler.update()
            done += settings.batch
            if step % LOOK_STEPS == 0:
                loss.item()
        if cuda:
            torch.cuda.synchronize()
        speeds.append(done / (time.monotonic() - began))
    return speeds


def turn(make: Callable[[], Task], settings: TrainingSettings) -> tuple[float, float]:
    """Median samples a second of the engine and of the plain loop, without their first epochs."""
    ours = statistics.median(of_engine(make(), settings)[1:])
    return ours, statistics.median(of_plain_loop(make(), settings)[1:])


def _sum(losses: Mapping[str, Tensor]) -> Tensor:
    return torch.stack(list(losses.values())).sum()


def _to(value: Any, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=True)
    return type(value)(_to(each, device) for each in value)


def main() -> None:
    """Print both and their ratio."""
    parser = argparse.ArgumentParser(prog="homeface.lab.benchmark.training_detector")
    parser.add_argument("data", type=Path)
    parser.add_argument("--variant", choices=("single", "fpn"), default="fpn")
    parser.add_argument("--head", type=int, default=512)
    parser.add_argument("--side", type=int, default=640)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=4)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--device", choices=("auto", "cpu"), default="auto")
    wishes = parser.parse_args()
    pictures = read_labels(wishes.data).pictures
    learning = Learning(repeat=wishes.repeat)

    def make() -> Task:
        torch.manual_seed(0)
        shape = Shape(variant=wishes.variant, head=wishes.head)
        return DetectorTask(shape, pictures, pictures[:1], Augmentation(side_px=wishes.side), learning)

    settings = TrainingSettings(
        epochs=wishes.epochs,
        batch=wishes.batch,
        workers=wishes.workers,
        device=wishes.device,
        devices=1,
        clip_norm=10.0,
    )
    place = torch.cuda.get_device_name() if torch.cuda.is_available() else "processor"
    print(f"pictures a second on {place}: engine, plain loop, ratio")
    ratios = []
    for _ in range(wishes.turns):
        ours, plain = turn(make, settings)
        ratios.append(ours / plain)
        print(f"{ours:8.1f} {plain:8.1f} {ratios[-1]:8.3f}", flush=True)
    print(f"median ratio {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
