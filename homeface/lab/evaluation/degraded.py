"""``homeface evaluate degraded``: what home cameras do to faces, at one and the same promise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from homeface.errors import ImageError
from homeface.lab.evaluation.faces import FaceSet, Library, Sampling
from homeface.lab.evaluation.household import usable
from homeface.lab.evaluation.outcome import KINDS, Told, in_words, told_rate
from homeface.lab.evaluation.running import Timer, Work, embedded, library, shipped_for
from homeface.lab.evaluation.simulation import simulate, together
from homeface.lab.evaluation.street import Protocol, Setting
from homeface.lab.evaluation.trials import Resampling
from homeface.lab.evaluation.tuning import Tune, Tuning, tuned
from homeface.lab.evaluation.views import CLEAN_VIEW, CONDITIONS, View, camera_views

TURNED = (("turned-15", 15.0, 25.0), ("turned-25", 25.0, 90.0))
"""Heads chosen, not made: pictures whose measured yaw lies between these degrees, either way."""


@dataclass(frozen=True, slots=True)
class DegradedRequest:
    """What to measure. ``pictures``: how many are degraded: of people who can be enrolled first."""

    folder: Path
    asked: tuple[float, ...] = (0.001,)
    protocol: Protocol = Protocol(households=150)  # noqa: RUF009 - frozen
    tune: Tune = Tune.SHIPPED
    most: int = 15
    pictures: int = 1500
    conditions: tuple[View, ...] = CONDITIONS


def evaluate_degraded(request: DegradedRequest, work: Work) -> list[Told]:
    """One mapping for each embedder. Raises ImageError with a sentence, and the ``ModelError`` tree."""
    timer = Timer(work)
    everything = library(request.folder, Sampling(least=1, most=request.most), work)
    books = Library(chosen(everything, request), work.recipe, work.cache)
    cameras = camera_views(1) if request.tune in (Tune.CROSS, Tune.HALF) else ()
    sets = embedded(books, [CLEAN_VIEW, *request.conditions, *cameras], work, timer)
    return [_one(request, work, timer, faces) for faces in sets]


def chosen(books: Library, request: DegradedRequest) -> list[tuple[str, Path]]:
    """Pictures of people who can be enrolled and met, then of strangers with the most pictures."""
    people: dict[str, list[Path]] = {}
    for person, path in books.found:
        people.setdefault(person, []).append(path)
    order = sorted(people, key=lambda name: (-min(len(people[name]), request.protocol.looks), name))
    needed = request.protocol.photos + request.protocol.looks
    order.sort(key=lambda name: len(people[name]) < needed)
    kept: list[tuple[str, Path]] = []
    for name in order:
        if len(kept) >= request.pictures:
            break
        kept += [(name, path) for path in people[name]]
    return sorted(kept)


def _one(request: DegradedRequest, work: Work, timer: Timer, faces: FaceSet) -> Told:
    tuning = tuned(request.tune, faces, shipped_for(faces.model_id, work.calibrations))
    clean = faces.of_view(CLEAN_VIEW.name)
    yaw = np.abs(np.array([quality.yaw for quality in faces.qualities]))
    runs: list[tuple[str, str, str, NDArray[np.bool_] | None]] = [
        ("clean", CLEAN_VIEW.text, "clean", None),
        *((view.name, view.text, view.name, None) for view in request.conditions),
        *(
            (name, f"heads turned by {low:.0f}° and more", "clean", clean & (yaw >= low) & (yaw < high))
            for name, low, high in TURNED
        ),
    ]
    rows = []
    with timer.stage("simulate", "Conditions") as progress:
        for number, (name, text, view, met) in enumerate(runs):
            rows.append(_condition(request, work, faces, tuning, (name, text, view, met)))
            progress(number + 1, len(runs))
    return {
        "protocol": "degraded",
        "model_id": faces.model_id,
        "detector": work.recipe.detector.name,
        "tuning": {"choice": tuning.choice.value, "text": tuning.text},
        "data": {
            "folder": request.folder.name,
            "people": len(faces.names),
            "pictures": len(faces.files),
            "households": request.protocol.households,
            "subjects": request.protocol.subjects,
            "photos": request.protocol.photos,
        },
        "note": "Enrolled from clean pictures. A face that is refused as too poor gives no name: it counts "
        "as a miss of a member. Turned heads are chosen by measured yaw, the other conditions are made.",
        "conditions": rows,
        "seconds": dict(timer.seconds),
    }


def _condition(
    request: DegradedRequest,
    work: Work,
    faces: FaceSet,
    tuning: Tuning,
    how: tuple[str, str, str, NDArray[np.bool_] | None],
) -> Told:
    name, text, view, met = how
    seen = faces.of_view(view) if met is None else met
    shown = len(np.unique(faces.picture[faces.of_view("clean")])) if met is None else int(seen.sum())
    told: Told = {
        "condition": name,
        "text": text,
        "faces_found": round(float(seen.sum()) / max(1, shown), 4),
        "faces_usable": round(float((seen & usable(faces)).sum()) / max(1, shown), 4),
    }
    ladder = tuple(sorted(request.asked, reverse=True))
    each = max(1, request.protocol.households // len(tuning.folds))
    try:
        result = together(
            [
                simulate(
                    Setting(
                        faces=faces,
                        inside=fold.inside,
                        calibration=fold.calibration,
                        ladder=ladder,
                        asked=ladder,
                        view=view,
                        met=met,
                        poor_too=True,
                    ),
                    replace(request.protocol, households=each, seed=request.protocol.seed + number),
                    work.jobs,
                )
                for number, fold in enumerate(tuning.folds)
            ]
        )
    except ImageError as error:
        return {**told, "why_not": str(error), "asked": []}
    resampling = Resampling(len(faces.names))
    told["looks_of_a_visit"] = result.looks
    told["asked"] = [
        {
            "asked": in_words(rate),
            "rate": rate,
            "fpir_measured": {
                kind: told_rate(
                    resampling.fpir(result.own[kind], step), None, result.own[kind].different_strangers
                )
                for kind in KINDS
            },
            "fnir": {
                kind: told_rate(
                    resampling.fnir(result.own[kind], step), None, result.own[kind].different_members
                )
                for kind in KINDS
            },
            "looks_to_a_name_median": _median(result.waits, rate),
        }
        for step, rate in enumerate(ladder, 1)
    ]
    return told


def _median(waits: Mapping[float, Sequence[int]], rate: float) -> float | None:
    named = [wait for wait in waits[rate] if wait > 0]
    return float(np.median(named)) if named else None
