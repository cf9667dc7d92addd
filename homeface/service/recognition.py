"""The policy that a configuration asks for, from the figures measured for the embedder."""

from __future__ import annotations

from dataclasses import replace

from homeface.config import Config
from homeface.core.calibration import STRICTNESS, policy_for
from homeface.core.gallery import Gallery
from homeface.inference.calibration import calibration_for
from homeface.service.pipeline import Recognition


def recognition_of(gallery: Gallery, config: Config) -> Recognition:
    """Gallery and policy for the asked strictness. Raises ``ModelError`` for an uncalibrated embedder."""
    asked = config.recognition
    rate = asked.false_names if asked.false_names is not None else STRICTNESS[asked.strictness]
    policy = policy_for(calibration_for(gallery.model_id), rate, subjects=max(1, len(gallery.subjects)))
    if asked.min_faces is not None:
        policy = replace(policy, min_votes=asked.min_faces)
    return Recognition(gallery, policy)
