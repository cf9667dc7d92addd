"""Who is taken for whom, and whether a probability is what it says."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeface.lab.training.files import replace_file

_BINS = 10


def confusion(labels: NDArray[np.int64], said: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """(classes, classes) faces of each class (row) by what was said."""
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels, said), 1)
    return counts


def reliability(
    sure: NDArray[np.float64], right: NDArray[np.bool_]
) -> tuple[list[tuple[float, float, int]], float]:
    """(mean probability, share that is right, faces) of each tenth, and the expected calibration error."""
    rows: list[tuple[float, float, int]] = []
    error = 0.0
    place = np.minimum((sure * _BINS).astype(int), _BINS - 1)
    for number in range(_BINS):
        inside = place == number
        if inside.any():
            said, true = float(sure[inside].mean()), float(right[inside].mean())
            rows.append((said, true, int(inside.sum())))
            error += abs(said - true) * float(inside.mean())
    return rows, error


def plot_confusion(counts: NDArray[np.int64], names: Sequence[str], path: Path) -> None:
    """A PNG; rows are who it was, columns who was said."""
    figure = _figure(3 + 0.5 * len(names), 2.5 + 0.5 * len(names))
    axes = figure.add_subplot()
    share = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(counts.shape):
        dark = "white" if share[row, column] > 0.6 else "black"
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=dark)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("said")
    axes.set_ylabel("who it was")
    _save(figure, path)


def plot_reliability(rows: Sequence[tuple[float, float, int]], error: float, path: Path) -> None:
    """A PNG: on the line a probability is what it says."""
    figure = _figure(5, 5)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1)
    axes.plot([row[0] for row in rows], [row[1] for row in rows], marker="o")
    for said, true, count in rows:
        axes.annotate(f" {count}", (said, true), fontsize=8)
    axes.set_xlabel("said probability")
    axes.set_ylabel("share that is right")
    axes.set_title(f"expected calibration error {error:.3f}", fontsize=10)
    _save(figure, path)


def _figure(width: float, height: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure: Any, path: Path) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=120, format="png")
    replace_file(path, buffer.getvalue())
