"""Curves as SVG text. Matplotlib is imported here, and only when something is drawn."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

from homeface.lab.evaluation.outcome import KINDS, Told

_COLOURS = ("#1f6f8b", "#c8553d", "#588157", "#8d5a97", "#b8860b", "#4a4e69")
_LEAST_SHOWN = 1e-5
_TICKS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)


def curves_of(told: Told) -> list[str]:
    """The pictures of one result, by its protocol."""
    draw: dict[str, Callable[[Told], list[str]]] = {
        "household": _household,
        "degraded": _degraded,
        "fairness": _fairness,
        "embedders": _embedders,
    }
    return draw[told["protocol"]](told) if told["protocol"] in draw else []


def _figure(columns: int, height: float) -> tuple[Any, Any]:
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2 * columns, height), layout="constrained")
    FigureCanvasSVG(figure)
    return figure, figure.subplots(1, columns, squeeze=False)[0]


def _svg(figure: Any) -> str:
    import matplotlib as mpl

    text = io.StringIO()
    # Glyphs as outlines: the page looks alike without any font installed.
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "homeface"}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()[text.getvalue().index("<svg") :]


def _shown(values: Sequence[float]) -> list[float]:
    """On a logarithmic axis nothing is drawn at the axis' end."""
    return [max(value, _LEAST_SHOWN) for value in values]


def _household(told: Told) -> list[str]:
    """DET curves per probe and per visit; peers as points at their own thresholds."""
    figure, axes = _figure(2, 4.2)
    for axis, kind in zip(axes, KINDS, strict=True):
        points = told["det"][kind]
        axis.plot(
            _shown([fpir for _, fpir, _ in points]),
            _shown([fnir for _, _, fnir in points]),
            color=_COLOURS[0],
            marker=".",
            label="homeface",
        )
        for number, peer in enumerate(told["peers"].values(), 1):
            colour = _COLOURS[number % len(_COLOURS)]
            own = peer["own_threshold"]
            axis.scatter(
                _shown([own["fpir"][kind]["value"] or 0.0]),
                _shown([own["fnir"][kind]["value"] or 0.0]),
                color=colour,
                marker="D",
                label=peer["title"],
                zorder=3,
            )
            at = peer["at_the_asked_rates"]
            axis.plot(
                _shown([entry["fpir"][kind]["value"] or 0.0 for entry in at]),
                _shown([entry["fnir"][kind]["value"] or 0.0 for entry in at]),
                color=colour,
                linestyle=":",
            )
        _logarithmic(axis, f"{kind}: FPIR", "FNIR")
        axis.legend(fontsize=7)
    return [_svg(figure), _promise(told)]


def _promise(told: Told) -> str:
    """Asked and measured FPIR, with intervals and a band of a factor of two."""
    figure, axes = _figure(1, 3.8)
    axis = axes[0]
    asked = [entry["rate"] for entry in told["asked"]]
    ends = [min(asked) / 3, max(asked) * 3]
    axis.plot(ends, ends, color="#999999", linewidth=1)
    axis.fill_between(ends, [e / 2 for e in ends], [e * 2 for e in ends], color="#999999", alpha=0.2)
    for kind, colour, shift in (("probe", _COLOURS[0], 0.93), ("visit", _COLOURS[1], 1.07)):
        rates = [entry["fpir_measured"][kind] for entry in told["asked"]]
        values = _shown([rate["value"] or 0.0 for rate in rates])
        low = [
            value - min(value, max(rate["low"] or 0.0, _LEAST_SHOWN))
            for value, rate in zip(values, rates, strict=True)
        ]
        high = [max(0.0, (rate["high"] or 0.0) - value) for value, rate in zip(values, rates, strict=True)]
        axis.errorbar(
            [rate * shift for rate in asked],
            values,
            yerr=[low, high],
            fmt="o",
            color=colour,
            label=kind,
            capsize=3,
        )
    _logarithmic(axis, "asked", "measured FPIR")
    axis.legend(fontsize=8)
    return _svg(figure)


def _logarithmic(axis: Any, across: str, up: str) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    for which, scale in ((axis.xaxis, axis.set_xscale), (axis.yaxis, axis.set_yscale)):
        scale("log")
        which.set_major_locator(FixedLocator(_TICKS))
        which.set_minor_locator(NullLocator())
        which.set_major_formatter(
            FuncFormatter(lambda value, _: "≤ 0.001 %" if value <= _LEAST_SHOWN else f"{100 * value:g} %")
        )
    axis.set_xlim(_LEAST_SHOWN * 0.8, 1.0)
    axis.set_ylim(_LEAST_SHOWN * 0.8, 1.0)
    axis.set_xlabel(across)
    axis.set_ylabel(up)
    axis.grid(alpha=0.3)


def _bars(axis: Any, names: Sequence[str], series: Sequence[tuple[str, Sequence[float]]]) -> None:
    width = 0.8 / len(series)
    for number, (label, values) in enumerate(series):
        places = [index + (number - (len(series) - 1) / 2) * width for index in range(len(names))]
        axis.barh(places, [100 * value for value in values], width, label=label, color=_COLOURS[number])
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.invert_yaxis()
    axis.set_xlabel("%")
    axis.grid(axis="x", alpha=0.3)
    axis.legend(fontsize=8)


def _degraded(told: Told) -> list[str]:
    rows = [row for row in told["conditions"] if row["asked"]]
    if not rows:
        return []
    figure, axes = _figure(2, 0.32 * len(rows) + 1.4)
    names = [row["condition"] for row in rows]
    for axis, what, title in ((axes[0], "fnir", "FNIR"), (axes[1], "fpir_measured", "FPIR")):
        _bars(
            axis,
            names,
            [(kind, [row["asked"][0][what][kind]["value"] or 0.0 for row in rows]) for kind in KINDS],
        )
        axis.set_title(f"{title}, asked {rows[0]['asked'][0]['asked']}", fontsize=9)
    return [_svg(figure)]


def _fairness(told: Told) -> list[str]:
    names = list(told["data"]["groups"])
    figure, axes = _figure(len(told["asked"]), 0.5 * len(names) + 1.4)
    for axis, entry in zip(axes, told["asked"], strict=True):
        series = [("homeface", [entry["homeface"]["groups"][name]["value"] or 0.0 for name in names])]
        other = entry.get("global_threshold_same_total")
        if other is not None:
            series.append(("one threshold", [other["groups"][name]["value"] or 0.0 for name in names]))
        _bars(axis, names, series)
        axis.set_title(f"FPIR, asked {entry['asked']}", fontsize=9)
    map_figure, map_axes = _figure(1, 4.2)
    matrix = told["distances"]["mean_cosine_distance"]
    map_axes[0].imshow(matrix, cmap="viridis")
    labels = told["distances"]["groups"]
    map_axes[0].set_xticks(range(len(labels)), labels, fontsize=8)
    map_axes[0].set_yticks(range(len(labels)), labels, fontsize=8)
    for i, line in enumerate(matrix):
        for j, value in enumerate(line):
            map_axes[0].text(j, i, f"{value:.2f}", ha="center", va="center", color="white", fontsize=8)
    map_axes[0].set_title("Mean cosine distance between groups", fontsize=9)
    return [_svg(figure), _svg(map_figure)]


def _embedders(told: Told) -> list[str]:
    rows = told["embedders"]
    last = rows[0]["asked"][-1]["asked"]
    figure, axes = _figure(1, 0.4 * len(rows) + 1.4)
    _bars(
        axes[0],
        [row["model_id"] for row in rows],
        [(kind, [row["asked"][-1]["fnir"][kind]["value"] or 0.0 for row in rows]) for kind in KINDS],
    )
    axes[0].set_title(f"FNIR at an FPIR of {last}", fontsize=9)
    return [_svg(figure)]
