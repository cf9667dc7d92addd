"""Time at a camera: when a frame was taken, which frames are due, how long to wait before a new attempt."""

from __future__ import annotations

import random
from collections.abc import Callable


class CaptureClock:
    """Maps a stream's timestamps to our clock.

    The frame that travelled fastest tells the offset: the running minimum of (arrival − pts) since the
    connection began. A frame that queued somewhere is therefore dated back by the time it queued. The
    offset may grow by ``drift`` (seconds per second) only, which follows a camera whose clock runs slow
    without believing a backlog. Results never lie after ``arrival``, and never go back while pts does not.

    ``one_behind``: the stream hands a frame out only when the next one begins to arrive, as FFmpeg's parser
    does for RTSP; so the arrival of one frame belongs to the timestamp of the next.
    """

    def __init__(self, drift: float = 5e-4, reset_seconds: float = 0.5, one_behind: bool = False) -> None:
        self._one_behind = one_behind
        self._drift = drift
        self._reset_seconds = reset_seconds
        self._offset: float | None = None
        self._last_pts = 0.0
        self._last_arrival = 0.0

    def captured(self, pts: float | None, arrival: float) -> float:
        """When the frame was taken. ``pts`` seconds in the stream's time, ``arrival`` seconds in ours."""
        if pts is None:
            return arrival
        offset = arrival - pts
        if self._one_behind and self._offset is not None and pts > self._last_pts:
            offset = min(offset, self._last_arrival - pts)
        went_back = pts < self._last_pts - self._reset_seconds
        if self._offset is not None and not went_back:
            allowed = self._offset + self._drift * max(0.0, arrival - self._last_arrival)
            offset = min(offset, allowed)
        self._offset, self._last_pts, self._last_arrival = offset, pts, arrival
        return min(offset + pts, arrival)


class Pace:
    """Which frames are due for analysis at ``fps`` a second; None for all of them."""

    def __init__(self, fps: float | None) -> None:
        self._interval = 1.0 / fps if fps else 0.0
        self._next: float | None = None
        self._previous: float | None = None

    def due(self, captured_at: float) -> bool:
        """True when a frame taken then is to be analysed. Feed every frame, in order."""
        gap = 0.0 if self._previous is None else captured_at - self._previous
        self._previous = captured_at
        # Half a frame early counts as due, otherwise jitter turns 15 -> 5 a second into 15 -> 3.75.
        tolerance = min(max(gap, 0.0), self._interval) / 2
        planned = self._next
        if planned is None or not -2 * self._interval <= captured_at - planned <= self._interval:
            self._next = captured_at + self._interval  # the first frame, a gap, or a clock set back
            return True
        if captured_at < planned - tolerance:
            return False
        self._next = planned + self._interval
        return True


class Backoff:
    """Waits between attempts: doubled each time, capped, with jitter of up to half a wait taken off."""

    def __init__(
        self,
        first_seconds: float = 1.0,
        longest_seconds: float = 5.0,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._first = min(first_seconds, longest_seconds)
        self._longest = longest_seconds
        self._jitter = jitter
        self._next = self._first

    def next(self) -> float:
        """Seconds to wait before the next attempt."""
        wait, self._next = self._next, min(self._next * 2, self._longest)
        return wait * (1 - self._jitter() / 2)

    def reset(self) -> None:
        """Begin again with the shortest wait, after a success."""
        self._next = self._first
