"""The one engine of all trainings: the same command on a processor, on one GPU, or on many.

Lightning Fabric places modules, multiplies processes, averages gradients and scales half precision. The loop
is ours, because a run that was interrupted shall give the very weights of one that was not: every random
choice depends on (seed, epoch, step) alone, and a checkpoint holds everything else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from torch import Tensor

from homeface.errors import TrainingError
from homeface.lab.training.checkpoint import Checkpoint, Progress, write_tensors
from homeface.lab.training.curves import plot_history
from homeface.lab.training.folder import RunFolder
from homeface.lab.training.guards import Finiteness, StopWish, not_finite, stop_wishes
from homeface.lab.training.loader import Share, batches, steps_per_epoch
from homeface.lab.training.progress import Listener, Silence
from homeface.lab.training.record import Record
from homeface.lab.training.settings import TrainingSettings
from homeface.lab.training.task import Figures, Task

_LOOK_STEPS = 20
"""On a GPU losses are looked at every so many steps: looking waits for the device."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a training ended. ``stopped``: somebody asked it to; it can go on."""

    progress: Progress
    stopped: bool


class Engine:
    """Runs tasks. With several devices each process makes an ``Engine`` and does the same with it; ``main``
    is true in the one that speaks and writes.

    Raises ``TrainingError`` when there is no such device.
    """

    def __init__(self, settings: TrainingSettings, listener: Listener | None = None) -> None:
        self.settings = settings
        self._fabric, self._scaler = _fabric(settings)
        self.main: bool = self._fabric.is_global_zero
        self.device: torch.device = self._fabric.device
        self._listener: Listener = (listener if self.main else None) or Silence()
        torch.manual_seed(settings.seed)  # modules are made after this, the same in each process

    def fit(self, task: Task, folder: RunFolder) -> Outcome:
        """Train from the folder's last checkpoint, or from the beginning, to the last epoch.

        Raises ``TrainingError`` when the disk is full, ``NonFiniteLossError`` when the numbers go astray; the
        last good checkpoint is then in the folder.
        """
        with stop_wishes() as wish:
            return _Training(self._fabric, self._scaler, task, folder, self.settings, self._listener).run(
                wish
            )

    def close(self) -> None:
        """Let the other processes go."""
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


@contextmanager
def engine(settings: TrainingSettings, listener: Listener | None = None) -> Iterator[Engine]:
    """An engine that is closed afterwards."""
    made = Engine(settings, listener)
    try:
        yield made
    finally:
        made.close()


def _fabric(settings: TrainingSettings) -> tuple[Fabric, Any]:
    """Fabric with its processes running, and the scaler of half precision if there is one."""
    cuda = torch.cuda.is_available() and settings.device != "cpu"
    if settings.device == "cuda" and not cuda:
        raise TrainingError("--device cuda: torch finds no CUDA device on this machine; use auto or cpu.")
    most = torch.cuda.device_count() if cuda else 1
    devices = settings.devices or most
    if cuda and devices > most:
        raise TrainingError(f"--devices {devices}: this machine has {most} CUDA device(s).")
    precision = settings.precision
    if precision == "auto":
        precision = "16-mixed" if cuda else "32-true"
    if cuda:
        torch.set_float32_matmul_precision("high")  # tensor cores also for what stays in single precision
    scaler = torch.amp.GradScaler("cuda") if precision == "16-mixed" and cuda else None
    half = precision.endswith("-mixed")
    if precision == "16-mixed" and not cuda:
        raise TrainingError(
            "--precision 16-mixed needs a CUDA device; a processor takes bf16-mixed or 32-true."
        )
    fabric = Fabric(
        accelerator="cuda" if cuda else "cpu",
        devices=devices,
        strategy="auto" if devices == 1 else "ddp",
        precision=None if half else precision,
        plugins=MixedPrecision(precision, "cuda" if cuda else "cpu", scaler) if half else None,  # type: ignore[arg-type]
    )
    fabric.launch()
    return fabric, scaler


class _Training:
    """One ``fit``."""

    def __init__(
        self,
        fabric: Fabric,
        scaler: Any,
        task: Task,
        folder: RunFolder,
        settings: TrainingSettings,
        listener: Listener,
    ) -> None:
        self._fabric, self._scaler, self._task = fabric, scaler, task
        self._folder, self._settings, self._listener = folder, settings, listener
        self._share = Share(fabric.global_rank, fabric.world_size)
        self._steps = steps_per_epoch(task.data, settings.batch, fabric.world_size)
        self._optimizer = task.optimizer()
        self._schedule = task.schedule(self._optimizer, self._steps, settings.epochs)
        self._module, self._wrapped = fabric.setup(task.module, self._optimizer)
        self._has_stepped = False
        self._optimizer.register_step_post_hook(self._note_step)
        self._progress = self._restore()
        self._finite = Finiteness(fabric.device)
        self._sums: dict[str, Tensor] = {
            name: torch.tensor(value, dtype=torch.float64, device=fabric.device)
            for name, value in self._progress.sums.items()
        }
        self._looked = self._progress.step
        self._record = Record(folder, fabric.is_global_zero)

    def run(self, wish: StopWish) -> Outcome:
        """All epochs that are left."""
        begin = self._progress.epoch, self._progress.step
        pinned = self._fabric.device.type == "cuda"
        source = batches(self._task.data, self._settings, self._share, begin, pinned=pinned)
        try:
            while self._progress.epoch < self._settings.epochs and not self._patience_is_over():
                if not self._epoch(source, wish):
                    self._save()
                    return Outcome(self._progress, stopped=True)
            return Outcome(self._progress, stopped=False)
        finally:
            self._record.close()

    def _epoch(self, source: Iterator[Any], wish: StopWish) -> bool:
        """One epoch, or what is left of it; False when it was asked to stop before its end."""
        progress, settings = self._progress, self._settings
        self._listener.begin(f"Epoch {progress.epoch + 1} of {settings.epochs}", self._steps - progress.step)
        began, done = time.monotonic(), 0
        every = 1 if self._fabric.device.type == "cpu" else _LOOK_STEPS
        self._task.module.train()
        while progress.step < self._steps:
            self._step(next(source))
            progress.step += 1
            done += 1
            text = ""
            if progress.step % every == 0:
                means = self._look()
                text = "  ".join(f"{name} {value:.3f}" for name, value in means.items())
                if self._anybody(bool(wish)) and progress.step < self._steps:
                    return False
            self._listener.step(text)
            if settings.save_steps and progress.step % settings.save_steps == 0 < self._steps - progress.step:
                self._look()
                self._save()
        losses = self._look()
        seconds = time.monotonic() - began
        samples = done * settings.batch * self._share.world
        self._finish({f"train_{name}": value for name, value in losses.items()}, seconds, samples)
        return not self._anybody(bool(wish)) or progress.epoch >= settings.epochs

    def _step(self, batch: Any) -> None:
        progress = self._progress
        rank = self._share.rank
        torch.manual_seed(hash((self._settings.seed, progress.epoch, progress.step, rank)) & 0x7FFF_FFFF)
        losses = dict(self._task.losses(self._module, self._fabric.to_device(batch)))
        total = torch.stack(list(losses.values())).sum()
        self._optimizer.zero_grad(set_to_none=True)
        self._fabric.backward(total)
        if self._settings.clip_norm:
            norm = self._fabric.clip_gradients(
                self._module, self._wrapped, max_norm=self._settings.clip_norm, error_if_nonfinite=False
            )
            if self._scaler is None and norm is not None:  # with a scaler such steps are left out
                self._finite.note(norm)
        self._has_stepped = False
        self._wrapped.step()
        if self._has_stepped:  # the scaler of half precision leaves out steps whose gradients overflow
            self._schedule.step()
            self._task.stepped()
        self._finite.note(total)
        for name, value in {"loss": total, **losses}.items():
            double = value.detach().double()
            self._sums[name] = self._sums[name] + double if name in self._sums else double

    def _note_step(self, *_: Any) -> None:
        """Called by the optimiser after a step that it really took."""
        self._has_stepped = True

    def _look(self) -> Figures:
        """Mean losses of the epoch so far. Raises ``NonFiniteLossError``."""
        progress = self._progress
        progress.sums = {name: float(value) for name, value in self._sums.items()}
        means = {name: value / max(1, progress.step) for name, value in progress.sums.items()}
        if self._anybody(self._finite.bad()):
            kept = "Nothing had been saved so far."
            if self._folder.last.exists():
                kept = f"The last good checkpoint is {self._folder.last}."
            raise not_finite(means, progress.epoch, (self._looked + 1, progress.step), kept)
        self._looked = progress.step
        return means

    def _finish(self, losses: Figures, seconds: float, samples: int) -> None:
        """Validate, move the schedule, save, and tell."""
        progress, task = self._progress, self._task
        rate = float(self._optimizer.param_groups[-1]["lr"])
        figures = self._validated()
        self._schedule.epoch(figures)
        row = {"epoch": float(progress.epoch + 1), "rate": rate, **losses, **figures}
        times = {"seconds": round(seconds, 3), "per_second": round(samples / max(seconds, 1e-9), 2)}
        progress.history.append(row | times)
        judged = figures.get(task.judged_by)
        if judged is not None and self._is_better(judged):
            progress.best, progress.best_epoch = judged, progress.epoch
            if self._fabric.is_global_zero:
                write_tensors(self._folder.best, {"kind": task.kind, "state": task.product(), "figures": row})
        progress.epoch, progress.step, progress.sums = progress.epoch + 1, 0, {}
        self._sums.clear()
        self._looked = 0
        self._save()
        self._record.epoch(progress.history)
        self._listener.tell(_sentence(progress, self._settings.epochs))

    def _validated(self) -> Figures:
        """Figures of the first process, in all of them."""
        figures: Figures = {}
        if self._fabric.is_global_zero:
            task = self._task
            with torch.no_grad(), self._fabric.autocast(), torch.random.fork_rng():
                torch.manual_seed(self._settings.seed)
                figures = task.validate()
            task.module.train()
        told: Figures = self._fabric.broadcast(figures)
        return told

    def _is_better(self, value: float) -> bool:
        best = self._progress.best
        if value != value:  # noqa: PLR0124 - not a number is never better
            return False
        return best is None or (value < best if self._task.better == "lower" else value > best)

    def _patience_is_over(self) -> bool:
        progress, patience = self._progress, self._settings.patience
        return bool(patience) and progress.epoch - 1 - progress.best_epoch >= patience

    def _anybody(self, here: bool) -> bool:
        """Whether it is so in any process."""
        if self._share.world == 1:
            return here
        value = torch.tensor(float(here), device=self._fabric.device)
        return bool(self._fabric.all_reduce(value, reduce_op="sum"))

    def _save(self) -> None:
        if not self._fabric.is_global_zero:
            return
        task = self._task
        states: dict[str, Any] = {
            "module": task.module.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "task": task.state_dict(),
            "scaler": self._scaler.state_dict() if self._scaler is not None else {},
        }
        self._folder.save(Checkpoint(task.kind, self._progress, states))

    def _restore(self) -> Progress:
        found = self._folder.load(self._task.kind)
        if found is None:
            return Progress()
        task, states = self._task, found.states
        for what, load in _loaders(task, self._optimizer, self._schedule).items():
            try:
                load(states[what])
            except (KeyError, RuntimeError, ValueError, TypeError) as error:
                raise TrainingError(
                    f"{self._folder.last} does not fit what is trained ({what}): {error}"
                ) from error
        if self._scaler is not None and states["scaler"]:
            self._scaler.load_state_dict(states["scaler"])
        return found.progress


def _loaders(task: Task, optimizer: Any, schedule: Any) -> Mapping[str, Callable[[Any], object]]:
    return {
        "module": task.module.load_state_dict,
        "optimizer": optimizer.load_state_dict,
        "schedule": schedule.load_state_dict,
        "task": task.load_state_dict,
    }


def _sentence(progress: Progress, epochs: int) -> str:
    """The newest epoch in a line."""
    row = progress.history[-1]
    figures = "  ".join(
        f"{name} {value:.4g}" for name, value in row.items() if name not in {"epoch", "seconds"}
    )
    mark = "  (best so far)" if progress.best_epoch == len(progress.history) - 1 else ""
    return f"Epoch {int(row['epoch'])} of {epochs}: {figures}{mark}"


def draw(folder: RunFolder, outcome: Outcome, title: str) -> None:
    """The curves of a run as PNG. Raises ``TrainingError``."""
    if outcome.progress.history:
        plot_history(outcome.progress.history, folder.curves, title)
