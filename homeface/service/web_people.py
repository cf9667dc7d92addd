"""People and their photos as the page settles them; everything that blocks runs in threads."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING

from homeface.adapters.store import TemplateFacts
from homeface.adapters.vault import SealBrokenError
from homeface.adapters.web import models_people as shown
from homeface.core.enrolment import Verdict
from homeface.core.gallery import Subject
from homeface.core.types import Quality
from homeface.errors import (
    GalleryError,
    InvalidRequestError,
    ModelMismatchError,
    NameTakenError,
    NotThereError,
)
from homeface.service.camera_photos import CameraPhotos
from homeface.service.enrolment import Enrolment, EnrolmentReport, PhotoVerdict, Prepared
from homeface.service.forgetting import forget_person
from homeface.service.guided import Rounds
from homeface.service.health import HouseholdHealth
from homeface.service.renaming import change_person
from homeface.service.web_health import Figures, about

if TYPE_CHECKING:
    from homeface.service.life import Life


class WebPeople:
    """Everybody enrolled. See ``adapters.web.ports_people.PeopleDesk``."""

    def __init__(
        self,
        life: Life,
        enrolment: Enrolment,
        rounds: Rounds,
        figures: Figures,
    ) -> None:
        self._life = life
        self._store = life.store
        self._enrolment = enrolment
        self._rounds = rounds
        self._figures = figures
        self._cameras = CameraPhotos(life.engine, enrolment)

    async def people(self) -> shown.People:
        """Everybody, by name."""
        found, facts, subjects = await self._known()
        return shown.People([self._person(subject, found, facts) for subject in subjects])

    async def person(self, person_id: str) -> shown.PersonDetails:
        """One person with all photos."""
        found, facts, subjects = await self._known()
        subject = next((one for one in subjects if one.subject_id == person_id), None)
        if subject is None:
            raise _nobody()
        health = next((one for one in found.health.people if one.subject_id == person_id), None)
        odd = {} if health is None else {one.template_id: one.like for one in health.outliers}
        names = {one.subject_id: one.name for one in subjects}
        own = [fact for fact in facts if fact.subject_id == person_id]
        templates = [_template(fact, fact.template_id in found.used, odd, names) for fact in own]
        person = self._person(subject, found, facts)
        return shown.PersonDetails(**dict(person), templates=templates)

    async def add(self, name: str) -> shown.PersonDetails:
        """Somebody without photos yet."""
        subject = await self._named(asyncio.to_thread(self._store.add_subject, name))
        await self._life.reload_gallery()
        return await self.person(subject.subject_id)

    async def change(self, person_id: str, change: shown.PersonChange) -> shown.PersonDetails:
        """Another name, other aliases, paused or not."""
        await self.subject(person_id)
        changes = {name: getattr(change, name) for name in ("name", "aliases", "paused")}
        config = self._life.config
        await self._named(asyncio.to_thread(change_person, self._store, person_id, config, **changes))
        await self._life.reload_gallery()
        return await self.person(person_id)

    async def remove(self, person_id: str) -> None:
        """Gone means gone: also from the inbox of unknown visits, as far as faces there look like them."""
        await self.subject(person_id)
        self._rounds.end_of_person(person_id)
        config, model_id = self._life.config, self._life.engine.model_id
        await self._life.hub.set_subjects(self._present(but=person_id))  # first: no later snapshot holds them
        try:
            await asyncio.to_thread(forget_person, self._store, person_id, config, model_id)
        except BaseException:
            await self._life.hub.set_subjects(self._present())
            raise
        for watch in self._life.watches.values():
            watch.forget_faces()
        await self._life.reload_gallery()
        await self._life.hub.save()

    def _present(self, but: str = "") -> list[str]:
        """Ids of those whom presence knows."""
        return [s.subject_id for s in self._life.subjects if not s.paused and s.subject_id != but]

    async def subject(self, person_id: str) -> Subject:
        """The person of this very id. Raises NotThereError."""
        found = await asyncio.to_thread(self._store.find_subject, person_id)
        if found is None or found.subject_id != person_id:
            raise _nobody()
        return found

    async def batch(self, person_id: str) -> Batch:
        """To add photos."""
        return Batch(self, await self.subject(person_id))

    async def prepare(self, label: str, data: bytes) -> Prepared:
        """Look at one photo."""
        return await self._enrolment.prepare(label, data)

    async def store(
        self, who: Subject | str, prepared: Sequence[Prepared], *, allow_lookalikes: bool
    ) -> shown.PhotosAnswer:
        """Compare and store photos that were looked at; the gallery in use follows at once."""
        try:
            report = await self._enrolment.conclude(who, prepared, allow_lookalikes=allow_lookalikes)
        except ModelMismatchError:
            raise
        except GalleryError as error:
            raise InvalidRequestError(str(error), key="gallery") from error
        await self._life.reload_gallery()
        return told(report)

    async def from_camera(
        self, person_id: str, camera_id: str, seconds: float, *, allow_lookalikes: bool
    ) -> shown.PhotosAnswer:
        """Photos from a camera of the house."""
        subject = await self.subject(person_id)
        watch = self._life.watches.get(camera_id)
        if watch is None:
            raise InvalidRequestError(
                f"There is no camera {camera_id}.", key="camera_unavailable", field="camera"
            )
        prepared, notes = await self._cameras.take(watch, seconds)
        answer = await self.store(subject, prepared, allow_lookalikes=allow_lookalikes)
        return answer.model_copy(update={"notes": [*notes, *answer.notes]})

    async def picture(self, person_id: str, template_id: str) -> bytes:
        """The picture of a photo."""
        await self._own(person_id, template_id)
        try:
            crop = await asyncio.to_thread(self._store.crop, template_id)
        except SealBrokenError as error:
            raise NotThereError("This picture cannot be opened with the present key.") from error
        if crop is None:
            raise NotThereError("No picture was kept of this photo.")
        return crop.jpeg

    async def remove_photo(self, person_id: str, template_id: str) -> None:
        """Forget one photo."""
        await self._own(person_id, template_id)
        try:
            await asyncio.to_thread(self._store.remove_template, template_id)
        except GalleryError as error:
            raise NotThereError("This photo is not there any more.") from error
        await self._life.reload_gallery()

    async def export(self, person_id: str) -> bytes:
        """Everything that is kept about a person."""
        await self.subject(person_id)
        return await asyncio.to_thread(self._export, person_id)

    def _export(self, person_id: str) -> bytes:
        files = self._store.exported(person_id)
        consents = [{"text": text, "at": at} for text, at in self._store.consents(subject_id=person_id)]
        files["consents.json"] = json.dumps(consents, indent=2).encode()
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return buffer.getvalue()

    async def _own(self, person_id: str, template_id: str) -> None:
        """Raises NotThereError unless the photo is this person's."""
        await self.subject(person_id)
        facts = await asyncio.to_thread(self._store.template_facts)
        if not any(f.template_id == template_id and f.subject_id == person_id for f in facts):
            raise NotThereError("There is no such photo (any more).")

    async def _known(self) -> tuple[HouseholdHealth, list[TemplateFacts], list[Subject]]:
        found = await self._figures.found()
        facts = await asyncio.to_thread(self._store.template_facts)
        return found, facts, await asyncio.to_thread(self._store.subjects)

    async def _named(self, storing: Awaitable[Subject]) -> Subject:
        try:
            return await storing
        except GalleryError as error:
            key = "name_taken" if isinstance(error, NameTakenError) else "bad_name"
            raise InvalidRequestError(str(error), key=key, field="name") from error

    def _person(
        self, subject: Subject, found: HouseholdHealth, facts: Sequence[TemplateFacts]
    ) -> shown.Person:
        state = self._life.hub.house.snapshot().people.get(subject.subject_id)
        photos = [f for f in facts if f.subject_id == subject.subject_id and not f.adapted]
        pictured = [fact for fact in photos if fact.has_crop]
        best = max(
            pictured, key=lambda f: (f.template_id in found.used, not f.quality.infrared, f.quality.score),
            default=None,
        )  # fmt: skip
        return shown.Person(
            id=subject.subject_id,
            name=subject.name,
            aliases=list(subject.aliases),
            photos=len(photos),
            infrared_photos=sum(fact.quality.infrared for fact in photos),
            paused=subject.paused,
            room=None if state is None else state.room,
            last_seen=None if state is None else state.last_seen,
            health=about(subject.subject_id, found),
            picture_url=None if best is None else _picture_url(best),
        )


class Batch:
    """Photos of one person, looked at as they come."""

    def __init__(self, people: WebPeople, who: Subject) -> None:
        self._people = people
        self._who = who
        self._prepared: list[Prepared] = []

    async def add(self, label: str, data: bytes) -> None:
        """One more photo."""
        self._prepared.append(await self._people.prepare(label, data))

    async def finish(self, *, allow_lookalikes: bool = False) -> shown.PhotosAnswer:
        """Store the good ones, and tell what became of each."""
        return await self._people.store(self._who, self._prepared, allow_lookalikes=allow_lookalikes)


def told(report: EnrolmentReport) -> shown.PhotosAnswer:
    """A report of an enrolment, for the page."""
    return shown.PhotosAnswer(
        person_id=report.subject.subject_id if report.subject is not None else None,
        photos=[_verdict(photo) for photo in report.photos],
        notes=list(report.notes),
    )


def _verdict(photo: PhotoVerdict) -> shown.PhotoVerdict:
    made_of = photo.verdict or Verdict(photo.key, photo.message)
    return shown.PhotoVerdict(
        label=photo.label,
        key=photo.key,
        message=photo.message,
        accepted=photo.accepted,
        used=photo.used,
        template_id=photo.template_id,
        reasons=list(made_of.reasons),
        figures={name: round(value, 3) for name, value in made_of.figures.items()},
        other=made_of.other or None,
    )


def _template(
    fact: TemplateFacts, used: bool, odd: dict[str, str | None], names: dict[str, str]
) -> shown.Template:
    like = odd.get(fact.template_id)
    finding = None if fact.template_id not in odd else "outlier" if like is None else "looks_like"
    return shown.Template(
        id=fact.template_id,
        picture_url=_picture_url(fact) if fact.has_crop else None,
        quality=_quality(fact.quality),
        kind="infrared" if fact.quality.infrared else "day",
        used=used,
        finding=finding,  # type: ignore[arg-type] # one of its words
        looks_like=None if like is None else names.get(like),
        source="adapted" if fact.adapted else "photo",
        created_at=fact.created_at,
    )


def _quality(quality: Quality) -> shown.FaceQuality:
    return shown.FaceQuality(
        interocular_px=round(quality.interocular_px, 1),
        sharpness=round(quality.sharpness, 4),
        yaw=round(quality.yaw, 1),
        pitch=round(quality.pitch, 1),
        roll=round(quality.roll, 1),
        brightness=round(quality.brightness, 1),
        contrast=round(quality.contrast, 1),
        infrared=quality.infrared,
        score=round(quality.score, 3),
        reasons=[str(reason) for reason in quality.reasons],
    )


def _picture_url(fact: TemplateFacts) -> str:
    return f"api/v1/people/{fact.subject_id}/photos/{fact.template_id}/picture"


def _nobody() -> NotThereError:
    return NotThereError("This person is not enrolled (any more).", key="no_such_person")
