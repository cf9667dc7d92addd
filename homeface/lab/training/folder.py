"""The folder of one run: settings, checkpoints, history, curves, TensorBoard log."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from homeface.errors import TrainingError
from homeface.lab.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from homeface.lab.training.files import replace_file


class RunFolder:
    """Files of one run. ``run.json`` keeps with what it was begun; a run goes on with the same alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.last = path / "last.ckpt"
        self.best = path / "best.pt"
        self.history = path / "history.jsonl"
        self.curves = path / "curves.png"
        self.tensorboard = path / "tensorboard"
        self._settings = path / "run.json"

    def begin(self, settings: Mapping[str, Any], *, resume: bool) -> None:
        """Make the folder, or check that a run in it may go on with ``settings`` (plain JSON values).

        A run without a checkpoint so far begins anew. Raises ``TrainingError``.
        """
        if not resume and self.last.exists():
            raise TrainingError(
                f"{self.path} holds a run already: go on with it (--resume), or name another folder."
            )
        if resume and self.last.exists():
            self._require_same(settings)
            return
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainingError(f"{self.path} cannot be made: {error.strerror}.") from error
        replace_file(self._settings, (json.dumps(settings, indent=2, default=str) + "\n").encode())

    def settings(self) -> dict[str, Any]:
        """With what the run was begun. Raises ``TrainingError``."""
        try:
            value = json.loads(self._settings.read_text())
        except (OSError, ValueError) as error:
            raise TrainingError(f"{self._settings} cannot be read: is {self.path} a run? {error}") from error
        if not isinstance(value, dict):
            raise TrainingError(f"{self._settings} holds no settings of a run.")
        return value

    def load(self, kind: str) -> Checkpoint | None:
        """The last checkpoint; None when there is none so far. Raises ``TrainingError``."""
        return read_checkpoint(self.last, kind) if self.last.exists() else None

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace the last checkpoint. Raises ``TrainingError``."""
        write_checkpoint(self.last, checkpoint)

    def write_history(self, history: Sequence[Mapping[str, float]]) -> None:
        """One JSON object an epoch. Raises ``TrainingError``."""
        replace_file(self.history, "".join(json.dumps(row) + "\n" for row in history).encode())

    def _require_same(self, settings: Mapping[str, Any]) -> None:
        begun = self.settings()
        now = json.loads(json.dumps(settings, default=str))
        for key in sorted(begun.keys() | now.keys()):
            if begun.get(key) != now.get(key):
                raise TrainingError(
                    f"The run in {self.path} was begun with {key} {begun.get(key)!r}, not {now.get(key)!r}: "
                    "it goes on as it was begun, or start another one."
                )
