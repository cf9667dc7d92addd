"""Who is told how a training goes."""

from __future__ import annotations

from typing import Protocol


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
