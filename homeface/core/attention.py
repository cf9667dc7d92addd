"""Where to look in a frame: nowhere, at some regions, or everywhere. Pure, clock-free.

Looked at everywhere: the first picture, a light switched, what moves after quiet, and at intervals, because
somebody may sit still. In between: what moves, and around the faces that are followed. A face whose name is
settled is looked at now and then only, as long as the picture where it is stays as it was at the last look:
whoever takes another's place changes it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from homeface.core.association import size
from homeface.core.motion import Motion
from homeface.core.regions import Cells, cover, grown, holds, merged, parts_of, union
from homeface.core.track import Track
from homeface.core.types import Box, Grey, Identified, Undecided

_BODY_SIDE, _BODY_ABOVE = 1.5, 0.8
"""What moves this near to a face (in its widths and heights), or anywhere below it, is its person."""
_MANY = 12
"""So many things to look at are a look at everything."""
_MIN_PATCH_PIXELS = 6
"""Of a face that is smaller than this in the grey picture nothing can be said."""


@dataclass(frozen=True, slots=True)
class AttentionSettings:
    """Limits of looking away.

    Longest time without a look at everything: ``full_active_seconds`` while something is there that was
    not, or somebody is followed, ``full_quiet_seconds`` otherwise. ``stride_seconds``: longest time between
    looks at a settled face. ``linger_seconds``: what moved is looked at for so long, people stand still to be
    seen. ``rest_seconds``: without anything for so long, the room is at rest.

    Settled: decided, with a lead of ``clear_margin`` over the next person, and slower than ``max_speed``
    face sizes a second. Its place is as it was when its grey levels differ by ``calm_levels`` or less (mean).

    Regions reach ``cell_margin`` (in cells) beyond what moves and ``face_margin`` (in face sizes) beyond
    where a face is expected; there are at most ``max_regions``, and when they are more than ``full_share`` of
    the frame, all of it is looked at.
    """

    full_active_seconds: float = 2.0
    full_quiet_seconds: float = 5.0
    stride_seconds: float = 0.6
    linger_seconds: float = 1.5
    rest_seconds: float = 10.0
    clear_margin: float = 0.12
    max_speed: float = 0.6
    calm_levels: float = 8.0
    cell_margin: float = 0.5
    face_margin: float = 0.75
    max_regions: int = 4
    full_share: float = 0.7


@dataclass(frozen=True, slots=True)
class Plan:
    """Where to look in one frame. ``full``: everywhere; else in ``regions`` (pixels of the frame); none:
    nowhere. ``calm``: visit ids of settled faces whose place is as it was when it was
    looked at last; ``around``: of those around whom all that moves is looked at."""

    full: bool
    regions: tuple[Box, ...] = ()
    calm: frozenset[str] = frozenset()
    around: frozenset[str] = frozenset()

    @property
    def nothing(self) -> bool:
        """True when the frame need not be looked at."""
        return not self.full and not self.regions

    def looks_at(self, box: Box) -> bool:
        """Whether a face at ``box`` would be found."""
        return self.full or any(holds(region, box) for region in self.regions)


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """The grey picture when a face was found last, and when all that moves around it was looked at."""

    grey: Grey
    around_at: float


@dataclass(slots=True)
class Attention:
    """One camera's. Call ``plan`` for each frame, and ``note`` when it was looked at as planned."""

    settings: AttentionSettings = field(default_factory=AttentionSettings)
    _full_at: float = -math.inf
    _moved_at: NDArray[np.float64] | None = None
    _stirred_at: float = math.inf
    _resting: bool = False
    _seen: dict[str, _Seen] = field(default_factory=dict)

    def plan(self, motion: Motion, tracks: Sequence[Track], now: float, shape: tuple[int, int]) -> Plan:
        """Where to look in a frame of ``shape`` (height, width), given all tracks that live."""
        calm = frozenset(track.visit_id for track in tracks if self._is_calm(track, motion.grey, shape))
        was_quiet = not tracks and not self._lately(now).any()
        self._remember(motion, tracks, now, shape)
        lately = self._lately(now)
        active = motion.foreign or bool(tracks) or bool(lately.any())
        if motion.everything or self._full_is_due(now, active) or (was_quiet and motion.moved):
            return Plan(True, calm=calm)
        around = [track for track in tracks if not self._is_known(track, now)]
        due = [track for track in tracks if track in around or track.visit_id not in calm]
        known = [track for track in tracks if track not in around]
        cells = lately | self._unexplained(motion.cells, known, now, shape)
        boxes = self._wanted(cells, due, now, shape)
        regions = tuple(merged(boxes, self.settings.max_regions)) if len(boxes) <= _MANY else ()
        if (
            len(boxes) > _MANY
            or sum(region.area for region in regions) > self.settings.full_share * shape[0] * shape[1]
        ):
            return Plan(True, calm=calm)
        return Plan(False, regions, calm, frozenset(track.visit_id for track in around))

    @property
    def resting(self) -> bool:
        """Nothing has moved, and nobody was followed, for a while: fewer pictures would do."""
        return self._resting

    def note(self, plan: Plan, motion: Motion, tracks: Sequence[Track], now: float) -> None:
        """``plan`` was carried out; ``tracks``: all that live after it."""
        if plan.full:
            self._full_at = now
        if motion.moved or tracks or not self._stirred_at <= now:
            self._stirred_at = now
        self._resting = now - self._stirred_at >= self.settings.rest_seconds
        before, self._seen = self._seen, {}
        for track in tracks:
            seen = before.get(track.visit_id)
            if track.last_seen == now:
                all_around = seen is None or plan.full or track.visit_id in plan.around
                seen = _Seen(motion.grey, now if seen is None or all_around else seen.around_at)
            if seen is not None:
                self._seen[track.visit_id] = seen

    def forget(self) -> None:
        """Nothing is known of what is there: look at everything next."""
        self._full_at, self._moved_at, self._seen = -math.inf, None, {}
        self._stirred_at, self._resting = math.inf, False

    def _full_is_due(self, now: float, active: bool) -> bool:
        settings = self.settings
        longest = settings.full_active_seconds if active else settings.full_quiet_seconds
        return not 0 <= now - self._full_at < longest

    def _remember(self, motion: Motion, tracks: Sequence[Track], now: float, shape: tuple[int, int]) -> None:
        """When each cell moved last for which no face accounts."""
        if self._moved_at is None or self._moved_at.shape != motion.cells.shape:
            self._moved_at = np.full(motion.cells.shape, -np.inf)
        if not motion.everything:
            seen = [track for track in tracks if not track.misses]
            self._moved_at[self._unexplained(motion.cells, seen, now, shape)] = now

    def _lately(self, now: float) -> Cells:
        """Cells that moved a short while ago."""
        if self._moved_at is None:
            return np.zeros((0, 0), np.bool_)
        return np.abs(now - self._moved_at) <= self.settings.linger_seconds

    def _is_calm(self, track: Track, grey: Grey, shape: tuple[int, int]) -> bool:
        """Nothing new can be seen of a track's face."""
        seen = self._seen.get(track.visit_id)
        return (
            seen is not None
            and settled(track, self.settings)
            and _difference(seen.grey, grey, track.box, shape) <= self.settings.calm_levels
        )

    def _is_known(self, track: Track, now: float) -> bool:
        """What moves around a face is its person, as was seen a short while ago."""
        seen = self._seen.get(track.visit_id)
        return (
            seen is not None and not track.misses and 0 <= now - seen.around_at < self.settings.stride_seconds
        )

    def _unexplained(
        self, cells: Cells, tracks: Sequence[Track], now: float, shape: tuple[int, int]
    ) -> Cells:
        """The cells without those that the people of these tracks account for."""
        left = cells.copy()
        for track in tracks:
            cover(_body(union(track.box, track.expected(now)), shape), left, shape)
        return left

    def _wanted(self, cells: Cells, due: Sequence[Track], now: float, shape: tuple[int, int]) -> list[Box]:
        """The parts of the frame to look at, with margins."""
        margin = self.settings.cell_margin * shape[1] / max(1, cells.shape[1])
        boxes = [grown(part, margin, shape) for part in parts_of(cells, shape)]
        boxes += [self._around(track, now, shape) for track in due]
        return [box for box in boxes if box.width and box.height]

    def _around(self, track: Track, now: float, shape: tuple[int, int]) -> Box:
        """Where the face of a track will be found, with a margin."""
        expected = track.expected(now)
        way = math.dist(expected.centre, track.box.centre)
        return grown(expected, self.settings.face_margin * size(expected) + way / 2, shape)


def settled(track: Track, settings: AttentionSettings) -> bool:
    """Whether another look at the track would hardly tell anything new."""
    match track.decision:
        case Undecided():
            return False
        case Identified(margin=margin) if margin < settings.clear_margin:
            return False
    doubted = track.contested or track.unsure or track.doubted_since is not None
    return track.confirmed and not track.misses and not doubted and _speed(track) <= settings.max_speed


def _speed(track: Track) -> float:
    """In face sizes a second."""
    return math.hypot(*track.velocity) / size(track.box)


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
