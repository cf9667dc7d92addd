"""One camera's walk: frame → motion → faces → tracks → embeddings → decisions → sightings.

The daemon and the replay use this very class. It reads no clock: time is the frame's ``captured_at``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from homeface.core.gallery import Gallery
from homeface.core.identification import Policy, conclude, decide
from homeface.core.motion import GREY_HEIGHT, GREY_WIDTH, MotionGate
from homeface.core.tracking import Track, Tracker
from homeface.core.types import Embedding, Face, Frame, ImageBGR, ImageRGB, Sighting

_LINGER_SECONDS = 3.0
"""After a face was seen, look at every frame for so long, motion or not: people stand still to be seen."""


class FaceEngine(Protocol):
    """What the service needs of the device; it may one day be on another machine."""

    @property
    def model_id(self) -> str:
        """Id of the embedding model."""

    async def look(self, image: ImageBGR) -> list[Face]:
        """Faces of one frame, with quality and aligned crops."""

    async def embed(self, crops: Sequence[ImageRGB]) -> list[Embedding]:
        """One embedding per crop."""

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Hold while a frame is in flight."""


@dataclass(frozen=True, slots=True)
class Recognition:
    """Whom we know and how sure we must be. Replaced as a whole when somebody enrols."""

    gallery: Gallery
    policy: Policy


@dataclass(slots=True)
class PipelineStats:
    """What happened on one camera since the start."""

    frames: int = 0
    looked: int = 0
    faces: int = 0
    embedded: int = 0
    visits: int = 0


@dataclass(slots=True)
class Pipeline:
    """Everything between one camera's frames and its sightings."""

    camera: str
    room: str
    engine: FaceEngine
    tracker: Tracker
    motion: MotionGate
    recognition: Recognition
    stats: PipelineStats = field(default_factory=PipelineStats)
    _face_seen_at: float = -math.inf

    async def process(self, frame: Frame) -> list[Sighting]:
        """What the tracks of this camera say after ``frame``, and the visits that it ended."""
        self.stats.frames += 1
        now = frame.captured_at
        moved = self.motion.moved(frame.picture.grey(GREY_HEIGHT, GREY_WIDTH), now)
        faces: list[Face] = []
        if moved or now - self._face_seen_at <= _LINGER_SECONDS:
            faces = await self.engine.look(frame.image)
            self.stats.looked += 1
            self.stats.faces += len(faces)
        if faces:
            self._face_seen_at = now
        update = self.tracker.update(faces, now)
        living = await self._embed(update.tracks, now)
        for track in living:
            track.decision = decide(track.evidence, self.recognition.gallery, self.recognition.policy)
        return [self.tracker.sighting(track) for track in living] + self._conclude(update.ended)

    def flush(self) -> list[Sighting]:
        """End every track: the camera is gone, paused, or the recording is over."""
        return self._conclude(self.tracker.end_all())

    def learn(self, recognition: Recognition) -> None:
        """Use another gallery or policy from now on; living tracks are decided anew with the next frame."""
        self.recognition = recognition

    async def _embed(self, tracks: Sequence[Track], now: float) -> list[Track]:
        """Embed the faces that can still tell something; returns the living tracks.

        A face that is clearly another person's ends its track and begins a new one, which takes its place.
        """
        living = {id(track): track for track in tracks}
        wanted: list[Track] = []
        for track in tracks:
            if track.misses:
                continue
            if not track.face.quality.usable:
                track.evidence = track.evidence.reject(track.face.quality.reasons)
            elif self.tracker.wants_embedding(track, now):
                wanted.append(track)
        if wanted:
            embeddings = await self.engine.embed([track.face.crop for track in wanted])
            self.stats.embedded += len(embeddings)
            for track, embedding in zip(wanted, embeddings, strict=True):
                living[id(track)] = self.tracker.note_embedding(track, embedding, track.face.quality, now)
        return list(living.values())

    def _conclude(self, ended: Sequence[Track]) -> list[Sighting]:
        self.stats.visits += len(ended)
        gallery, policy = self.recognition.gallery, self.recognition.policy
        for track in ended:
            track.decision = conclude(track.evidence, gallery, policy)
        return [self.tracker.sighting(track, ended=True) for track in ended]
