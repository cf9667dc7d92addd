"""Guided rounds: frames of somebody's own camera in, feedback out, and an enrolment at the end."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from homeface.adapters.photos import load_photo
from homeface.adapters.store import NewTemplate
from homeface.core.gallery import Subject
from homeface.core.guided_round import Feedback, GuidedRound, Say, SeenFace, Wanted
from homeface.core.types import ImageBGR
from homeface.errors import BusyError, NotThereError
from homeface.service.enrolment import Enrolment, EnrolmentReport, Prepared
from homeface.service.pipeline import FaceEngine, look_in_turn

ROUND_SECONDS = 300.0
"""How long a round may take."""
IDLE_SECONDS = 60.0
"""A round without frames for so long is over: somebody closed the page."""
MOST_ROUNDS = 6
FRAME_MAX_SIDE_PX = 1280
FRAME_MAX_PIXELS = 4_000_000
"""Frames are of a browser's camera: larger ones are an attack or a mistake."""


@dataclass(frozen=True, slots=True)
class RoundAnswer:
    """Feedback, and what was stored when the round has just ended with pictures."""

    feedback: Feedback
    report: EnrolmentReport | None = None


@dataclass(slots=True)
class _Running:
    """One round. ``shots``: what was taken, before it is compared with anybody."""

    subject: Subject
    state: GuidedRound
    began_at: float
    seen_at: float
    shots: list[Prepared] = field(default_factory=list)
    feedback: Feedback | None = None
    report: EnrolmentReport | None = None
    busy: bool = False
    over: bool = False


class Rounds:
    """All rounds that are going on. Frames of all of them are looked at one after the other.

    A frame that comes while the round's last one is still looked at is left out, and gets the last feedback.
    """

    def __init__(
        self, engine: FaceEngine, enrolment: Enrolment, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine = engine
        self._enrolment = enrolment
        self._clock = clock
        self._rounds: dict[str, _Running] = {}
        self._one_frame = asyncio.Lock()

    def begin(self, subject: Subject) -> str:
        """A new round for somebody enrolled; an earlier one of the same person ends. Raises BusyError."""
        now = self._clock()
        self._expire(now)
        self.end_of_person(subject.subject_id)
        if len(self._rounds) >= MOST_ROUNDS:
            raise BusyError(
                "Several people are taking pictures already; try again in a minute.", retry_seconds=60
            )
        round_id = uuid.uuid4().hex
        state = GuidedRound(self._enrolment.policy.agreement)
        self._rounds[round_id] = _Running(subject, state, now, now)
        return round_id

    def subject_id(self, round_id: str) -> str:
        """Whose round it is. Raises NotThereError."""
        return self._running(round_id).subject.subject_id

    def end(self, round_id: str) -> None:
        """Stop without storing anything. Raises NotThereError."""
        self._running(round_id).over = True
        del self._rounds[round_id]

    def end_of_person(self, subject_id: str) -> None:
        """Stop the rounds of somebody who was removed."""
        for key in [key for key, one in self._rounds.items() if one.subject.subject_id == subject_id]:
            self.end(key)

    async def frame(self, round_id: str, jpeg: bytes) -> RoundAnswer:
        """Look at a frame (JPEG, PNG or WebP). Raises NotThereError, ImageError, and at the end what
        ``Enrolment.conclude`` raises.
        """
        one = self._running(round_id)
        if one.busy and one.feedback is not None:
            return RoundAnswer(one.feedback)
        one.busy = True
        try:
            async with self._one_frame:
                image = await asyncio.to_thread(
                    load_photo, jpeg, "The frame", max_side_px=FRAME_MAX_SIDE_PX, max_pixels=FRAME_MAX_PIXELS
                )
                one.feedback = await self._look(one, image, jpeg)
            return await self._answer(round_id, one)
        finally:
            one.busy = False

    async def skip(self, round_id: str) -> RoundAnswer:
        """Go on to the next step; after the last one what was taken is stored. Raises as ``frame``."""
        one = self._running(round_id)
        one.state, one.feedback = one.state.skip()
        return await self._answer(round_id, one)

    async def _look(self, one: _Running, image: ImageBGR, jpeg: bytes) -> Feedback:
        faces = await look_in_turn(self._engine, image)
        step = one.state.wanted
        size = (image.shape[1], image.shape[0])
        seen = [SeenFace(face.detection.box, face.quality) for face in faces]
        one.state, feedback = one.state.look(seen, size, self._clock())
        if not feedback.ready:
            return feedback
        shot = await self._enrolment.prepare(step.value, jpeg)
        if one.over or one.state.wanted is not step:
            return one.state.told(Say.GOOD, box=feedback.box)
        if not isinstance(shot.result, NewTemplate):  # at full size it is not good enough after all
            return one.state.told(Say.HOLD_STILL, box=feedback.box)
        one.state, feedback = one.state.shoot(shot.result.vector, shot.result.quality)
        if feedback.taken:
            one.shots.append(shot)
        return feedback

    async def _answer(self, round_id: str, one: _Running) -> RoundAnswer:
        assert one.feedback is not None  # noqa: S101 - set by whoever calls
        if one.state.wanted is not Wanted.DONE:
            return RoundAnswer(one.feedback)
        if not one.over:
            one.over = True
            self._rounds.pop(round_id, None)
            if one.shots:
                one.report = await self._enrolment.conclude(one.subject, one.shots)
        return RoundAnswer(one.feedback, one.report)

    def _running(self, round_id: str) -> _Running:
        now = self._clock()
        self._expire(now)
        one = self._rounds.get(round_id)
        if one is None:
            raise NotThereError("This round is over. Begin a new one.", key="round_over")
        one.seen_at = now
        return one

    def _expire(self, now: float) -> None:
        for key, one in list(self._rounds.items()):
            if now - one.began_at > ROUND_SECONDS or now - one.seen_at > IDLE_SECONDS:
                one.over = True
                del self._rounds[key]
