"""What is written down after each epoch, for people: history, curves, TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from homeface.lab.training.folder import RunFolder


class Record:
    """Writes into the folder of a run; in other processes than the first it writes nothing."""

    def __init__(self, folder: RunFolder, main: bool) -> None:
        self._folder, self._main = folder, main
        self._writer: Any = None

    def epoch(self, history: Sequence[Mapping[str, float]]) -> None:
        """The newest epoch. Raises ``TrainingError`` when the folder cannot be written."""
        if not self._main or not history:
            return
        self._folder.write_history(history)
        writer, row = self._board(), history[-1]
        for name, value in row.items():
            if name != "epoch":
                writer.add_scalar(_tag(name), value, int(row["epoch"]))
        writer.flush()

    def close(self) -> None:
        """No more epochs."""
        if self._writer is not None:
            self._writer.close()

    def _board(self) -> Any:
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self._folder.tensorboard))
        return self._writer


def _tag(name: str) -> str:
    """TensorBoard groups by what stands before the slash."""
    group, _, rest = name.partition("_")
    return f"{group}/{rest}" if rest else name
