"""``homeface evaluate fairness``: is a promise kept alike for every group of people?

Every picture is taken for a person of its own (UTKFace, FairFace). Within each group some people are enrolled
with one photo, the others of the group are strangers: people are most easily confused with their like. Beside
it one global threshold on the plain cosine, set to give the same false names over all groups together.
The within-group sum of squares (per picture) and the distances between groups follow the Neuromatch Academy's
tutorial on bias in face recognition: a group whose faces lie close together is the one that is confused.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from homeface.core.gallery import Gallery, Subject, Template
from homeface.core.metrics import Rate, threshold_at, wss
from homeface.core.types import Embedding
from homeface.errors import ImageError
from homeface.lab.evaluation.faces import PICTURE_SUFFIXES, FaceSet, Library
from homeface.lab.evaluation.household import usable
from homeface.lab.evaluation.judging import Judge
from homeface.lab.evaluation.outcome import Told, in_words, told_rate
from homeface.lab.evaluation.running import Timer, Work, embedded, shipped_for
from homeface.lab.evaluation.trials import Resampling, Trials
from homeface.lab.evaluation.tuning import Tune, tuned
from homeface.lab.evaluation.views import CLEAN_VIEW

_UTKFACE = re.compile(r"(?P<age>\d+)_(?P<gender>[01])_(?P<race>[0-4])_\d+")
_GENDERS = ("male", "female")
_RACES = ("White", "Black", "Asian", "Indian", "other")
BY = ("race", "gender", "age", "race-gender")


@dataclass(frozen=True, slots=True)
class FairnessRequest:
    """What to measure. ``labels``: a CSV file with the columns file, age, gender, race (FairFace's)."""

    folder: Path
    by: str = "race"
    labels: Path | None = None
    asked: tuple[float, ...] = (0.1, 0.01, 0.001)
    households: int = 300
    subjects: int = 4
    strangers: int = 60
    least: int = 20
    seed: int = 2


def group_of(age: str, gender: str, race: str, by: str) -> str:
    """The group of one picture; ages in bands."""
    if by == "age":
        years = re.findall(r"\d+", age)
        lowest = int(years[0]) if years else 0
        return next(
            name
            for name, below in (("0-12", 13), ("13-19", 20), ("20-39", 40), ("40-59", 60), ("60+", 10**6))
            if lowest < below
        )
    return {"race": race, "gender": gender, "race-gender": f"{race} {gender}"}[by]


def pictures_by_group(request: FairnessRequest) -> list[tuple[str, Path]]:
    """(group, picture) by file name, by CSV, or by folder. Raises ImageError for a folder of neither kind."""
    folder = request.folder
    if not folder.is_dir():
        raise ImageError(f"There is no folder {folder}.")
    if request.labels is not None:
        return _from_csv(request.labels, folder, request.by)
    found = []
    for path in sorted(folder.iterdir()):
        match = _UTKFACE.match(path.name)
        if match and path.suffix.lower() in PICTURE_SUFFIXES:
            gender, race = _GENDERS[int(match["gender"])], _RACES[int(match["race"])]
            found.append((group_of(match["age"], gender, race, request.by), path))
    if found:
        return sorted(found)
    found = [
        (group.name, path)
        for group in sorted(folder.iterdir())
        if group.is_dir()
        for path in sorted(group.iterdir())
        if path.suffix.lower() in PICTURE_SUFFIXES
    ]
    if not found:
        raise ImageError(
            f"{folder} holds neither pictures named age_gender_race_date (UTKFace) nor folders of pictures, "
            "one a group; with other names give a CSV file: --labels FILE (columns file, age, gender, race)."
        )
    return found


def _from_csv(file: Path, folder: Path, by: str) -> list[tuple[str, Path]]:
    found = []
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                path = folder / row["file"]
                if path.is_file():
                    group = group_of(row.get("age", ""), row.get("gender", ""), row.get("race", ""), by)
                    found.append((group, path))
    except (OSError, UnicodeDecodeError, KeyError, csv.Error) as error:
        raise ImageError(
            f"{file} cannot be used ({error}): wanted is a CSV file with the columns file, age, gender, race."
        ) from error
    if not found:
        raise ImageError(f"None of the files that {file} lists is in {folder}.")
    return sorted(found)


def evaluate_fairness(request: FairnessRequest, work: Work) -> list[Told]:
    """One mapping for each embedder. Raises ImageError with a sentence, and the ``ModelError`` tree."""
    found = pictures_by_group(request)
    timer = Timer(work)
    books = Library(found, work.recipe, work.cache)
    sets = embedded(books, [CLEAN_VIEW], work, timer)
    return [_one(request, work, timer, faces) for faces in sets]


def _one(request: FairnessRequest, work: Work, timer: Timer, faces: FaceSet) -> Told:
    fine = usable(faces)
    groups: dict[str, NDArray[np.int64]] = {}
    small: dict[str, int] = {}
    for number, name in enumerate(faces.names):
        rows = np.flatnonzero(fine & (faces.person == number))
        if len(rows) >= max(request.least, request.subjects + 1):
            groups[name] = rows
        else:
            small[name] = len(rows)
    if len(groups) < 2:
        raise ImageError(
            f"Fewer than two groups have {request.least} pictures with a usable face "
            f"({', '.join(f'{name}: {count}' for name, count in small.items())}): add pictures, or ask for "
            "less with --least."
        )
    tuning = tuned(Tune.SHIPPED, faces, shipped_for(faces.model_id, work.calibrations))
    ladder = tuple(sorted(request.asked, reverse=True))
    judge = Judge(tuning.folds[0].calibration, ladder, request.subjects)
    met: dict[str, tuple[Trials, Trials]] = {}
    with timer.stage("simulate", "Groups") as progress:
        for number, (name, rows) in enumerate(groups.items()):
            met[name] = _meet(request, faces, rows, judge)
            progress(number + 1, len(groups))
    named = request.labels is not None or any(_UTKFACE.match(path.name) for path in faces.files)
    return {
        "protocol": "fairness",
        "model_id": faces.model_id,
        "by": request.by if named else "folder",
        "tuning": {"choice": tuning.choice.value, "text": tuning.text},
        "data": {
            "folder": request.folder.name,
            "pictures": len(faces.files),
            "pictures_without_a_face": faces.missed,
            "groups": {name: len(rows) for name, rows in groups.items()},
            "groups_too_small": small,
            "households_of_each_group": request.households,
            "subjects": request.subjects,
            "photos": 1,
        },
        "asked": [
            _spread(met, step + 1, rate, Resampling(len(faces.vectors))) for step, rate in enumerate(ladder)
        ],
        "within_group_sum_of_squares": {
            name: round(wss(faces.vectors[rows]) / len(rows), 4) for name, rows in groups.items()
        },
        "distances": _distances(faces.vectors, groups),
        "seconds": dict(timer.seconds),
    }


def _meet(
    request: FairnessRequest, faces: FaceSet, rows: NDArray[np.int64], judge: Judge
) -> tuple[Trials, Trials]:
    """Households of one group met by strangers of the same group: by the core, and by the plain cosine."""
    generator = np.random.default_rng(request.seed)
    households, people, own, named, plain, nearest, members = [], [], [], [], [], [], []
    for number in range(request.households):
        drawn = generator.permutation(rows)
        enrolled, others = drawn[: request.subjects], drawn[request.subjects :][: request.strangers]
        gallery = _one_photo_each(faces, enrolled)
        hopeless = judge.hopeless(gallery, faces.vectors[others])
        cosines = faces.vectors[others] @ faces.vectors[enrolled].T
        for position, row in enumerate(others.tolist()):
            steps, whose = 0, -1
            if not hopeless[position]:
                face = Embedding(faces.vectors[row], faces.model_id)
                verdict = judge.picture(face, faces.qualities[row], gallery, None)
                steps, whose = verdict.wrong, int(verdict.named or -1)
            own.append(float(steps) if steps else -np.inf)
            named.append(whose)
        households += [number] * len(others)
        people += others.tolist()
        plain += cosines.max(axis=1).tolist()
        nearest += enrolled[cosines.argmax(axis=1)].tolist()
        members.append(enrolled)
    nobody = np.zeros(len(people), bool)
    never = np.full(len(people), -np.inf)
    common = (np.array(households, np.int64), np.array(people, np.int64), nobody, never)
    family = np.array(members, np.int64)
    return (
        Trials(*common, np.array(own), np.array(named, np.int64), nobody, family),
        Trials(*common, np.array(plain, np.float64), np.array(nearest, np.int64), nobody, family),
    )


def _one_photo_each(faces: FaceSet, rows: NDArray[np.int64]) -> Gallery:
    """Every picture is a person of its own: the subject's id is the row."""
    return Gallery(
        [Subject(f"{row:09d}", f"{row}") for row in rows.tolist()],
        [
            Template(
                f"{row:09d}",
                f"{row:09d}",
                faces.vectors[row],
                faces.model_id,
                infrared=faces.qualities[row].infrared,
                quality=faces.qualities[row].score,
            )
            for row in rows.tolist()
        ],
        faces.model_id,
    )


def _spread(
    met: Mapping[str, tuple[Trials, Trials]], step: float, rate: float, resampling: Resampling
) -> Told:
    """FPIR of each group under one promise, and under a global cosine threshold with as many false names."""
    ours = {name: resampling.fpir(own, step) for name, (own, _) in met.items()}
    total = sum(found.hits for found in ours.values()) / max(1, sum(found.total for found in ours.values()))
    told: Told = {"asked": in_words(rate), "rate": rate, "homeface": _rates(ours)}
    for key, wanted in (("global_threshold_same_total", total), ("global_threshold_at_the_asked_rate", rate)):
        if wanted <= 0:
            continue
        threshold = _common_threshold([plain for _, plain in met.values()], wanted)
        theirs = {name: resampling.fpir(plain, threshold) for name, (_, plain) in met.items()}
        told[key] = {"threshold": round(threshold, 4), **_rates(theirs)}
    return told


def _common_threshold(trials: Sequence[Trials], rate: float) -> float:
    return threshold_at(np.concatenate([part.wrong for part in trials]), rate)


def _rates(found: Mapping[str, Rate]) -> Told:
    values = [rate.value for rate in found.values()]
    hits, total = sum(rate.hits for rate in found.values()), sum(rate.total for rate in found.values())
    return {
        "groups": {name: told_rate(rate) for name, rate in found.items()},
        "total": hits / total if total else None,
        "spread": max(values) - min(values),
        "highest_to_mean": max(values) / np.mean(values) if np.mean(values) > 0 else None,
        "standard_deviation": float(np.std(values)),
    }


def _distances(vectors: NDArray[np.float32], groups: Mapping[str, NDArray[np.int64]]) -> Told:
    """Mean cosine distance of two different pictures, one of each group."""
    names = list(groups)
    matrix = np.zeros((len(names), len(names)))
    for i, first in enumerate(names):
        for j, second in enumerate(names):
            cosines = vectors[groups[first]] @ vectors[groups[second]].T
            count = cosines.size - (len(groups[first]) if i == j else 0)
            total = cosines.sum() - (np.trace(cosines) if i == j else 0.0)
            matrix[i, j] = 1.0 - total / max(1, count)
    return {"groups": names, "mean_cosine_distance": np.round(matrix, 4).tolist()}
