"""python -m tests.lab.training.two_processes OUT: what a training command does, here with two processes."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from homeface.lab.training.engine import engine
from homeface.lab.training.folder import RunFolder
from homeface.lab.training.settings import TrainingSettings
from tests.lab.training.lines import Line


def main() -> None:
    """Train; the first process says what came of it."""
    torch.set_num_threads(1)
    settings = TrainingSettings(epochs=3, batch=2, device="cpu", devices=2, clip_norm=1.0)
    with engine(settings) as running:
        folder = RunFolder(Path(sys.argv[1]))
        if running.main:
            folder.begin({}, resume=True)
        outcome = running.fit(Line(dropout=0.0), folder)
        if running.main:
            print("epochs", len(outcome.progress.history), flush=True)


if __name__ == "__main__":
    main()
