"""What a very sure visit may teach about a person: slowly, reversibly, and never by what was learned before.

The visit is judged again as if only the person's photos were known and strangers were to be named a
hundred times more rarely. So what was learned once can never vouch for what is learned next, and a face
drifts no farther from the photos than the photos themselves allow. Strangers teach nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from homeface.core.evidence import Evidence, Look
from homeface.core.gallery import Gallery
from homeface.core.identification import Policy, comparable, conclude
from homeface.core.types import Decision, Embedding, Identified, Lesson, Quality

STRICTER = 100.0
"""A visit teaches only if it would be named at a promise so many times stricter than the one asked for."""
LEAST_LOOKS = 6
LEAST_WORTH = 0.8
"""Least quality score of the face that is learned."""
LEAST_LEAD = 0.15
"""Least lead of every look over anybody else, in cosine similarity."""
NOVEL_BELOW = 0.8
"""A face more like a known template than this teaches nothing new."""
_LEAST_PHOTOS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Teaching:
    """What a visit is judged by before it teaches: photos alone, and a far stricter policy.

    ``look_score``: what the learned face must score by itself at the person's photos.
    """

    photos: Gallery
    policy: Policy
    look_score: float


def teaching_from(gallery: Gallery, policy: Policy, look_score: float) -> Teaching:
    """From the gallery in use, whose learned templates are left out."""
    photos = [template for template in gallery.templates if not template.adapted]
    return Teaching(Gallery(gallery.subjects.values(), photos, gallery.model_id), policy, look_score)


def lesson_of(
    evidence: Evidence,
    decision: Decision,
    gallery: Gallery,
    teaching: Teaching,
    visit: tuple[str, float],
) -> Lesson | None:
    """The one face of a finished visit that is worth learning; nearly always None.

    ``gallery``: the one in use, learned templates included: what it knows already is not learned again.
    ``visit``: its id, and when the person was last seen (seconds since the epoch).
    """
    if not isinstance(decision, Identified) or not _sure(evidence, decision.subject_id, teaching):
        return None
    photos, subject_id = teaching.photos, decision.subject_id
    column = photos.candidate_ids.index(subject_id)
    vectors = np.stack([look.vector for look in evidence.looks])
    scores = comparable(photos, teaching.policy, vectors)
    others = np.delete(scores, column, axis=1).max(axis=1, initial=0.0)
    if float((scores[:, column] - others).min()) < LEAST_LEAD:
        return None
    own = np.stack([t.vector for t in gallery.templates if t.subject_id == subject_id])
    novelty = 1.0 - (vectors @ own.T).max(axis=1)
    worth = {
        index: look.weight * novelty[index]
        for index, look in enumerate(evidence.looks)
        if look.weight >= LEAST_WORTH
        and scores[index, column] >= teaching.look_score
        and novelty[index] > 1.0 - NOVEL_BELOW
    }
    if not worth:
        return None
    look = evidence.looks[max(worth, key=lambda index: worth[index])]
    embedding = Embedding(look.vector, evidence.model_id)
    return Lesson(subject_id, embedding, quality_of(look), visit_id=visit[0], seen_at=visit[1])


def _sure(evidence: Evidence, subject_id: str, teaching: Teaching) -> bool:
    """True when the photos alone, and the stricter policy, name the same person."""
    photos = teaching.photos
    if evidence.votes < LEAST_LOOKS or subject_id not in photos.candidate_ids:
        return False
    if evidence.model_id != photos.model_id:
        return False
    if photos.template_counts[photos.candidate_ids.index(subject_id)] < _LEAST_PHOTOS:
        return False
    again = conclude(evidence, photos, teaching.policy)
    return isinstance(again, Identified) and again.subject_id == subject_id


def quality_of(look: Look) -> Quality:
    """What is still known of a look's quality: size, light and worth; the other measurements are 0."""
    return Quality(look.interocular_px, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, look.infrared, look.weight)
