"""Open-set identification of a visit: who is this track, or nobody we may name.

Evidence gathers the looks of one track. A look is one instant: faces seen within a fifth of a second
are the same information and are pooled. A name needs all of: enough looks, a mean face above the
threshold of the wished false-name rate, a lead over the runner-up, and looks that agree, the newest
ones above all (an id switch of the tracker mixes two people into one track; their mean is nobody).
Unknown is an answer like any other and can be revised while the track lasts, as can a name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from homeface.core.gallery import Gallery, ranked
from homeface.core.types import (
    Candidate,
    Decision,
    Embedding,
    Identified,
    Quality,
    Reason,
    Undecided,
    Unknown,
    Vector,
)
from homeface.errors import ModelMismatchError

INSTANT_SECONDS = 0.2
"""Faces closer in time than this are one look: their errors are the same errors."""
MAX_LOOKS = 24
"""Newest looks kept: a long visit forgets its beginning, so that a changed person changes the answer."""
_SHOWN_CANDIDATES = 5


@dataclass(frozen=True, slots=True)
class Policy:
    """What a name needs. Scores are those of ``Gallery.score_matrix``; rates come from ``calibration``.

    ``threshold`` least score of the mean face of a visit; ``single_threshold`` the same for fewer than
    ``min_votes`` looks (None: such a visit gets no name); ``margin`` least lead over the runner-up;
    ``support`` score from which one look speaks for a subject; ``min_support_share`` weighted share of
    looks that must do so; ``recent_votes`` newest looks of which most must do so too, as must the mean of
    the newest two;
    ``unknown_votes`` looks after which unknown is said; ``few_templates_extra`` is added to the
    threshold of a subject with 1, 2, 3… templates (the last figure holds for more; strangers reach lower
    scores where there are fewer templates, so it may be negative);
    ``small_extra`` is added for faces of ``small_px`` between the eyes and less, falling to nothing
    at twice that; ``infrared_extra`` for looks without colour at a subject without such templates.
    """

    threshold: float
    margin: float = 0.08
    min_votes: int = 3
    single_threshold: float | None = None
    support: float = 0.35
    min_support_share: float = 0.7
    recent_votes: int = 3
    unknown_votes: int = 5
    few_templates_extra: tuple[float, ...] = ()
    small_px: float = 16.0
    small_extra: float = 0.0
    infrared_extra: float = 0.0

    def extra_for(self, templates: int) -> float:
        """Added to the threshold of a subject with that many templates."""
        if not self.few_templates_extra or templates < 1:
            return 0.0
        return self.few_templates_extra[min(templates, len(self.few_templates_extra)) - 1]


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One instant of a track: the pooled face, what it is worth, and when it began."""

    vector: Vector
    weight: float
    began_at: float
    interocular_px: float
    infrared: bool


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


def decide(evidence: Evidence, gallery: Gallery, policy: Policy) -> Decision:
    """What the track is now. Raises ModelMismatchError when gallery and evidence are of two models."""
    return _settle(evidence, gallery, policy, looked_enough=evidence.votes >= policy.unknown_votes)


def conclude(evidence: Evidence, gallery: Gallery, policy: Policy) -> Identified | Unknown:
    """What the track was, now that it has ended: a track that stayed undecided is unknown."""
    decision = _settle(evidence, gallery, policy, looked_enough=True)
    if isinstance(decision, Undecided):  # never: looked_enough leaves nothing open
        return Unknown(decision.reasons, decision.votes, decision.candidates)
    return decision


def identify_one(embedding: Embedding, quality: Quality, gallery: Gallery, policy: Policy) -> Decision:
    """Who is on a single picture: named only above the stricter threshold of a single look."""
    evidence = Evidence().add(embedding, quality, 0.0)
    return conclude(evidence, gallery, policy)


def _settle(evidence: Evidence, gallery: Gallery, policy: Policy, *, looked_enough: bool) -> Decision:
    votes = evidence.votes
    if not votes:
        reasons = (Reason.NO_USABLE_FACE, *evidence.why_poor())
        return Unknown(reasons) if looked_enough else Undecided(reasons)
    if gallery.is_empty:
        empty = (Reason.EMPTY_GALLERY,)
        return Unknown(empty, votes) if looked_enough else Undecided(empty, votes)
    gallery.require_model(evidence.model_id)

    vectors = np.stack([look.vector for look in evidence.looks])
    weights = np.array([look.weight for look in evidence.looks], dtype=np.float64)
    newest = mean_direction(vectors[-2:], weights[-2:])
    row, newest_row = gallery.score_matrix(np.stack([mean_direction(vectors, weights), newest]))
    candidates = tuple(ranked(gallery.candidate_ids, row))
    shown = candidates[:_SHOWN_CANDIDATES]
    best = candidates[0]
    margin = best.score - candidates[1].score if len(candidates) > 1 else best.score
    per_look = gallery.score_matrix(vectors)
    column = gallery.candidate_ids.index(best.subject_id)

    reasons_against = _objections(evidence, gallery, policy, best, margin)
    if newest_row[column] < policy.support or not _agree(per_look, weights, column, policy):
        reasons_against = (*reasons_against, Reason.FACES_DISAGREE)
    if not reasons_against:
        return Identified(best.subject_id, best.score, margin, votes, shown)
    return (
        Unknown(reasons_against, votes, shown) if looked_enough else Undecided(reasons_against, votes, shown)
    )


def _objections(
    evidence: Evidence, gallery: Gallery, policy: Policy, best: Candidate, margin: float
) -> tuple[Reason, ...]:
    """What the mean face and the number of looks have against naming ``best``."""
    reasons: list[Reason] = []
    needed = _needed(evidence, gallery, policy, best.subject_id)
    if needed is None:
        reasons.append(Reason.TOO_FEW_FACES)
    elif best.score < needed:
        reasons.append(Reason.BELOW_THRESHOLD)
        if evidence.votes < policy.min_votes:
            reasons.append(Reason.TOO_FEW_FACES)
    if margin < policy.margin:
        reasons.append(Reason.RUNNER_UP_TOO_CLOSE)
    return tuple(reasons)


def _needed(evidence: Evidence, gallery: Gallery, policy: Policy, subject_id: str) -> float | None:
    """The score this subject needs for this evidence; None when there are too few looks to name anybody."""
    needed = policy.threshold
    if evidence.votes < policy.min_votes:
        if policy.single_threshold is None:
            return None
        needed = max(needed, policy.single_threshold)
    column = gallery.candidate_ids.index(subject_id)
    needed += policy.extra_for(int(gallery.template_counts[column]))
    weights = np.array([look.weight for look in evidence.looks])
    if policy.small_extra > 0:
        size = float(np.average([look.interocular_px for look in evidence.looks], weights=weights))
        needed += policy.small_extra * min(1.0, max(0.0, 2.0 - size / policy.small_px))
    if policy.infrared_extra > 0 and not gallery.has_infrared(subject_id):
        share = float(np.average([look.infrared for look in evidence.looks], weights=weights))
        needed += policy.infrared_extra * share
    return needed


def _agree(per_look: NDArray[np.float32], weights: NDArray[np.float64], column: int, policy: Policy) -> bool:
    """True when the looks tell one story: most speak for the subject, the newest too, none for another."""
    speaks = per_look[:, column] >= policy.support
    if float(weights[speaks].sum()) < policy.min_support_share * float(weights.sum()):
        return False
    newest = speaks[-policy.recent_votes :]
    if 2 * int(newest.sum()) <= len(newest):
        return False
    others = np.delete(per_look, column, axis=1)
    if others.shape[1] == 0:
        return True
    rival = others.max(axis=1)
    dissent = (rival >= policy.support) & (rival >= per_look[:, column] + policy.margin)
    return float(weights[dissent].sum()) <= (1 - policy.min_support_share) / 2 * float(weights.sum())


def mean_direction(vectors: NDArray[np.float32], weights: NDArray[np.float64]) -> Vector:
    """Unit vector along the weighted mean of unit rows; the newest row when they cancel out."""
    total = weights @ vectors.astype(np.float64)
    norm = float(np.linalg.norm(total))
    if norm < 1e-6:
        return np.asarray(vectors[-1], dtype=np.float32)
    return np.asarray(total / norm, dtype=np.float32)


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
