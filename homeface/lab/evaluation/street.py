"""Who lives in the street: people who can be enrolled, and the visits that strangers pay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homeface.core.calibration import Calibration
from homeface.core.evidence import Evidence
from homeface.core.gallery import Gallery, Subject, Template
from homeface.core.types import Embedding
from homeface.errors import ImageError
from homeface.lab.evaluation.faces import FaceSet
from homeface.lab.evaluation.household import LOOK_SPACING_SECONDS, enrollable, usable

_VISITS_EACH = 3
_SHORTEST_VISIT, _ENOUGH_PEOPLE = 3, 20


@dataclass(frozen=True, slots=True)
class Protocol:
    """Households: their number and size, enrolment photos, looks of a visit, strangers met by each."""

    households: int = 300
    subjects: int = 4
    photos: int = 5
    looks: int = 5
    stranger_probes: int = 400
    stranger_visits: int = 200
    seed: int = 2


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Scene:
    """Who takes part, and how they are seen.

    ``inside`` marks the faces of the people who take part; ``view``: how members and strangers are met
    (None: in every way there is; enrolment is from clean pictures); ``met``: only these faces of it;
    ``poor_too``: faces that are refused as too poor are met as well.
    """

    faces: FaceSet
    inside: NDArray[np.bool_]
    view: str | None = "clean"
    met: NDArray[np.bool_] | None = None
    poor_too: bool = False


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Setting(Scene):
    """A scene and who judges it.

    ``ladder``: rates along which the core is asked; ``asked``: those of them whose time to a name is told;
    ``peers``: ask their rules too; ``dlib`` (pictures, 128) descriptors, NaN where there are none and
    infinite where dlib found nobody; ``doubtful_pictures`` and ``doubtful_pairs`` (of people) may be labelled
    wrongly: searches that touch them are marked.
    """

    calibration: Calibration
    ladder: tuple[float, ...]
    asked: tuple[float, ...] = ()
    peers: bool = False
    dlib: NDArray[np.float32] | None = None
    doubtful_pictures: frozenset[int] = frozenset()
    doubtful_pairs: frozenset[tuple[int, int]] = frozenset()


class Street:
    """The people of a run: who can be enrolled, whom strangers' visits show."""

    def __init__(self, scene: Scene, protocol: Protocol) -> None:
        """Raises ImageError with a sentence when the folder cannot fill a household."""
        faces = scene.faces
        self.scene, self.protocol = scene, protocol
        self.generator = np.random.default_rng(protocol.seed)
        fine = usable(faces)
        seen = scene.inside.copy() if scene.poor_too else fine & scene.inside
        if scene.met is not None:
            seen &= scene.met
        if scene.view is not None:
            seen &= faces.of_view(scene.view)
        self.probes = np.flatnonzero(seen)
        good = np.flatnonzero(enrollable(faces) & scene.inside)
        self.enrolment = _by_person(faces.person, good)
        self.met = _by_person(faces.person, self.probes)
        self.rich, self.looks = self._who_can_be_enrolled()
        worth = np.array([max(0.05, quality.score) for quality in faces.qualities])
        self.weights = np.where(fine, worth, 1e-9)  # a face that is refused adds nothing
        self.pool_rows, self.pool_person = self._strangers_visits()
        self.pool_means, self.pool_starts = self._prefix_means(self.pool_rows)
        self._evidence: dict[int, list[Evidence]] = {}

    def _who_can_be_enrolled(self) -> tuple[list[int], int]:
        """People with photos to enrol and pictures left, and how many looks a visit of theirs can have."""
        protocol = self.protocol
        picture = self.scene.faces.picture
        left = {}
        for person, rows in self.enrolment.items():
            if len(rows) >= protocol.photos and person in self.met:
                shown = np.unique(picture[self.met[person]])
                both = int(np.isin(shown, picture[rows]).sum())
                left[person] = len(shown) - min(protocol.photos, both)
        for looks in range(protocol.looks, 0, -1):
            rich = [person for person, fresh in left.items() if fresh >= looks]
            if len(rich) >= protocol.subjects:
                break
        else:
            raise ImageError(self._lacking(left))
        strangers = len(self.met) - protocol.subjects
        if strangers < 1:
            raise ImageError(
                f"There are {len(self.met)} people with a usable face, all of whom would be enrolled: "
                "false names need strangers. Add other people's pictures, or ask for fewer --subjects."
            )
        return rich, looks

    def _lacking(self, left: Mapping[int, int]) -> str:
        protocol = self.protocol
        enough = sum(fresh >= 1 for fresh in left.values())
        return (
            f"A household of {protocol.subjects} needs {protocol.subjects} people with "
            f"{protocol.photos + 1} pictures or more ({protocol.photos} to enrol, the others to be met); "
            f"here {enough} of {len(self.met)} people have them, counting only pictures with a usable face. "
            "Add pictures, or ask for fewer --subjects or --photos."
        )

    def _shortest_visit(self) -> int:
        """Strangers' visits with fewer pictures than a full one has count too, as far as they are needed."""
        numbers = np.array([len(rows) for rows in self.met.values()])
        for shortest in range(min(_SHORTEST_VISIT, self.looks), 1, -1):
            if (numbers >= shortest).sum() >= _ENOUGH_PEOPLE:
                return shortest
        return 1

    def _strangers_visits(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        shortest = self._shortest_visit()
        rows: list[NDArray[np.int64]] = []
        person: list[int] = []
        for number, own in self.met.items():
            for visit in cut(own, self.looks, shortest, self.generator):
                rows.append(visit)
                person.append(number)
        return padded(rows, self.looks), np.array(person, np.int64)

    def _prefix_means(self, visits: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
        """(sum of looks, D) mean faces after each look of each visit, and the first row of each visit."""
        vectors = self.scene.faces.vectors
        means, lengths = [], (visits >= 0).sum(axis=1)
        for visit, length in zip(visits, lengths.tolist(), strict=True):
            look = visit[:length]
            sums = np.cumsum(vectors[look] * self.weights[look, None], axis=0)
            means.append(sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-6))
        stacked = np.concatenate(means) if means else np.zeros((0, vectors.shape[1]))
        return stacked.astype(np.float32), np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.intp)

    def prefixes(self, look: NDArray[np.int64], number: int = -1) -> list[Evidence]:
        """The evidence after each look; that of a stranger's visit in the pool is made once."""
        if number >= 0 and number in self._evidence:
            return self._evidence[number]
        faces = self.scene.faces
        evidence = Evidence()
        steps = []
        for position, row in enumerate(look[look >= 0].tolist()):
            face = Embedding(faces.vectors[row], faces.model_id)
            evidence = evidence.add(face, faces.qualities[row], position * LOOK_SPACING_SECONDS)
            steps.append(evidence)
        if number >= 0:
            self._evidence[number] = steps
        return steps


def _by_person(person: NDArray[np.int64], rows: NDArray[np.int64]) -> dict[int, NDArray[np.int64]]:
    order = rows[np.argsort(person[rows], kind="stable")]
    people, starts = np.unique(person[order], return_index=True)
    return {
        int(number): own for number, own in zip(people, np.split(order, starts[1:]), strict=True) if len(own)
    }


def cut(
    rows: NDArray[np.int64], looks: int, shortest: int, generator: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Visits of different pictures out of one person's faces: full ones, or one of what there is."""
    mixed = generator.permutation(rows)
    full = min(_VISITS_EACH, len(rows) // looks)
    for number in range(full):
        yield mixed[number * looks : (number + 1) * looks]
    if not full and len(rows) >= shortest:
        yield mixed


def padded(rows: Sequence[NDArray[np.int64]], looks: int) -> NDArray[np.int64]:
    """(visits, looks) rows, -1 where a visit has fewer."""
    matrix = np.full((len(rows), looks), -1, np.int64)
    for number, visit in enumerate(rows):
        matrix[number, : len(visit)] = visit
    return matrix


def subject_of(person: int) -> str:
    """The subject id of a person's number."""
    return f"{person:06d}"


def gallery_of(faces: FaceSet, rows: NDArray[np.int64]) -> Gallery:
    """These faces as the templates of their people."""
    templates = [
        Template(
            f"{row:09d}",
            subject_of(int(faces.person[row])),
            faces.vectors[row],
            faces.model_id,
            infrared=faces.qualities[row].infrared,
            quality=faces.qualities[row].score,
        )
        for row in rows.tolist()
    ]
    people = np.unique(faces.person[rows]).tolist()
    return Gallery([Subject(subject_of(p), faces.names[p]) for p in people], templates, faces.model_id)
