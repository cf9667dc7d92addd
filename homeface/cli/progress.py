"""Progress bars for long work, on stderr so that stdout stays for results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

if TYPE_CHECKING:
    from homeface.inference.weights import ModelSpec


def fetch_with_progress(spec: ModelSpec, folders: Sequence[Path]) -> Path | None:
    """Find or download the weights of one model; None when they come inside a package."""
    from homeface.errors import WeightsUnavailableError
    from homeface.inference.weights import fetch, locate

    if spec.packaged:
        return None
    try:
        return locate(spec, folders)
    except WeightsUnavailableError:
        pass
    columns = (
        "[bold]{task.description}",
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with _progress(*columns) as progress:
        task = progress.add_task(f"Fetching {spec.name}", total=None)
        return fetch(
            spec, folders, lambda done, total: progress.update(task, completed=done, total=total or None)
        )


@contextmanager
def bar(description: str, total: float) -> Iterator[Callable[[float], None]]:
    """A progress bar; yields the function that sets how much of ``total`` is done."""
    with _progress(*Progress.get_default_columns()) as progress:
        task = progress.add_task(description, total=total)
        yield lambda done: progress.update(task, completed=done)


def _progress(*columns: str | ProgressColumn) -> Progress:
    """On a terminal; elsewhere nothing, since a log wants neither bars nor the empty line they leave."""
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
