"""What befalls a training, with each of the trainers: numbers that are none, a full disk, a stop.

What the engine does of it is tested by itself in ``test_engine``; here the trainers go on with everything
that is theirs.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from homeface.errors import NonFiniteLossError, TrainingError
from homeface.lab.training.checkpoint import read_tensors
from homeface.lab.training.detector.run import train_detector
from homeface.lab.training.detector.task import DetectorTask
from homeface.lab.training.embedding.aligned import read_aligned
from homeface.lab.training.embedding.run import train_embedding
from homeface.lab.training.embedding.task import EmbeddingTask
from homeface.lab.training.folder import RunFolder
from homeface.lab.training.household.run import train_household
from homeface.lab.training.household.task import FineTuning
from homeface.lab.training.settings import TrainingSettings
from tests.lab.training.detector.test_training import request as detector_request
from tests.lab.training.embedding.made import make_aligned, request_for
from tests.lab.training.household.made import lesson_for, make_household

pytestmark = pytest.mark.timeout(400)


@dataclass(frozen=True)
class Trainer:
    """``train(folder, resume)`` takes two epochs; ``task`` has the losses; ``run``: where in the folder."""

    train: Callable[[Path, bool], object]
    task: type
    run: str = "."


def detector(place: Path) -> Trainer:
    def train(out: Path, resume: bool) -> object:
        return train_detector(detector_request(place, out=out, resume=resume))

    return Trainer(train, DetectorTask)


def embedding(place: Path) -> Trainer:
    faces = make_aligned(place / "faces")

    def train(out: Path, resume: bool) -> object:
        return train_embedding(request_for(faces, resume=resume), RunFolder(out), read_aligned(faces))

    return Trainer(train, EmbeddingTask)


def household(place: Path) -> Trainer:
    data, lesson = make_household(), lesson_for(place)
    settings = TrainingSettings(epochs=2, batch=8, device="cpu", clip_norm=5.0)

    def train(out: Path, resume: bool) -> object:
        return train_household(lesson, data, settings, out, resume=resume)

    return Trainer(train, FineTuning, "finetuning")


@pytest.fixture(params=[detector, embedding, household], ids=lambda make: str(make.__name__))
def trainer(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trainer:
    """Without what comes after the training."""
    monkeypatch.setattr("homeface.lab.training.embedding.run.make", lambda *_arguments: None)
    monkeypatch.setattr("homeface.lab.training.household.run._product", lambda *_arguments: None)
    monkeypatch.setattr("homeface.lab.training.household.run.require_same_vectors", lambda *_arguments: None)
    monkeypatch.setattr("homeface.lab.training.household.run._write", lambda *_arguments: Path("none"))
    monkeypatch.setattr("homeface.lab.training.detector.task.average_precision", lambda *_: {"ap": 0.0})
    (tmp_path / "place").mkdir()
    return request.param(tmp_path / "place")


def last_step(task: type, monkeypatch: pytest.MonkeyPatch, steps: int, then: Callable[[Any], Any]) -> None:
    """In the step of that number, ``then`` sees the losses and may change them."""
    losses, count = task.losses, iter(range(1, 1000))  # type: ignore[attr-defined]

    def meddled(self: Any, module: Any, batch: Any) -> Any:
        found = losses(self, module, batch)
        if torch.is_grad_enabled() and next(count) == steps:
            return then(found)
        return found

    monkeypatch.setattr(task, "losses", meddled)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full of Linux")
def test_a_run_ends_as_if_nothing_had_befallen_it(
    trainer: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    trainer.train(whole, False)
    folder = out / trainer.run
    epochs = steps_of(whole / trainer.run)
    assert epochs % 2 == 0
    last = epochs // 2  # in the second epoch

    def no_numbers(found: Any) -> Any:
        return {name: value * float("nan") for name, value in found.items()}

    def full_disk(found: Any) -> Any:
        (folder / "last.ckpt.part").symlink_to("/dev/full")
        return found

    def stop(found: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return found

    with monkeypatch.context() as patch:
        last_step(trainer.task, patch, epochs, no_numbers)
        with pytest.raises(NonFiniteLossError, match=r"epoch 2, step \d+: .*last\.ckpt"):
            trainer.train(out, False)
    assert checkpoint(folder)["progress"]["epoch"] == 1
    assert all(torch.isfinite(value).all() for value in checkpoint(folder)["states"]["module"].values())

    with monkeypatch.context() as patch:
        last_step(trainer.task, patch, last, full_disk)
        with pytest.raises(TrainingError, match=r"last\.ckpt could not be written: No space left.*--resume"):
            trainer.train(out, True)
    assert checkpoint(folder)["progress"]["epoch"] == 1

    with monkeypatch.context() as patch:
        last_step(trainer.task, patch, 1, stop)
        trainer.train(out, True)
    assert checkpoint(folder)["progress"]["step"] == 1

    trainer.train(out, True)
    first, second = (checkpoint(place)["states"]["module"] for place in (whole / trainer.run, folder))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def checkpoint(folder: Path) -> Any:
    return read_tensors(folder / "last.ckpt")


def steps_of(folder: Path) -> int:
    states = checkpoint(folder)["states"]["optimizer"]["state"]
    return int(next(iter(states.values()))["step"])
