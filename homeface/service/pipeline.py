"""One camera's walk: frame → motion → faces → tracks → embeddings → decisions → sightings.

The daemon and the replay use this very class. It reads no clock: time is the frame's ``captured_at``.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from homeface.core.adaptation import Teaching, lesson_of
from homeface.core.attention import Attention, Plan
from homeface.core.gallery import Gallery
from homeface.core.identification import Policy, conclude, decide
from homeface.core.motion import GREY_HEIGHT, GREY_WIDTH, MotionGate
from homeface.core.tracking import Track, Tracker
from homeface.core.types import (
    Box,
    Embedding,
    Face,
    Frame,
    Identified,
    ImageBGR,
    ImageRGB,
    KeptFace,
    Picture,
    Sighting,
)
from homeface.core.unknown_visits import keeps, with_face
from homeface.errors import FacesDroppedError
from homeface.service.crops import cut_out

if TYPE_CHECKING:
    from homeface.inference.engine import EngineStats


class FaceEngine(Protocol):
    """What the service needs of the device; it may one day be on another machine."""

    @property
    def model_id(self) -> str:
        """Id of the embedding model."""

    async def look(self, image: ImageBGR | Picture, regions: Sequence[Box] | None = None) -> list[Face]:
        """Faces of one frame, with quality and aligned crops; ``regions`` (pixels): those in there, and no
        faces cut off by a region's border."""

    async def embed(self, crops: Sequence[ImageRGB]) -> list[Embedding]:
        """One embedding per crop."""

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Hold while a frame is in flight."""


async def look_in_turn(engine: FaceEngine, image: ImageBGR | Picture) -> list[Face]:
    """Faces of a picture that no camera waits for: it takes its turn among their frames."""
    async with engine.turn():
        return await engine.look(image)


class CountingEngine(FaceEngine, Protocol):
    """An engine that tells how it does."""

    @property
    def device(self) -> str:
        """What it runs on, such as ``cpu`` or ``cuda:0``."""

    @property
    def runtime(self) -> str:
        """What runs the models, such as ``openvino``."""

    def heartbeat(self) -> float:
        """``time.monotonic()`` of its last progress; idling is progress, hanging is not."""

    @property
    def stats(self) -> EngineStats:
        """Counts so far; ``dropped``: faces that came to no embedding because newer ones were waiting."""


@dataclass(frozen=True, slots=True)
class Recognition:
    """Whom we know and how sure we must be. Replaced as a whole when somebody enrols.

    ``teaching``: how sure a visit must be to teach; None: visits teach nothing.
    """

    gallery: Gallery
    policy: Policy
    teaching: Teaching | None = None


@dataclass(slots=True)
class PipelineStats:
    """What happened on one camera since the start. ``looked`` frames in whole or in part, ``full`` in whole;
    ``area`` sum of the shares of the frames that were looked at; ``dropped`` faces the device had no time
    for."""

    frames: int = 0
    looked: int = 0
    full: int = 0
    area: float = 0.0
    faces: int = 0
    embedded: int = 0
    dropped: int = 0
    visits: int = 0


_KEPT_SIDE_PX = 320
"""Of faces kept in memory while a visit lasts: 300 KB each at most."""


@dataclass(slots=True)
class Pipeline:
    """Everything between one camera's frames and its sightings.

    ``keeps_faces``: visits that end without a name show their best faces in their last sighting.
    """

    camera: str
    room: str
    engine: FaceEngine
    tracker: Tracker
    motion: MotionGate
    recognition: Recognition
    attention: Attention = field(default_factory=Attention)
    keeps_faces: bool = False
    stats: PipelineStats = field(default_factory=PipelineStats)

    async def process(self, frame: Frame) -> list[Sighting]:
        """What the tracks of this camera say after ``frame``, and the visits that it ended."""
        now, picture = frame.captured_at, frame.picture
        self.stats.frames += 1
        motion = self.motion.examine(picture.grey(GREY_HEIGHT, GREY_WIDTH), now)
        plan = self.attention.plan(motion, self.tracker.living, now, picture.shape)
        faces = await self._look(picture, plan)
        self.tracker.note_calm(plan.calm, now)
        update = self.tracker.update(faces, now, plan.looks_at)
        living = await self._embed(update.tracks, picture, now)
        self.attention.note(plan, motion, self.tracker.living, now)
        for track in living:
            self._decide(track)
        return [self.tracker.sighting(track) for track in living] + self._conclude(update.ended)

    def flush(self) -> list[Sighting]:
        """End every track: the camera is gone, paused, or the recording is over."""
        self.attention.forget()
        return self._conclude(self.tracker.end_all())

    def learn(self, recognition: Recognition) -> None:
        """Use another gallery or policy from now on; living tracks are decided anew with the next frame."""
        self.recognition = recognition

    def _decide(self, track: Track) -> None:
        """Anew only when there is something new to decide from."""
        grounds = (track.evidence, self.recognition)
        if len(track.decided_by) != 2 or any(
            a is not b for a, b in zip(grounds, track.decided_by, strict=True)
        ):
            track.decision = decide(track.evidence, self.recognition.gallery, self.recognition.policy)
            track.decided_by = grounds

    async def _look(self, picture: Picture, plan: Plan) -> list[Face]:
        """The faces where the plan says."""
        if plan.nothing:
            return []
        faces = await self.engine.look(picture, None if plan.full else plan.regions)
        height, width = picture.shape
        self.stats.looked += 1
        self.stats.full += plan.full
        self.stats.area += 1.0 if plan.full else sum(r.area for r in plan.regions) / (height * width)
        self.stats.faces += len(faces)
        return faces

    async def _embed(self, tracks: Sequence[Track], picture: Picture, now: float) -> list[Track]:
        """Embed the faces that can still tell something; returns the living tracks.

        A face that is clearly another person's ends its track and begins a new one, which takes its place.
        """
        living = {id(track): track for track in tracks}
        wanted: list[Track] = []
        for track in tracks:
            if track.last_seen != now:
                continue
            if not track.face.quality.usable:
                track.evidence = track.evidence.reject(track.face.quality.reasons)
            elif self.tracker.wants_embedding(track, now):
                wanted.append(track)
        for track, embedding in zip(wanted, await self._vectors(wanted), strict=False):
            bearer = self.tracker.note_embedding(track, embedding, track.face.quality, now)
            living[id(track)] = bearer
            if self.keeps_faces and bearer.doubted_since is None:  # else it may be another person's face
                _keep(bearer, picture, embedding, now)
        return list(living.values())

    async def _vectors(self, tracks: Sequence[Track]) -> list[Embedding]:
        """One embedding for each track's face; none at all when the device has newer faces to see to."""
        if not tracks:
            return []
        try:
            embeddings = await self.engine.embed([track.face.crop for track in tracks])
        except FacesDroppedError:
            self.stats.dropped += len(tracks)
            return []
        self.stats.embedded += len(embeddings)
        return embeddings

    def _conclude(self, ended: Sequence[Track]) -> list[Sighting]:
        self.stats.visits += len(ended)
        gallery, policy = self.recognition.gallery, self.recognition.policy
        for track in ended:
            track.decision = conclude(track.evidence, gallery, policy)
        return [self._ending(track) for track in ended]

    def _ending(self, track: Track) -> Sighting:
        """The last word about a visit, with what is to be kept of it."""
        sighting = self._taught(self.tracker.sighting(track, ended=True), track)
        if not self.keeps_faces or isinstance(sighting.decision, Identified):
            return sighting
        return replace(sighting, faces=track.kept)

    def _taught(self, sighting: Sighting, track: Track) -> Sighting:
        """With what the visit teaches, if it was one person's from beginning to end."""
        teaching = self.recognition.teaching
        if teaching is None or track.doubted_since is not None:
            return sighting
        visit = (sighting.visit_id, sighting.captured_at)
        lesson = lesson_of(track.evidence, track.decision, self.recognition.gallery, teaching, visit)
        return sighting if lesson is None else replace(sighting, lesson=lesson)


def _keep(track: Track, picture: Picture, embedding: Embedding, now: float) -> None:
    """Keep the track's present face if it is one of its best."""
    face = track.face
    if keeps(track.kept, embedding, face.quality):
        part, box, landmarks = cut_out(picture.bgr(), face.detection, _KEPT_SIDE_PX)
        track.kept = with_face(track.kept, KeptFace(part, box, landmarks, face.quality, embedding, now))
