"""Whether a camera's every picture is wanted, or the room is quiet: what its threads agree on."""

from __future__ import annotations

WAKE_SECONDS = 2.0
"""How long one sign of a change keeps the camera awake: long enough for the pipeline to look for itself."""
_GUARD_SECONDS = 2.0


class Alertness:
    """Shared by the event loop, the reader and the substream's reader; each call is one assignment.

    Awake from the beginning: a camera whose user never says otherwise decodes as fast as it is asked to.
    ``now`` is on the clock of the readers (monotonic; a recording's own where it runs flat out).
    """

    def __init__(self) -> None:
        self.attention = True
        """The pipeline's wish: True while somebody is or was just seen, or anything moves."""
        self._awake_until = 0.0
        self._guarded_until = 0.0

    def wake(self, now: float) -> None:
        """Something may have changed: every picture is wanted for a while."""
        self._awake_until = now + WAKE_SECONDS

    def guard(self, now: float) -> None:
        """Another stream of this camera has just been looked at, and will wake us."""
        self._guarded_until = now + _GUARD_SECONDS

    def awake(self, now: float) -> bool:
        """True while every picture is wanted."""
        return self.attention or now < self._awake_until

    def guarded(self, now: float) -> bool:
        """True while another stream watches the room."""
        return now < self._guarded_until
