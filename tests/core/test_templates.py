"""Which templates are compared with: several that differ, each light by itself, and nobody else's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeface.core.gallery import Gallery, Subject, Template
from homeface.core.templates import (
    ADAPTED_PER_KIND,
    Kind,
    Limits,
    astray,
    choose,
    chosen_gallery,
    copies,
    fits,
    kind_of,
    left_out_score,
    limits_for,
    odd_ones,
    outliers,
    usual_fit,
)
from homeface.core.types import Vector
from tests.support.people import FAKE_CALIBRATION

LIMITS = Limits(agreement=0.35, another=0.4)
DIMENSION = 48


def face(person: int, number: int, noise: float = 0.8) -> Vector:
    """A unit vector near the person's own direction; two of one person have a cosine of about 0.6."""
    middle = np.random.default_rng(person).normal(size=DIMENSION)
    error = np.random.default_rng(1000 * person + number + 7).normal(size=DIMENSION)
    raw = middle / np.linalg.norm(middle) + noise * error / np.linalg.norm(error)
    return (raw / np.linalg.norm(raw)).astype(np.float32)


def template(person: int, number: int, owner: int | None = None, **options: object) -> Template:
    subject = person if owner is None else owner
    made = Template(f"t{person:03d}-{number:03d}", f"p{subject}", face(person, number), "m")
    return replace(made, **options)  # type: ignore[arg-type]


def gallery(*templates: Template) -> Gallery:
    ids = sorted({item.subject_id for item in templates})
    return Gallery([Subject(subject_id, subject_id) for subject_id in ids], templates, "m")


def rows(*people_and_numbers: tuple[int, int]) -> np.ndarray:
    return np.stack([face(person, number) for person, number in people_and_numbers])


class TestChoice:
    @settings(max_examples=40, deadline=None)
    @given(
        day=st.integers(0, 14), infrared=st.integers(0, 14), bound=st.integers(1, 12), seed=st.integers(0, 99)
    )
    def test_bounds_and_order(self, day: int, infrared: int, bound: int, seed: int) -> None:
        photos = [template(1, n) for n in range(day)] + [
            template(1, 100 + n, infrared=True) for n in range(infrared)
        ]
        chosen = choose(photos, bound)
        assert len([t for t in chosen.used if kind_of(t) is Kind.DAY]) == min(day, bound)
        assert len([t for t in chosen.used if kind_of(t) is Kind.INFRARED]) == min(infrared, bound)
        assert {t.template_id for t in (*chosen.used, *chosen.resting)} == {t.template_id for t in photos}
        shuffled = list(np.random.default_rng(seed).permutation(np.array(photos, dtype=object)))
        again = choose(shuffled, bound)
        assert {t.template_id for t in again.used} == {t.template_id for t in chosen.used}
        alone = choose([t for t in photos if not t.infrared], bound)  # one light does not crowd out the other
        assert {t.template_id for t in alone.used} == {t.template_id for t in chosen.used if not t.infrared}

    def test_what_differs_is_chosen_before_more_of_the_same(self) -> None:
        burst = [
            replace(template(1, n), vector=face(1, 0, 0.8) if n == 0 else near(face(1, 0), n))
            for n in range(20)
        ]
        other_days = [template(1, 100 + n) for n in range(5)]
        used = {item.template_id for item in choose([*burst, *other_days], 6).used}
        assert {item.template_id for item in other_days} <= used

    def test_poor_pictures_give_way(self) -> None:
        photos = [template(1, n, quality=0.2 if n < 5 else 1.0) for n in range(10)]
        used = choose(photos, 5).used
        assert sum(item.quality < 1 for item in used) <= 1

    def test_learned_ones_have_a_bound_of_their_own(self) -> None:
        photos = [template(1, n) for n in range(4)]
        learned = [template(1, 100 + n, adapted=True, created_at=float(n)) for n in range(9)]
        chosen = choose([*photos, *learned], 4)
        assert {t.template_id for t in photos} <= {t.template_id for t in chosen.used}
        kept = [t.created_at for t in chosen.used if t.adapted]
        assert sorted(kept) == [4.0, 5.0, 6.0, 7.0, 8.0][-ADAPTED_PER_KIND:]

    def test_nothing_to_choose_from(self) -> None:
        assert choose([]).used == ()
        assert chosen_gallery(Gallery([], [], "m"), LIMITS).is_empty


def near(vector: Vector, number: int) -> Vector:
    raw = vector + 0.02 * np.random.default_rng(number).normal(size=len(vector))
    return (raw / np.linalg.norm(raw)).astype(np.float32)


class TestOddOnes:
    @settings(max_examples=40, deadline=None)
    @given(count=st.integers(3, 20), where=st.integers(0, 19), person=st.integers(1, 30))
    def test_somebody_else_is_found(self, count: int, where: int, person: int) -> None:
        people = [(person, number) for number in range(count - 1)]
        people.insert(where % count, (person + 500, 0))
        odd = odd_ones(rows(*people), LIMITS.agreement)
        assert list(np.flatnonzero(odd)) == [where % count]

    @settings(max_examples=40, deadline=None)
    @given(count=st.integers(1, 20), person=st.integers(1, 60))
    def test_one_person_has_none(self, count: int, person: int) -> None:
        assert not odd_ones(rows(*[(person, n) for n in range(count)]), 0.2).any()

    def test_without_a_majority_nobody_is_called_odd(self) -> None:
        assert not odd_ones(rows((1, 0), (2, 0)), LIMITS.agreement).any()
        assert not odd_ones(rows((1, 0), (1, 1), (2, 0), (2, 1)), LIMITS.agreement).any()

    def test_a_brother_among_very_similar_photos(self) -> None:
        own = [near(face(1, 0), number) for number in range(8)]
        brother = own[0] + 2.0 * face(2, 0)
        similar = np.stack([*own, (brother / np.linalg.norm(brother)).astype(np.float32)])
        assert float(fits(similar)[-1]) > LIMITS.agreement  # like enough to pass for the person
        assert list(np.flatnonzero(odd_ones(similar, LIMITS.agreement))) == [8]

    def test_infrared_photos_may_differ_from_day_photos(self) -> None:
        def dimmed(number: int) -> Vector:
            raw = face(1, number) + 0.9 * face(77, 0, 0.0)  # what all infra-red pictures have in common
            return (raw / np.linalg.norm(raw)).astype(np.float32)

        both = np.stack([face(1, 0), face(1, 1), face(1, 2), face(1, 3), dimmed(10), dimmed(11), dimmed(12)])
        light = np.array([False] * 4 + [True] * 3)
        assert fits(both, light)[4:].min() > fits(both)[4:].min()
        assert not odd_ones(both, 0.3, light).any()

    def test_few_others_say_nothing_about_what_is_usual(self) -> None:
        assert usual_fit(np.array([0.9, 0.9, 0.9])) == -1.0
        assert 0.4 < usual_fit(np.array([0.9, 0.9, 0.9, 0.9])) < 0.9


class TestOutliers:
    def test_a_wrong_photo_is_told_with_whom_it_shows(self) -> None:
        wrong = template(2, 50, owner=1)
        found = outliers(gallery(*family(), wrong), LIMITS)
        assert [(o.template_id, o.subject_id, o.like) for o in found] == [(wrong.template_id, "p1", "p2")]
        assert found[0].aside
        assert found[0].fit < found[0].needed

    def test_of_two_photos_the_one_that_shows_another_member_is_told(self) -> None:
        wrong = template(2, 50, owner=9)
        found = outliers(gallery(*family(), template(9, 0), wrong), LIMITS)
        assert [(o.template_id, o.like) for o in found] == [(wrong.template_id, "p2")]

    def test_twins_photos_are_told_but_stay_in_use(self) -> None:
        twins = [template(1, n, owner=n % 2 + 1) for n in range(10)]
        both = gallery(*twins)
        found = outliers(both, LIMITS)
        assert found
        assert not any(o.aside for o in found)
        assert len(chosen_gallery(both, LIMITS).templates) == 10

    def test_a_stranger_is_told_without_a_name(self) -> None:
        (found,) = outliers(gallery(*family(), template(300, 0, owner=1)), LIMITS)
        assert found.like is None

    def test_the_wrong_photo_is_not_compared_with(self) -> None:
        wrong = template(2, 50, owner=1)
        everything = gallery(*family(), wrong)
        used = chosen_gallery(everything, LIMITS)
        assert len(used.templates) == len(everything.templates) - 1
        assert used.scores(wrong.vector)[0].subject_id == "p2"

    def test_a_sound_gallery_is_used_as_it_is(self) -> None:
        everything = gallery(*family())
        assert chosen_gallery(everything, LIMITS) is everything

    def test_templates_of_another_model_stay_listed(self) -> None:
        old = template(1, 90, model_id="old")
        everything = gallery(*family(), template(2, 50, owner=1), old)
        assert [t.template_id for t in chosen_gallery(everything, LIMITS).mismatched] == [old.template_id]

    def test_learned_templates_neither_vouch_nor_are_judged(self) -> None:
        learned = [template(2, 60 + n, owner=1, adapted=True) for n in range(5)]
        wrong = template(2, 50, owner=1)
        found = outliers(gallery(*family(), wrong, *learned), LIMITS)
        assert [o.template_id for o in found] == [wrong.template_id]
        everything = gallery(*family(), *learned, template(1, 60, adapted=True))
        assert astray(everything, LIMITS) == {t.template_id for t in learned}
        assert sum(t.adapted for t in chosen_gallery(everything, LIMITS).templates) == 1

    def test_learned_templates_do_not_move_the_middle(self) -> None:
        plain = gallery(*family())
        with_learned = gallery(*family(), template(3, 0, owner=1, adapted=True))
        probe = face(3, 1)
        difference = with_learned.score_matrix(probe) - plain.score_matrix(probe)
        assert 0 < float(difference[0, 0]) < 0.35  # as the nearest template only

    def test_a_score_with_the_photo_itself_left_out(self) -> None:
        everything = gallery(template(1, 0), template(1, 1), template(2, 0))
        assert left_out_score(everything, 0) == pytest.approx(float(face(1, 0) @ face(1, 1)), abs=1e-5)
        assert left_out_score(everything, 2) == 1.0


def family(people: int = 3, photos: int = 6) -> list[Template]:
    return [template(person, n) for person in range(1, people + 1) for n in range(photos)]


def test_one_picture_twice_is_found() -> None:
    again = replace(template(1, 0, owner=2), template_id="again", created_at=5.0)
    ((first, second),) = copies(gallery(*family(), again))
    assert (first.template_id, second.template_id) == ("t001-000", "again")
    assert copies(Gallery([], [], "m")) == ()


def test_limits_come_from_the_models_figures() -> None:
    limits = limits_for(FAKE_CALIBRATION)
    assert limits.agreement == FAKE_CALIBRATION.support
    assert limits.another >= limits.agreement
