"""Measuring an embedding model's figures on a folder of people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from homeface.core.calibration import Calibration
from homeface.errors import ImageError, ModelError
from homeface.lab.evaluation.faces import Sampling
from homeface.lab.evaluation.figures import provenance_of
from homeface.lab.evaluation.running import Timer, Work, embedded, library
from homeface.lab.evaluation.views import CLEAN_VIEW, camera_views


@dataclass(frozen=True, slots=True)
class CalibrateRequest:
    """What to measure on: everybody or one half, how many looks at how many pictures."""

    folder: Path
    everybody: bool = False
    looks: int = 1
    least: int = 3
    most: int = 9
    set_name: str = ""


def evaluate_calibrate(request: CalibrateRequest, work: Work) -> Iterator[tuple[Calibration, int]]:
    """The figures of each embedder, and how many pairs of folders were left out as one person.

    Raises ImageError for a folder with too little in it, and the ``ModelError`` tree for models.
    """
    from homeface.lab.evaluation.measuring import measure

    timer = Timer(work)
    sampling = Sampling(looks=request.looks, least=request.least, most=request.most)
    books = library(request.folder, sampling, work)
    sets = embedded(books, [CLEAN_VIEW, *camera_views(request.looks)], work, timer)
    for faces, look in zip(sets, work.recipe.looks, strict=True):
        inside = np.ones(len(faces.person), bool) if request.everybody else faces.part(0)
        told = {
            "set": request.set_name,
            "part": "everybody" if request.everybody else "the tuning half, drawn by a hash of the name",
            "detector": work.recipe.detector.name,
            "command": f"homeface evaluate calibrate DIR --embedder {look.spec.name} --looks {request.looks} "
            f"--least {request.least} --most {request.most}" + (" --everybody" if request.everybody else ""),
        }
        try:
            calibration, twins = measure(faces, inside, provenance_of(faces, inside, told))
        except (ValueError, IndexError, KeyError, ModelError) as error:
            raise ImageError(
                f"{len(np.unique(faces.person[inside]))} people are too few to measure figures on: a hundred "
                "or more with several pictures each are needed."
            ) from error
        yield calibration, len(twins)
