"""The page of ``homeface evaluate --report``: tables and curves in one HTML file that works offline."""

from __future__ import annotations

import datetime as dt
import importlib.util
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from homeface import __version__
from homeface.errors import HomefaceError
from homeface.lab.evaluation.outcome import KINDS, Told


def require_drawing(path: Path) -> None:
    """Raises ``HomefaceError`` when the page cannot be drawn or written: told before the work, not after."""
    if any(importlib.util.find_spec(name) is None for name in ("jinja2", "matplotlib")):
        raise HomefaceError(
            "A page needs matplotlib and jinja2: install homeface[report] (uv sync --extra report), or do "
            "without --report."
        )
    if not path.parent.is_dir():
        raise HomefaceError(f"{path} cannot be written: there is no folder {path.parent}.")


def write_report(parts: Sequence[Told], path: Path) -> None:
    """Write one page about one or several results. Raises ``HomefaceError`` when it cannot be written."""
    try:
        path.write_text(page_of(parts), encoding="utf-8")
    except OSError as error:
        raise HomefaceError(f"The page cannot be written to {path}: {error}.") from error


def page_of(parts: Sequence[Told]) -> str:
    """The page as text; curves are SVG within it, and nothing is loaded from anywhere."""
    from jinja2 import Environment
    from markupsafe import Markup

    from homeface.lab.evaluation import drawing

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["percent"] = percent
    environment.filters["interval"] = interval
    source = resources.files(__package__).joinpath("report.html.j2").read_text(encoding="utf-8")
    sections = []
    for part in parts:
        pictures = [Markup(svg) for svg in drawing.curves_of(part)]  # noqa: S704 - drawn by us
        sections.append({"told": part, "pictures": pictures})
    return environment.from_string(source).render(
        sections=sections,
        kinds=KINDS,
        version=__version__,
        date=dt.datetime.now(tz=dt.UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def percent(value: Any) -> str:
    """A share in percent, with as many digits as it needs."""
    if value is None:
        return "–"
    if value == 0:
        return "0 %"
    if value < 0.001:
        return f"{100 * value:.4f} %"
    return f"{100 * value:.2f} %" if value < 0.1 else f"{100 * value:.1f} %"


def interval(rate: Told) -> str:
    """``0.10 % [0.05 %, 0.2 %]``."""
    if rate["value"] is None:
        return "–"
    return f"{percent(rate['value'])} [{percent(rate['low'])}, {percent(rate['high'])}]"
