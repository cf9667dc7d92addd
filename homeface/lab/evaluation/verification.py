"""``homeface evaluate verify``: pairs of pictures, 1:1, as LFW's ``pairs.txt`` lists them.

Huang et al., "Labeled Faces in the Wild", 2007, image-restricted protocol: the threshold of each fold is the
one that is best on the other folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from homeface.errors import ImageError
from homeface.lab.evaluation.faces import PICTURE_SUFFIXES, FaceSet, Library
from homeface.lab.evaluation.outcome import Told
from homeface.lab.evaluation.running import Timer, Work, embedded, folder_of_people
from homeface.lab.evaluation.views import CLEAN_VIEW

_FMR_TARGETS = (0.01, 0.001)
_NOBODY = -1.0
"""Score of a pair in one of whose pictures no face was found: never one person."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures, whether they show one person, and the fold they belong to."""

    first: Path
    second: Path
    same: bool
    fold: int


def read_pairs(file: Path, folder: Path) -> tuple[list[Pair], int]:
    """The pairs whose pictures are in the folder, and how many are not. Raises ImageError for a broken file.

    The first line holds the number of folds and of pairs of each kind in a fold; then, fold by fold, lines
    ``name number number`` (one person) and ``name number name number`` (two).
    """
    try:
        lines = [line.split() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise ImageError(f"The pairs cannot be read from {file}: {error}.") from error
    header = [part for part in (lines[0] if lines else []) if part.isdigit()]
    if not 1 <= len(header) <= 2 or len(lines[0]) != len(header):
        raise ImageError(f"{file}:1: expected the number of folds and of pairs in each, such as '10 300'.")
    size = 2 * int(header[-1])
    pairs: list[Pair] = []
    lacking = 0
    for number, parts in enumerate(lines[1:]):
        if len(parts) not in (3, 4) or not (parts[1].isdigit() and parts[-1].isdigit()):
            raise ImageError(f"{file}:{number + 2}: expected 'name 1 2' or 'name 1 other 2'.")
        other = parts[0] if len(parts) == 3 else parts[2]
        first, second = _picture(folder, parts[0], parts[1]), _picture(folder, other, parts[-1])
        if first is None or second is None:
            lacking += 1
            continue
        pairs.append(Pair(first, second, len(parts) == 3, number // max(1, size)))
    if len({pair.same for pair in pairs}) < 2:
        raise ImageError(
            f"Of the {len(lines) - 1} pairs in {file} only {len(pairs)} have both pictures in {folder}, "
            "and not of both kinds: name the folder that holds <person>/<person>_0001.jpg."
        )
    return pairs, lacking


def _picture(folder: Path, name: str, number: str) -> Path | None:
    for suffix in (".jpg", *sorted(PICTURE_SUFFIXES - {".jpg"})):
        path = folder / name / f"{name}_{int(number):04d}{suffix}"
        if path.is_file():
            return path
    return None


def evaluate_verification(folder: Path, pairs_file: Path, work: Work) -> list[Told]:
    """Accuracy, FMR and FNMR of each embedder. Raises ImageError with a sentence, and ``ModelError``."""
    folder = folder_of_people(folder)
    pairs, lacking = read_pairs(pairs_file, folder)
    timer = Timer(work)
    pictures = sorted({path for pair in pairs for path in (pair.first, pair.second)})
    books = Library([(path.parent.name, path) for path in pictures], work.recipe, work.cache)
    sets = embedded(books, [CLEAN_VIEW], work, timer)
    return [
        {
            "protocol": "verify",
            "model_id": faces.model_id,
            "detector": work.recipe.detector.name,
            "pairs": len(pairs),
            "pairs_without_pictures": lacking,
            **pairs_told(pairs, faces),
            "seconds": dict(timer.seconds),
        }
        for faces in sets
    ]


def pairs_told(pairs: Sequence[Pair], faces: FaceSet) -> Told:
    """Accuracy, FMR and FNMR of the faces' vectors on the pairs; a picture without a face is nobody."""
    return _accuracy(_scores(pairs, faces), pairs)


def _scores(pairs: Sequence[Pair], faces: FaceSet) -> NDArray[np.float64]:
    row = {faces.files[int(picture)]: index for index, picture in enumerate(faces.picture)}
    scores = np.full(len(pairs), _NOBODY)
    for number, pair in enumerate(pairs):
        if pair.first in row and pair.second in row:
            scores[number] = float(faces.vectors[row[pair.first]] @ faces.vectors[row[pair.second]])
    return scores


def _accuracy(scores: NDArray[np.float64], pairs: Sequence[Pair]) -> Told:
    same = np.array([pair.same for pair in pairs])
    fold = np.array([pair.fold for pair in pairs])
    accuracies, thresholds, fmr, fnmr = [], [], [], []
    numbers = np.unique(fold)
    for number in numbers:
        test = fold == number
        tune = ~test if len(numbers) > 1 else test
        threshold = best_threshold(scores[tune], same[tune])
        said = scores[test] >= threshold
        accuracies.append(float((said == same[test]).mean()))
        thresholds.append(threshold)
        fmr.append(float(said[~same[test]].mean()) if (~same[test]).any() else 0.0)
        fnmr.append(float((~said[same[test]]).mean()) if same[test].any() else 0.0)
    told: Told = {
        "folds": len(numbers),
        "accuracy": round(float(np.mean(accuracies)), 5),
        "accuracy_standard_deviation": round(float(np.std(accuracies)), 5),
        "threshold": round(float(np.mean(thresholds)), 4),
        "fmr": round(float(np.mean(fmr)), 5),
        "fnmr": round(float(np.mean(fnmr)), 5),
        "pairs_without_a_face": int((scores == _NOBODY).sum()),
    }
    if len(numbers) == 1:
        told["note"] = "one fold: the threshold has seen the pairs it is told on"
    impostors = np.sort(scores[~same])[::-1]
    for target in _FMR_TARGETS:
        allowed = int(target * len(impostors))
        if allowed >= 1:
            least = np.nextafter(impostors[allowed], np.inf)
            told[f"fnmr_at_fmr_{target:g}"] = round(float((scores[same] < least).mean()), 5)
    return told


def best_threshold(scores: NDArray[np.float64], same: NDArray[np.bool_]) -> float:
    """The threshold with the most right answers; the middle of the best gap."""
    order = np.argsort(scores, kind="stable")
    ordered, truth = scores[order], same[order]
    # threshold between positions k-1 and k: everything below is "two people"
    right = np.concatenate([[0], np.cumsum(~truth)]) + (truth.sum() - np.concatenate([[0], np.cumsum(truth)]))
    best = int(right.argmax())
    if best == 0:
        return float(ordered[0])
    if best == len(ordered):
        return float(np.nextafter(ordered[-1], np.inf))
    return float((ordered[best - 1] + ordered[best]) / 2)
