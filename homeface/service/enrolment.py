"""From photos to stored templates: load, find the face, judge, embed, compare, store what is good.

Everything that blocks runs in a worker thread; the event loop is never held up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

from homeface.adapters.photos import PHOTO_MAX_SIDE_PX, load_photo
from homeface.adapters.store import NewTemplate, Store, clean_name
from homeface.adapters.vault import SealBrokenError
from homeface.core.enrolment import (
    RESTS,
    SET_ASIDE,
    EnrolmentPolicy,
    Verdict,
    choose_face,
    examine,
    poor,
    refused,
)
from homeface.core.gallery import Gallery, Subject, Template
from homeface.core.geometry import iou
from homeface.core.quality import judge
from homeface.core.templates import Limits, chosen_gallery, outliers
from homeface.core.types import Box, Embedding, Face
from homeface.errors import (
    BusyError,
    EnrolmentError,
    FacesDroppedError,
    GalleryError,
    ImageError,
    ModelMismatchError,
)
from homeface.service.crops import cut_crop
from homeface.service.pipeline import FaceEngine, look_in_turn

Photo: TypeAlias = tuple[str, Path | bytes]
"""What people know the photo as, and the photo."""
Progress: TypeAlias = Callable[[int, int, str], None]
"""Called with (done, total, label), in the event loop."""

UNREADABLE = "unreadable"
NO_CROP = "no_crop"
NOT_FOUND_AGAIN = "not_found_again"
GONE = "gone"
SAME_FACE_IOU = 0.3
_EMBED_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class PhotoVerdict:
    """What became of one photo; ``key`` as ``Verdict.key``, or ``unreadable`` for what is no picture.

    ``used``: recognition compares with it; False for one that was not stored, rests, or fits badly.
    ``verdict``: what the sentence is made of.
    """

    label: str
    key: str
    message: str
    template_id: str | None = None
    used: bool = False
    verdict: Verdict | None = field(default=None, repr=False)

    @property
    def accepted(self) -> bool:
        """True when it was stored."""
        return self.template_id is not None


@dataclass(frozen=True, slots=True)
class EnrolmentReport:
    """``subject`` is None when the person was not known before and no photo was accepted.

    ``notes``: what became of photos that were stored before, in sentences.
    """

    subject: Subject | None
    created: bool
    photos: tuple[PhotoVerdict, ...]
    notes: tuple[str, ...] = ()

    @property
    def accepted(self) -> int:
        """Photos that were stored."""
        return sum(photo.accepted for photo in self.photos)


@dataclass(frozen=True, slots=True)
class ReembedReport:
    """``failed``: template id → (key, sentence); these templates stay as they were, and unused.

    ``forgotten``: templates learned from visits, of which no picture was kept.
    """

    done: int
    failed: dict[str, tuple[str, str]]
    forgotten: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A photo that was looked at, before it is compared with anybody: what may be stored, or why not."""

    label: str
    result: NewTemplate | Verdict


class Enrolment:
    """Teaches homeface people. One enrolment at a time: two would not see each other's photos."""

    def __init__(
        self,
        engine: FaceEngine,
        store: Store,
        policy: EnrolmentPolicy | None = None,
        *,
        keep_crops: bool = True,
        max_side_px: int = PHOTO_MAX_SIDE_PX,
        decoder: Executor | None = None,
    ) -> None:
        """``keep_crops`` False stores no picture; ``reembed`` can then not make templates anew.

        ``max_side_px``: larger photos are made smaller; looking for faces takes time by the pixel, which
        cameras beside this lack. ``decoder``: where photos are decoded (None: any worker thread).
        """
        self._keep_crops = keep_crops
        self._engine = engine
        self._store = store
        self._policy = policy or EnrolmentPolicy()
        self._max_side_px = max_side_px
        self._decoder = decoder
        self._one_photo = asyncio.Lock()
        self._one_at_a_time = asyncio.Lock()

    @property
    def policy(self) -> EnrolmentPolicy:
        """What photos must be."""
        return self._policy

    async def enrol(
        self, name: str, photos: Sequence[Photo], progress: Progress | None = None
    ) -> EnrolmentReport:
        """Store every good photo of ``name``, in one transaction, and tell what was wrong with the others.

        Somebody not known yet is created with the first good photo. Raises GalleryError (a bad name),
        ModelMismatchError, ModelError and StoreError; then nothing was stored.
        """
        name = clean_name(name)
        subject = await asyncio.to_thread(self._store.find_subject, name)
        if subject is not None:  # before the work on photos that could not be used anyway
            gallery = await asyncio.to_thread(self._store.gallery, self._engine.model_id)
            _require_same_model(subject, gallery)
        prepared: list[Prepared] = []
        for number, (label, source) in enumerate(photos):
            if progress is not None:
                progress(number, len(photos), label)
            prepared.append(await self.prepare(label, source))
        if progress is not None:
            progress(len(photos), len(photos), "")
        return await self.conclude(name, prepared)

    async def prepare(self, label: str, source: Path | bytes) -> Prepared:
        """Look at one photo; stores nothing. Photos are looked at one after the other, whoever sends them.

        Raises ModelError.
        """
        async with self._one_photo:
            return Prepared(label, await self._prepare(label, source))

    def prepare_face(self, label: str, face: NewTemplate) -> Prepared:
        """A face that a camera of the house saw already, under the same limits as a photo's."""
        quality = judge(face.quality, self._policy.limits)
        if not quality.usable:
            return Prepared(label, refused(poor(quality.reasons)))
        return Prepared(label, replace(face, quality=quality, crop=face.crop if self._keep_crops else None))

    async def conclude(
        self, who: Subject | str, prepared: Sequence[Prepared], *, allow_lookalikes: bool = False
    ) -> EnrolmentReport:
        """Compare photos that were looked at with everybody, and store the good ones in one transaction.

        ``who``: somebody enrolled, or a name (of somebody new, or of somebody enrolled).
        ``allow_lookalikes``: photos that look like somebody else are taken all the same (twins). Raises
        GalleryError (a bad name, or the person is gone), ModelMismatchError and StoreError; then nothing was
        stored.
        """
        policy = replace(self._policy, allow_lookalikes=True) if allow_lookalikes else self._policy
        async with self._one_at_a_time:
            if isinstance(who, str):
                name = clean_name(who)
                who = await asyncio.to_thread(self._store.find_subject, name) or name
            gallery = await asyncio.to_thread(self._store.gallery, self._engine.model_id)
            _require_same_model(who if isinstance(who, Subject) else None, gallery)
            labels, results = [one.label for one in prepared], [one.result for one in prepared]
            return await self._conclude(who, gallery, labels, results, policy)

    async def reembed(self, progress: Progress | None = None) -> ReembedReport:
        """Make templates of other models anew from their kept crops. Raises StoreError, ModelError."""
        async with self._one_at_a_time:
            model_id = self._engine.model_id
            forgotten = await asyncio.to_thread(self._store.forget_learned, but_model=model_id)
            stale = await asyncio.to_thread(self._store.stale_templates, model_id)
            failed: dict[str, tuple[str, str]] = {}
            for number, template in enumerate(stale):
                if progress is not None:
                    progress(number, len(stale), template.template_id)
                problem = await self._reembed_one(template)
                if problem is not None:
                    failed[template.template_id] = problem
            if progress is not None:
                progress(len(stale), len(stale), "")
            return ReembedReport(len(stale) - len(failed), failed, forgotten)

    async def _prepare(self, label: str, source: Path | bytes) -> NewTemplate | Verdict:
        """The photo's face, good enough, before it is compared with anybody; or why not."""
        try:
            image = await asyncio.get_running_loop().run_in_executor(
                self._decoder, partial(load_photo, source, label, max_side_px=self._max_side_px)
            )
        except ImageError as error:
            return Verdict(UNREADABLE, str(error), reasons=(error.reason,) if error.reason else ())
        try:
            face, quality = choose_face(await look_in_turn(self._engine, image), self._policy)
        except EnrolmentError as error:
            return refused(error)
        embedding = await self._embed(face)
        crop = await asyncio.to_thread(cut_crop, image, face.detection) if self._keep_crops else None
        return NewTemplate(embedding.vector, embedding.model_id, quality, crop)

    async def _embed(self, face: Face) -> Embedding:
        """Cameras' newer faces go first, but not for ever. Raises BusyError."""
        for attempt in range(_EMBED_ATTEMPTS):
            try:
                (embedding,) = await self._engine.embed([face.crop])
            except FacesDroppedError:
                await asyncio.sleep(0.05 * attempt)
            else:
                return embedding
        raise BusyError("The cameras leave no time for photos; try again later.", retry_seconds=30)

    async def _conclude(
        self,
        who: Subject | str,
        gallery: Gallery,
        labels: Sequence[str],
        results: Sequence[NewTemplate | Verdict],
        policy: EnrolmentPolicy,
    ) -> EnrolmentReport:
        subject = who if isinstance(who, Subject) else None
        prepared = [result for result in results if isinstance(result, NewTemplate)]
        examined = iter(
            examine(
                [item.vector for item in prepared],
                gallery,
                subject.subject_id if subject else None,
                policy,
            )
        )
        verdicts = [result if isinstance(result, Verdict) else next(examined) for result in results]
        good = [
            result
            for result, verdict in zip(results, verdicts, strict=True)
            if isinstance(result, NewTemplate) and verdict.accepted
        ]
        stored: list[Template] = []
        if good:
            subject, stored = await asyncio.to_thread(self._store.enrol, who, good)
        after = await asyncio.to_thread(self._use, subject, gallery) if subject and stored else None
        ids = iter(template.template_id for template in stored)
        told = tuple(
            _told(label, verdict, next(ids) if verdict.accepted else None, after)
            for label, verdict in zip(labels, verdicts, strict=True)
        )
        notes = () if after is None or subject is None else after.notes(subject, stored)
        return EnrolmentReport(subject, bool(good) and isinstance(who, str), told, notes)

    def _use(self, subject: Subject, before: Gallery) -> _Use:
        """Which photos of a person are compared with now, and which ones were before. Blocks."""
        gallery = self._store.gallery(before.model_id)
        limits = Limits(self._policy.agreement, self._policy.another)
        own = [t for t in gallery.templates if t.subject_id == subject.subject_id and not t.adapted]
        return _Use(
            before={template.template_id for template in chosen_gallery(before, limits).templates},
            after={template.template_id for template in chosen_gallery(gallery, limits).templates},
            odd={outlier.template_id for outlier in outliers(gallery, limits) if outlier.aside},
            photos={template.template_id for template in own},
        )

    async def _reembed_one(self, template: Template) -> tuple[str, str] | None:
        try:
            crop = await asyncio.to_thread(self._store.crop, template.template_id)
            if crop is None:
                return NO_CROP, "The photo was not kept. Remove this template and enrol another photo."
            image = await asyncio.to_thread(load_photo, crop.jpeg, f"The kept photo {template.template_id}")
        except (ImageError, SealBrokenError) as error:
            return UNREADABLE, str(error)
        face = same_face(await look_in_turn(self._engine, image), crop.box)
        if face is None:
            return NOT_FOUND_AGAIN, "The face was not found again in the kept photo. Enrol another photo."
        (embedding,) = await self._engine.embed([face.crop])
        quality = await asyncio.to_thread(self._store.quality, template.template_id)
        try:
            await asyncio.to_thread(
                self._store.replace_template,
                template.template_id,
                embedding.vector,
                embedding.model_id,
                quality or face.quality,
            )
        except GalleryError as error:  # removed in the meantime
            return GONE, str(error)
        return None


@dataclass(frozen=True, slots=True)
class _Use:
    """Template ids compared with before and after an enrolment; those that fit badly; the person's photos."""

    before: AbstractSet[str]
    after: AbstractSet[str]
    odd: AbstractSet[str]
    photos: AbstractSet[str]

    def notes(self, subject: Subject, stored: Sequence[Template]) -> tuple[str, ...]:
        """Sentences about photos that were there before and are no longer compared with, or are again."""
        old = self.photos - {template.template_id for template in stored}
        odd = sorted((old & self.before) & self.odd)
        resting = (old & self.before) - self.after - self.odd
        notes = [
            f"Photo {photo} of {subject.name} does not look like the others and is no longer used "
            "(homeface people health)."
            for photo in odd
        ]
        if resting:
            notes.append(
                f"{len(resting)} earlier photos of {subject.name} rest now: the ones in use differ more from "
                "each other. Nothing was deleted."
            )
        return tuple(notes)


def _told(label: str, verdict: Verdict, template_id: str | None, use: _Use | None) -> PhotoVerdict:
    if template_id is None or use is None:
        return PhotoVerdict(label, verdict.key, verdict.message, template_id, verdict=verdict)
    used = template_id in use.after
    said = verdict if used else SET_ASIDE if template_id in use.odd else RESTS
    return PhotoVerdict(label, said.key, said.message, template_id, used, said)


def same_face(faces: Sequence[Face], box: Box) -> Face | None:
    """The face that lies where the stored one was; detectors differ in how tightly they draw a box."""
    best = max(faces, key=lambda face: iou(face.detection.box, box), default=None)
    if best is None or iou(best.detection.box, box) < SAME_FACE_IOU:
        return None
    return best


def _require_same_model(subject: Subject | None, gallery: Gallery) -> None:
    """A person's photos of two models cannot be checked against each other."""
    if subject and any(template.subject_id == subject.subject_id for template in gallery.mismatched):
        raise ModelMismatchError(
            f"The stored photos of {subject.name} were embedded by another model than {gallery.model_id}. "
            "Run `homeface people reembed` first."
        )


__all__ = [
    "Enrolment",
    "EnrolmentReport",
    "Photo",
    "PhotoVerdict",
    "Prepared",
    "Progress",
    "ReembedReport",
    "same_face",
]
