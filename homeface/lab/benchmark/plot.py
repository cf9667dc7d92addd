"""The ratios as a picture."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from homeface.errors import HomefaceError
from homeface.lab.benchmark.rendering import reached, target_of


def require_plotting() -> None:
    """Raise ``HomefaceError`` before anything is measured when a plot could not be drawn."""
    if importlib.util.find_spec("matplotlib") is None:
        raise HomefaceError(
            "A plot needs matplotlib: uv sync --extra report (or pip install 'homeface[report]'), "
            "or leave --plot out."
        )


def plot(report: Mapping[str, Any], path: Path) -> None:
    """Bars of all ratios on a logarithmic axis, each with its pairs as dots and its target as a line.

    Raises ``HomefaceError`` when matplotlib is missing or the file cannot be written.
    """
    require_plotting()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    device = report["models"]["device"]
    rows = [(key, row) for key, row in report.get("ratios", {}).items() if row.get("ratio") is not None]
    if not rows:
        raise HomefaceError("There is no ratio to plot: measure the ratios (--only ratios).")
    figure = Figure(figsize=(9, 1.2 + 0.45 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for place, (key, row) in enumerate(rows):
        target = target_of(key, device)
        colour = {True: "tab:green", False: "tab:orange", None: "tab:blue"}[reached(row["ratio"], target)]
        axes.barh(place, row["ratio"], color=colour, alpha=0.8)
        lower = row.get("better") == "lower"
        dots = [
            ours / theirs if lower else theirs / ours for ours, theirs in row["pairs"] if min(ours, theirs)
        ]
        axes.plot(dots, [place] * len(dots), ".", color="black", markersize=3)
        if target is not None:
            axes.plot([target[1]] * 2, [place - 0.4, place + 0.4], color="tab:red")
    axes.axvline(1.0, color="grey", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yticks(range(len(rows)), [f"{key}\n({row['peer']})" for key, row in rows], fontsize=7)
    axes.invert_yaxis()
    axes.set_xlabel("times faster (decode_floor: times the cost); dots: pairs, red: target")
    machine = report["machine"]
    axes.set_title(
        f"homeface bench, {machine['cpu']}, {machine['cores']} cores, {report['date'][:10]}", fontsize=9
    )
    try:
        figure.savefig(path, dpi=140)
    except (OSError, ValueError) as error:
        raise HomefaceError(f"{path} cannot be written: {error}") from error
