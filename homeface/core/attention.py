"""Where to look in a frame: nowhere, at some regions, or everywhere. Pure, clock-free.

Looked at everywhere: the first picture, a light switched, what moves after quiet, and at intervals, because
somebody may sit still. In between: what moves, and around the faces that are followed. A face whose name is
settled is looked at now and then only, as long as the picture where it is stays as it was at the last look:
whoever takes another's place changes it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from homeface.core.association import size
from homeface.core.motion import Motion
from homeface.core.regions import Cells, cover, grown, holds, merged, overlaps, parts_of
from homeface.core.track import Track
from homeface.core.types import Box, Grey, Identified, Undecided

_BODY_SIDE, _BODY_ABOVE = 1.5, 0.8
"""What moves this near to a face (in its widths and heights), or anywhere below it, is its person."""
_MIN_PATCH_PIXELS = 6
"""Of a face that is smaller than this in the grey picture nothing can be said."""


@dataclass(frozen=True, slots=True)
class AttentionSettings:
    """Limits of looking away.

    Longest time without a look at everything: ``full_active_seconds`` while something moves or somebody is
    there, ``full_quiet_seconds`` otherwise. ``stride_seconds``: longest time between looks at a settled face.
    ``linger_seconds``: what moved is looked at for so long, people stand still to be seen.

    Settled: decided, with a lead of ``clear_margin`` over the next person, and slower than ``max_speed``
    face sizes a second. Its place is as it was when its grey levels differ by ``calm_levels`` or less (mean).

    Regions reach ``cell_margin`` (in cells) beyond what moves and ``face_margin`` (in face sizes) beyond
    where a face is expected; there are at most ``max_regions``, and when they are more than ``full_share`` of
    the frame, all of it is looked at.
    """

    full_active_seconds: float = 2.0
    full_quiet_seconds: float = 5.0
    stride_seconds: float = 0.6
    linger_seconds: float = 3.0
    clear_margin: float = 0.12
    max_speed: float = 0.6
    calm_levels: float = 6.0
    cell_margin: float = 0.5
    face_margin: float = 0.75
    max_regions: int = 4
    full_share: float = 0.5


@dataclass(frozen=True, slots=True)
class Plan:
    """Where to look in one frame. ``full``: everywhere; else in ``regions``, which do not overlap (pixels of
    the frame); none: nowhere. ``calm``: visit ids of settled faces whose place is as it was when it was
    looked at last."""

    full: bool
    regions: tuple[Box, ...] = ()
    calm: frozenset[str] = frozenset()

    @property
    def nothing(self) -> bool:
        """True when the frame need not be looked at."""
        return not self.full and not self.regions

    def looks_at(self, box: Box) -> bool:
        """Whether a face at ``box`` would be found."""
        return self.full or any(holds(region, box) for region in self.regions)


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """When a face was found last, and the grey picture of then."""

    at: float
    grey: Grey


@dataclass(slots=True)
class Attention:
    """One camera's. Call ``plan`` for each frame, and ``note`` when it was looked at as planned."""

    settings: AttentionSettings = field(default_factory=AttentionSettings)
    _full_at: float = -math.inf
    _moved_at: NDArray[np.float64] | None = None
    _seen: dict[str, _Seen] = field(default_factory=dict)

    def plan(self, motion: Motion, tracks: Sequence[Track], now: float, shape: tuple[int, int]) -> Plan:
        """Where to look in a frame of ``shape`` (height, width), given all tracks that live."""
        calm = frozenset(track.visit_id for track in tracks if self._is_calm(track, motion.grey, shape))
        was_quiet = not tracks and not self._lately(now).any()
        moved_at = self._remember(motion, now)
        lately = self._lately(now)
        if motion.everything or self._full_is_due(now, active=bool(tracks) or bool(lately.any())):
            return Plan(True, calm=calm)
        if was_quiet and motion.moved:
            return Plan(True, calm=calm)
        left = [track for track in tracks if not self._may_wait(track, track.visit_id in calm, now)]
        cells = self._unexplained(lately, moved_at == now, tracks, left, shape)
        regions = self._regions(cells, left, tracks, now, shape)
        if sum(region.area for region in regions) > self.settings.full_share * shape[0] * shape[1]:
            return Plan(True, calm=calm)
        return Plan(False, regions, calm)

    def note(self, plan: Plan, motion: Motion, tracks: Iterable[Track], now: float) -> None:
        """``plan`` was carried out; ``tracks``: all that live after it."""
        if plan.full:
            self._full_at = now
        living = {track.visit_id: track for track in tracks}
        self._seen = {name: seen for name, seen in self._seen.items() if name in living}
        for name, track in living.items():
            if track.last_seen == now:
                self._seen[name] = _Seen(now, motion.grey)

    def forget(self) -> None:
        """Nothing is known of what is there: look at everything next."""
        self._full_at, self._moved_at, self._seen = -math.inf, None, {}

    def _full_is_due(self, now: float, *, active: bool) -> bool:
        settings = self.settings
        longest = settings.full_active_seconds if active else settings.full_quiet_seconds
        return not 0 <= now - self._full_at < longest

    def _remember(self, motion: Motion, now: float) -> NDArray[np.float64]:
        """When each cell moved last."""
        if self._moved_at is None or self._moved_at.shape != motion.cells.shape:
            self._moved_at = np.full(motion.cells.shape, -np.inf)
        if not motion.everything:
            self._moved_at[motion.cells] = now
        return self._moved_at

    def _lately(self, now: float) -> Cells:
        """Cells that moved a short while ago."""
        if self._moved_at is None:
            return np.zeros((0, 0), np.bool_)
        return np.abs(now - self._moved_at) <= self.settings.linger_seconds

    def _is_calm(self, track: Track, grey: Grey, shape: tuple[int, int]) -> bool:
        seen = self._seen.get(track.visit_id)
        return (
            seen is not None
            and seen.at == track.last_seen
            and settled(track, self.settings)
            and _difference(seen.grey, grey, track.box, shape) <= self.settings.calm_levels
        )

    def _may_wait(self, track: Track, calm: bool, now: float) -> bool:
        return calm and 0 <= now - track.last_seen < self.settings.stride_seconds

    def _unexplained(
        self,
        lately: Cells,
        moving: Cells,
        tracks: Sequence[Track],
        left: Sequence[Track],
        shape: tuple[int, int],
    ) -> Cells:
        """Cells to look at: all that moves but around faces that may wait, and what moved lately where no
        face is known."""
        cells = lately.copy()
        for track in tracks:
            if not track.misses:
                cover(_body(track.box, shape), cells, shape)
        cells |= moving
        for track in tracks:
            if track not in left:
                cover(_body(track.box, shape), cells, shape)
        return cells

    def _regions(
        self, cells: Cells, left: Sequence[Track], tracks: Sequence[Track], now: float, shape: tuple[int, int]
    ) -> tuple[Box, ...]:
        """The rectangles to look at; none cuts through a face that is known."""
        margin = self.settings.cell_margin * shape[1] / max(1, cells.shape[1])
        boxes = [grown(part, margin, shape) for part in parts_of(cells, shape)]
        boxes += [self._around(track, now, shape) for track in left]
        known = [self._around(track, now, shape) for track in tracks]
        regions = merged(boxes, self.settings.max_regions)
        while cut := [k for k in known if any(overlaps(k, r) and not holds(r, k) for r in regions)]:
            regions = merged([*regions, *cut], self.settings.max_regions)
        return tuple(region for region in regions if region.area > 0)

    def _around(self, track: Track, now: float, shape: tuple[int, int]) -> Box:
        """Where the face of a track will be found, with a margin."""
        expected = track.expected(now)
        return grown(expected, self.settings.face_margin * size(expected), shape)


def settled(track: Track, settings: AttentionSettings) -> bool:
    """Whether another look at the track would hardly tell anything new."""
    match track.decision:
        case Undecided():
            return False
        case Identified(margin=margin) if margin < settings.clear_margin:
            return False
    doubted = track.contested or track.unsure or track.doubted_since is not None
    speed = math.hypot(*track.velocity) / size(track.box)
    return track.confirmed and not track.misses and not doubted and speed <= settings.max_speed


def _body(face: Box, shape: tuple[int, int]) -> Box:
    """The part of the frame in which a person with this face moves."""
    side, above = _BODY_SIDE * face.width, _BODY_ABOVE * face.height
    return Box(face.x1 - side, face.y1 - above, face.x2 + side, float(shape[0]))


def _difference(before: Grey, now: Grey, face: Box, shape: tuple[int, int]) -> float:
    """Mean difference of the grey levels where the face was; infinite when there is nothing to compare."""
    if before.shape != now.shape:
        return math.inf
    down, across = now.shape[0] / shape[0], now.shape[1] / shape[1]
    rows = slice(max(0, round(face.y1 * down)), max(0, round(face.y2 * down)))
    columns = slice(max(0, round(face.x1 * across)), max(0, round(face.x2 * across)))
    old, new = before[rows, columns], now[rows, columns]
    if old.size < _MIN_PATCH_PIXELS:
        return math.inf
    return float(np.abs(new.astype(np.int16) - old).mean())
