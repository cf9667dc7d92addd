"""The policy that a configuration asks for, from the figures measured for the embedder."""

from __future__ import annotations

from dataclasses import replace

from homeface.config import Config
from homeface.core.calibration import STRICTNESS, policy_for
from homeface.core.gallery import Gallery
from homeface.core.identification import MAX_LOOKS, Policy
from homeface.inference.calibration import calibration_for
from homeface.service.pipeline import Recognition


def recognition_of(gallery: Gallery, config: Config) -> Recognition:
    """Gallery and policy for the asked strictness. Raises ``ModelError`` for an uncalibrated embedder."""
    asked = config.recognition
    rate = asked.false_names if asked.false_names is not None else STRICTNESS[asked.strictness]
    policy = policy_for(
        calibration_for(gallery.model_id, config.models_dir), rate, subjects=max(1, len(gallery.subjects))
    )
    return Recognition(gallery, policy if asked.min_faces is None else _at_least(policy, asked.min_faces))


def _at_least(policy: Policy, faces: int) -> Policy:
    """The policy that names nobody by fewer faces.

    The figures of a visit hold from ``min_votes`` looks on: asking for fewer does not lower that, and the
    higher threshold of shorter visits stays. Nobody is called unknown before they could have been named.
    """
    if faces <= 1:
        return policy
    votes = min(MAX_LOOKS, max(policy.min_votes, faces))
    unknown = max(policy.unknown_votes, votes)
    return replace(policy, min_votes=votes, single_threshold=None, unknown_votes=unknown)
