"""Which faces of an unknown visit to keep, and which visits are one person's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeface.core.types import Box, Embedding, KeptFace, Vector
from homeface.core.unknown_visits import (
    FACES_PER_VISIT,
    LikenessScale,
    VisitLikeness,
    grouped,
    keeps,
    mean_of,
    with_face,
)
from tests.fakes.engine import GOOD_QUALITY, MODEL_ID, landmarks_of, person_vector

SCALE = LikenessScale(0.5)
_BOX = Box(10, 10, 40, 50)


def face(person: int, variant: int, score: float, at: float = 0.0, noise: float = 0.6) -> KeptFace:
    picture = np.zeros((60, 60, 3), np.uint8)
    quality = replace(GOOD_QUALITY, score=score)
    embedding = Embedding(person_vector(person, variant, noise), MODEL_ID)
    return KeptFace(picture, _BOX, landmarks_of(_BOX), quality, embedding, at)


def visit(name: str, person: int | None, at: float = 0.0, camera: str = "hall") -> VisitLikeness:
    seen = None if person is None else person_vector(person, sum(name.encode()) + 1, noise=0.5)
    return VisitLikeness(name, camera, at, at + 10.0, seen)


class TestKeeping:
    def test_the_best_few_the_best_first(self) -> None:
        kept: tuple[KeptFace, ...] = ()
        for number, score in enumerate((0.3, 0.9, 0.5, 0.7, 0.2, 0.8)):
            kept = with_face(kept, face(1, number + 1, score))
        assert [one.quality.score for one in kept] == [0.9, 0.8, 0.7, 0.5]

    def test_of_two_that_show_the_same_the_better_one(self) -> None:
        kept = with_face((), face(1, 1, 0.5))
        assert not keeps(kept, face(1, 1, 0.4).embedding, face(1, 1, 0.4).quality)
        kept = with_face(kept, face(1, 1, 0.6))
        assert [one.quality.score for one in kept] == [0.6]

    @given(st.lists(st.tuples(st.integers(1, 8), st.sampled_from([0.2, 0.4, 0.6, 0.8])), max_size=20))
    def test_never_more_than_bounded_and_never_worse(self, shown: list[tuple[int, float]]) -> None:
        kept: tuple[KeptFace, ...] = ()
        for variant, score in shown:
            one = face(1, variant, score)
            wanted = keeps(kept, one.embedding, one.quality)
            after = with_face(kept, one)
            assert (one in after) == wanted
            kept = after
        assert len(kept) <= FACES_PER_VISIT
        assert max((one.quality.score for one in kept), default=0) == max((s for _, s in shown), default=0)
        assert len(kept) == min(FACES_PER_VISIT, len({variant for variant, _ in shown}))


class TestGrouping:
    def test_by_person_newest_first(self) -> None:
        visits = [visit("a1", 1, 0), visit("b1", 2, 20), visit("a2", 1, 40), visit("none", None, 30)]
        assert grouped(visits, SCALE) == (("a2", "a1"), ("none",), ("b1",))

    def test_nothing_gives_nothing(self) -> None:
        assert grouped([], SCALE) == ()

    def test_two_whom_one_camera_saw_at_once_are_two(self) -> None:
        twins = [visit("a", 1, 0), visit("b", 1, 2)]
        assert len(grouped(twins, SCALE)) == 2
        assert len(grouped([twins[0], replace(twins[1], camera="yard")], SCALE)) == 1
        third = visit("c", 1, 50)
        assert {len(group) for group in grouped([*twins, third], SCALE)} == {1, 2}

    def test_one_odd_visit_does_not_chain_two_people(self) -> None:
        a, b = person_vector(1), person_vector(2)
        between = ((a + b) / np.linalg.norm(a + b)).astype(np.float32)
        visits = [VisitLikeness(f"a{n}", "x", 20.0 * n, 20.0 * n + 1, a) for n in range(3)]
        visits += [VisitLikeness(f"b{n}", "x", 20.0 * n + 10, 20.0 * n + 11, b) for n in range(3)]
        visits.append(VisitLikeness("between", "x", 500.0, 501.0, between))
        groups = grouped(visits, SCALE)
        assert not any({"a0", "b0"} <= set(group) for group in groups)

    def test_the_mean_of_a_visit(self) -> None:
        assert mean_of([]) is None
        mean = mean_of([(person_vector(1, 1), 0.9), (person_vector(1, 2), 0.1)])
        assert mean is not None
        assert float(mean @ person_vector(1, 1)) > float(mean @ person_vector(1, 2))


_PEOPLE = st.lists(
    st.tuples(st.integers(1, 4) | st.none(), st.integers(0, 30), st.sampled_from(["hall", "yard"])),
    max_size=14,
)


def _visits(people: list[tuple[int | None, int, str]]) -> list[VisitLikeness]:
    return [
        VisitLikeness(f"v{n}", camera, 5.0 * at, 5.0 * at + 8.0, _vector(person, n))
        for n, (person, at, camera) in enumerate(people)
    ]


def _vector(person: int | None, number: int) -> Vector | None:
    return None if person is None else person_vector(person, number + 1, noise=0.9)


@given(_PEOPLE, st.randoms(use_true_random=False))
def test_every_visit_once_whatever_the_order(
    people: list[tuple[int | None, int, str]], random: object
) -> None:
    visits = _visits(people)
    groups = grouped(visits, SCALE)
    assert sorted(name for group in groups for name in group) == sorted(v.visit_id for v in visits)
    shuffled = list(visits)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert grouped(shuffled, SCALE) == groups


@given(_PEOPLE, st.floats(-0.2, 1.0), st.floats(0.0, 0.5))
def test_a_higher_threshold_only_divides(
    people: list[tuple[int | None, int, str]], threshold: float, more: float
) -> None:
    visits = _visits(people)
    coarse = grouped(visits, LikenessScale(threshold))
    fine = grouped(visits, LikenessScale(threshold + more))
    owner = {name: number for number, group in enumerate(coarse) for name in group}
    assert all(len({owner[name] for name in group}) == 1 for group in fine)


@pytest.mark.parametrize("threshold", [-1.0, 0.5, 2.0])
def test_without_faces_nobody_is_like_anybody(threshold: float) -> None:
    visits = [visit(f"v{n}", None, 20.0 * n) for n in range(4)]
    assert [len(group) for group in grouped(visits, LikenessScale(threshold))] == [1, 1, 1, 1]
