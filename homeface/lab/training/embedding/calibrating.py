"""Figures of a made model, measured on people it has not seen, along the road that the daemon goes."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

import numpy as np

from homeface.core.calibration import calibration_as_json, calibration_file
from homeface.errors import ImageError, ModelError
from homeface.inference.manifest import ModelSpec
from homeface.lab.evaluation.faces import Library, Sampling, pictures_of
from homeface.lab.evaluation.figures import provenance_of
from homeface.lab.evaluation.measuring import measure
from homeface.lab.evaluation.running import Timer, Work, embedded
from homeface.lab.evaluation.views import CLEAN_VIEW, camera_views
from homeface.lab.training.files import replace_file

_LEAST, _MOST = 1, 12


def measure_figures(pictures: Path, people: Collection[str], spec: ModelSpec, work: Work, out: Path) -> Path:
    """Write the calibration of ``spec``, measured on the named people's pictures, into ``out``.

    ``work.recipe`` looks with that model. The people must not be those it was trained on: they look less
    alike to it than others do, and thresholds would be too low. Raises ImageError when they are too few, and
    the ``ModelError`` tree.
    """
    found = [
        (p, path) for p, path in pictures_of(pictures, Sampling(least=_LEAST, most=_MOST)) if p in people
    ]
    books = Library(found, work.recipe, work.cache)
    faces = embedded(books, [CLEAN_VIEW, *camera_views(1)], work, Timer(work))[0]
    inside = np.ones(len(faces.person), bool)
    told = {
        "set": pictures.resolve().name,
        "part": f"{len(set(faces.person.tolist()))} people whom the training had not seen",
        "detector": work.recipe.detector.name,
        "command": "homeface lab train-embedding",
    }
    try:
        calibration, _ = measure(faces, inside, provenance_of(faces, inside, told))
    except (ValueError, IndexError, KeyError, ModelError) as error:
        raise ImageError(
            f"{len(np.unique(faces.person))} people are too few to measure thresholds of {spec.name} on: the "
            "daemon takes it only with figures. Measure them on other people's pictures: homeface evaluate "
            f"calibrate DIR -c CONFIG --embedder {spec.name} --out {out}"
        ) from error
    path = out / calibration_file(calibration.model_id)
    replace_file(path, (json.dumps(calibration_as_json(calibration), indent=2) + "\n").encode())
    return path
