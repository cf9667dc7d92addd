"""From photos to stored templates: load, find the face, judge, embed, compare, store what is good.

Everything that blocks runs in a worker thread; the event loop is never held up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from homeface.adapters.photos import encode_jpeg, load_photo
from homeface.adapters.store import FaceCrop, NewTemplate, Store, clean_name
from homeface.adapters.vault import SealBrokenError
from homeface.core.enrolment import (
    RESTS,
    SET_ASIDE,
    EnrolmentPolicy,
    Verdict,
    choose_face,
    examine,
    refused,
)
from homeface.core.gallery import Gallery, Subject, Template
from homeface.core.geometry import iou
from homeface.core.identification import Policy, identify_one
from homeface.core.templates import Limits, chosen_gallery, outliers
from homeface.core.types import Box, Decision, Detection, Face, ImageBGR, Landmarks
from homeface.errors import EnrolmentError, GalleryError, ImageError, ModelMismatchError
from homeface.service.pipeline import FaceEngine

Photo: TypeAlias = tuple[str, Path | bytes]
"""What people know the photo as, and the photo."""
Progress: TypeAlias = Callable[[int, int, str], None]
"""Called with (done, total, label), in the event loop."""

CROP_CONTEXT = 2.0
"""Side of a kept crop, in longer sides of the face box: enough for any detector and alignment."""
CROP_MAX_SIDE_PX = 512
"""Larger crops are made smaller: no embedding model takes more than a quarter of this for the face."""
UNREADABLE = "unreadable"
NO_CROP = "no_crop"
NOT_FOUND_AGAIN = "not_found_again"
GONE = "gone"
SAME_FACE_IOU = 0.3


@dataclass(frozen=True, slots=True)
class PhotoVerdict:
    """What became of one photo; ``key`` as ``Verdict.key``, or ``unreadable`` for what is no picture.

    ``used``: recognition compares with it; False for one that was not stored, rests, or fits badly.
    """

    label: str
    key: str
    message: str
    template_id: str | None = None
    used: bool = False

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
class FaceAnswer:
    """One face of a picture, and who it is."""

    face: Face
    decision: Decision


class Enrolment:
    """Teaches homeface people. One enrolment at a time: two would not see each other's photos."""

    def __init__(
        self,
        engine: FaceEngine,
        store: Store,
        policy: EnrolmentPolicy | None = None,
        *,
        keep_crops: bool = True,
    ) -> None:
        """``keep_crops`` False stores no picture; ``reembed`` can then not make templates anew."""
        self._keep_crops = keep_crops
        self._engine = engine
        self._store = store
        self._policy = policy or EnrolmentPolicy()
        self._one_at_a_time = asyncio.Lock()

    async def enrol(
        self, name: str, photos: Sequence[Photo], progress: Progress | None = None
    ) -> EnrolmentReport:
        """Store every good photo of ``name``, in one transaction, and tell what was wrong with the others.

        Somebody not known yet is created with the first good photo. Raises GalleryError (a bad name),
        ModelMismatchError, ModelError and StoreError; then nothing was stored.
        """
        name = clean_name(name)
        async with self._one_at_a_time:
            subject = await asyncio.to_thread(self._store.find_subject, name)
            gallery = await asyncio.to_thread(self._store.gallery, self._engine.model_id)
            _require_same_model(subject, gallery)
            results: list[NewTemplate | Verdict] = []
            for number, (label, source) in enumerate(photos):
                if progress is not None:
                    progress(number, len(photos), label)
                results.append(await self._prepare(label, source))
            if progress is not None:
                progress(len(photos), len(photos), "")
            return await self._conclude(subject or name, gallery, [label for label, _ in photos], results)

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
            image = await asyncio.to_thread(load_photo, source, label)
        except ImageError as error:
            return Verdict(UNREADABLE, str(error))
        try:
            face, quality = choose_face(await _look(self._engine, image), self._policy)
        except EnrolmentError as error:
            return refused(error)
        (embedding,) = await self._engine.embed([face.crop])
        crop = await asyncio.to_thread(cut_crop, image, face.detection) if self._keep_crops else None
        return NewTemplate(embedding.vector, embedding.model_id, quality, crop)

    async def _conclude(
        self,
        who: Subject | str,
        gallery: Gallery,
        labels: Sequence[str],
        results: Sequence[NewTemplate | Verdict],
    ) -> EnrolmentReport:
        subject = who if isinstance(who, Subject) else None
        prepared = [result for result in results if isinstance(result, NewTemplate)]
        examined = iter(
            examine(
                [item.vector for item in prepared],
                gallery,
                subject.subject_id if subject else None,
                self._policy,
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
        face = same_face(await _look(self._engine, image), crop.box)
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
        return PhotoVerdict(label, verdict.key, verdict.message, template_id)
    used = template_id in use.after
    said = verdict if used else SET_ASIDE if template_id in use.odd else RESTS
    return PhotoVerdict(label, said.key, said.message, template_id, used)


async def identify_photo(
    engine: FaceEngine, image: ImageBGR, gallery: Gallery, policy: Policy
) -> list[FaceAnswer]:
    """Who is in this picture: one answer for each face, largest face first."""
    faces = sorted(await _look(engine, image), key=lambda face: face.detection.box.area, reverse=True)
    embeddings = await engine.embed([face.crop for face in faces]) if faces else []
    return [
        FaceAnswer(face, identify_one(embedding, face.quality, gallery, policy))
        for face, embedding in zip(faces, embeddings, strict=True)
    ]


def cut_crop(image: ImageBGR, detection: Detection) -> FaceCrop:
    """The face with its surroundings, clipped at the picture's edge, upright as in the picture."""
    height, width = image.shape[:2]
    box = detection.box
    half = CROP_CONTEXT * max(box.width, box.height) / 2
    x, y = box.centre
    left, top = max(0, int(x - half)), max(0, int(y - half))
    right, bottom = min(width, int(np.ceil(x + half))), min(height, int(np.ceil(y + half)))
    part = image[top:bottom, left:right]
    scale = min(1.0, CROP_MAX_SIDE_PX / max(part.shape[:2]))
    if scale < 1.0:
        import cv2

        size = (round(part.shape[1] * scale), round(part.shape[0] * scale))
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
    landmarks: Landmarks = ((detection.landmarks - (left, top)) * scale).astype(np.float32)
    moved = Box(
        (box.x1 - left) * scale, (box.y1 - top) * scale, (box.x2 - left) * scale, (box.y2 - top) * scale
    )
    return FaceCrop(encode_jpeg(part), moved, landmarks)


def same_face(faces: Sequence[Face], box: Box) -> Face | None:
    """The face that lies where the stored one was; detectors differ in how tightly they draw a box."""
    best = max(faces, key=lambda face: iou(face.detection.box, box), default=None)
    if best is None or iou(best.detection.box, box) < SAME_FACE_IOU:
        return None
    return best


async def _look(engine: FaceEngine, image: ImageBGR) -> list[Face]:
    async with engine.turn():
        return await engine.look(image)


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
    "FaceAnswer",
    "Photo",
    "PhotoVerdict",
    "Progress",
    "ReembedReport",
    "cut_crop",
    "identify_photo",
    "same_face",
]
