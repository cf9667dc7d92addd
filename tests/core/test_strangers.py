"""A score is told against what the same face scores with strangers."""

from __future__ import annotations

import numpy as np
import pytest

from homeface.core.strangers import Strangers, strangers_as_json, strangers_from, strangers_of

DIMENSION = 16


def crowd(people: int = 400, pictures: int = 2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """People who differ far more along the first axes than along the last, and share a direction."""
    generator = np.random.default_rng(seed)
    scale = np.linspace(2.0, 0.2, DIMENSION)
    person = np.repeat(np.arange(people), pictures)
    faces = generator.normal(size=(people, DIMENSION))[person] * scale + 0.5
    faces += 0.2 * generator.normal(size=faces.shape)
    return (faces / np.linalg.norm(faces, axis=1, keepdims=True)).astype(np.float32), person


def test_strangers_reach_a_score_equally_often_whatever_the_face() -> None:
    vectors, person = crowd()
    strangers = strangers_of(vectors, person)
    others, _ = crowd(seed=1)
    probes = np.eye(DIMENSION, dtype=np.float32)[[0, DIMENSION - 1]]  # like everybody, like nobody
    bare = (probes @ others.T).astype(np.float32)
    told = strangers.comparable(bare, probes)
    assert bare[0].std() > 3 * bare[1].std()
    assert told[0].std() == pytest.approx(told[1].std(), rel=0.15)
    assert told.mean(axis=1) == pytest.approx(strangers.level, abs=0.05)


def test_the_scale_is_that_of_the_cosine() -> None:
    vectors, person = crowd()
    strangers = strangers_of(vectors, person)
    cosines = vectors[:50] @ vectors[200:].T
    told = strangers.comparable(cosines, vectors[:50])
    assert told.mean() == pytest.approx(cosines.mean(), abs=0.02)
    assert told.std() == pytest.approx(cosines.std(), rel=0.2)


def test_the_order_of_candidates_never_changes() -> None:
    vectors, person = crowd()
    scores = vectors[:20] @ vectors[100:130].T
    told = strangers_of(vectors, person).comparable(scores, vectors[:20])
    assert (told.argsort(axis=1) == scores.argsort(axis=1)).all()


def test_somebody_with_many_pictures_counts_once() -> None:
    vectors, person = crowd()
    much = np.repeat(vectors[:1], 500, axis=0)
    once, often = (
        strangers_of(vectors, person),
        strangers_of(np.concatenate([vectors, much]), np.append(person, np.zeros(500, np.int64))),
    )
    assert np.abs(once.mean - often.mean).max() < 2e-3


def test_json_form() -> None:
    strangers = strangers_of(*crowd(), directions=4)
    data = strangers_as_json(strangers)
    again = strangers_from(data)
    assert isinstance(again, Strangers)
    assert again.factors.shape == (4, DIMENSION)
    probes = np.eye(DIMENSION, dtype=np.float32)
    assert np.array_equal(strangers.comparable(probes, probes), again.comparable(probes, probes))


@pytest.mark.parametrize(
    "change", [{"mean": ""}, {"factors": "AAA="}, {"rest": 0.0}, {"spread": -1.0}, {"mean": "AH4="}]
)
def test_damaged_figures_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"fit together|finite|padding|base64"):
        strangers_from(strangers_as_json(strangers_of(*crowd(50))) | change)
