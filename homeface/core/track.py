"""One person on one camera: what a track knows of itself, and when an embedding can tell it more."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from homeface.core.association import AssociationLimits
from homeface.core.evidence import Evidence
from homeface.core.thumbnail import thumbnail
from homeface.core.types import (
    Box,
    Decision,
    Embedding,
    Face,
    Identified,
    ImageRGB,
    KeptFace,
    Quality,
    Undecided,
    Unknown,
    Vector,
)

_VELOCITY_SMOOTHING = 0.5
_GLANCE_SIDE = 8


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """Limits of tracking.

    A track survives ``max_missing_seconds`` without a face (a turned head). It becomes a visit after
    ``min_hits`` faces, or one usable face of at least ``strong_score``: a single weak detection is a ghost.
    ``max_tracks`` bounds memory; the weakest faces are left out.

    Appearance guard: an embedding whose cosine to the track's own mean is below ``split_below`` is another
    person, if its quality is at least ``guard_min_quality``. On LFW, against the mean of three pictures, 0.3
    split 0.2 % of 1,311 other pictures of the same people and caught 99.8 % of 2,580 of other people with
    MobileFaceNet (with InceptionResnetV1 none of 440, and 94 % of 2,615); the rest is left to the
    identification, whose votes then disagree: below ``sure_above`` the next face is embedded as well, so that
    they do so at once. Who was not looked at for ``unwatched_seconds`` may be another, and so may a usable
    face whose glance (see ``glance_of``) correlates with the one before by less than ``alike``.

    Embeddings: at least ``embed_interval_seconds`` apart; at once when the quality beats the best so far by
    ``better_by`` or when the track may have changed hands; otherwise until there is a decision, and then to
    re-check, after ``recheck_unknown_seconds`` or ``recheck_identified_seconds``. A track that stays
    undecided after ``max_eager_embeddings`` is looked at as seldom as an unknown one.
    """

    max_missing_seconds: float = 2.0
    min_hits: int = 2
    strong_score: float = 0.95
    max_tracks: int = 64
    association: AssociationLimits = field(default_factory=AssociationLimits)
    split_below: float = 0.3
    guard_min_quality: float = 0.3
    sure_above: float = 0.5
    unwatched_seconds: float = 0.5
    alike: float = 0.7
    embed_interval_seconds: float = 0.15
    better_by: float = 0.15
    recheck_unknown_seconds: float = 2.0
    recheck_identified_seconds: float = 5.0
    max_eager_embeddings: int = 30


@dataclass(slots=True, eq=False)
class Track:
    """One person on one camera from first to last sight. ``evidence`` and ``decision`` are the pipeline's,
    ``decided_by`` is what the decision was made from.

    ``velocity`` is in pixels per second of the box centre; ``misses`` counts looks since the last face (0:
    found by the newest look at its place); ``last_seen`` is when a face was last seen, ``watched_at`` until
    when nobody else can have come there. ``contested``: another person may have taken the track over since
    the last embedding, so the next usable face is embedded; ``unsure``: the last embedding was not much like
    those before, so the next one is wanted, too. ``doubted_since``: when
    it was surely the same person for the last time; None: it still is.
    ``appearance`` is the sum of the embeddings so far (its direction is their mean), ``glance`` that of the
    newest usable face. ``kept``: its best few faces with their pictures, where that is wanted.
    """

    visit_id: str
    box: Box
    first_seen: float
    last_seen: float
    face: Face
    watched_at: float = -math.inf
    velocity: tuple[float, float] = (0.0, 0.0)
    evidence: Evidence = field(default_factory=Evidence)
    decision: Decision = field(default_factory=Undecided)
    decided_by: tuple[object, ...] = ()
    hits: int = 1
    misses: int = 0
    confirmed: bool = False
    contested: bool = False
    unsure: bool = False
    doubted_since: float | None = None
    embeddings: int = 0
    embedded_at: float | None = None
    best_quality: float = 0.0
    appearance: Vector | None = None
    glance: Vector | None = None
    kept: tuple[KeptFace, ...] = ()

    def expected(self, captured_at: float) -> Box:
        """Where the face should be at ``captured_at``, if it went on as before (at most one second on)."""
        ahead = min(1.0, max(0.0, captured_at - self.last_seen))
        dx, dy = (v * ahead for v in self.velocity)
        return Box(self.box.x1 + dx, self.box.y1 + dy, self.box.x2 + dx, self.box.y2 + dy)

    def follow(self, face: Face, captured_at: float) -> None:
        """Take over the face of a newer frame."""
        (x, y), (old_x, old_y) = face.detection.box.centre, self.box.centre
        elapsed = captured_at - self.last_seen
        measured = ((x - old_x) / elapsed, (y - old_y) / elapsed)
        weight = _VELOCITY_SMOOTHING if self.hits > 1 else 1.0
        self.velocity = (
            self.velocity[0] + weight * (measured[0] - self.velocity[0]),
            self.velocity[1] + weight * (measured[1] - self.velocity[1]),
        )
        self.box, self.face, self.last_seen = face.detection.box, face, captured_at
        self.hits += 1
        self.misses = 0
        if face.quality.usable:
            self.glance = glance_of(face.crop)

    def alike(self, face: Face) -> float:
        """How much a face looks like the newest usable one: correlation of glances, 1 when nobody can say."""
        if self.glance is None or not face.quality.usable:
            return 1.0
        glance = glance_of(face.crop)
        return float(self.glance @ glance) if self.glance.any() and glance.any() else 1.0

    def resembles(self, embedding: Embedding) -> float | None:
        """Cosine between the embedding and the mean of the track's own; None before the first."""
        if self.appearance is None or self.appearance.shape != embedding.vector.shape:
            return None
        length = float(np.linalg.norm(self.appearance))
        return float(self.appearance @ embedding.vector) / length if length > 0 else None

    def absorb(self, embedding: Embedding, quality: Quality, captured_at: float) -> None:
        """Add an embedding of this track's person."""
        self.evidence = self.evidence.add(embedding, quality, captured_at)
        known = self.appearance is not None and self.appearance.shape == embedding.vector.shape
        weighted = (max(quality.score, 0.01) * embedding.vector).astype(np.float32)
        self.appearance = self.appearance + weighted if known and self.appearance is not None else weighted
        self.embeddings += 1
        self.embedded_at = captured_at if self.embedded_at is None else max(self.embedded_at, captured_at)
        self.best_quality = max(self.best_quality, quality.score)
        self.contested, self.doubted_since = False, None


def glance_of(crop: ImageRGB) -> Vector:
    """An aligned crop as 8 × 8 grey values without mean, of unit length (zeros for a crop of one colour).

    Costs next to nothing and tells whether it is worth to embed a face that should be the same as before. On
    clips of speakers, an audience and a crowd, 7 % of 366 pairs of faces of one track, a fifth of a second
    apart, correlated by less than 0.7 (median 0.97), and 98 % of 406 pairs of faces of two tracks.
    """
    values = thumbnail(crop[:, :, 1], _GLANCE_SIDE, _GLANCE_SIDE).astype(np.float32).ravel()
    values -= values.mean()
    length = float(np.linalg.norm(values))
    return values / np.float32(length) if length > 1.0 else np.zeros_like(values)


def wants_embedding(track: Track, now: float, settings: TrackerSettings) -> bool:
    """Whether an embedding of ``track.face`` can still tell something; see ``TrackerSettings``.

    ``now`` is the frame's ``captured_at``. Only for a confirmed track seen in the newest frame whose face is
    usable.
    """
    quality = track.face.quality
    if track.misses or not track.confirmed or not quality.usable:
        return False
    if track.embedded_at is None:
        return True
    waited = now - track.embedded_at
    if track.contested or track.unsure:
        return waited > 0
    if quality.score >= track.best_quality + settings.better_by:
        return waited >= settings.embed_interval_seconds
    return waited >= _patience(track, settings)


def _patience(track: Track, settings: TrackerSettings) -> float:
    """Seconds between embeddings of a track about which nothing has changed."""
    match track.decision:
        case Identified():
            return settings.recheck_identified_seconds
        case Unknown():
            return settings.recheck_unknown_seconds
        case Undecided():
            eager = track.embeddings < settings.max_eager_embeddings
            return settings.embed_interval_seconds if eager else settings.recheck_unknown_seconds
