"""The inbox of visits that got no name: grouped by likeness, named, or forgotten."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from homeface.adapters.store import NewTemplate, UnknownFace, UnknownVisit
from homeface.adapters.web import models_people as shown
from homeface.core.gallery import Subject
from homeface.core.templates import most_diverse
from homeface.core.unknown_visits import LikenessScale, VisitLikeness, grouped, mean_of
from homeface.errors import InvalidRequestError, NotThereError
from homeface.service.enrolment import Enrolment, Prepared
from homeface.service.web_people import WebPeople

if TYPE_CHECKING:
    from homeface.service.life import Life

MOST_FACES = 10
"""Faces of a group that are taken at once: beyond this they only repeat each other."""


class WebVisits:
    """See ``adapters.web.ports_people.VisitDesk``. ``changed`` is called when the inbox has changed."""

    def __init__(
        self,
        life: Life,
        people: WebPeople,
        enrolment: Enrolment,
        scale: LikenessScale,
        changed: Callable[[], None],
    ) -> None:
        self._life = life
        self._store = life.store
        self._people = people
        self._enrolment = enrolment
        self._scale = scale
        self._changed = changed

    async def groups(self) -> shown.VisitGroups:
        """Visits by likeness, the newest first."""
        return await asyncio.to_thread(self._groups)

    async def picture(self, visit_id: str) -> bytes:
        """The best face of a visit."""
        visit = await self._visit(visit_id)
        crop = next((face.crop for face in visit.faces if face.crop is not None), None)
        if crop is None:
            raise NotThereError("No face was good enough to be kept of this visit.", key="no_picture")
        return crop.jpeg

    async def name(self, visit_id: str, who: shown.NameVisit) -> shown.PhotosAnswer:
        """Teach good faces after the same checks as photos. What was named leaves the inbox."""
        await self._visit(visit_id)
        subject = await self._who(who)
        visit_ids = await asyncio.to_thread(self._alike, visit_id) if who.group else [visit_id]
        if who.visits is not None:
            visit_ids = [one for one in visit_ids if one == visit_id or one in who.visits]
        visits = await asyncio.to_thread(self._opened, visit_ids)
        prepared = [await self._prepared(visit, face) for visit, face in _chosen(visits)]
        if not prepared:
            raise InvalidRequestError("No face of this visit is good enough to learn from.", key="no_faces")
        answer = await self._people.store(subject, prepared, allow_lookalikes=who.allow_lookalikes)
        if any(photo.accepted or photo.key == "duplicate" for photo in answer.photos):
            await self._remove([visit.visit_id for visit in visits])
        return answer

    async def dismiss(self, visit_id: str) -> None:
        """Forget it."""
        await self._visit(visit_id)
        await self._remove([visit_id])

    async def dismiss_all(self) -> None:
        """Forget all of them, and those that have not been written yet."""
        if self._life.unknown is not None:
            self._life.unknown.forget_waiting()
        await self._remove(None)

    async def _remove(self, visit_ids: Sequence[str] | None) -> None:
        await asyncio.to_thread(self._store.remove_unknown_visits, visit_ids)
        self._changed()

    async def _who(self, who: shown.NameVisit) -> Subject | str:
        if (who.person_id is None) is (who.name is None):
            raise InvalidRequestError("Give either person_id or name.", field="person_id")
        if who.person_id is not None:
            return await self._people.subject(who.person_id)
        return who.name or ""

    async def _visit(self, visit_id: str) -> UnknownVisit:
        visit = await asyncio.to_thread(self._store.unknown_visit, visit_id)
        if visit is None:
            raise NotThereError("This visit is not kept (any more).", key="no_such_visit")
        return visit

    async def _prepared(self, visit: UnknownVisit, face: UnknownFace) -> Prepared:
        """Under the limits of photos. A face of another embedding model is looked at anew."""
        seen = time.strftime("%Y-%m-%d %H:%M", time.localtime(face.seen_at))
        label = f"{self._room(visit.room)}, {seen}"
        assert face.crop is not None  # noqa: S101 - opened with its picture
        if face.embedding.model_id != self._life.engine.model_id:
            return await self._enrolment.prepare(label, face.crop.jpeg)
        template = NewTemplate(face.embedding.vector, face.embedding.model_id, face.quality, face.crop)
        return self._enrolment.prepare_face(label, template)

    def _room(self, slug: str) -> str:
        return self._life.config.room_name(slug) if slug in self._life.config.rooms else slug

    def _groups(self) -> shown.VisitGroups:
        visits = {visit.visit_id: visit for visit in self._store.unknown_visits()}
        scores = self._store.visit_scores(visits)
        return shown.VisitGroups(
            [
                shown.VisitGroup(
                    group_id=ids[-1],
                    visits=[_told(visits[visit_id], scores.get(visit_id)) for visit_id in ids],
                )
                for ids in self._grouped(list(visits.values()))
            ]
        )

    def _grouped(self, visits: Sequence[UnknownVisit]) -> tuple[tuple[str, ...], ...]:
        model_id = self._life.engine.model_id
        return grouped([_likeness(visit, model_id) for visit in visits], self._scale)

    def _alike(self, visit_id: str) -> Sequence[str]:
        """The visits of this one's group."""
        groups = self._grouped(self._store.unknown_visits())
        return next((ids for ids in groups if visit_id in ids), (visit_id,))

    def _opened(self, visit_ids: Sequence[str]) -> list[UnknownVisit]:
        found = [self._store.unknown_visit(visit_id) for visit_id in visit_ids]
        return [visit for visit in found if visit is not None]


def _likeness(visit: UnknownVisit, model_id: str) -> VisitLikeness:
    faces = [
        (face.embedding.vector, face.quality.score)
        for face in visit.faces
        if face.embedding.model_id == model_id
    ]
    return VisitLikeness(visit.visit_id, visit.camera, visit.first_seen, visit.last_seen, mean_of(faces))


def _chosen(visits: Sequence[UnknownVisit]) -> list[tuple[UnknownVisit, UnknownFace]]:
    """The best faces that differ, of all visits: each time the one with the most of quality × novelty."""
    faces = [(visit, face) for visit in visits for face in visit.faces]
    sizes = {face.embedding.vector.shape for _, face in faces}
    if len(sizes) != 1:
        return sorted(faces, key=lambda item: -item[1].quality.score)[:MOST_FACES]
    rows = np.stack([face.embedding.vector for _, face in faces])
    quality = np.array([max(0.05, face.quality.score) for _, face in faces])
    return [faces[index] for index in most_diverse(rows, quality, MOST_FACES)]


def _told(visit: UnknownVisit, score: float | None) -> shown.UnknownVisit:
    return shown.UnknownVisit(
        id=visit.visit_id,
        room=visit.room,
        camera=visit.camera,
        first_seen=visit.first_seen,
        last_seen=visit.last_seen,
        reasons=list(visit.reasons),
        picture_url=f"api/v1/visits/unknown/{visit.visit_id}/picture" if visit.faces else None,
        faces=len(visit.faces),
        score=None if score is None else round(score, 3),
        votes=visit.votes,
    )
