"""What is true now, for the page: state, news, switches, pictures, and the log of visits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from homeface.adapters.photos import encode_jpeg
from homeface.adapters.store import SightingRecord
from homeface.adapters.web import models_house as shown
from homeface.adapters.web import models_people as people_shown
from homeface.core.guided_round import SENTENCES, STEPS
from homeface.core.types import Picture
from homeface.errors import NotAllowedError, NotThereError
from homeface.service.guided import ROUND_SECONDS, RoundAnswer, Rounds
from homeface.service.watch import CameraWatch
from homeface.service.web_health import Figures
from homeface.service.web_now import Feed, Listener, now_of
from homeface.service.web_people import WebPeople, told

if TYPE_CHECKING:
    from homeface.service.life import Life

_PICTURE_QUALITY = 80


class WebLive:
    """See ``adapters.web.ports_people.LiveView``."""

    def __init__(self, life: Life, feed: Feed, figures: Figures) -> None:
        self._life = life
        self._feed = feed
        self._figures = figures

    def now(self) -> shown.Now:
        """Everything at this moment."""
        return now_of(self._life)

    def subscribe(self, who: str) -> Listener:
        """Hear of changes until ``close``."""
        return self._feed.subscribe(who)

    async def pause_room(self, room_id: str, paused: bool) -> None:
        """All cameras of a room."""
        watches = [watch for watch in self._life.watches.values() if watch.room == room_id]
        if not watches:
            raise NotThereError("There is no such room, or it has no camera.", key="no_such_room")
        await self._pause(watches, paused)

    async def pause_camera(self, camera_id: str, paused: bool) -> None:
        """One camera."""
        await self._pause([self._watch(camera_id)], paused)

    async def set_guest_mode(self, enabled: bool) -> None:
        """Strangers make no events, and nothing is kept of them."""
        await self._life.hub.set_guest_mode(enabled)
        self._feed.tell("now")

    async def picture(self, camera_id: str) -> bytes:
        """A camera's last picture."""
        watch = self._watch(camera_id)
        if not self._life.config.web.camera_pictures:
            raise NotAllowedError("Pictures of cameras are switched off (web.camera_pictures).")
        if watch.newest is None:
            raise NotThereError("There is no picture of this camera yet, or it is paused.", key="no_picture")
        return await asyncio.to_thread(_encoded, watch.newest.picture)

    async def visits(self, limit: int, before: float | None) -> shown.Visits:
        """Finished visits, newest first."""
        found = await asyncio.to_thread(self._life.store.sightings, limit=limit, before=before)
        names = {subject.subject_id: subject.name for subject in self._life.subjects}
        return shown.Visits([_visit(record, names) for record in found])

    async def health(self) -> shown.HouseholdHealth:
        """What can be promised, by person."""
        return await self._figures.household()

    async def _pause(self, watches: Sequence[CameraWatch], paused: bool) -> None:
        for watch in watches:
            await watch.set_paused(paused)
        await self._life.hub.refresh()
        self._feed.tell("now")

    def _watch(self, camera_id: str) -> CameraWatch:
        watch = self._life.watches.get(camera_id)
        if watch is None:
            raise NotThereError("There is no such camera.", key="no_such_camera")
        return watch


class WebRounds:
    """See ``adapters.web.ports_people.RoundDesk``."""

    def __init__(self, life: Life, people: WebPeople, rounds: Rounds) -> None:
        self._life = life
        self._people = people
        self._rounds = rounds

    async def begin(self, person_id: str) -> people_shown.RoundBegun:
        """A new round."""
        round_id = self._rounds.begin(await self._people.subject(person_id))
        return people_shown.RoundBegun(
            id=round_id, steps=[str(step) for step in STEPS], seconds=ROUND_SECONDS
        )

    def person_of(self, round_id: str) -> str:
        """Whose round it is."""
        return self._rounds.subject_id(round_id)

    async def frame(self, round_id: str, data: bytes) -> people_shown.RoundFeedback:
        """What to say about this frame."""
        return await self._told(await self._rounds.frame(round_id, data))

    async def skip(self, round_id: str) -> people_shown.RoundFeedback:
        """Go on without a picture of this step."""
        return await self._told(await self._rounds.skip(round_id))

    def end(self, round_id: str) -> None:
        """Stop; nothing is stored."""
        self._rounds.end(round_id)

    async def _told(self, answer: RoundAnswer) -> people_shown.RoundFeedback:
        feedback = answer.feedback
        if answer.report is not None:
            await self._life.reload_gallery()
        return people_shown.RoundFeedback(
            feedback=str(feedback.say),
            sentence=SENTENCES[feedback.say],
            wanted=str(feedback.wanted),
            progress=round(feedback.progress, 4),
            taken=feedback.taken,
            box=None if feedback.box is None else (*feedback.box,),
            result=None if answer.report is None else told(answer.report),
        )


def _encoded(picture: Picture) -> bytes:
    return encode_jpeg(picture.bgr(), quality=_PICTURE_QUALITY)


def _visit(record: SightingRecord, names: dict[str, str]) -> shown.Visit:
    return shown.Visit(
        id=record.visit_id,
        room=record.room,
        camera=record.camera,
        first_seen=record.first_seen,
        last_seen=record.last_seen,
        decision="unknown" if record.subject_id is None else "identified",
        person_id=record.subject_id,
        name=None if record.subject_id is None else names.get(record.subject_id),
        score=record.score,
        margin=record.margin,
        votes=record.votes,
        reasons=list(record.reasons),
    )
