"""Measured figures of the embedding models, one JSON file each."""

from __future__ import annotations

import json
from importlib import resources

from homeface.core.calibration import Calibration, calibration_file, calibration_from
from homeface.errors import ModelError


def calibration_for(model_id: str) -> Calibration:
    """The figures of a model. Raises ``ModelError`` when it was never measured, or the file is damaged."""
    file = resources.files(__name__).joinpath(calibration_file(model_id))
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(
            f"The embedding model {model_id} has no calibration, so no threshold is known for it: "
            "use one of the built-in embedders."
        ) from error
    except ValueError as error:
        raise ModelError(f"The calibration of {model_id} is damaged: install homeface again.") from error
    if not isinstance(data, dict):
        raise ModelError(f"The calibration of {model_id} is damaged: install homeface again.")
    return calibration_from(data)
