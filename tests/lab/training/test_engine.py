"""The engine: interrupted runs, broken numbers, full disks, strange files."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from torch.optim import Optimizer

from homeface.errors import NonFiniteLossError, TrainingError
from homeface.lab.training import engine as engines
from homeface.lab.training.checkpoint import read_tensors
from homeface.lab.training.engine import Engine, Outcome, draw
from homeface.lab.training.folder import RunFolder
from homeface.lab.training.schedules import EachStep
from homeface.lab.training.settings import TrainingSettings
from tests.lab.training.lines import Line

EPOCHS = 4
SETTINGS = TrainingSettings(epochs=EPOCHS, batch=4, device="cpu", clip_norm=1.0)
STEPS = 5  # of an epoch


def train(folder: Path, meddle: Any = None, settings: TrainingSettings = SETTINGS) -> tuple[Outcome, Line]:
    engine = Engine(settings)
    line = Line() if meddle is None else Line(meddle)
    return engine.fit(line, begun(folder, settings.batch)), line


def begun(folder: Path, batch: int = 4) -> RunFolder:
    run = RunFolder(folder)
    run.begin({"batch": batch}, resume=True)
    return run


def weights(line: Line) -> list[float]:
    return [float(x) for value in line.module.state_dict().values() for x in value.flatten()]


def told(outcome: Outcome) -> list[dict[str, float]]:
    """The history without what a clock says."""
    times = {"seconds", "per_second"}
    return [{k: v for k, v in row.items() if k not in times} for row in outcome.progress.history]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Line]:
    """A run that nothing interrupted."""
    return train(tmp_path_factory.mktemp("whole"))


def ask_to_stop(at: int) -> Any:
    def meddle(step: int, batch: Any) -> Any:
        if step == at:
            os.kill(os.getpid(), signal.SIGTERM)
        return batch

    return meddle


def break_off(at: int) -> Any:
    """As when the power goes: nothing is saved any more."""

    def meddle(step: int, batch: Any) -> Any:
        if step == at:
            raise ConnectionAbortedError
        return batch

    return meddle


def test_the_loss_falls_and_is_written_down(tmp_path: Path) -> None:
    outcome, line = train(tmp_path)
    history = outcome.progress.history
    assert not outcome.stopped
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]
    assert history[-1]["val_loss"] < 0.5 * history[0]["val_loss"]
    assert [json.loads(text) for text in (tmp_path / "history.jsonl").read_text().splitlines()] == history
    best = read_tensors(tmp_path / "best.pt")
    assert best["figures"]["val_loss"] == min(row["val_loss"] for row in history)
    assert best["state"].keys() == line.module.state_dict().keys()
    assert list((tmp_path / "tensorboard").iterdir())
    draw(RunFolder(tmp_path), outcome, "a line")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("at", [STEPS + 2, 2 * STEPS - 1, 2 * STEPS])
def test_a_stopped_run_goes_on_as_if_nothing_had_been(
    tmp_path: Path, whole: tuple[Outcome, Line], at: int
) -> None:
    stopped, _ = train(tmp_path, ask_to_stop(at))
    assert stopped.stopped
    outcome, line = train(tmp_path)
    assert line.steps == EPOCHS * STEPS
    assert weights(line) == weights(whole[1])
    assert told(outcome) == told(whole[0])


@pytest.mark.parametrize("save_steps", [0, 2])
def test_a_broken_run_goes_on_from_its_last_checkpoint(
    tmp_path: Path, whole: tuple[Outcome, Line], save_steps: int
) -> None:
    settings = TrainingSettings(epochs=EPOCHS, batch=4, device="cpu", clip_norm=1.0, save_steps=save_steps)
    with pytest.raises(ConnectionAbortedError):
        train(tmp_path, break_off(2 * STEPS + 3), settings)
    last = read_tensors(tmp_path / "last.ckpt")["progress"]
    assert (last["epoch"], last["step"]) == (2, save_steps)
    outcome, line = train(tmp_path, settings=settings)
    assert weights(line) == weights(whole[1])
    assert told(outcome) == told(whole[0])


_WITH_WORKERS = """
import json, pathlib, sys
from tests.lab.training.test_engine import EPOCHS, TrainingSettings, train, weights
settings = TrainingSettings(epochs=EPOCHS, batch=4, device="cpu", clip_norm=1.0, workers=2)
print(json.dumps(weights(train(pathlib.Path(sys.argv[1]), settings=settings)[1])))
"""


def test_worker_processes_change_nothing(tmp_path: Path, whole: tuple[Outcome, Line]) -> None:
    """In an interpreter of its own: what tests before this one left running must not be forked."""
    done = subprocess.run(
        [sys.executable, "-c", _WITH_WORKERS, str(tmp_path)],
        capture_output=True, text=True, timeout=100, cwd=Path(__file__).parents[3], check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == weights(whole[1])


def poison(at: int) -> Any:
    def meddle(step: int, batch: Any) -> Any:
        x, y = batch
        return (x, y * float("nan")) if step == at else (x, y)

    return meddle


def test_numbers_that_are_none_stop_the_run_and_spoil_nothing(
    tmp_path: Path, whole: tuple[Outcome, Line]
) -> None:
    with pytest.raises(NonFiniteLossError, match=r"epoch 3, step 2: .*last\.ckpt.*lower learning rate"):
        train(tmp_path, poison(2 * STEPS + 1))
    state = read_tensors(tmp_path / "last.ckpt")
    assert state["progress"]["epoch"] == 2
    assert all(torch.isfinite(value).all() for value in state["states"]["module"].values())
    assert weights(train(tmp_path)[1]) == weights(whole[1])


def test_numbers_that_are_none_before_anything_was_saved(tmp_path: Path) -> None:
    with pytest.raises(NonFiniteLossError, match="Nothing had been saved"):
        train(tmp_path, poison(1))
    assert not (tmp_path / "last.ckpt").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full of Linux")
def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path, whole: tuple[Outcome, Line]) -> None:
    def fill(step: int, batch: Any) -> Any:
        if step == 2 * STEPS + 1:
            (tmp_path / "last.ckpt.part").symlink_to("/dev/full")
        return batch

    with pytest.raises(TrainingError, match=r"last\.ckpt could not be written: No space left.*--resume"):
        train(tmp_path, fill)
    assert read_tensors(tmp_path / "last.ckpt")["progress"]["epoch"] == 2
    assert not (tmp_path / "last.ckpt.part").is_symlink()
    assert weights(train(tmp_path)[1]) == weights(whole[1])


class Fading(Line):
    """A rate that halves with each step."""

    def schedule(self, optimizer: Optimizer, steps_per_epoch: int, epochs: int) -> EachStep:  # type: ignore[override]
        return EachStep(optimizer, lambda step: 0.5**step)


def test_steps_that_half_precision_leaves_out_move_no_schedule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a processor, with a scaler that begins far too high: its first gradients overflow."""
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**20)
    fabric = Fabric(accelerator="cpu", devices=1, plugins=MixedPrecision("16-mixed", "cpu", scaler))
    monkeypatch.setattr(engines, "_fabric", lambda _settings: (fabric, scaler))
    line = Fading(dropout=0.0)
    Engine(SETTINGS).fit(line, begun(tmp_path))
    left_out = 20 - round(math.log2(scaler.get_scale()))
    assert 0 < left_out < EPOCHS * STEPS
    assert line.steps == EPOCHS * STEPS - left_out
    assert read_tensors(tmp_path / "last.ckpt")["states"]["schedule"] == {"step": line.steps}


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04" + bytes(100)])
def test_a_broken_checkpoint_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "last.ckpt").write_bytes(content)
    (tmp_path / "run.json").write_text('{"batch": 4}')
    with pytest.raises(TrainingError, match=r"last\.ckpt"):
        train(tmp_path)


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"version": 1, "kind": print}, tmp_path / "last.ckpt")
    (tmp_path / "run.json").write_text('{"batch": 4}')
    with pytest.raises(TrainingError, match="more than weights"):
        train(tmp_path)


def test_another_kind_of_run_is_refused(tmp_path: Path) -> None:
    train(tmp_path)
    other = Line()
    other.kind = "circle"
    with pytest.raises(TrainingError, match="is a checkpoint of line, not of circle"):
        Engine(SETTINGS).fit(other, RunFolder(tmp_path))


def test_a_run_goes_on_as_it_was_begun_or_not_at_all(tmp_path: Path) -> None:
    train(tmp_path)
    run = RunFolder(tmp_path)
    with pytest.raises(TrainingError, match="holds a run already"):
        run.begin({"batch": 4}, resume=False)
    with pytest.raises(TrainingError, match="begun with batch 4, not 8"):
        run.begin({"batch": 8}, resume=True)


def test_patience_ends_a_run(tmp_path: Path) -> None:
    settings = TrainingSettings(epochs=30, batch=4, device="cpu", patience=2)
    outcome, _ = train(tmp_path, settings=settings)
    progress = outcome.progress
    assert len(progress.history) < 30
    assert len(progress.history) == progress.best_epoch + 1 + 2


def test_a_device_that_is_not_there(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("needs a machine without CUDA")
    with pytest.raises(TrainingError, match="no CUDA device"):
        Engine(TrainingSettings(epochs=1, batch=1, device="cuda"))
    with pytest.raises(TrainingError, match="16-mixed needs a CUDA device"):
        Engine(TrainingSettings(epochs=1, batch=1, device="cpu", precision="16-mixed"))


@pytest.mark.timeout(300)
def test_the_same_command_with_two_processes_learns_the_same(tmp_path: Path) -> None:
    """Two processes with half a batch each take the steps of one with the whole batch."""
    one = Line(dropout=0.0)
    torch.manual_seed(0)
    one.module.load_state_dict(Line(dropout=0.0).module.state_dict())
    Engine(TrainingSettings(epochs=3, batch=4, device="cpu", clip_norm=1.0)).fit(one, begun(tmp_path / "one"))
    command = [sys.executable, "-m", "tests.lab.training.two_processes", str(tmp_path / "two")]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=280, cwd=Path(__file__).parents[3], check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["epochs 3"]  # only one of them speaks
    states = [read_tensors(tmp_path / name / "best.pt")["state"] for name in ("one", "two")]
    for key, value in states[0].items():
        assert torch.allclose(value, states[1][key], atol=1e-5)
    assert len((tmp_path / "two" / "history.jsonl").read_text().splitlines()) == 3
    assert len(list((tmp_path / "two" / "tensorboard").iterdir())) == 1
