"""The file of a household's own classifier."""

from __future__ import annotations

import json
from pathlib import Path

from homeface.core.second_opinion import SecondOpinion, second_opinion_from
from homeface.errors import ModelError


def opinion_for(model_id: str, file: Path) -> SecondOpinion:
    """What ``homeface lab train-household`` wrote. Raises ``ModelError`` for a file that does not serve."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"recognition.second_opinion: {file} cannot be read ({error}); make it with homeface lab "
            "train-household, or leave the key out."
        ) from error
    opinion = second_opinion_from(data)
    if opinion.model_id != model_id:
        raise ModelError(
            f"recognition.second_opinion: {file} was trained on vectors of {opinion.model_id}, but faces are "
            f"told apart by {model_id}: train it anew, or leave the key out."
        )
    return opinion
