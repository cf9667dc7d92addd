"""What a very sure visit may teach, and what no visit may."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeface.core.adaptation import LEAST_LOOKS, STRICTER, Teaching, lesson_of, teaching_from
from homeface.core.calibration import policy_for
from homeface.core.evidence import Evidence
from homeface.core.gallery import Gallery, Subject
from homeface.core.identification import conclude
from homeface.core.types import Embedding, Identified, Lesson, Vector
from tests.core.test_health import CALIBRATION
from tests.core.test_templates import face, family, gallery, template
from tests.fakes.engine import GOOD_QUALITY

RATE = 0.001
POLICY = policy_for(CALIBRATION, RATE, subjects=3)


def teaching(known: Gallery) -> Teaching:
    return teaching_from(known, policy_for(CALIBRATION, RATE / STRICTER, subjects=3), 0.5)


def visit_of(
    person: int, looks: int = LEAST_LOOKS + 2, *, noise: float = 0.55, worth: float = 0.9
) -> Evidence:
    evidence = Evidence()
    for number in range(looks):
        quality = replace(GOOD_QUALITY, score=worth)
        evidence = evidence.add(Embedding(face(person, 500 + number, noise), "m"), quality, float(number))
    return evidence


def lesson(known: Gallery, evidence: Evidence) -> Lesson | None:
    decision = conclude(evidence, known, POLICY)
    return lesson_of(evidence, decision, known, teaching(known), ("visit-1", 1000.0))


FAMILY = gallery(*family())


def test_a_sure_visit_teaches_one_of_its_own_faces() -> None:
    evidence = visit_of(1)
    taught = lesson(FAMILY, evidence)
    assert taught is not None
    assert (taught.subject_id, taught.visit_id, taught.seen_at) == ("p1", "visit-1", 1000.0)
    assert any(np.allclose(taught.embedding.vector, look.vector) for look in evidence.looks)
    assert (taught.quality.score, taught.quality.infrared) == (0.9, False)


@settings(max_examples=40, deadline=None)
@given(person=st.integers(100, 400), noise=st.floats(0.1, 1.0))
def test_a_stranger_teaches_nothing(person: int, noise: float) -> None:
    assert lesson(FAMILY, visit_of(person, noise=noise)) is None


@pytest.mark.parametrize(
    "evidence",
    [visit_of(1, LEAST_LOOKS - 1), visit_of(1, worth=0.6), visit_of(1, noise=2.5), Evidence()],
    ids=["short", "poor", "unsure", "nothing"],
)
def test_a_visit_that_is_not_good_enough_teaches_nothing(evidence: Evidence) -> None:
    assert lesson(FAMILY, evidence) is None


def test_what_is_known_already_is_not_learned_again() -> None:
    known = [replace(template(1, 900 + n), vector=face(1, 500 + n, 0.55), adapted=True) for n in range(8)]
    assert lesson(gallery(*family(), *known), visit_of(1)) is None


def test_few_photos_vouch_for_nothing() -> None:
    assert lesson(gallery(*family(2), template(3, 0), template(3, 1)), visit_of(3)) is None


def test_one_look_at_somebody_else_spoils_the_lesson() -> None:
    evidence = visit_of(1, 10).add(Embedding(face(2, 700, 0.3), "m"), GOOD_QUALITY, 10.0)
    evidence = evidence.add(Embedding(face(1, 701, 0.5), "m"), GOOD_QUALITY, 11.0)
    evidence = evidence.add(Embedding(face(1, 702, 0.5), "m"), GOOD_QUALITY, 12.0)
    assert lesson(FAMILY, evidence) is None


def test_a_gallery_of_another_model_teaches_nothing() -> None:
    evidence = visit_of(1)
    decision = Identified("p1", 0.9, 0.5, evidence.votes)
    other = Gallery([Subject("p1", "p1")], [template(1, n, model_id="o") for n in range(5)], "o")
    assert lesson_of(evidence, decision, FAMILY, teaching(other), ("v", 0.0)) is None


def test_what_was_learned_never_vouches_for_more() -> None:
    """However often a stranger's face got in, it cannot bring in the next one: photos alone decide."""
    photos = family()
    drifted = [template(300, n, owner=1, adapted=True) for n in range(5)]
    known = gallery(*photos, *drifted)
    evidence = visit_of(300)
    named = Identified("p1", 0.9, 0.5, evidence.votes)  # suppose it was
    assert lesson_of(evidence, named, known, teaching(known), ("v", 0.0)) is None


def test_learning_for_a_year_does_not_lead_away() -> None:
    """A face that changes a little every day is followed only as far as the photos agree."""
    photos = [template(person, n) for person in (1, 2, 3) for n in range(6)]
    learned: list[Vector] = []
    for day in range(200):
        share = day / 200
        turned = (1 - share) * face(1, 0, 0.0) + share * face(250, 0, 0.0)
        turned /= np.linalg.norm(turned)
        templates = [
            replace(template(1, 2000 + n), vector=vector, adapted=True)
            for n, vector in enumerate(learned[-5:])
        ]
        known = gallery(*photos, *templates)
        evidence = Evidence()
        for number in range(8):
            error = np.random.default_rng(10 * day + number).normal(size=len(turned))
            raw = turned + 0.4 * error / np.linalg.norm(error)
            vector = (raw / np.linalg.norm(raw)).astype(np.float32)
            evidence = evidence.add(Embedding(vector, "m"), GOOD_QUALITY, float(number))
        taught = lesson(known, evidence)
        if taught is not None:
            learned.append(taught.embedding.vector)
    original = gallery(*photos)
    assert 0 < len(learned) < 200
    for vector in learned:
        scores = original.scores(vector)
        assert scores[0].subject_id == "p1"
        assert scores[0].score >= 0.5
