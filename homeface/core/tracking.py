"""Faces to tracks on one camera: motion association, an appearance guard, no clock.

A track is one person's stay in the picture (a visit). Merging two persons into one track gives a wrong
name; splitting one person into two costs only a new decision: so where it is doubtful, a track is split.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from homeface.core.association import Anchor, pair
from homeface.core.geometry import iou
from homeface.core.track import Track, TrackerSettings, wants_embedding
from homeface.core.types import (
    Box,
    Embedding,
    Face,
    Identified,
    Quality,
    Reason,
    Sighting,
    Undecided,
)

__all__ = ["Track", "TrackUpdate", "Tracker", "TrackerSettings", "everywhere", "nowhere", "wants_embedding"]

_DOUBTFUL_OVERLAP = 0.1
_DUPLICATE_OVERLAP = 0.5


def everywhere(_box: Box) -> bool:
    """The whole frame was looked at."""
    return True


def nowhere(_box: Box) -> bool:
    """Nothing was looked at."""
    return False


@dataclass(frozen=True, slots=True)
class TrackUpdate:
    """What one frame changed. Only confirmed tracks; those with ``last_seen`` now were found in the frame.

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

    @property
    def living(self) -> Sequence[Track]:
        """All tracks that have not ended, also those that are no visit yet."""
        return tuple(self._tracks)

    def update(
        self, faces: Sequence[Face], captured_at: float, looked_at: Callable[[Box], bool] = everywhere
    ) -> TrackUpdate:
        """Associate the faces of one analysed frame. No faces: a look that saw nobody (tracks age).

        ``looked_at`` says whether a face at a box would have been found: a track that was not looked at was
        not missed either. A frame that is not newer than the last one changes nothing. A clock that jumped
        back by more than ``max_missing_seconds`` ends all tracks: their times mean nothing any more.
        """
        if self._newest is not None and captured_at <= self._newest:
            if self._newest - captured_at <= self.settings.max_missing_seconds:
                return self._report([], self._take_split_off())
            ended = self.end_all()
        else:
            ended = self._take_split_off() + self._expire(captured_at)
        self._newest = captured_at
        ended += self._associate(faces, captured_at, looked_at)
        started = [track for track in self._tracks if self._confirm(track)]
        return self._report(started, ended)

    def note_calm(self, visit_ids: Collection[str], captured_at: float) -> None:
        """Where these tracks are the picture is as it was when they were seen: nobody took their place."""
        for track in self._tracks:
            if track.visit_id in visit_ids:
                track.watched_at = captured_at

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

    def _associate(
        self, seen: Sequence[Face], captured_at: float, looked_at: Callable[[Box], bool]
    ) -> list[Track]:
        """Give faces to tracks, begin tracks for the others; returns the confirmed tracks given up.

        A pair that another person could have slipped into is contested: after an occlusion, a leap, when it
        looks different, beside a rival or on top of another face.
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
            watched_at = max(track.last_seen, track.watched_at)
            unwatched = track.misses > 0 or captured_at - watched_at > self.settings.unwatched_seconds
            changed = track.embedded_at is not None and track.alike(face) < self.settings.alike
            slipped = unwatched or leapt or changed or index in pairing.contested or face_index in covered
            if slipped:
                track.contested = True
                track.doubted_since = track.last_seen if track.doubted_since is None else track.doubted_since
            track.follow(face, captured_at)
        followed = {face_index for _, face_index in pairing.pairs}
        for index in set(range(len(tracks))) - {index for index, _ in pairing.pairs}:
            tracks[index].misses += looked_at(anchors[index].expected)
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
