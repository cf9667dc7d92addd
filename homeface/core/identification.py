"""Open-set identification of a visit: who is this track, or nobody we may name.

A name needs all of: enough looks, a mean face above the threshold of the wished false-name rate, a lead over
the runner-up, and looks that agree, the newest ones above all (an id switch of the tracker mixes two people
into one track; their mean is nobody). Scores are told against what the same face scores with strangers
(``strangers``), thresholds by subject: templates, housemates, light.
Unknown is an answer like any other and can be revised while the track lasts, as can a name.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homeface.core.evidence import Evidence, mean_direction
from homeface.core.gallery import Gallery, ranked
from homeface.core.second_opinion import SecondOpinion
from homeface.core.strangers import Strangers
from homeface.core.types import (
    Decision,
    Embedding,
    Identified,
    Quality,
    Reason,
    Undecided,
    Unknown,
)

_SHOWN_CANDIDATES = 5


@dataclass(frozen=True, slots=True)
class Policy:
    """What a name needs. Scores are those of ``comparable``; rates come from ``calibration``.

    ``threshold`` least score of the mean face of a visit; ``single_threshold`` the same for a single picture
    and, with ``early_extra`` added, for a visit of fewer than ``min_votes`` looks (None, or an infinite extra
    for the visit: those get no name);
    ``margin`` least lead over the runner-up, raised by ``kin_share`` of how much more alike than ``kin_free``
    the two subjects' centroids are;
    ``support`` score from which one look speaks for a subject, ``rival`` from which it may speak for another
    (by more than the margin); ``min_support_share`` weighted share of looks that must speak for a subject;
    ``recent_votes`` newest looks of which most must do so too, by weight, as must the mean of the newest
    two;
    ``unknown_votes`` looks after which unknown is said; ``few_templates_extra`` is added to the
    threshold of a subject with 1, 2, 3… templates (the last figure holds for more; strangers reach lower
    scores where there are fewer templates, so it may be negative);
    ``crowd_share`` of what a subject's ``Gallery.crowding`` exceeds ``crowd_free`` is added to the subject's
    threshold;
    ``small_extra`` is added for faces of ``small_px`` between the eyes and less, falling to nothing
    at twice that; ``infrared_extra`` for looks without colour at a subject without such templates.
    ``strangers`` None: scores are bare cosines. ``second_opinion`` may take a name away.
    """

    threshold: float
    margin: float = 0.08
    min_votes: int = 3
    single_threshold: float | None = None
    support: float = 0.35
    rival: float = 0.35
    min_support_share: float = 0.7
    recent_votes: int = 3
    unknown_votes: int = 5
    few_templates_extra: tuple[float, ...] = ()
    small_px: float = 16.0
    small_extra: float = 0.0
    infrared_extra: float = 0.0
    early_extra: float = 0.0
    crowd_share: float = 0.0
    crowd_free: float = 0.0
    kin_share: float = 0.0
    kin_free: float = 0.25
    strangers: Strangers | None = None
    second_opinion: SecondOpinion | None = None

    def extra_for(self, templates: int) -> float:
        """Added to the threshold of a subject with that many templates."""
        if not self.few_templates_extra or templates < 1:
            return 0.0
        return self.few_templates_extra[min(templates, len(self.few_templates_extra)) - 1]


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
    """Who is on a single picture: named only above the threshold of a single picture.

    The promise is then for each picture. Never Undecided; the reasons are those of one picture.
    """
    evidence = Evidence().add(embedding, quality, 0.0)
    return _settle(evidence, gallery, policy, looked_enough=True, alone=True)


def comparable(gallery: Gallery, policy: Policy, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scores of (K, D) unit vectors at every subject, (K, S), on the scale of the policy's thresholds.

    ``Gallery.score_matrix``, told against what the same vectors score with strangers.
    """
    scores = gallery.score_matrix(vectors)
    return scores if policy.strangers is None else policy.strangers.comparable(scores, vectors)


def subject_extras(gallery: Gallery, policy: Policy) -> NDArray[np.float64]:
    """(S,) what each subject needs above the policy's threshold on good pictures: photos and housemates."""
    few = np.array([policy.extra_for(int(count)) for count in gallery.template_counts], dtype=np.float64)
    if policy.crowd_share <= 0:
        return few
    crowded: NDArray[np.float64] = np.maximum(0.0, gallery.crowding.astype(np.float64) - policy.crowd_free)
    return few + policy.crowd_share * crowded


def margin_between(gallery: Gallery, policy: Policy, first: int, second: int) -> float:
    """Lead that one subject needs over another (columns of ``candidate_ids``): more where they look alike."""
    if policy.kin_share <= 0:
        return policy.margin
    excess = max(0.0, float(gallery.kinship[first, second]) - policy.kin_free)
    return policy.margin + policy.kin_share * excess


def _settle(
    evidence: Evidence, gallery: Gallery, policy: Policy, *, looked_enough: bool, alone: bool = False
) -> Decision:
    votes = evidence.votes
    if not votes:
        reasons = (Reason.NO_USABLE_FACE, *evidence.why_poor())
        return Unknown(reasons) if looked_enough else Undecided(reasons)
    if gallery.is_empty:
        empty = (Reason.EMPTY_GALLERY,)
        return Unknown(empty, votes) if looked_enough else Undecided(empty, votes)
    gallery.require_model(evidence.model_id)

    weights = np.array([look.weight for look in evidence.looks])
    row, newest_row, per_look = _compared(evidence, gallery, policy, weights)
    ordered = ranked(gallery.candidate_ids, row, _SHOWN_CANDIDATES + len(gallery.paused))
    shown = tuple(one for one in ordered if one.subject_id not in gallery.paused)[:_SHOWN_CANDIDATES]
    column = int(row.argmax())
    margin = ordered[0].score - ordered[1].score if len(ordered) > 1 else ordered[0].score

    if ordered[0].subject_id in gallery.paused:  # told as a stranger would be: nobody learns who it is
        strange = (Reason.BELOW_THRESHOLD,)
        return Unknown(strange, votes, shown) if looked_enough else Undecided(strange, votes, shown)
    against = _objections(evidence, gallery, policy, weights, row, alone=alone)
    if not alone and (newest_row[column] < policy.support or not _agree(per_look, weights, column, policy)):
        against = (*against, Reason.FACES_DISAGREE)
    if not against and _is_doubted(evidence, gallery, policy, shown[0].subject_id, weights):
        against = (Reason.SECOND_OPINION,)
    if not against:
        return Identified(shown[0].subject_id, shown[0].score, margin, votes, shown)
    return Unknown(against, votes, shown) if looked_enough else Undecided(against, votes, shown)


def _is_doubted(
    evidence: Evidence,
    gallery: Gallery,
    policy: Policy,
    subject_id: str,
    weights: NDArray[np.float64],
) -> bool:
    """Whether the household's own classifier objects to the name."""
    if policy.second_opinion is None:
        return False
    vectors = np.array([look.vector for look in evidence.looks])
    return policy.second_opinion.objects(gallery.subjects[subject_id].name, vectors, weights)


def _compared(
    evidence: Evidence, gallery: Gallery, policy: Policy, weights: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Scores of the mean face (S,), of the newest two looks' mean (S,), and of each look (K, S).

    Looks that were compared with this gallery before are not compared again.
    """
    looks = evidence.looks
    vectors = np.array([look.vector for look in looks])
    fresh = [
        number
        for number, look in enumerate(looks)
        if not look.memo or look.memo[0][0] is not gallery or look.memo[0][1] is not policy.strangers
    ]
    scores = comparable(gallery, policy, np.concatenate([_means(vectors, weights), vectors[fresh]]))
    for number, scored in zip(fresh, scores[2:], strict=True):
        looks[number].memo[:] = [(gallery, policy.strangers, scored)]
    return scores[0], scores[1], np.array([look.memo[0][2] for look in looks])


def _objections(
    evidence: Evidence,
    gallery: Gallery,
    policy: Policy,
    weights: NDArray[np.float64],
    row: NDArray[np.float32],
    *,
    alone: bool,
) -> tuple[Reason, ...]:
    """What the mean face and the number of looks have against naming the best of ``row``."""
    reasons: list[Reason] = []
    best = int(row.argmax())
    score = float(row[best])
    short = not alone and evidence.votes < policy.min_votes
    needed = _needed(evidence, gallery, policy, weights, best, alone=alone, short=short)
    if needed is None:
        reasons.append(Reason.TOO_FEW_FACES)
    elif score < needed:
        reasons.append(Reason.BELOW_THRESHOLD)
        if short:
            reasons.append(Reason.TOO_FEW_FACES)
    if len(row) > 1:
        rest = row.copy()
        rest[best] = -np.inf
        second = int(rest.argmax())
        if score - float(rest[second]) < margin_between(gallery, policy, best, second):
            reasons.append(Reason.RUNNER_UP_TOO_CLOSE)
    elif score < policy.margin:
        reasons.append(Reason.RUNNER_UP_TOO_CLOSE)
    return tuple(reasons)


def _needed(
    evidence: Evidence,
    gallery: Gallery,
    policy: Policy,
    weights: NDArray[np.float64],
    column: int,
    *,
    alone: bool,
    short: bool,
) -> float | None:
    """The score this subject needs for this evidence; None when there are too few looks to name anybody."""
    needed = policy.threshold
    if alone or short:
        if policy.single_threshold is None:
            return None
        needed = (
            policy.single_threshold if alone else max(needed, policy.single_threshold + policy.early_extra)
        )
        if math.isinf(needed):
            return None
    needed += policy.extra_for(int(gallery.template_counts[column]))
    if policy.crowd_share > 0:
        needed += policy.crowd_share * max(0.0, float(gallery.crowding[column]) - policy.crowd_free)
    total = float(weights.sum())
    if policy.small_extra > 0:
        size = float(weights @ [look.interocular_px for look in evidence.looks]) / total
        needed += policy.small_extra * min(1.0, max(0.0, 2.0 - size / policy.small_px))
    if policy.infrared_extra > 0 and not gallery.infrared_known[column]:
        needed += policy.infrared_extra * float(weights @ [look.infrared for look in evidence.looks]) / total
    return needed


def _agree(per_look: NDArray[np.float32], weights: NDArray[np.float64], column: int, policy: Policy) -> bool:
    """True when the looks tell one story: most speak for the subject, the newest too, none for another."""
    own = per_look[:, column]
    speaks = own >= policy.support
    total = float(weights.sum())
    if float(weights @ speaks) < policy.min_support_share * total:
        return False
    recent = weights[-policy.recent_votes :]
    if 2 * float(recent @ speaks[-policy.recent_votes :]) <= float(recent.sum()):
        return False
    if per_look.shape[1] == 1:
        return True
    rival = np.maximum(
        per_look[:, :column].max(axis=1, initial=-np.inf),
        per_look[:, column + 1 :].max(axis=1, initial=-np.inf),
    )
    dissent = (rival >= policy.rival) & (rival >= own + policy.margin)
    return float(weights @ dissent) <= (1 - policy.min_support_share) / 2 * total


def _means(vectors: NDArray[np.float32], weights: NDArray[np.float64]) -> NDArray[np.float32]:
    """(2, D) ``mean_direction`` of all rows and of the newest two."""
    mixing = np.zeros((2, len(weights)), dtype=np.float64)
    mixing[0] = weights
    mixing[1, -2:] = weights[-2:]
    totals = mixing @ vectors
    norms = np.sqrt(np.square(totals).sum(axis=1, keepdims=True))
    if norms.min() < 1e-6:
        return np.array([mean_direction(vectors, weights), mean_direction(vectors[-2:], weights[-2:])])
    return np.asarray(totals / norms, dtype=np.float32)
