"""The searches on which ways of scoring are compared: drawn once, the same for every way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homeface.core.gallery import CENTROID_SHARE
from homeface.core.types import Quality
from homeface.lab.evaluation.faces import FaceSet
from homeface.lab.evaluation.household import usable
from homeface.lab.evaluation.street import Protocol, Scene, Street, cut, padded

MEMBER_PROBES = 10


@dataclass(frozen=True, slots=True, eq=False)
class Home:
    """A household: (S,) people, and (S, P) rows of the face set that are their templates."""

    people: NDArray[np.int64]
    templates: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Searches:
    """Searches of one household: (N, F) rows of the face set, -1 where a visit has fewer looks.

    ``column`` of the right subject, -1 for strangers.
    """

    home: Home
    rows: NDArray[np.int64]
    person: NDArray[np.int64]
    column: NDArray[np.int64]


def drawn(faces: FaceSet, inside: NDArray[np.bool_], protocol: Protocol, kind: str) -> list[Searches]:
    """Every household's searches (``kind``: probe or visit). Raises ImageError for too few people."""
    street = Street(Scene(faces=faces, inside=inside), protocol)
    return list(_searches(street, faces, kind))


def _searches(street: Street, faces: FaceSet, kind: str) -> Iterator[Searches]:
    protocol, draw = street.protocol, street.generator
    for _ in range(protocol.households):
        people = np.sort(draw.choice(street.rich, protocol.subjects, replace=False)).astype(np.int64)
        templates = np.array(
            [draw.choice(street.enrolment[int(p)], protocol.photos, replace=False) for p in people]
        )
        used = faces.picture[templates]
        left = [street.met[int(p)] for p in people]
        left = [draw.permutation(rows[~np.isin(faces.picture[rows], used)]) for rows in left]
        if kind == "probe":
            outside = street.probes[~np.isin(faces.person[street.probes], people)]
            strangers = draw.permutation(outside)[: protocol.stranger_probes, None]
            own = [rows[:MEMBER_PROBES, None] for rows in left]
            rows = np.concatenate([*own, strangers])
        else:
            outside = np.flatnonzero(~np.isin(street.pool_person, people))
            strangers = street.pool_rows[draw.permutation(outside)[: protocol.stranger_visits]]
            visits = [one for rows in left for one in cut(rows, street.looks, street.looks, draw)]
            rows = np.concatenate([padded(visits, street.looks), strangers])
        person = faces.person[rows[:, 0]]
        where = {int(p): column for column, p in enumerate(people)}
        column = np.array([where.get(int(p), -1) for p in person], np.int64)
        yield Searches(Home(people, templates), rows, person, column)


@dataclass(frozen=True, slots=True, eq=False)
class Crowd:
    """What a way of scoring may learn from: clean usable faces of the tuning people.

    ``means`` (M, D) unit mean face of each of the M people.
    """

    vectors: NDArray[np.float32]
    person: NDArray[np.int64]
    rows: NDArray[np.int64]
    means: NDArray[np.float32]


def crowd_of(faces: FaceSet, inside: NDArray[np.bool_]) -> Crowd:
    """The faces of the people inside."""
    rows = np.flatnonzero(usable(faces) & inside & faces.clean)
    person = faces.person[rows]
    return Crowd(faces.vectors[rows], person, rows, mean_faces(faces.vectors[rows], person))


def mean_faces(vectors: NDArray[np.float32], person: NDArray[np.int64]) -> NDArray[np.float32]:
    """(M, D) unit mean face of each person, in the order of their numbers."""
    people, index = np.unique(person, return_inverse=True)
    sums = np.zeros((len(people), vectors.shape[1]))
    np.add.at(sums, index, vectors)
    return unit(sums)


def unit(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    """Rows of length one."""
    norms = np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-9)
    return np.asarray(rows / norms, np.float32)


def looks_mean(faces: FaceSet, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """(N, D) mean face of each search, weighted by quality as a visit's is."""
    if rows.shape[1] == 1:
        return faces.vectors[rows[:, 0]]
    worth = worths(faces.qualities)
    weights = np.where(rows >= 0, worth[rows], 0.0)
    return unit(np.einsum("vf,vfd->vd", weights, faces.vectors[rows]))


def worths(qualities: tuple[Quality, ...]) -> NDArray[np.float64]:
    """What each face weighs in a visit."""
    return np.array([max(0.05, quality.score) for quality in qualities])


def blend(
    templates: NDArray[np.float32],
    probes: NDArray[np.float32],
    weights: NDArray[np.float64] | None = None,
) -> NDArray[np.float32]:
    """Scores (N, S) of probes (N, D) at subjects (S, P, D), as ``Gallery.score_matrix`` has them.

    ``weights`` (S, P) of the templates in the centroid.
    """
    sums = templates.sum(axis=1) if weights is None else np.einsum("sp,spd->sd", weights, templates)
    cosines = np.einsum("nd,spd->nsp", probes, templates, optimize=True)
    mixed = CENTROID_SHARE * probes @ unit(sums).T + (1 - CENTROID_SHARE) * cosines.max(axis=2)
    return np.asarray(mixed, np.float32)
