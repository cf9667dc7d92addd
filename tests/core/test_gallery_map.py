"""The gallery as numbers to draw."""

from __future__ import annotations

import numpy as np
import pytest

from homeface.core.gallery import Gallery
from homeface.core.gallery_map import map_of, principal_components
from homeface.core.metrics import wss
from tests.core.test_templates import family, gallery, template


def test_a_familys_map() -> None:
    people = gallery(*family())
    mapped = map_of(people)
    assert mapped.points.shape == (18, 2)
    assert 0 < mapped.explained[1] <= mapped.explained[0] < 1
    assert np.allclose(mapped.distances, mapped.distances.T, atol=1e-6)
    assert np.allclose(np.diag(mapped.distances), 0, atol=1e-6)
    assert mapped.distances.max() <= 2
    assert mapped.spread[0] == pytest.approx(wss(people.matrix[:6]) / 6)


def test_components_are_those_of_the_covariance() -> None:
    rows = np.random.default_rng(1).normal(size=(30, 6)) * [5, 3, 1, 1, 1, 1]
    coordinates, explained = principal_components(rows)
    values = np.linalg.eigvalsh(np.cov(rows.T))[::-1]
    assert np.allclose(explained, values / values.sum())
    assert np.allclose(coordinates.var(axis=0, ddof=1), values)
    again, _ = principal_components(-rows)
    assert np.allclose(np.abs(again), np.abs(coordinates))


def test_what_does_not_fit_is_far_from_its_person() -> None:
    people = gallery(*family(), template(300, 0, owner=1))
    mapped = map_of(people)
    wrong = [t.template_id for t in people.templates].index("t300-000")
    assert mapped.mahalanobis.argmax() == wrong


@pytest.mark.parametrize("photos", [0, 1, 2])
def test_hardly_anything_to_draw(photos: int) -> None:
    mapped = map_of(gallery(*[template(1, n) for n in range(photos)]) if photos else Gallery([], [], "m"))
    assert mapped.points.shape == (photos, 2)
    assert np.isfinite(mapped.points).all()
    assert np.isfinite(mapped.mahalanobis).all()
    assert len(mapped.mahalanobis) == photos
