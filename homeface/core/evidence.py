"""What a track has shown: the looks that speak for a name, and why faces were refused.

A look is one instant: faces seen within a fifth of a second are the same information and are pooled; a look
that is nearly the one before adds little.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from homeface.core.gallery import Gallery
from homeface.core.strangers import Strangers
from homeface.core.types import Embedding, Quality, Reason, Vector
from homeface.errors import ModelMismatchError

INSTANT_SECONDS = 0.2
"""Faces closer in time than this are one look: their errors are the same errors."""
MAX_LOOKS = 24
"""Newest looks kept: a long visit forgets its beginning, so that a changed person changes the answer."""
REPEATED, NEW = 0.97, 0.85
"""Cosine with the look before from which a look repeats it, and below which it is a look of its own."""
REPEATED_SHARE = 0.4
"""What a repeated look still weighs: frames of one second err alike."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One instant of a track: the pooled face, what it is worth, and when it began.

    ``weight`` is the face's quality, less where it repeats the look before. ``memo`` keeps the look's scores
    at the gallery it was last compared with, so that a decision only compares what is new.
    """

    vector: Vector
    weight: float
    began_at: float
    interocular_px: float
    infrared: bool
    memo: list[tuple[Gallery, Strangers | None, NDArray[np.float32]]] = field(
        default_factory=list, compare=False, repr=False
    )


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Everything a track has shown so far. Immutable: ``add`` and ``reject`` return a new one."""

    looks: tuple[Look, ...] = ()
    usable_faces: int = 0
    rejections: tuple[tuple[Reason, int], ...] = ()
    model_id: str = ""

    @property
    def votes(self) -> int:
        """Looks that count now (at most ``MAX_LOOKS``)."""
        return len(self.looks)

    def add(self, embedding: Embedding, quality: Quality, captured_at: float) -> Evidence:
        """With one more face. A face that is not usable only adds its reasons.

        Raises ModelMismatchError for an embedding of another model than before, ValueError for a
        vector that is not of finite, positive length.
        """
        if self.model_id and embedding.model_id != self.model_id:
            raise ModelMismatchError(
                f"The track was looked at with {self.model_id}, this face with {embedding.model_id}: "
                "faces of two models cannot be one evidence."
            )
        if not quality.usable:
            return self.reject(quality.reasons)
        look = Look(
            vector=_unit(embedding.vector),
            weight=max(0.05, min(1.0, quality.score)),
            began_at=captured_at,
            interocular_px=quality.interocular_px,
            infrared=quality.infrared,
        )
        looks = self.looks
        if looks and abs(captured_at - looks[-1].began_at) < INSTANT_SECONDS:
            looks, look = looks[:-1], _pooled(looks[-1], look)
        elif looks:
            look = replace(look, weight=look.weight * _novelty(looks[-1].vector, look.vector), memo=[])
        return replace(
            self,
            looks=(*looks, look)[-MAX_LOOKS:],
            usable_faces=self.usable_faces + 1,
            model_id=embedding.model_id,
        )

    def reject(self, reasons: Iterable[Reason]) -> Evidence:
        """With one more face that was too poor to look at, and why."""
        counts = dict(self.rejections)
        for reason in reasons:
            counts[reason] = counts.get(reason, 0) + 1
        return replace(self, rejections=tuple(counts.items()))

    def why_poor(self) -> tuple[Reason, ...]:
        """Reasons of the refused faces, the most frequent first."""
        return tuple(reason for reason, _ in sorted(self.rejections, key=lambda item: (-item[1], item[0])))


def mean_direction(vectors: NDArray[np.float32], weights: NDArray[np.float64]) -> Vector:
    """Unit vector along the weighted mean of unit rows; the newest row when they cancel out."""
    total = weights @ vectors.astype(np.float64)
    norm = float(np.linalg.norm(total))
    if norm < 1e-6:
        return np.asarray(vectors[-1], dtype=np.float32)
    return np.asarray(total / norm, dtype=np.float32)


def _novelty(before: Vector, now: Vector) -> float:
    """Share of its weight that a look keeps, by its cosine with the look before."""
    repeated = (float(before @ now) - NEW) / (REPEATED - NEW)
    return 1.0 - (1.0 - REPEATED_SHARE) * min(1.0, max(0.0, repeated))


def _pooled(first: Look, second: Look) -> Look:
    """Two faces of one instant as one look: the better one weighs more, both count once."""
    weights = np.array([first.weight, second.weight], dtype=np.float64)
    return Look(
        vector=mean_direction(np.stack([first.vector, second.vector]), weights),
        weight=max(first.weight, second.weight),
        began_at=first.began_at,
        interocular_px=max(first.interocular_px, second.interocular_px),
        infrared=first.infrared and second.infrared,
    )


def _unit(vector: Vector) -> Vector:
    values = np.asarray(vector, dtype=np.float32)
    norm = float(np.linalg.norm(values))
    if values.ndim != 1 or not np.isfinite(norm) or norm <= 0:
        raise ValueError("an embedding must be one vector of finite, positive length")
    return values / np.float32(norm)
