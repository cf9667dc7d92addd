"""``homeface evaluate calibrate``: the figures file of an embedding model, measured on a folder of people."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import numpy as np

from homeface.lab.evaluation.faces import FaceSet, people_digest


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
