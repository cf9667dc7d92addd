"""Measured figures of the embedding models, one JSON file each."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

from homeface.core.calibration import Calibration, calibration_file, calibration_from
from homeface.errors import ModelError


def calibration_for(model_id: str, folder: Path | None = None) -> Calibration:
    """The figures of a model: ours, or those measured into ``folder`` by ``homeface evaluate calibrate``.

    Raises ``ModelError`` when it was never measured, or the file is damaged.
    """
    name = calibration_file(model_id)
    ours = resources.files(__name__).joinpath(name)
    file = folder / name if folder is not None and not ours.is_file() else ours
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(
            f"The embedding model {model_id} has no calibration, so no threshold is known for it: use a "
            f"built-in embedder, or measure {name} into the folder that models_dir names (homeface evaluate "
            "calibrate --help)."
        ) from error
    except (OSError, ValueError) as error:
        raise ModelError(f"The calibration {file} cannot be read ({error}): make it anew.") from error
    if not isinstance(data, dict):
        raise ModelError(f"The calibration {file} is damaged: make it anew.")
    return calibration_from(data)
