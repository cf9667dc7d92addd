"""Who is known: subjects, their templates, and one immutable gallery that a probe is compared with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from homeface.core.types import Candidate, Embedding, Vector
from homeface.errors import GalleryError, ModelMismatchError

CENTROID_SHARE = 0.7
"""Share of the centroid in a subject's score, the rest is the nearest template's."""
_CROWD_PRIOR = 4.0
"""The world counts as so many people beside a subject's housemates, all of them unlike the subject."""


@dataclass(frozen=True, slots=True)
class Subject:
    """An enrolled person. ``paused``: known, but not to be recognised for now."""

    subject_id: str
    name: str
    aliases: tuple[str, ...] = ()
    paused: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """One stored embedding of a subject, with its model and capture conditions.

    ``adapted``: learned from a very sure sighting, not from a photo that somebody gave us. Such a template
    may be the nearest one, but never moves the centroid: what was learned must not pull the person along.
    """

    template_id: str
    subject_id: str
    vector: Vector
    model_id: str
    infrared: bool = False
    quality: float = 1.0
    created_at: float = 0.0
    adapted: bool = False


class Gallery:
    """All templates of one model as one matrix. Immutable; independent of the order things came in.

    Templates of another model are never compared: they are left out and listed in ``mismatched``.
    A subject without a usable template stays in ``subjects`` but can never be a candidate.
    """

    def __init__(self, subjects: Iterable[Subject], templates: Iterable[Template], model_id: str) -> None:
        """Raises GalleryError for a template without subject, or vectors that do not fit together."""
        ordered = sorted(subjects, key=lambda subject: subject.subject_id)
        self._subjects = MappingProxyType({subject.subject_id: subject for subject in ordered})
        self.model_id = model_id
        everything = sorted(templates, key=lambda item: (item.subject_id, item.template_id))
        self.mismatched: tuple[Template, ...] = tuple(t for t in everything if t.model_id != model_id)
        self._templates = tuple(t for t in everything if t.model_id == model_id)
        for template in self._templates:
            if template.subject_id not in self._subjects:
                raise GalleryError(
                    f"Template {template.template_id} belongs to {template.subject_id}, "
                    "who is not in the gallery."
                )
        self._matrix = _unit_rows(self._templates)
        owners = [template.subject_id for template in self._templates]
        self._ids = tuple(dict.fromkeys(owners))
        self._starts = np.array([owners.index(subject_id) for subject_id in self._ids], dtype=np.intp)
        self._counts = np.diff(np.append(self._starts, len(owners)))
        self._infrared = frozenset(t.subject_id for t in self._templates if t.infrared)
        anchors = np.array([not template.adapted for template in self._templates], dtype=np.float32)
        self._centroids = _centroids(self._matrix, self._starts, anchors)
        # one block, so that a probe is compared with templates and centroids in one product
        self._compared = np.concatenate([self._matrix, self._centroids])
        for array in (self._matrix, self._starts, self._counts, self._centroids, self._compared):
            array.setflags(write=False)

    @cached_property
    def paused(self) -> frozenset[str]:
        """Ids of those who are compared with, so that nobody else gets their faces, but never named."""
        return frozenset(subject.subject_id for subject in self._subjects.values() if subject.paused)

    @property
    def subjects(self) -> Mapping[str, Subject]:
        """Every enrolled person by id, templates or not."""
        return self._subjects

    @property
    def templates(self) -> tuple[Template, ...]:
        """The templates of this gallery's model, ordered by subject."""
        return self._templates

    @property
    def candidate_ids(self) -> tuple[str, ...]:
        """Subjects who can be named, in the order of the columns of ``score_matrix``."""
        return self._ids

    @property
    def template_counts(self) -> NDArray[np.intp]:
        """Templates per subject, in the order of ``candidate_ids``."""
        return self._counts

    @property
    def matrix(self) -> NDArray[np.float32]:
        """(N, D) unit rows, one per template."""
        return self._matrix

    @property
    def is_empty(self) -> bool:
        """True when nobody can be named."""
        return not self._ids

    def has_infrared(self, subject_id: str) -> bool:
        """True when the subject has a template taken without colour."""
        return subject_id in self._infrared

    @cached_property
    def kinship(self) -> NDArray[np.float32]:
        """(S, S) cosines between the subjects' centroids, in the order of ``candidate_ids``."""
        return np.asarray(self._centroids @ self._centroids.T, dtype=np.float32)

    @cached_property
    def crowding(self) -> NDArray[np.float32]:
        """(S,) how like the others of the gallery each subject is: a mean cosine, drawn towards 0.

        Whoever looks like the housemates (relatives, one age, one origin) is also more like the strangers
        that come to such a house. Few housemates tell little, hence the shrinking.
        """
        others = len(self._ids) - 1
        if others < 1:
            return np.zeros(len(self._ids), dtype=np.float32)
        total = self.kinship.sum(axis=1) - np.diagonal(self.kinship)
        return np.asarray(total / (others + _CROWD_PRIOR), dtype=np.float32)

    @cached_property
    def infrared_known(self) -> NDArray[np.bool_]:
        """(S,) True for subjects with a template taken without colour."""
        return np.array([subject_id in self._infrared for subject_id in self._ids], dtype=bool)

    def name(self, subject_id: str) -> str:
        """The subject's name. Raises GalleryError when there is no such subject."""
        try:
            return self._subjects[subject_id].name
        except KeyError:
            raise GalleryError(f"There is no subject {subject_id} in the gallery.") from None

    def score_matrix(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores of (K, D) unit vectors against every subject: (K, S), columns as ``candidate_ids``.

        A subject's score is a fixed blend of the cosine to the centroid of the templates and the
        cosine to the nearest template: the centroid is steadier, the nearest knows the odd lighting.
        """
        probes = np.atleast_2d(np.asarray(vectors, dtype=np.float32))
        if self.is_empty:
            return np.zeros((len(probes), 0), dtype=np.float32)
        if probes.shape[1] != self._matrix.shape[1]:
            raise ModelMismatchError(
                f"The probe has {probes.shape[1]} numbers, the gallery's model {self.model_id} has "
                f"{self._matrix.shape[1]}: they were made by different models."
            )
        cosines = probes @ self._compared.T
        count = len(self._matrix)
        nearest = np.maximum.reduceat(cosines[:, :count], self._starts, axis=1)
        blend = CENTROID_SHARE * cosines[:, count:] + (1 - CENTROID_SHARE) * nearest
        return np.asarray(blend, dtype=np.float32)

    def scores(self, vector: Vector | Embedding) -> list[Candidate]:
        """All candidates, best first (ties by id). Raises ModelMismatchError for a probe of another model."""
        if isinstance(vector, Embedding):
            self.require_model(vector.model_id)
            vector = vector.vector
        row = self.score_matrix(vector)[0]
        return ranked(self._ids, row)

    def require_model(self, model_id: str) -> None:
        """Raises ModelMismatchError unless ``model_id`` is the model of this gallery."""
        if model_id != self.model_id:
            raise ModelMismatchError(
                f"A probe of model {model_id} cannot be compared with templates of model {self.model_id}. "
                "Make the templates anew with `homeface people reembed`."
            )


def ranked(
    subject_ids: tuple[str, ...], row: NDArray[np.floating], most: int | None = None
) -> list[Candidate]:
    """The first ``most`` candidates (None: all) of one row of scores, best first, ties by subject id."""
    order = np.argsort(-row, kind="stable")[:most].tolist()
    return [Candidate(subject_ids[index], float(row[index])) for index in order]


def _unit_rows(templates: tuple[Template, ...]) -> NDArray[np.float32]:
    if not templates:
        return np.zeros((0, 0), dtype=np.float32)
    sizes = {np.asarray(template.vector).shape for template in templates}
    if len(sizes) != 1:
        raise GalleryError(f"The templates of one model differ in size: {sorted(sizes)}.")
    matrix = np.stack([np.asarray(template.vector, dtype=np.float32) for template in templates])
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    if not (np.isfinite(norms).all() and (norms > 0).all()):
        raise GalleryError("A template is not a vector of finite length: it cannot be compared.")
    return np.ascontiguousarray(matrix / norms)


def _centroids(
    matrix: NDArray[np.float32], starts: NDArray[np.intp], anchors: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Mean directions of the photos' templates; of all templates for who has no photo at all."""
    if not len(starts):
        return np.zeros((0, 0), dtype=np.float32)
    counted = np.add.reduceat(anchors, starts)
    weights = np.where(np.repeat(counted, np.diff(np.append(starts, len(anchors)))) > 0, anchors, 1.0)
    sums = np.add.reduceat(matrix * weights[:, None], starts, axis=0)
    norms = np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-6)
    return np.ascontiguousarray(sums / norms)
