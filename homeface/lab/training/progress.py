"""Who is told how a training goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


class Listener(Protocol):
    """Hears what the engine does."""

    def begin(self, what: str, steps: int) -> None:
        """A stretch of work of so many steps."""

    def step(self, text: str) -> None:
        """One step is done; ``text`` says how it went, empty for nothing new."""

    def tell(self, sentence: str) -> None:
        """Something worth reading."""


class Silence:
    """Nobody listens."""

    def begin(self, what: str, steps: int) -> None:
        """Nothing."""

    def step(self, text: str) -> None:
        """Nothing."""

    def tell(self, sentence: str) -> None:
        """Nothing."""


class Bars:
    """A progress bar on standard error, and sentences above it."""

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
    """Progress bars while a training runs."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[text]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield Bars(progress)
