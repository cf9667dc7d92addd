"""``homeface evaluate calibrate``: the figures file of an embedding model, measured on a folder of people."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np

from homeface.core.calibration import Calibration
from homeface.lab.evaluation.faces import FaceSet, people_digest


def as_json(calibration: Calibration) -> dict[str, Any]:
    """The form ``calibration_from`` reads: every field, in plain values."""
    return {field.name: _plain(getattr(calibration, field.name)) for field in dataclasses.fields(calibration)}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    return value.item() if isinstance(value, np.generic) else value


def provenance_of(faces: FaceSet, inside: np.ndarray, told: Mapping[str, str]) -> dict[str, str]:
    """Where the figures come from. ``people_digest`` lets later runs see that they measured themselves."""
    people = np.unique(faces.person[inside])
    return {
        "people": str(len(people)),
        "people_digest": people_digest(faces.names[int(person)] for person in people),
        "pictures": str(len(np.unique(faces.picture[inside]))),
        "looks": str(int(inside.sum())),
        **told,
        "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
    }
