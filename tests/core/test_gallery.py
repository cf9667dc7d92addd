"""The gallery: who can be named, and that order never matters."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeface.core.gallery import Gallery, Subject, Template
from homeface.core.types import Embedding
from homeface.errors import GalleryError, ModelMismatchError

MODEL = "m/1"
DIMENSION = 16


def unit(seed: int) -> np.ndarray:
    vector = np.random.default_rng(seed).normal(size=DIMENSION).astype(np.float32)
    return vector / np.linalg.norm(vector)


def template(number: int, subject: str, model: str = MODEL, **more: object) -> Template:
    return Template(f"t{number}", subject, unit(number), model, **more)  # type: ignore[arg-type]


def gallery(*templates: Template) -> Gallery:
    subjects = [Subject(s, s.upper()) for s in sorted({t.subject_id for t in templates})]
    return Gallery(subjects, templates, MODEL)


def test_an_empty_gallery_names_nobody() -> None:
    empty = Gallery([], [], MODEL)
    assert empty.is_empty
    assert empty.scores(unit(1)) == []
    assert empty.score_matrix(np.zeros((3, 5), np.float32)).shape == (3, 0)


def test_a_subject_without_templates_is_known_but_no_candidate() -> None:
    lonely = Gallery([Subject("a", "Ann")], [], MODEL)
    assert lonely.is_empty
    assert lonely.name("a") == "Ann"
    assert lonely.scores(unit(1)) == []


def test_a_template_scores_one_with_itself() -> None:
    best = gallery(template(1, "a"), template(2, "b")).scores(unit(1))[0]
    assert best.subject_id == "a"
    assert best.score == pytest.approx(1.0, abs=1e-5)


@given(st.permutations(range(9)), st.integers(100, 200))
def test_order_never_matters(order: list[int], probe: int) -> None:
    templates = [template(n, "abc"[n % 3]) for n in range(9)]
    subjects = [Subject(s, s) for s in "abc"]
    shuffled = Gallery(random.Random(probe).sample(subjects, 3), [templates[n] for n in order], MODEL)
    assert shuffled.scores(unit(probe)) == Gallery(subjects, templates, MODEL).scores(unit(probe))


@given(st.integers(0, 50), st.integers(100, 150))
def test_a_template_of_one_subject_changes_no_other_subjects_score(new: int, probe: int) -> None:
    before = gallery(template(60, "a"), template(61, "b"), template(62, "b"))
    after = gallery(template(60, "a"), template(new, "a"), template(61, "b"), template(62, "b"))
    score = {c.subject_id: c.score for c in before.scores(unit(probe))}
    again = {c.subject_id: c.score for c in after.scores(unit(probe))}
    assert again["b"] == pytest.approx(score["b"], abs=1e-6)


@given(st.lists(st.tuples(st.integers(0, 99), st.sampled_from("abc")), min_size=1, max_size=12, unique=True))
def test_scores_are_ranked_cosines(rows: list[tuple[int, str]]) -> None:
    found = gallery(*(template(n, s) for n, s in rows)).scores(unit(500))
    assert [c.score for c in found] == sorted((c.score for c in found), reverse=True)
    assert all(-1.0001 <= c.score <= 1.0001 for c in found)
    assert {c.subject_id for c in found} == {s for _, s in rows}


def test_templates_of_another_model_are_left_out_and_listed() -> None:
    mixed = gallery(template(1, "a"), template(2, "a", "other/1"))
    assert [t.template_id for t in mixed.mismatched] == ["t2"]
    assert [t.template_id for t in mixed.templates] == ["t1"]
    assert mixed.template_counts.tolist() == [1]


def test_a_probe_of_another_model_raises() -> None:
    one = gallery(template(1, "a"))
    with pytest.raises(ModelMismatchError, match="reembed"):
        one.scores(Embedding(unit(1), "other/1"))
    with pytest.raises(ModelMismatchError, match="different models"):
        one.scores(np.ones(DIMENSION + 1, np.float32))
    assert one.scores(Embedding(unit(1), MODEL))[0].subject_id == "a"


def test_templates_are_normalised_and_frozen() -> None:
    long = Template("t", "a", unit(1) * 7, MODEL)
    one = gallery(long)
    assert np.linalg.norm(one.matrix[0]) == pytest.approx(1.0, abs=1e-6)
    with pytest.raises(ValueError, match="read-only"):
        one.matrix[0, 0] = 1
    with pytest.raises(TypeError):
        one.subjects["b"] = Subject("b", "B")  # type: ignore[index]


@pytest.mark.parametrize(
    ("templates", "message"),
    [
        ([Template("t", "stranger", unit(1), MODEL)], "not in the gallery"),
        ([Template("t", "a", np.zeros(4, np.float32), MODEL)], "finite length"),
        ([Template("t", "a", np.full(4, np.nan, np.float32), MODEL)], "finite length"),
        ([template(1, "a"), Template("t2", "a", np.ones(3, np.float32), MODEL)], "differ in size"),
    ],
)
def test_templates_that_cannot_be_compared_are_refused(templates: list[Template], message: str) -> None:
    with pytest.raises(GalleryError, match=message):
        Gallery([Subject("a", "Ann")], templates, MODEL)


def test_names_and_infrared() -> None:
    one = gallery(template(1, "a"), template(2, "b", infrared=True))
    assert one.name("a") == "A"
    assert not one.has_infrared("a")
    assert one.has_infrared("b")
    with pytest.raises(GalleryError, match="no subject"):
        one.name("nobody")
