"""``homeface evaluate household``: is the promise kept, what is missed, and what would others have done?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from homeface.errors import ImageError
from homeface.lab.evaluation.faces import FaceSet, Library, Sampling
from homeface.lab.evaluation.household import enrollable, usable
from homeface.lab.evaluation.judging import Judge, ladder_with
from homeface.lab.evaluation.outcome import (
    KINDS,
    Told,
    told_at_measured,
    told_det,
    told_peers,
    told_promises,
    told_rank1,
)
from homeface.lab.evaluation.running import (
    Timer,
    Work,
    embedded,
    library,
    measured_on_these,
    peers_installed,
    pictures_for_dlib,
    shipped_for,
)
from homeface.lab.evaluation.simulation import simulate_all, together
from homeface.lab.evaluation.sizes import Span, of_sizes
from homeface.lab.evaluation.street import Protocol, Setting
from homeface.lab.evaluation.suspects import Suspects, find_suspects, read_suspects
from homeface.lab.evaluation.trials import Resampling
from homeface.lab.evaluation.tuning import Tune, Tuning, tuned, tuned_on_all
from homeface.lab.evaluation.views import CLEAN_VIEW, View, camera_views


@dataclass(frozen=True, slots=True)
class HouseholdRequest:
    """What to measure. ``dlib_pictures`` 0: without dlib; ``condition``: how people are met.

    ``subjects`` and ``photos``: households of several sizes; None: all have the protocol's.
    """

    folder: Path
    asked: tuple[float, ...] = (0.01, 0.001, 0.0001)
    protocol: Protocol = Protocol()  # noqa: RUF009 - frozen
    subjects: Span | None = None
    photos: Span | None = None
    tune: Tune = Tune.AUTO
    most: int = 20
    peers: bool = True
    dlib_pictures: int = 2000
    suspects: Path | None = None
    condition: View = CLEAN_VIEW

    @property
    def people_enrolled(self) -> Span:
        """How many people a household has."""
        return self.subjects or Span(self.protocol.subjects, self.protocol.subjects)

    @property
    def photos_of_each(self) -> Span:
        """How many enrolment photos each of them has."""
        return self.photos or Span(self.protocol.photos, self.protocol.photos)


def evaluate_household(request: HouseholdRequest, work: Work) -> list[Told]:
    """One mapping of plain values for each embedder.

    Raises ImageError with a sentence for a folder that lacks something, and the ``ModelError`` tree.
    """
    timer = Timer(work)
    books = library(request.folder, Sampling(least=1, most=request.most), work)
    views = [CLEAN_VIEW, *((request.condition,) if request.condition != CLEAN_VIEW else ())]
    choices = [_choice(request.tune, books, look.model_id, work) for look in work.recipe.looks]
    if request.condition != CLEAN_VIEW and any(choice is not Tune.SHIPPED for choice in choices):
        views += camera_views(1)  # what figures ask of small and grey faces is measured on these
    sets = embedded(books, list(dict.fromkeys(views)), work, timer)
    dlib, why_not = _dlib(request, books, sets[0], work, timer)
    return [
        household_of_faces(request, work, timer, faces, _by_choice(choice, work), (dlib, why_not))
        for faces, choice in zip(sets, choices, strict=True)
    ]


def misses_at(rate: float, faces: FaceSet, protocol: Protocol, work: Work) -> dict[str, float]:
    """Share of the family's visits without their name, by kind of visit, where these very strangers get a
    name at ``rate``; kinds that could not be measured are left out. Raises ImageError for too few people.
    """
    request = HouseholdRequest(Path("faces"), asked=(rate,), protocol=protocol, peers=False)
    told = household_of_faces(request, work, Timer(work), faces, tuned_on_all, (None, "not asked for"))
    missed = told["at_measured_rates"][0]["fnir"]
    values = {kind: missed[kind]["value"] for kind in KINDS}
    return {kind: float(value) for kind, value in values.items() if value is not None}


def _choice(tune: Tune, books: Library, model_id: str, work: Work) -> Tune:
    if tune is not Tune.AUTO:
        return tune
    people = [person for person, _ in books.found]
    names = list(dict.fromkeys(people))
    shipped = shipped_for(model_id, work.calibrations)
    return measured_on_these(names, shipped, [people.count(name) for name in names])


def _by_choice(choice: Tune, work: Work) -> Callable[[FaceSet], Tuning]:
    return lambda faces: tuned(choice, faces, shipped_for(faces.model_id, work.calibrations))


def _dlib(
    request: HouseholdRequest, books: Library, faces: FaceSet, work: Work, timer: Timer
) -> tuple[np.ndarray | None, str]:
    if not request.peers or request.dlib_pictures <= 0 or request.condition != CLEAN_VIEW:
        return None, "not asked for"
    if not peers_installed():
        return None, "not installed: uv sync --group peers (dlib-bin and face-recognition-models)"
    protocol = request.protocol
    counts = np.unique(faces.person[faces.clean], return_counts=True)[1]
    photos = request.photos_of_each.most
    rich = int((counts >= photos + protocol.looks).sum())
    needed = photos + (protocol.looks if rich >= request.people_enrolled.most else 1)
    chosen = pictures_for_dlib(faces, needed, request.dlib_pictures)
    with timer.stage("dlib", "Faces, by dlib") as progress:
        return books.describe(chosen, jobs=work.jobs, progress=progress), ""


def household_of_faces(
    request: HouseholdRequest,
    work: Work,
    timer: Timer,
    faces: FaceSet,
    tune: Callable[[FaceSet], Tuning],
    dlib: tuple[np.ndarray | None, str],
) -> Told:
    """What is told of one embedder's faces, with the figures that ``tune`` finds for them."""
    suspects = find_suspects(faces) if request.suspects is None else read_suspects(request.suspects, faces)
    if request.suspects is not None:
        # those a person has named are left out of everything, not only told apart
        faces = _without(faces, suspects)
    with timer.stage("tune", "Figures"):
        tuning = tune(faces)
    ladder = ladder_with(request.asked)
    settings = [
        Setting(
            faces=faces,
            inside=fold.inside,
            calibration=fold.calibration,
            ladder=ladder,
            asked=request.asked,
            view=request.condition.name,
            peers=request.peers,
            dlib=dlib[0],
            doubtful_pictures=frozenset(suspects.pictures),
            doubtful_pairs=frozenset(suspects.pairs),
        )
        for fold in tuning.folds
    ]
    each = max(1, request.protocol.households // len(settings))
    with timer.stage("simulate", "Households") as progress:
        result = together(
            [
                simulate_all(
                    setting,
                    of_sizes(
                        replace(request.protocol, households=each, seed=request.protocol.seed + number),
                        request.people_enrolled,
                        request.photos_of_each,
                    ),
                    work.jobs,
                    lambda done, _, before=number * each: progress(before + done, each * len(settings)),  # type: ignore[misc]
                )
                for number, setting in enumerate(settings)
            ]
        )
    judges = [
        Judge(setting.calibration, ladder, size)
        for setting in settings
        for size in range(request.people_enrolled.least, request.people_enrolled.most + 1)
    ]
    resampling = Resampling(len(faces.names))
    with timer.stage("intervals", "Intervals"):
        told: Told = {
            "protocol": "household",
            "model_id": faces.model_id,
            "detector": work.recipe.detector.name,
            "condition": request.condition.name,
            "data": _data(faces, each * len(settings), request, result.looks),
            "tuning": _tuning(tuning),
            "asked": told_promises(result, judges, request.asked, resampling),
            "at_measured_rates": told_at_measured(result, ladder, request.asked, resampling),
            "rank1": told_rank1(result),
            "det": told_det(result, ladder),
            "peers": told_peers(result, faces.model_id, ladder, request.asked, resampling),
            "suspects": _suspects(suspects, request.suspects is not None),
            "skipped_searches_rechecked": {
                "searches": result.rechecked[0],
                "names_given": result.rechecked[1],
            },
        }
    if request.peers and dlib[0] is None and request.condition == CLEAN_VIEW:
        told["peers_left_out"] = {"face_recognition": dlib[1]}
    told["seconds"] = dict(timer.seconds)
    return told


def _without(faces: FaceSet, suspects: Suspects) -> FaceSet:
    """The set without suspicious pictures and without the second person of each suspicious pair."""
    twins = [second for _, second in suspects.pairs]
    keep = ~np.isin(faces.picture, suspects.pictures) & ~np.isin(faces.person, twins)
    if not keep.any():
        raise ImageError("Without the suspects no picture is left: name fewer of them.")
    rows = np.flatnonzero(keep)
    return replace(
        faces,
        person=faces.person[rows],
        picture=faces.picture[rows],
        clean=faces.clean[rows],
        vectors=faces.vectors[rows],
        qualities=tuple(faces.qualities[row] for row in rows),
        view=faces.view[rows],
        area=faces.area[rows],
    )


def _data(faces: FaceSet, households: int, request: HouseholdRequest, looks: int) -> Told:
    protocol = request.protocol
    seen = faces.of_view(request.condition.name)
    pictures = len(faces.files)
    return {
        "folder": request.folder.name,
        "people": len(faces.names),
        "pictures": pictures,
        "pictures_without_a_face": pictures - len(np.unique(faces.picture[faces.clean])),
        "faces_not_usable": int((seen & ~usable(faces)).sum()),
        "faces_good_for_enrolment": int(enrollable(faces).sum()),
        "households": households,
        "subjects": _told_span(request.people_enrolled),
        "photos": _told_span(request.photos_of_each),
        "looks_of_a_visit": looks,
        "looks_asked_for": protocol.looks,
    }


def _told_span(span: Span) -> int | str:
    return span.least if span.least == span.most else str(span)


def _tuning(tuning: Tuning) -> Told:
    return {
        "choice": tuning.choice.value,
        "text": tuning.text,
        "provenance": [dict(fold.calibration.provenance) for fold in tuning.folds],
    }


def _suspects(suspects: Suspects, excluded: bool) -> Told:
    finite = np.isfinite(suspects.alike_from)
    return {
        "excluded": excluded,
        "pairs": len(suspects.pairs),
        "pictures": len(suspects.pictures),
        "list": list(suspects.told),
        "alike_from": round(suspects.alike_from, 3) if finite else None,
        "odd_below": round(suspects.odd_below, 3) if finite else None,
    }


def rates_of(texts: Sequence[str]) -> tuple[float, ...]:
    """``1/1000``, ``1 in 1000`` or ``0.001`` as numbers. Raises ValueError naming the one that is no rate."""
    rates = []
    for text in texts:
        top, _, bottom = text.replace(" in ", "/").partition("/")
        try:
            rate = float(top) / float(bottom) if bottom else float(top)
        except (ValueError, ZeroDivisionError):
            rate = 0.0
        if not 0 < rate < 1:
            raise ValueError(f"{text!r} is no rate: write 1/1000, or a number between 0 and 1.")
        rates.append(rate)
    return tuple(dict.fromkeys(rates))
