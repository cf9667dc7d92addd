"""The gallery as a picture: principal components, distances between templates, spread of each person.

Numbers only; who draws them is somebody else's business (``homeface people report``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homeface.core.gallery import Gallery
from homeface.core.metrics import wss

_MOST_COMPONENTS = 8
_SHRINKAGE = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class GalleryMap:
    """Templates in the order of ``gallery.templates``, by person.

    ``points`` (N, 2) first principal components of the unit vectors; ``explained`` (2,) share of the
    variance each one carries. ``distances`` (N, N) cosine distances, 0 to 2. ``mahalanobis`` (N,) distance of
    each template from its person's mean, in pooled within-person scatters (``_mahalanobis``). ``spread`` (S,)
    within-group sum of squares per template of each of ``gallery.candidate_ids``.
    """

    points: NDArray[np.float64]
    explained: NDArray[np.float64]
    distances: NDArray[np.float64]
    mahalanobis: NDArray[np.float64]
    spread: NDArray[np.float64]


def map_of(gallery: Gallery) -> GalleryMap:
    """The map of a gallery; of an empty one, everything is empty."""
    rows = gallery.matrix.astype(np.float64)
    owners = np.array([gallery.candidate_ids.index(t.subject_id) for t in gallery.templates], dtype=np.intp)
    if not len(rows):
        return GalleryMap(np.zeros((0, 2)), np.zeros(2), np.zeros((0, 0)), np.zeros(0), np.zeros(0))
    components, explained = principal_components(rows)
    points = np.zeros((len(rows), 2))
    points[:, : min(2, components.shape[1])] = components[:, :2]
    first_two = np.zeros(2)
    first_two[: min(2, len(explained))] = explained[:2]
    return GalleryMap(
        points=points,
        explained=first_two,
        distances=np.clip(1.0 - rows @ rows.T, 0.0, 2.0),
        mahalanobis=_mahalanobis(components[:, :_MOST_COMPONENTS], owners),
        spread=np.array([wss(rows[owners == s]) / (owners == s).sum() for s in range(owners.max() + 1)]),
    )


def principal_components(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N, K) coordinates along the principal axes of (N, D) rows, and the K shares of the variance.

    Signs are fixed (each axis' largest coordinate is positive), so that a picture looks the same each time.
    """
    centred = rows - rows.mean(axis=0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    kept = sizes > 1e-9 * max(1e-12, float(sizes.max(initial=0.0)))
    coordinates = left[:, kept] * sizes[kept]
    if not coordinates.shape[1]:
        return np.zeros((len(rows), 0)), np.zeros(0)
    largest = np.abs(coordinates).argmax(axis=0)
    coordinates = coordinates * np.sign(coordinates[largest, np.arange(coordinates.shape[1])])
    variance = sizes[kept] ** 2
    return coordinates, variance / variance.sum()


def _mahalanobis(points: NDArray[np.float64], owners: NDArray[np.intp]) -> NDArray[np.float64]:
    """(N,) √((x − μ)ᵀ W⁻¹ (x − μ)) to the own person's mean μ (Mahalanobis 1936).

    W: the within-person covariance pooled over everybody, a fifth of it drawn towards its mean variance,
    since a household has few photos. 0 where nobody has two photos.
    """
    deviation = points.copy()
    for owner in np.unique(owners):
        deviation[owners == owner] -= points[owners == owner].mean(axis=0)
    freedom = len(points) - len(np.unique(owners))
    if freedom < 1 or not points.shape[1]:
        return np.zeros(len(points))
    within = deviation.T @ deviation / freedom
    size = len(within)
    level = float(np.trace(within)) / size
    if level <= 0:
        return np.zeros(len(points))
    drawn = (1 - _SHRINKAGE) * within + _SHRINKAGE * level * np.eye(size)
    squares = (deviation * np.linalg.solve(drawn, deviation.T).T).sum(axis=1)
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)))
