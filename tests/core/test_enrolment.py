from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeface.core.calibration import Calibration
from homeface.core.enrolment import (
    ACCEPTED,
    DUPLICATE,
    EnrolmentPolicy,
    choose_face,
    examine,
    in_words,
    policy_for_enrolment,
)
from homeface.core.gallery import Gallery, Subject, Template
from homeface.core.types import Box, Detection, Face, Quality, Reason, Vector
from homeface.errors import LooksLikeAnotherError, LowQualityError, NoFaceError, SeveralFacesError

MODEL = "test/1"
POLICY = EnrolmentPolicy()
GOOD = Quality(
    interocular_px=80.0,
    sharpness=0.05,
    yaw=0.0,
    pitch=0.0,
    roll=0.0,
    brightness=120.0,
    contrast=50.0,
    infrared=False,
    score=0.9,
)


def face(side: float, quality: Quality = GOOD) -> Face:
    box = Box(10.0, 10.0, 10.0 + side, 10.0 + side)
    return Face(Detection(box, 0.99, np.zeros((5, 2), np.float32)), quality, np.zeros((8, 8, 3), np.uint8))


def person(number: int, variant: int = 0, noise: float = 0.5) -> Vector:
    """Photos of one person have a cosine near 0.8; of two people near 0."""
    base = np.random.default_rng(number).normal(size=128)
    base /= np.linalg.norm(base)
    other = np.random.default_rng((number, variant, 7)).normal(size=128)
    mixed = base + noise * other / np.linalg.norm(other)
    return (mixed / np.linalg.norm(mixed)).astype(np.float32)


def blend(share: float, one: Vector, other: Vector) -> Vector:
    mixed = share * one + (1 - share) * other
    return (mixed / np.linalg.norm(mixed)).astype(np.float32)


def gallery(**people: list[Vector]) -> Gallery:
    subjects = [Subject(name, name.title()) for name in people]
    templates = [
        Template(f"{name}{index}", name, vector, MODEL)
        for name, vectors in people.items()
        for index, vector in enumerate(vectors)
    ]
    return Gallery(subjects, templates, MODEL)


def keys(
    vectors: list[Vector], known: Gallery, who: str | None, policy: EnrolmentPolicy = POLICY
) -> list[str]:
    return [verdict.key for verdict in examine(vectors, known, who, policy)]


def test_only_so_many_photos_are_kept_of_one_person() -> None:
    known, policy = gallery(mum=[person(1, 1), person(1, 2)], dad=[person(2)] * 5), EnrolmentPolicy(most=4)
    new = [person(1, 3), person(2), person(1, 4), person(1, 5), person(1, 6)]
    assert keys(new, known, "mum", policy) == [
        "accepted",
        "looks_like_another",
        "accepted",
        "enough",
        "enough",
    ]
    assert keys([person(3, 1)], known, None, policy) == ["accepted"]


class TestChooseFace:
    def test_no_face(self) -> None:
        with pytest.raises(NoFaceError, match="No face was found"):
            choose_face([], POLICY)

    def test_one_good_face(self) -> None:
        only = face(100)
        chosen, quality = choose_face([only], POLICY)
        assert chosen is only
        assert quality.usable

    def test_two_faces_of_similar_size(self) -> None:
        with pytest.raises(SeveralFacesError, match="2 faces"):
            choose_face([face(100), face(60)], POLICY)

    def test_one_face_that_dominates(self) -> None:
        large = face(100)
        assert choose_face([face(50), face(20), large], POLICY)[0] is large

    def test_a_doubtful_detection_is_no_rival(self) -> None:
        doubtful = face(100, replace(GOOD, reasons=(Reason.UNSURE_DETECTION,)))
        sure = face(90)
        assert choose_face([doubtful, sure], POLICY)[0] is sure

    def test_only_a_doubtful_detection(self) -> None:
        with pytest.raises(LowQualityError, match="hardly recognisable"):
            choose_face([face(100, replace(GOOD, reasons=(Reason.UNSURE_DETECTION,)))], POLICY)

    @pytest.mark.parametrize(
        ("quality", "word"),
        [
            (replace(GOOD, interocular_px=9.0), "too small"),
            (replace(GOOD, sharpness=0.0), "blurred"),
            (replace(GOOD, yaw=60.0), "turned away"),
            (replace(GOOD, brightness=10.0), "too dark"),
            (replace(GOOD, brightness=250.0), "too bright"),
            (replace(GOOD, contrast=1.0), "contrast"),
        ],
    )
    def test_low_quality_says_what_to_do(self, quality: Quality, word: str) -> None:
        with pytest.raises(LowQualityError, match=word):
            choose_face([face(100, quality)], POLICY)

    def test_the_limits_of_recognition_are_not_enough(self) -> None:
        """Good enough to recognise (no reasons then), not good enough to teach."""
        with pytest.raises(LowQualityError):
            choose_face([face(100, replace(GOOD, interocular_px=20.0))], POLICY)

    def test_every_reason_about_a_face_has_words(self) -> None:
        text = in_words([Reason.TOO_SMALL, Reason.CUT_OFF])
        assert text.startswith("The face is too small")
        assert text.endswith("the whole head in it.")


def test_the_limits_of_another_model_come_from_its_calibration() -> None:
    table = ((0.1, 0.2), (0.01, 0.3), (0.001, 0.4))
    policy = policy_for_enrolment(Calibration("x/1", table, table, support=0.3), allow_lookalikes=True)
    assert policy.agreement == 0.3
    assert 0.3 < policy.another < 0.4
    assert policy.allow_lookalikes


class TestNewPerson:
    empty = gallery()

    def test_one_photo_is_taken(self) -> None:
        assert keys([person(1)], self.empty, None) == [ACCEPTED]

    def test_photos_of_one_person(self) -> None:
        assert keys([person(1, n) for n in range(5)], self.empty, None) == [ACCEPTED] * 5

    def test_the_odd_one_out_of_three(self) -> None:
        photos = [person(1, 1), person(2, 1), person(1, 2)]
        assert keys(photos, self.empty, None) == [ACCEPTED, "outlier", ACCEPTED]

    def test_two_that_differ_are_both_refused(self) -> None:
        verdicts = examine([person(1), person(2)], self.empty, None, POLICY)
        assert [verdict.key for verdict in verdicts] == ["outlier"] * 2
        assert "more photos of the right person" in verdicts[0].message

    def test_two_and_two_are_all_refused(self) -> None:
        photos = [person(1, 1), person(2, 1), person(1, 2), person(2, 2)]
        assert keys(photos, self.empty, None) == ["outlier"] * 4

    def test_three_against_two(self) -> None:
        photos = [person(1, 1), person(2, 1), person(1, 2), person(2, 2), person(1, 3)]
        assert keys(photos, self.empty, None) == [ACCEPTED, "outlier", ACCEPTED, "outlier", ACCEPTED]

    def test_the_same_photo_twice(self) -> None:
        assert keys([person(1, 1), person(1, 1), person(1, 2)], self.empty, None) == [
            ACCEPTED,
            DUPLICATE,
            ACCEPTED,
        ]

    def test_copies_of_a_wrong_photo_do_not_outvote(self) -> None:
        photos = [person(2, 1)] * 5 + [person(1, 1), person(1, 2)]
        assert keys(photos, self.empty, None) == ["outlier"] + [DUPLICATE] * 4 + [ACCEPTED, ACCEPTED]

    def test_somebody_who_is_enrolled_under_another_name(self) -> None:
        known = gallery(mum=[person(1, 1), person(1, 2)])
        (verdict,) = examine([person(1, 3)], known, None, POLICY)
        assert verdict.key == "looks_like_another"
        assert isinstance(verdict.error, LooksLikeAnotherError)
        assert verdict.error.other == "mum"
        assert "Mum" in verdict.message

    def test_lookalikes_may_be_allowed(self) -> None:
        known = gallery(mum=[person(1, 1), person(1, 2)])
        assert keys([person(1, 3)], known, None, EnrolmentPolicy(allow_lookalikes=True)) == [ACCEPTED]


class TestKnownPerson:
    def test_a_good_photo(self) -> None:
        known = gallery(mum=[person(1, 1), person(1, 2)], dad=[person(2, 1)])
        assert keys([person(1, 3)], known, "mum") == [ACCEPTED]

    def test_a_heap_of_somebody_elses_photos(self) -> None:
        """They agree among themselves, which must not help them."""
        known = gallery(mum=[person(1, 1)])
        assert keys([person(3, n) for n in range(4)], known, "mum") == ["outlier"] * 4

    def test_the_same_photo_again(self) -> None:
        known = gallery(mum=[person(1, 1)])
        assert keys([person(1, 1)], known, "mum") == [DUPLICATE]

    def test_a_photo_nearer_to_somebody_else(self) -> None:
        mum, dad = person(1, noise=0.0), person(2, noise=0.0)
        known = gallery(mum=[mum], dad=[dad])
        assert keys([blend(0.35, mum, dad)], known, "mum") == ["looks_like_another"]

    def test_a_photo_near_both_but_nearer_to_the_right_one(self) -> None:
        mum, dad = person(1, noise=0.0), person(2, noise=0.0)
        known = gallery(mum=[mum], dad=[dad])
        assert keys([blend(0.55, mum, dad)], known, "mum") == [ACCEPTED]

    def test_templates_of_another_model_are_not_looked_at(self) -> None:
        known = Gallery([Subject("mum", "Mum")], [Template("a", "mum", person(1), "old/1")], MODEL)
        assert keys([person(2)], known, "mum") == [ACCEPTED]


@given(
    owners=st.lists(st.integers(1, 3), min_size=1, max_size=8),
    order=st.randoms(use_true_random=False),
)
def test_what_is_accepted_does_not_depend_on_order_and_is_one_person(
    owners: list[int], order: object
) -> None:
    photos = [(owner, person(owner, index + 1)) for index, owner in enumerate(owners)]

    def accepted(items: list[tuple[int, Vector]]) -> set[tuple[int, bytes]]:
        verdicts = examine([vector for _, vector in items], gallery(), None, POLICY)
        return {
            (owner, vector.tobytes())
            for (owner, vector), verdict in zip(items, verdicts, strict=True)
            if verdict.accepted
        }

    first = accepted(photos)
    shuffled = list(photos)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert accepted(shuffled) == first
    assert len({owner for owner, _ in first}) <= 1
    most = max(owners.count(owner) for owner in owners)
    assert bool(first) == (2 * most > len(owners))


@given(agreement=st.floats(0.0, 0.95), another=st.floats(0.1, 0.95))
def test_stricter_limits_never_accept_more(agreement: float, another: float) -> None:
    known = gallery(mum=[person(1, 1), person(1, 2)], dad=[person(2, 1)])
    photos = [person(1, 3), person(2, 3), blend(0.5, person(1, 4), person(2, 4)), person(3, 1)]

    def accepted(policy: EnrolmentPolicy) -> set[int]:
        verdicts = examine(photos, known, "mum", policy)
        return {index for index, verdict in enumerate(verdicts) if verdict.accepted}

    loose = accepted(EnrolmentPolicy(agreement=agreement, another=another))
    strict = accepted(EnrolmentPolicy(agreement=agreement + 0.05, another=another - 0.05))
    assert strict <= loose
