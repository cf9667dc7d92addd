"""A wrong name is the worst answer: what a visit needs before it gets one."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeface.core.evidence import INSTANT_SECONDS, MAX_LOOKS, REPEATED_SHARE, Evidence
from homeface.core.gallery import Gallery, Subject, Template
from homeface.core.identification import (
    Policy,
    conclude,
    decide,
    identify_one,
    margin_between,
    subject_extras,
)
from homeface.core.types import (
    Decision,
    Embedding,
    Identified,
    Quality,
    Reason,
    Undecided,
    Unknown,
)
from homeface.errors import ModelMismatchError

MODEL = "m/1"
DIMENSION = 32
GOOD = Quality(40, 0.05, 0, 0, 0, 120, 40, False, 1.0)
POLICY = Policy(threshold=0.6, single_threshold=0.75, support=0.35, margin=0.08)


def axis(number: int) -> np.ndarray:
    """The face of person ``number``: all people are orthogonal."""
    return np.eye(DIMENSION, dtype=np.float32)[number]


def seen(person: int, cosine: float = 0.85, noise: int = 0) -> Embedding:
    """A look at a person: ``cosine`` like the person's face, the rest in a direction of its own."""
    vector = cosine * axis(person) + np.sqrt(1 - cosine**2) * axis(10 + noise % 20)
    return Embedding(vector.astype(np.float32), MODEL)


def family(count: int = 2, templates: int = 1) -> Gallery:
    people = range(count)
    return Gallery(
        [Subject(f"s{p}", f"Person {p}") for p in people],
        [Template(f"t{p}-{t}", f"s{p}", axis(p), MODEL) for p in people for t in range(templates)],
        MODEL,
    )


def walk(*looks: Embedding, spacing: float = 0.5, quality: Quality = GOOD) -> Evidence:
    evidence = Evidence()
    for number, look in enumerate(looks):
        evidence = evidence.add(look, quality, 1000.0 + number * spacing)
    return evidence


def person(number: int, count: int, cosine: float = 0.85) -> list[Embedding]:
    return [seen(number, cosine, noise) for noise in range(count)]


def name_of(decision: Decision) -> str | None:
    return decision.subject_id if isinstance(decision, Identified) else None


def test_a_member_is_named_after_three_looks() -> None:
    decision = decide(walk(*person(0, 3)), family(), POLICY)
    assert isinstance(decision, Identified)
    assert decision.subject_id == "s0"
    assert decision.votes == 3
    assert decision.score > 0.85  # the mean face is better than each look
    assert decision.margin > 0.8
    assert [c.subject_id for c in decision.candidates] == ["s0", "s1"]


def test_a_stranger_is_undecided_first_and_then_unknown() -> None:
    for looks, kind in ((1, Undecided), (4, Undecided), (5, Unknown), (12, Unknown)):
        decision = decide(walk(*person(7, looks)), family(), POLICY)
        assert type(decision) is kind, looks
        assert Reason.BELOW_THRESHOLD in decision.reasons
        assert decision.votes == looks


def test_one_look_names_only_far_above_the_threshold() -> None:
    assert name_of(decide(walk(seen(0, 0.95)), family(), POLICY)) == "s0"
    decision = decide(walk(seen(0, 0.70)), family(), POLICY)
    assert isinstance(decision, Undecided)
    assert Reason.TOO_FEW_FACES in decision.reasons
    never = replace(POLICY, single_threshold=None)
    assert name_of(decide(walk(seen(0, 0.99)), family(), never)) is None
    assert conclude(walk(seen(0, 0.99)), family(), never).reasons == (Reason.TOO_FEW_FACES,)  # type: ignore[union-attr]


def test_faces_of_one_instant_are_one_look() -> None:
    burst = walk(*person(0, 4), spacing=INSTANT_SECONDS / 5)
    assert burst.votes == 1
    assert burst.usable_faces == 4
    spaced = walk(*person(0, 4), spacing=INSTANT_SECONDS * 1.5)
    assert spaced.votes == 4
    burst_score = decide(burst, family(), POLICY).candidates[0].score
    assert burst_score > 0.85  # pooled, not thrown away


def test_two_alike_subjects_are_not_told_apart_by_guessing() -> None:
    twins = Gallery(
        [Subject("a", "A"), Subject("b", "B")],
        [
            Template("1", "a", axis(0), MODEL),
            Template("2", "b", (axis(0) + 0.2 * axis(1)).astype(np.float32), MODEL),
        ],
        MODEL,
    )
    decision = decide(walk(*person(0, 6)), twins, POLICY)
    assert isinstance(decision, Unknown)
    assert decision.reasons == (Reason.RUNNER_UP_TOO_CLOSE,)


def test_a_paused_person_is_a_stranger_and_never_the_sibling() -> None:
    berta = 0.7 * axis(0) + np.sqrt(1 - 0.7**2) * axis(1)
    templates = [Template("a", "anna", axis(0), MODEL), Template("b", "berta", berta, MODEL)]
    for paused in (False, True):
        people = [Subject("anna", "Anna"), Subject("berta", "Berta", paused=paused)]
        gallery = Gallery(people, templates, MODEL)
        faces = [0.92 * berta + np.sqrt(1 - 0.92**2) * axis(10 + number) for number in range(6)]
        visit = walk(*(Embedding(face.astype(np.float32), MODEL) for face in faces))
        alone = identify_one(Embedding(berta, MODEL), GOOD, gallery, POLICY)
        for decision in (decide(visit, gallery, POLICY), conclude(visit, gallery, POLICY), alone):
            assert name_of(decision) == (None if paused else "berta")
            if paused:
                assert isinstance(decision, Unknown)
                assert decision.reasons == (Reason.BELOW_THRESHOLD,)
                assert [one.subject_id for one in decision.candidates] == ["anna"]
        assert name_of(decide(walk(*person(0, 4)), gallery, POLICY)) == "anna"


def test_an_id_switch_revokes_the_name() -> None:
    """The tracker's id moves from a member to a stranger: the name must go within two looks."""
    looks = person(0, 12)
    assert name_of(decide(walk(*looks), family(), POLICY)) == "s0"
    switched = decide(walk(*looks, *person(7, 2)), family(), POLICY)
    assert isinstance(switched, Unknown)
    assert Reason.FACES_DISAGREE in switched.reasons


def test_an_id_switch_between_members_names_neither_and_then_the_new_one() -> None:
    for second in range(2, 6):
        decision = decide(walk(*person(0, 6), *person(1, second)), family(), POLICY)
        assert name_of(decision) is None, second
        assert Reason.FACES_DISAGREE in decision.reasons  # type: ignore[union-attr]
    stayed = decide(walk(*person(0, 6), *person(1, MAX_LOOKS)), family(), POLICY)
    assert name_of(stayed) == "s1"


@given(st.lists(st.sampled_from([0, 1]), min_size=4, max_size=14))
def test_mixed_looks_are_never_named(people: list[int]) -> None:
    """Whatever the order, a track of two members with a quarter of the looks each gets no name."""
    share = sum(people) / len(people)
    if 0.25 <= share <= 0.75:
        looks = [seen(p, 0.85, n) for n, p in enumerate(people)]
        assert name_of(decide(walk(*looks), family(), POLICY)) is None
        assert name_of(conclude(walk(*looks), family(), POLICY)) is None


def test_one_bad_look_does_not_cost_the_name() -> None:
    looks = person(0, 6)
    looks[3] = seen(7)
    assert name_of(decide(walk(*looks), family(), POLICY)) == "s0"


def test_unknown_is_revised_when_better_looks_come() -> None:
    far = person(0, 5, 0.3)
    assert isinstance(decide(walk(*far), family(), POLICY), Unknown)
    assert name_of(decide(walk(*far, *person(0, 14, 0.9)), family(), POLICY)) == "s0"


def test_poor_faces_tell_why_and_never_vote() -> None:
    poor = replace(GOOD, reasons=(Reason.TOO_SMALL,))
    evidence = walk(*person(0, 5), quality=poor)
    assert evidence.votes == evidence.usable_faces == 0
    assert isinstance(decide(evidence, family(), POLICY), Undecided)
    evidence = evidence.reject([Reason.BLURRED])
    assert conclude(evidence, family(), POLICY) == Unknown(
        (Reason.NO_USABLE_FACE, Reason.TOO_SMALL, Reason.BLURRED)
    )


def test_an_empty_gallery_makes_everybody_unknown_for_that_reason() -> None:
    empty = Gallery([], [], MODEL)
    assert conclude(walk(seen(0)), empty, POLICY).reasons == (Reason.EMPTY_GALLERY,)  # type: ignore[union-attr]
    assert isinstance(decide(walk(*person(0, 5)), empty, POLICY), Unknown)
    assert isinstance(decide(walk(seen(0)), empty, POLICY), Undecided)


def test_a_single_subject_needs_the_threshold_as_well() -> None:
    alone = family(1)
    assert name_of(conclude(walk(*person(0, 3, 0.9)), alone, POLICY)) == "s0"
    assert name_of(conclude(walk(*person(5, 9)), alone, POLICY)) is None


def test_models_are_never_mixed() -> None:
    other = Embedding(axis(0), "other/1")
    with pytest.raises(ModelMismatchError):
        walk(seen(0), other)
    with pytest.raises(ModelMismatchError):
        decide(walk(other), family(), POLICY)
    with pytest.raises(ModelMismatchError):
        identify_one(other, GOOD, family(), POLICY)


@pytest.mark.parametrize("vector", [np.zeros(4), np.full(4, np.nan), np.ones((2, 2))])
def test_a_broken_vector_is_refused(vector: np.ndarray) -> None:
    with pytest.raises(ValueError, match="finite, positive length"):
        Evidence().add(Embedding(vector.astype(np.float32), MODEL), GOOD, 0.0)


def test_a_single_picture_gets_a_name_or_unknown_with_reasons() -> None:
    assert name_of(identify_one(seen(0, 0.9), GOOD, family(), POLICY)) == "s0"
    below = identify_one(seen(0, 0.65), GOOD, family(), POLICY)
    assert isinstance(below, Unknown)
    assert Reason.BELOW_THRESHOLD in below.reasons
    poor = identify_one(seen(0), replace(GOOD, reasons=(Reason.BLURRED,)), family(), POLICY)
    assert poor == Unknown((Reason.NO_USABLE_FACE, Reason.BLURRED))


def test_the_reasons_for_a_single_picture_are_those_of_one_picture() -> None:
    assert identify_one(seen(0, 0.65), GOOD, family(), POLICY).reasons == (Reason.BELOW_THRESHOLD,)  # type: ignore[union-attr]
    assert identify_one(seen(7), GOOD, family(1), POLICY).reasons[0] is Reason.BELOW_THRESHOLD  # type: ignore[union-attr]
    early = replace(POLICY, early_extra=0.2)
    assert name_of(identify_one(seen(0, 0.8), GOOD, family(), early)) == "s0"
    assert name_of(decide(walk(seen(0, 0.8)), family(), early)) is None  # a visit has more chances
    never = replace(POLICY, early_extra=math.inf)
    assert name_of(identify_one(seen(0, 0.8), GOOD, family(), never)) == "s0"
    assert conclude(walk(seen(0, 0.99)), family(), never).reasons == (Reason.TOO_FEW_FACES,)  # type: ignore[union-attr]


def test_a_repeated_look_adds_little() -> None:
    still = walk(*[seen(0, 0.85, 1)] * 5)
    moving = walk(*person(0, 5))
    assert still.votes == moving.votes == 5
    assert [look.weight for look in moving.looks] == [1.0] * 5
    assert still.looks[0].weight == 1.0
    assert still.looks[4].weight == pytest.approx(REPEATED_SHARE)


def test_looks_that_were_compared_before_give_the_same_answer() -> None:
    looks = [*person(0, 4), seen(7), *person(1, 2)]
    grown = Evidence()
    for number, look in enumerate(looks):
        grown = grown.add(look, GOOD, 1000.0 + number * 0.5)
        decide(grown, family(2), POLICY)  # another gallery, in between
        assert decide(grown, family(), POLICY) == decide(walk(*looks[: number + 1]), family(), POLICY)


def test_who_looks_like_the_housemates_needs_more() -> None:
    def house(likeness: float) -> Gallery:
        rest = np.sqrt(1 - likeness**2)
        vectors = [axis(0), *(likeness * axis(0) + rest * axis(p) for p in (1, 2, 3))]
        return Gallery(
            [Subject(f"s{p}", "") for p in range(4)],
            [Template(f"t{p}", f"s{p}", v.astype(np.float32), MODEL) for p, v in enumerate(vectors)],
            MODEL,
        )

    crowded = replace(POLICY, crowd_share=2.0, crowd_free=0.05)
    extras = subject_extras(house(0.3), crowded)
    assert extras[0] == pytest.approx(2 * (0.3 * 3 / 7 - 0.05), abs=1e-6)
    assert extras[0] > extras[1] > 0
    assert not subject_extras(house(0.0), crowded).any()
    looks = walk(*person(0, 3, 0.62))
    assert name_of(decide(looks, house(0.0), crowded)) == name_of(decide(looks, house(0.3), POLICY)) == "s0"
    assert decide(looks, house(0.3), replace(crowded, crowd_share=9.0)).reasons == (Reason.BELOW_THRESHOLD,)  # type: ignore[union-attr]


def test_lookalikes_need_a_larger_lead() -> None:
    both = Gallery(
        [Subject("a", ""), Subject("b", "")],
        [
            Template("1", "a", axis(0), MODEL),
            Template("2", "b", (0.8 * axis(0) + 0.6 * axis(1)).astype(np.float32), MODEL),
        ],
        MODEL,
    )
    careful = replace(POLICY, kin_share=0.5, kin_free=0.25)
    assert margin_between(both, POLICY, 0, 1) == POLICY.margin
    assert margin_between(both, careful, 0, 1) == pytest.approx(POLICY.margin + 0.5 * 0.55)
    assert name_of(decide(walk(*person(0, 4)), both, POLICY)) == "a"
    assert decide(walk(*person(0, 4)), both, careful).reasons == (Reason.RUNNER_UP_TOO_CLOSE,)  # type: ignore[union-attr]


def test_few_templates_small_faces_and_infrared_need_more() -> None:
    looks = [seen(0, 0.65, n % 2) for n in range(4)]  # mean about 0.77
    strict = {
        "few_templates_extra": replace(POLICY, few_templates_extra=(0.2, 0.0)),
        "small": replace(POLICY, small_extra=0.2, small_px=16.0),
        "infrared": replace(POLICY, infrared_extra=0.2),
    }
    small, grey = replace(GOOD, interocular_px=15.0), replace(GOOD, infrared=True)
    assert name_of(decide(walk(*looks), family(), POLICY)) == "s0"
    assert name_of(decide(walk(*looks), family(), strict["few_templates_extra"])) is None
    assert name_of(decide(walk(*looks), family(templates=2), strict["few_templates_extra"])) == "s0"
    assert name_of(decide(walk(*looks, quality=small), family(), strict["small"])) is None
    assert name_of(decide(walk(*looks), family(), strict["small"])) == "s0"
    assert name_of(decide(walk(*looks, quality=grey), family(), strict["infrared"])) is None
    assert name_of(decide(walk(*looks), family(), strict["infrared"])) == "s0"


def test_a_long_visit_keeps_only_its_newest_looks() -> None:
    evidence = walk(*person(0, MAX_LOOKS + 10))
    assert evidence.votes == MAX_LOOKS
    assert evidence.usable_faces == MAX_LOOKS + 10
    assert evidence.looks[0].began_at == 1000.0 + 10 * 0.5


looks_strategy = st.lists(
    st.tuples(st.integers(0, 3), st.floats(0.0, 0.99), st.integers(0, 9), st.floats(0.05, 1.0)),
    min_size=0,
    max_size=10,
)


def evidence_from(rows: list[tuple[int, float, int, float]]) -> Evidence:
    evidence = Evidence()
    for number, (who, cosine, noise, worth) in enumerate(rows):
        evidence = evidence.add(seen(who, cosine, noise), replace(GOOD, score=worth), number * 0.5)
    return evidence


@given(looks_strategy, st.floats(0.2, 0.9), st.floats(0.0, 0.3))
def test_a_higher_threshold_never_adds_a_name(
    rows: list[tuple[int, float, int, float]], threshold: float, more: float
) -> None:
    evidence = evidence_from(rows)
    low = Policy(threshold=threshold, single_threshold=threshold + 0.1)
    high = replace(low, threshold=threshold + more)
    strict = decide(evidence, family(), high)
    if isinstance(strict, Identified):
        assert name_of(decide(evidence, family(), low)) == strict.subject_id


@given(looks_strategy)
def test_gallery_order_never_matters(rows: list[tuple[int, float, int, float]]) -> None:
    evidence = evidence_from(rows)
    people = family(3, 2)
    other = Gallery(
        list(reversed(people.subjects.values())), list(reversed(people.templates)), people.model_id
    )
    assert decide(evidence, people, POLICY) == decide(evidence, other, POLICY)


@given(looks_strategy, st.integers(0, 3))
def test_a_template_of_one_subject_never_makes_a_failing_probe_another(
    rows: list[tuple[int, float, int, float]], new: int
) -> None:
    """Who was not named for lack of likeness is not named because somebody else enrolled."""
    evidence = evidence_from(rows)
    before = decide(evidence, family(), POLICY)
    people = family()
    more = Gallery(
        people.subjects.values(), [*people.templates, Template("x", "s0", axis(new), MODEL)], MODEL
    )
    if not isinstance(before, Identified) and Reason.BELOW_THRESHOLD in before.reasons:
        assert name_of(decide(evidence, more, POLICY)) != "s1"


@given(looks_strategy)
def test_a_conclusion_is_never_undecided_and_agrees_with_the_decision(
    rows: list[tuple[int, float, int, float]],
) -> None:
    evidence = evidence_from(rows)
    end, on_the_way = conclude(evidence, family(), POLICY), decide(evidence, family(), POLICY)
    assert isinstance(end, Identified | Unknown)
    assert name_of(end) == name_of(on_the_way)
    if isinstance(end, Unknown):
        assert end.reasons
