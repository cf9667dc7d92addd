"""``homeface evaluate embedders``: which network, which cut, mirrored or not, alone or two together?

Every one is told with the same plain rule, so that networks are compared and not their figures: the score of
``Gallery`` (of a visit: of its mean face), thresholds at the asked FPIR taken from the strangers of one half
of the people and told on the other half, and the other way round.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from homeface.core.metrics import threshold_at
from homeface.errors import ImageError
from homeface.lab.evaluation.faces import FaceSet, Sampling, fused
from homeface.lab.evaluation.household import usable
from homeface.lab.evaluation.looking import Eyes, Look, read_picture
from homeface.lab.evaluation.outcome import KINDS, Told, in_words, told_rate
from homeface.lab.evaluation.running import Timer, Work, embedded, library, shipped_for
from homeface.lab.evaluation.street import Protocol, Scene, Street, cut, gallery_of, padded
from homeface.lab.evaluation.trials import Resampling, Trials, joined
from homeface.lab.evaluation.views import CLEAN_VIEW

_TIMED = 48


@dataclass(frozen=True, slots=True)
class AlternativesRequest:
    """What to compare: every look of the recipe, and all plain embedders of it together."""

    folder: Path
    asked: tuple[float, ...] = (0.01, 0.001)
    protocol: Protocol = Protocol(households=200)  # noqa: RUF009 - frozen
    most: int = 15
    pictures: int = 2500


def evaluate_alternatives(request: AlternativesRequest, work: Work) -> Told:
    """One table. Raises ImageError with a sentence, and the ``ModelError`` tree."""
    timer = Timer(work)
    books = library(request.folder, Sampling(least=1, most=request.most), work)
    people = [person for person, _ in books.found]
    counts = {name: people.count(name) for name in dict.fromkeys(people)}
    order = sorted(range(len(people)), key=lambda index: -min(counts[people[index]], 10))
    kept = sorted(order[: request.pictures])
    books = type(books)([books.found[index] for index in kept], work.recipe, work.cache)
    sets = embedded(books, [CLEAN_VIEW], work, timer)
    milliseconds = cost(work, [path for _, path in books.found][:_TIMED])
    entries = list(zip(sets, milliseconds, strict=True))
    single = [
        (faces, ms)
        for (faces, ms), look in zip(entries, work.recipe.looks, strict=True)
        if not look.mirrored and look.spec.template == _usual_template(look)
    ]
    if len(single) > 1:
        together = fused([faces for faces, _ in single])
        entries.append((together, sum(ms for _, ms in single)))
    rows = []
    with timer.stage("simulate", "Embedders") as progress:
        for number, (faces, ms) in enumerate(entries):
            rows.append(
                {
                    "model_id": faces.model_id,
                    "dimension": int(faces.vectors.shape[1]),
                    "cpu_ms_per_face": round(ms, 2),
                    "calibrated": shipped_for(faces.model_id, work.calibrations) is not None,
                    "asked": _told(request, faces),
                }
            )
            progress(number + 1, len(entries))
    return {
        "protocol": "embedders",
        "detector": work.recipe.detector.name,
        "data": {
            "folder": request.folder.name,
            "people": len(sets[0].names),
            "pictures": len(sets[0].files),
            "households": request.protocol.households,
            "subjects": request.protocol.subjects,
            "photos": request.protocol.photos,
        },
        "note": "FNIR at the asked FPIR, thresholds from the strangers of the other half of the people; "
        "milliseconds of processor time for cutting and embedding one face, on one thread.",
        "embedders": rows,
        "seconds": dict(timer.seconds),
    }


def _usual_template(look: Look) -> str:
    from homeface.inference.manifest import MANIFEST

    return next((spec.template for spec in MANIFEST if spec.name == look.spec.name), look.spec.template)


def cost(work: Work, pictures: Sequence[Path]) -> list[float]:
    """Milliseconds of this process's time that each look takes for one face, cut and embedded in batches."""
    result = []
    for look in work.recipe.looks:
        eyes = Eyes.load(replace(work.recipe, looks=(look,), dlib=False))
        images = [image for path in pictures if (image := read_picture(path)) is not None]
        seen = [face for image in images for face in eyes.see(image, [CLEAN_VIEW], "") if face is not None]
        eyes.embed(seen[:8], 0)
        best = float("inf")
        for _ in range(2):
            begun = time.process_time()
            for start in range(0, len(seen), 8):
                eyes.embed(seen[start : start + 8], 0)
            best = min(best, time.process_time() - begun)
        eyes.close()
        result.append(1000 * best / max(1, len(seen)))
    return result


def _told(request: AlternativesRequest, faces: FaceSet) -> list[Told]:
    trials = {kind: [_trials(request, faces, half, kind) for half in (0, 1)] for kind in KINDS}
    resampling = Resampling(len(faces.names))
    told = []
    for rate in request.asked:
        entry: Told = {"asked": in_words(rate), "rate": rate, "fpir": {}, "fnir": {}}
        for kind in KINDS:
            shifted = []
            for half in (0, 1):
                other = trials[kind][1 - half]
                threshold = threshold_at(other.wrong[~other.member], rate)
                part = trials[kind][half]
                shifted.append(replace(part, right=part.right - threshold, wrong=part.wrong - threshold))
            both = joined(shifted)
            entry["fpir"][kind] = told_rate(resampling.fpir(both, 0.0))
            entry["fnir"][kind] = told_rate(resampling.fnir(both, 0.0))
        told.append(entry)
    return told


def _trials(request: AlternativesRequest, faces: FaceSet, half: int, kind: str) -> Trials:
    """Best scores of members and strangers of one half of the people."""
    protocol = replace(request.protocol, households=max(1, request.protocol.households // 2))
    try:
        street = _Plain(Scene(faces=faces, inside=faces.part(half)), protocol)
    except ImageError as error:
        raise ImageError(f"Half of these people are too few: {error}") from error
    return street.trials(kind)


class _Plain(Street):
    """A street in which the plain score decides."""

    def trials(self, kind: str) -> Trials:
        """Searches of one kind, scored by the gallery."""
        faces, protocol = self.scene.faces, self.protocol
        fine = usable(faces)
        parts: list[tuple[NDArray[np.generic], ...]] = []
        members = []
        for number in range(protocol.households):
            drawn = self.generator.choice(self.rich, protocol.subjects, replace=False)
            family = np.sort(drawn).astype(np.int64)
            rows = np.concatenate(
                [
                    self.generator.choice(self.enrolment[int(p)], protocol.photos, replace=False)
                    for p in family
                ]
            )
            gallery = gallery_of(faces, rows)
            fresh = fine & ~np.isin(faces.picture, faces.picture[rows])
            looks = self._searches(kind, family, fresh)
            person = faces.person[looks[:, 0]]
            scores = gallery.score_matrix(self._means(looks))
            column = np.array([int(np.searchsorted(family, p)) for p in person])
            member = np.isin(person, family)
            best = scores.argmax(axis=1)
            right = member & (best == column)
            top = scores.max(axis=1).astype(np.float64)
            parts.append(
                (
                    np.full(len(person), number),
                    person,
                    member,
                    np.where(right, top, -np.inf),
                    np.where(right, -np.inf, top),
                    family[best],
                )
            )
            members.append(family)
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        return Trials(
            columns[0].astype(np.int64),
            columns[1].astype(np.int64),
            columns[2].astype(bool),
            columns[3].astype(np.float64),
            columns[4].astype(np.float64),
            columns[5].astype(np.int64),
            np.zeros(len(columns[0]), bool),
            np.array(members, np.int64),
        )

    def _searches(self, kind: str, family: NDArray[np.int64], fresh: NDArray[np.bool_]) -> NDArray[np.int64]:
        person = self.scene.faces.person
        if kind == "probe":
            rows = self.probes[fresh[self.probes]]
            outside = ~np.isin(person[rows], family)
            strangers = self.generator.permutation(rows[outside])[: self.protocol.stranger_probes]
            return np.concatenate([rows[~outside], strangers])[:, None]
        numbers = np.flatnonzero(~np.isin(self.pool_person, family))
        left = [self.met[int(p)][fresh[self.met[int(p)]]] for p in family]
        own = [visit for rows in left for visit in cut(rows, self.looks, self.looks, self.generator)]
        return np.concatenate([padded(own, self.looks), self.pool_rows[numbers]])

    def _means(self, looks: NDArray[np.int64]) -> NDArray[np.float32]:
        weights = np.where(looks >= 0, self.weights[looks], 0.0)
        sums = np.einsum("vf,vfd->vd", weights, self.scene.faces.vectors[looks])
        return np.asarray(sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9), np.float32)
