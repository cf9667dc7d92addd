"""The newest-frame slot between a reader thread and the event loop."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from homeface.core.types import Picture


@dataclass(frozen=True, slots=True, eq=False)
class Pending:
    """A frame that waits: what ``Frame`` will say, and the picture that is not converted yet."""

    index: int
    captured_at: float
    picture: Picture


class NewestFrameSlot:
    """Room for one frame. Policy *newest wins*: a frame that is replaced counts as dropped.

    Thread-safe. What waits is not converted: a frame nobody takes costs no colour conversion.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: Pending | None = None
        self._dropped = 0
        self._taken = 0

    def put(self, pending: Pending) -> None:
        """Offer the newest frame."""
        with self._lock:
            if self._waiting is not None:
                self._dropped += 1
            self._waiting = pending

    def take(self) -> Pending | None:
        """The newest frame, or None; the slot is empty afterwards."""
        with self._lock:
            pending, self._waiting = self._waiting, None
            if pending is not None:
                self._taken += 1
            return pending

    def discard(self) -> None:
        """Throw away what waits (the stream broke: it would be stale); counts as dropped."""
        with self._lock:
            if self._waiting is not None:
                self._dropped += 1
                self._waiting = None

    @property
    def full(self) -> bool:
        """True when a frame waits."""
        with self._lock:
            return self._waiting is not None

    @property
    def dropped(self) -> int:
        """Frames that nobody took before a newer one came."""
        with self._lock:
            return self._dropped

    @property
    def taken(self) -> int:
        """Frames that were taken."""
        with self._lock:
            return self._taken
