"""Enrolment by a camera of the house: good faces of exactly one person during some seconds."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from homeface.adapters.store import NewTemplate
from homeface.core.enrolment import choose_face
from homeface.core.types import Frame, KeptFace
from homeface.core.unknown_visits import with_face
from homeface.errors import (
    BusyError,
    EnrolmentError,
    FacesDroppedError,
    InvalidRequestError,
    SeveralFacesError,
)
from homeface.service.crops import crop_of, cut_out
from homeface.service.enrolment import Enrolment, Prepared
from homeface.service.pipeline import FaceEngine, look_in_turn
from homeface.service.watch import CameraWatch

MOST_FACES = 8
_SEVERAL_FRAMES = 2


@dataclass(slots=True)
class _Seen:
    """What the camera has shown so far. ``refused``: frames without a good face, by why."""

    kept: tuple[KeptFace, ...] = ()
    frames: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    why: dict[str, str] = field(default_factory=dict)


class CameraPhotos:
    """Takes faces from cameras that are being watched anyway; one person at a time."""

    def __init__(self, engine: FaceEngine, enrolment: Enrolment) -> None:
        self._engine = engine
        self._enrolment = enrolment
        self._busy = False

    async def take(self, watch: CameraWatch, seconds: float) -> tuple[list[Prepared], tuple[str, ...]]:
        """The best faces that differ, at most ``MOST_FACES``, and sentences about what was in the way.

        Nothing is stored here: conclude the enrolment with what comes back. Raises InvalidRequestError when
        the camera cannot be used or more than one person was there, BusyError while somebody else is at it.
        """
        if watch.paused or not watch.status.available:
            why = "is paused" if watch.paused else "sends no pictures now"
            raise InvalidRequestError(f"Camera {watch.name} {why}.", key="camera_unavailable", field="camera")
        if self._busy:
            raise BusyError("Pictures are being taken by a camera already.", retry_seconds=seconds)
        self._busy = True
        try:
            seen = _Seen()
            async for frame in _frames(watch, seconds):
                await self._look(frame, seen)
        finally:
            self._busy = False
        if watch.paused:
            raise InvalidRequestError(f"Camera {watch.name} was paused.", key="camera_unavailable")
        self._require_one_person(seen)
        prepared = [
            await asyncio.to_thread(self._prepared, f"{watch.name} {number}", face)
            for number, face in enumerate(seen.kept, start=1)
        ]
        return prepared, _notes(seen)

    async def _look(self, frame: Frame, seen: _Seen) -> None:
        seen.frames += 1
        faces = await look_in_turn(self._engine, frame.picture)
        try:
            face, quality = choose_face(faces, self._enrolment.policy)
            (embedding,) = await self._engine.embed([face.crop])
        except EnrolmentError as error:
            seen.refused[error.key] += 1
            seen.why[error.key] = str(error)
            return
        except FacesDroppedError:
            return
        part, box, landmarks = cut_out(frame.picture.bgr(), face.detection)
        kept = KeptFace(part, box, landmarks, quality, embedding, frame.captured_at)
        seen.kept = with_face(seen.kept, kept, MOST_FACES)

    def _require_one_person(self, seen: _Seen) -> None:
        """Raises InvalidRequestError when several people were before the camera, at once or in turn."""
        vectors = [face.embedding.vector for face in seen.kept]
        agreement = self._enrolment.policy.agreement
        strange = any(float(a @ b) < agreement / 2 for a in vectors for b in vectors)
        if strange or seen.refused[SeveralFacesError.key] >= _SEVERAL_FRAMES:
            raise InvalidRequestError(
                "More than one person was before the camera. Nothing was taken: let one person stand there "
                "alone, and try again.",
                key="several_people",
            )

    def _prepared(self, label: str, face: KeptFace) -> Prepared:
        template = NewTemplate(face.embedding.vector, face.embedding.model_id, face.quality, crop_of(face))
        return self._enrolment.prepare_face(label, template)


async def _frames(watch: CameraWatch, seconds: float) -> AsyncIterator[Frame]:
    """The newest frame each time, for that long; those in between are left out."""
    slot: list[Frame] = []
    came = asyncio.Event()

    def tap(frame: Frame) -> None:
        slot[:] = [frame]
        came.set()

    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    untap = watch.tap(tap)
    try:
        while True:
            async with asyncio.timeout_at(deadline):
                await came.wait()
            came.clear()
            yield slot.pop()
    except TimeoutError:
        return
    finally:
        untap()


def _notes(seen: _Seen) -> tuple[str, ...]:
    if not seen.frames:
        return ("The camera showed nothing new: move a little before it.",)
    if seen.kept:
        return ()
    return tuple(seen.why[key] for key, _ in seen.refused.most_common(2))


__all__ = ["MOST_FACES", "CameraPhotos"]
