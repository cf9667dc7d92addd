"""Faces to tracks on one camera: box and motion association, an appearance guard, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from homeface.core.identification import Evidence
from homeface.core.types import Box, Decision, Embedding, Face, Quality


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """Tracking limits. Draft."""

    max_missing_seconds: float = 2.0
    min_hits: int = 2


@dataclass(slots=True, eq=False)
class Track:
    """One person on one camera from first to last sight. ``evidence`` and ``decision`` are the pipeline's.

    ``velocity`` is in pixels per second of the box centre; ``misses`` counts frames since the last face
    (0: seen in the newest frame); ``last_seen`` is when a face was last seen.
    """

    visit_id: str
    box: Box
    velocity: tuple[float, float]
    first_seen: float
    last_seen: float
    face: Face
    evidence: Evidence
    decision: Decision
    hits: int = 1
    misses: int = 0
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class TrackUpdate:
    """What one frame changed. Only confirmed tracks; those with ``misses == 0`` are in the frame.

    ``tracks``: all active; ``started``: those confirmed by this frame; ``ended``: over, in order of visit.
    """

    tracks: list[Track]
    started: list[Track]
    ended: list[Track]


class Tracker:
    """Tracks of one camera. Mutable, clock-free; memory is bounded by ``TrackerSettings``."""

    def __init__(
        self, camera: str, room: str, settings: TrackerSettings | None = None, visit_prefix: str = ""
    ) -> None:
        self.camera = camera
        self.room = room
        self.settings = settings or TrackerSettings()
        self._prefix = visit_prefix

    def update(self, faces: Sequence[Face], captured_at: float) -> TrackUpdate:
        """Associate the faces of one analysed frame. No faces: a look that saw nobody (tracks age)."""
        raise NotImplementedError

    def wants_embedding(self, track: Track, now: float) -> bool:
        """Whether an embedding of ``track.face`` can still tell something."""
        return wants_embedding(track, now, self.settings)

    def note_embedding(
        self, track: Track, embedding: Embedding, quality: Quality, captured_at: float
    ) -> Track:
        """Add an embedding to the track's evidence; returns the track it belongs to.

        Usually ``track`` itself. When the face is clearly another person's, ``track`` ends (it is in the
        next update's ``ended``) and the new track that begins is returned: decide that one.
        """
        raise NotImplementedError

    def end_all(self) -> list[Track]:
        """End every track (camera lost, paused or stopped); returns the confirmed ones."""
        raise NotImplementedError


def wants_embedding(track: Track, now: float, settings: TrackerSettings) -> bool:
    """Whether an embedding of ``track.face`` can still tell something; see ``TrackerSettings``."""
    raise NotImplementedError
