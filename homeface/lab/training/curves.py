"""The history of a run as a picture."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from homeface.errors import TrainingError
from homeface.lab.training.files import replace_file


def plot_history(history: Sequence[Mapping[str, float]], path: Path, title: str) -> None:
    """Losses above, all other validation figures below, by epoch, as PNG. Raises ``TrainingError``.

    Losses are the figures of training and those whose name holds ``loss``; ``seconds``, ``per_second`` and
    ``rate`` are left out.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise TrainingError("Curves need matplotlib: uv sync --extra lab.") from error
    losses, others = _groups(history)
    figure = Figure(figsize=(8, 7 if others else 4), layout="constrained")
    FigureCanvasAgg(figure)
    for place, names in enumerate(filter(None, (losses, others))):
        axes = figure.add_subplot(2 if others else 1, 1, place + 1)
        for name in names:
            points = [(row["epoch"], row[name]) for row in history if name in row]
            axes.plot(*zip(*points, strict=True), marker="." if len(points) < 40 else "", label=name)
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
        if names is losses:
            axes.set_title(title, fontsize=10)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=120, format="png")
    replace_file(path, buffer.getvalue())


def _groups(history: Sequence[Mapping[str, float]]) -> tuple[list[str], list[str]]:
    names = list(dict.fromkeys(name for row in history for name in row))
    losses = [name for name in names if "loss" in name or name.startswith("train_")]
    silent = {"epoch", "steps", "seconds", "per_second", "rate"}
    return losses, [name for name in names if name not in silent and name not in losses]
