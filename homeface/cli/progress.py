"""What long work shows of itself, on stderr so that stdout stays for results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

if TYPE_CHECKING:
    from homeface.inference.weights import ModelSpec

_COUNTED = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


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


@contextmanager
def stage(title: str) -> Iterator[Callable[[int, int], None]]:
    """A bar that learns its length on the way; yields what sets how much is done, and of how much."""
    with _progress(*_COUNTED) as progress:
        task = progress.add_task(title, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def saying() -> Iterator[Callable[[str], None]]:
    """What is being done and for how long; a line for each new thing where that is no terminal."""
    with _progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()) as progress:
        task = progress.add_task("Starting", total=None)

        def say(text: str) -> None:
            if progress.disable and text != progress.tasks[0].description:
                click.echo(text, err=True)
            progress.update(task, description=text)

        yield say


class Bars:
    """What a training tells: a bar for each stretch of work, and sentences above it that stay."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def begin(self, what: str, steps: int) -> None:
        """A new bar in place of the last one."""
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(what, total=steps, text="")

    def step(self, text: str) -> None:
        """Move the bar."""
        if self._task is not None:
            self._progress.advance(self._task)
            if text:
                self._progress.update(self._task, text=text)

    def tell(self, sentence: str) -> None:
        """A line that stays."""
        self._progress.console.print(sentence, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def bars() -> Iterator[Bars]:
    """For the listener of a training."""
    with _progress(*_COUNTED, TextColumn("{task.fields[text]}")) as progress:
        yield Bars(progress)


def _progress(*columns: str | ProgressColumn) -> Progress:
    """On a terminal; elsewhere nothing, since a log wants neither bars nor the empty line they leave."""
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
