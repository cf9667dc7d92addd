"""Which figures a run uses, so that no threshold has seen the strangers it is judged on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from homeface.core.calibration import Calibration
from homeface.errors import ImageError, ModelError
from homeface.lab.evaluation.faces import FaceSet, people_digest


class Tune(StrEnum):
    """``shipped``: the figures that come with homeface. ``half``: measured on half of the people, told on the
    other half. ``cross``: both halves so, each told with the other's figures. ``auto``: ``cross`` when the
    shipped figures were measured on these very people, else ``shipped``.
    """

    AUTO = "auto"
    SHIPPED = "shipped"
    CROSS = "cross"
    HALF = "half"


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """The people that are told about, and figures for them."""

    inside: NDArray[np.bool_]
    calibration: Calibration


@dataclass(frozen=True, slots=True, eq=False)
class Tuning:
    """The folds of a run, and in words where the figures come from."""

    choice: Tune
    folds: tuple[Fold, ...]
    text: str


def settle(choice: Tune, names: tuple[str, ...], shipped: Calibration | None) -> Tune:
    """What ``auto`` means for these people."""
    if choice is not Tune.AUTO:
        return choice
    if shipped is None:
        return Tune.CROSS
    measured_on = shipped.provenance.get("people_digest", "")
    return Tune.CROSS if people_digest(names) == measured_on else Tune.SHIPPED


def tuned(choice: Tune, faces: FaceSet, shipped: Calibration | None) -> Tuning:
    """The folds for a choice (not ``auto``). Raises ImageError when there is nothing to use or measure."""
    everybody = np.ones(len(faces.person), bool)
    if choice is Tune.SHIPPED:
        if shipped is None:
            raise ImageError(
                f"No figures were ever measured for {faces.model_id}: use --tune cross, or measure them with "
                "`homeface evaluate calibrate`."
            )
        source = shipped.provenance.get("set", "a set that is not named")
        return Tuning(choice, (Fold(everybody, shipped),), f"shipped figures, measured on {source}")
    halves = (faces.part(0), faces.part(1))
    if choice is Tune.HALF:
        return Tuning(
            choice,
            (Fold(halves[1], _measured(faces, halves[0])),),
            "figures measured on one half of these people and told on the other",
        )
    return Tuning(
        choice,
        tuple(Fold(halves[told], _measured(faces, halves[1 - told])) for told in (0, 1)),
        "two halves of these people (by a hash of the name), each told with figures measured on the other",
    )


def tuned_on_all(faces: FaceSet) -> Tuning:
    """Figures measured on the very people that are told about: only to compare networks at measured rates.

    Raises ImageError when they are too few.
    """
    everybody = np.ones(len(faces.person), bool)
    folds = (Fold(everybody, _measured(faces, everybody)),)
    return Tuning(Tune.SHIPPED, folds, "figures measured on these very people: for comparison alone")


def _measured(faces: FaceSet, inside: NDArray[np.bool_]) -> Calibration:
    from homeface.lab.evaluation.measuring import measure

    try:
        calibration, _ = measure(faces, inside, {})
    except (ValueError, IndexError, KeyError, ModelError) as error:
        raise ImageError(
            "Half of these people are too few to measure thresholds on: a hundred people or more with three "
            "pictures or more are needed. Use --tune shipped."
        ) from error
    return calibration
