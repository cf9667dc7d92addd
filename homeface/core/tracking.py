"""Faces to tracks on one camera: motion association, an appearance guard, no clock.

A track is one person's stay in the picture (a visit). Merging two persons into one track gives a wrong
name; splitting one person into two costs only a new decision: so where it is doubtful, a track is split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from homeface.core.association import Anchor, AssociationLimits, pair
from homeface.core.geometry import iou
from homeface.core.identification import Evidence
from homeface.core.types import (
    Box,
    Decision,
    Embedding,
    Face,
    Identified,
    Quality,
    Reason,
    Sighting,
    Undecided,
    Unknown,
    Vector,
)

_VELOCITY_SMOOTHING = 0.5
_DOUBTFUL_OVERLAP = 0.1
_DUPLICATE_OVERLAP = 0.5


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """Limits of tracking.

    A track survives ``max_missing_seconds`` without a face (a turned head). It becomes a visit after
    ``min_hits`` faces, or one usable face of at least ``strong_score``: a single weak detection is a ghost.
    ``max_tracks`` bounds memory; the weakest faces are left out.

    Appearance guard: an embedding whose cosine to the track's own mean is below ``split_below`` is another
    person, if its quality is at least ``guard_min_quality``. With InceptionResnetV1 (VGGFace2) on LFW, 0.3
    split none of 440 other pictures of the same people and caught 94 % of 2,615 of other people; the rest
    is left to the identification, whose votes then disagree: below ``sure_above`` the next face is embedded
    as well, so that they do so at once. Who was not looked at for ``unwatched_seconds`` may be another.

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
    embed_interval_seconds: float = 0.15
    better_by: float = 0.15
    recheck_unknown_seconds: float = 2.0
    recheck_identified_seconds: float = 5.0
    max_eager_embeddings: int = 30


@dataclass(slots=True, eq=False)
class Track:
    """One person on one camera from first to last sight. ``evidence`` and ``decision`` are the pipeline's.

    ``velocity`` is in pixels per second of the box centre; ``misses`` counts frames since the last face
    (0: seen in the newest frame); ``last_seen`` is when a face was last seen. ``contested``: another person
    may have taken the track over since the last embedding, so the next usable face is embedded; ``unsure``:
    the last embedding was not much like those before, so the next one is wanted, too. ``doubted_since``: when
    it was surely the same person for the last time; None: it still is.
    ``appearance`` is the sum of the embeddings so far (its direction is their mean).
    """

    visit_id: str
    box: Box
    first_seen: float
    last_seen: float
    face: Face
    velocity: tuple[float, float] = (0.0, 0.0)
    evidence: Evidence = field(default_factory=Evidence)
    decision: Decision = field(default_factory=Undecided)
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


@dataclass(frozen=True, slots=True)
class TrackUpdate:
    """What one frame changed. Only confirmed tracks; those with ``misses == 0`` are in the frame.

    ``tracks``: all active; ``started``: those confirmed by this frame; ``ended``: over, by age.
    """

    tracks: list[Track]
    started: list[Track]
    ended: list[Track]


class Tracker:
    """Tracks of one camera. Mutable, clock-free; memory is bounded by ``TrackerSettings.max_tracks``.

    Visit ids are ``{visit_prefix}-{camera}-{n}``: the prefix makes them unique over restarts.
    """

    def __init__(
        self, camera: str, room: str, settings: TrackerSettings | None = None, visit_prefix: str = ""
    ) -> None:
        self.camera = camera
        self.room = room
        self.settings = settings or TrackerSettings()
        self._prefix = visit_prefix
        self._begun = 0
        self._tracks: list[Track] = []
        self._split_off: list[Track] = []
        self._newest: float | None = None

    def update(self, faces: Sequence[Face], captured_at: float) -> TrackUpdate:
        """Associate the faces of one analysed frame. No faces: a look that saw nobody (tracks age).

        A frame that is not newer than the last one changes nothing. A clock that jumped back by more than
        ``max_missing_seconds`` ends all tracks: their times mean nothing any more.
        """
        if self._newest is not None and captured_at <= self._newest:
            if self._newest - captured_at <= self.settings.max_missing_seconds:
                return self._report([], self._take_split_off())
            ended = self.end_all()
        else:
            ended = self._take_split_off() + self._expire(captured_at)
        self._newest = captured_at
        ended += self._associate(faces, captured_at)
        started = [track for track in self._tracks if self._confirm(track)]
        return self._report(started, ended)

    def wants_embedding(self, track: Track, now: float) -> bool:
        """Whether an embedding of ``track.face`` can still tell something."""
        return wants_embedding(track, now, self.settings)

    def note_embedding(
        self, track: Track, embedding: Embedding, quality: Quality, captured_at: float
    ) -> Track:
        """Add an embedding to the track's evidence; returns the track it belongs to.

        Usually ``track`` itself. When the face is clearly another person's, ``track`` ends (it is in the
        next update's ``ended``) and the new track that begins is returned: decide that one. What comes for
        a track that has ended meanwhile is added only if it is surely the same person's.
        """
        similarity = track.resembles(embedding)
        another = similarity is not None and similarity < self.settings.split_below
        if not another:
            track.absorb(embedding, quality, captured_at)
            track.unsure = similarity is not None and similarity < self.settings.sure_above
            return track
        if quality.score < self.settings.guard_min_quality or track not in self._tracks:
            since = (track.doubted_since, track.embedded_at)
            track.doubted_since = min(at for at in (*since, captured_at) if at is not None)
            return track
        return self._split(track, embedding, quality, captured_at)

    def sighting(self, track: Track, *, ended: bool = False) -> Sighting:
        """What ``track`` says now. Set ``ended`` for tracks of ``TrackUpdate.ended``, after concluding.

        While another person may bear the track, nobody is named; a name it ends with is told of the time when
        it was sure.
        """
        decision, captured_at = track.decision, track.last_seen
        if track.doubted_since is not None and isinstance(decision, Identified):
            if ended:
                captured_at = min(captured_at, track.doubted_since)
            else:
                decision = Undecided((Reason.FACES_DISAGREE,), decision.votes, decision.candidates)
        return Sighting(
            room=self.room,
            camera=self.camera,
            visit_id=track.visit_id,
            first_seen=track.first_seen,
            captured_at=captured_at,
            decision=decision,
            box=track.box,
            quality=track.face.quality,
            ended=ended,
        )

    def end_all(self) -> list[Track]:
        """End every track (camera lost, paused or stopped); returns the confirmed ones."""
        ended = self._take_split_off() + [track for track in self._tracks if track.confirmed]
        self._tracks = []
        self._newest = None
        return ended

    def _report(self, started: list[Track], ended: list[Track]) -> TrackUpdate:
        return TrackUpdate([track for track in self._tracks if track.confirmed], started, ended)

    def _take_split_off(self) -> list[Track]:
        taken, self._split_off = self._split_off, []
        return taken

    def _expire(self, captured_at: float) -> list[Track]:
        """Drop what was not seen for too long; returns the confirmed ones."""
        oldest = captured_at - self.settings.max_missing_seconds
        gone = [track for track in self._tracks if track.last_seen < oldest]
        return self._drop(gone)

    def _drop(self, gone: Sequence[Track]) -> list[Track]:
        self._tracks = [track for track in self._tracks if track not in gone]
        return [track for track in gone if track.confirmed]

    def _worth_following(self, faces: Sequence[Face]) -> tuple[list[Face], set[int]]:
        """Best faces first, without those that nearly cover one of them; and the indices of those covered.

        It may be one face found twice, or two people, one in front of the other.
        """
        kept: list[Face] = []
        covered: set[int] = set()
        for face in sorted(faces, key=lambda face: (-face.detection.score, face.detection.box)):
            overlaps = [iou(face.detection.box, other.detection.box) for other in kept]
            under = {index for index, overlap in enumerate(overlaps) if overlap > _DUPLICATE_OVERLAP}
            covered |= under
            if not under:
                kept.append(face)
        return kept[: self.settings.max_tracks], covered

    def _associate(self, seen: Sequence[Face], captured_at: float) -> list[Track]:
        """Give faces to tracks, begin tracks for the others; returns the confirmed tracks given up.

        A pair that another person could have slipped into is contested: after an occlusion, a leap, beside
        a rival or on top of another face.
        """
        faces, covered = self._worth_following(seen)
        anchors = [
            Anchor(track.expected(captured_at), track.box, captured_at - track.last_seen, track.confirmed)
            for track in self._tracks
        ]
        pairing = pair(anchors, [face.detection.box for face in faces], self.settings.association)
        tracks = list(self._tracks)
        for index, face_index in pairing.pairs:
            track, face = tracks[index], faces[face_index]
            leapt = iou(anchors[index].expected, face.detection.box) < _DOUBTFUL_OVERLAP
            unwatched = track.misses > 0 or captured_at - track.last_seen > self.settings.unwatched_seconds
            slipped = unwatched or leapt or index in pairing.contested or face_index in covered
            if slipped:
                track.contested = True
                track.doubted_since = track.last_seen if track.doubted_since is None else track.doubted_since
            track.follow(face, captured_at)
        followed = {face_index for _, face_index in pairing.pairs}
        for index in set(range(len(tracks))) - {index for index, _ in pairing.pairs}:
            tracks[index].misses += 1
        ended = self._drop([tracks[index] for index in sorted(pairing.given_up)])
        for index, face in enumerate(faces):
            if index not in followed and len(self._tracks) < self.settings.max_tracks:
                self._tracks.append(self._begin(face, captured_at))
        return ended

    def _begin(self, face: Face, captured_at: float) -> Track:
        self._begun += 1
        visit_id = "-".join(part for part in (self._prefix, self.camera, str(self._begun)) if part)
        return Track(
            visit_id=visit_id,
            box=face.detection.box,
            first_seen=captured_at,
            last_seen=captured_at,
            face=face,
        )

    def _confirm(self, track: Track) -> bool:
        """Confirm a track that has shown enough; True the moment it happens."""
        if track.confirmed:
            return False
        strong = track.face.quality.usable and track.face.detection.score >= self.settings.strong_score
        track.confirmed = strong or track.hits >= self.settings.min_hits
        return track.confirmed

    def _split(self, track: Track, embedding: Embedding, quality: Quality, captured_at: float) -> Track:
        """End ``track`` at the last face that was surely its own, and begin another one here."""
        other = self._begin(track.face, captured_at)
        other.last_seen = max(captured_at, track.last_seen)
        other.velocity, other.misses, other.hits = track.velocity, track.misses, 2
        other.confirmed = True
        other.absorb(embedding, quality, captured_at)
        self._tracks[self._tracks.index(track)] = other
        if track.embedded_at is not None:
            track.last_seen = max(track.first_seen, min(track.embedded_at, captured_at))
        self._split_off.append(track)
        return other


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
