"""Is the promise kept? False names and misses of random households, as numbers for programs and tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homeface.core.calibration import Calibration
from homeface.core.metrics import Rate
from homeface.lab.evaluation.faces import FaceSet
from homeface.lab.evaluation.judging import Judge
from homeface.lab.evaluation.simulation import simulate
from homeface.lab.evaluation.street import Protocol, Setting
from homeface.lab.evaluation.trials import Resampling

PROTOCOL = Protocol(households=100)


@dataclass(frozen=True, slots=True)
class Promise:
    """What one asked rate gave. Rates with 95 % intervals from drawing people anew."""

    asked: float
    threshold: float
    single_threshold: float
    fpir_visit: Rate
    fpir_probe: Rate
    fnir_visit: Rate
    fnir_probe: Rate
    wrong_member_visits: int
    looks_to_name: float


def keep_promise(
    faces: FaceSet,
    inside: NDArray[np.bool_],
    calibration: Calibration,
    asked: float,
    *,
    protocol: Protocol = PROTOCOL,
    view: str | None = None,
) -> Promise:
    """Run random households of the people ``inside`` under the policy of the asked rate.

    ``view``: how people are met (None: in every way there is). Raises ImageError when they are too few.
    """
    setting = Setting(
        faces=faces, inside=inside, calibration=calibration, ladder=(asked,), asked=(asked,), view=view
    )
    result = simulate(setting, protocol)
    resampling = Resampling(len(faces.names))
    visit, probe = result.own["visit"], result.own["probe"]
    policy = Judge(calibration, (asked,), protocol.subjects).policies[0]
    named = [wait for wait in result.waits[asked] if wait > 0]
    return Promise(
        asked=asked,
        threshold=policy.threshold,
        single_threshold=policy.single_threshold or 1.0,
        fpir_visit=resampling.fpir(visit, 1),
        fpir_probe=resampling.fpir(probe, 1),
        fnir_visit=resampling.fnir(visit, 1),
        fnir_probe=resampling.fnir(probe, 1),
        wrong_member_visits=resampling.wrong(visit, 1).hits,
        looks_to_name=float(np.median(named)) if named else float("nan"),
    )
