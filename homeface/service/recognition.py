"""The policy that a configuration asks for, from the figures measured for the embedder."""

from __future__ import annotations

import math
from dataclasses import replace

from homeface.config import Config
from homeface.core.adaptation import STRICTER, teaching_from
from homeface.core.calibration import STRICTNESS, policy_for, threshold_for
from homeface.core.enrolment import EnrolmentPolicy, policy_for_enrolment
from homeface.core.evidence import MAX_LOOKS
from homeface.core.gallery import Gallery
from homeface.core.identification import Policy
from homeface.core.templates import chosen_gallery, limits_for
from homeface.core.unknown_visits import LikenessScale, scale_for
from homeface.inference.calibration import calibration_for
from homeface.inference.second_opinion import opinion_for
from homeface.service.pipeline import Recognition


def recognition_of(gallery: Gallery, config: Config) -> Recognition:
    """What is compared with, and how sure it must be. Raises ``ModelError`` for an uncalibrated embedder.

    ``gallery``: everything stored; what is compared with is chosen from it (``core.templates``).
    """
    asked = config.recognition
    calibration = calibration_for(gallery.model_id, config.models_dir)
    chosen = chosen_gallery(gallery, limits_for(calibration))
    rate, subjects = asked_rate(config), max(1, len(gallery.subjects))
    policy = policy_for(calibration, rate, subjects=subjects)
    teaching = None
    if asked.adapt:
        sure = policy_for(calibration, rate / STRICTER, subjects=subjects)
        teaching = teaching_from(chosen, sure, threshold_for(calibration.single, rate / subjects))
    policy = policy if asked.min_faces is None else _at_least(policy, asked.min_faces)
    if asked.second_opinion is not None:
        policy = replace(policy, second_opinion=opinion_for(gallery.model_id, asked.second_opinion))
    return Recognition(chosen, policy, teaching)


def likeness_scale(model_id: str, config: Config) -> LikenessScale:
    """When two visits are one person's. Raises ``ModelError`` for an uncalibrated embedder."""
    return scale_for(calibration_for(model_id, config.models_dir))


def enrolment_policy(model_id: str, config: Config) -> EnrolmentPolicy:
    """What photos must be. Raises ``ModelError`` for an uncalibrated embedder."""
    return policy_for_enrolment(calibration_for(model_id, config.models_dir))


def asked_rate(config: Config) -> float:
    """Share of strangers' visits that may get a name."""
    asked = config.recognition
    return asked.false_names if asked.false_names is not None else STRICTNESS[asked.strictness]


def _at_least(policy: Policy, faces: int) -> Policy:
    """The policy that names nobody by fewer faces.

    The figures of a visit hold from ``min_votes`` looks on: asking for fewer does not lower that, and the
    higher threshold of shorter visits stays. Single pictures that somebody shows us are judged as ever.
    Nobody is called unknown before they could have been named.
    """
    if faces <= 1:
        return policy
    votes = min(MAX_LOOKS, max(policy.min_votes, faces))
    unknown = max(policy.unknown_votes, votes)
    return replace(policy, min_votes=votes, early_extra=math.inf, unknown_votes=unknown)
