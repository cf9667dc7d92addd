"""Where to look: never too seldom everywhere, always at what is new, now and then at what is settled."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeface.core.attention import Attention, AttentionSettings, Plan, settled
from homeface.core.motion import Motion
from homeface.core.regions import holds
from homeface.core.track import Track
from homeface.core.types import (
    Box,
    Decision,
    Detection,
    Face,
    Grey,
    Identified,
    Quality,
    Reason,
    Undecided,
    Unknown,
)

FRAME = (1080, 1920)
HERE = Box(900, 300, 1000, 420)
GREY = np.full((90, 160), 100, np.uint8)
QUALITY = Quality(40, 10, 0, 0, 0, 120, 40, False, 0.8)
NAMED = Identified("anna", 0.8, 0.3, 4)
SETTINGS = AttentionSettings()


def motion(*cells: tuple[int, int], everything: bool = False, grey: Grey = GREY) -> Motion:
    marked = np.zeros((12, 20), np.bool_)
    for row, column in cells:
        marked[row, column] = True
    return Motion(everything, marked, grey, foreign=bool(cells))


def track(at: float, box: Box = HERE, decision: Decision = NAMED, name: str = "visit") -> Track:
    face = Face(Detection(box, 0.9, np.zeros((5, 2), np.float32)), QUALITY, np.zeros((4, 4, 3), np.uint8))
    return Track(name, box, at, at, face, decision=decision, confirmed=True)


def step(attention: Attention, seen: Motion, now: float, *tracks: Track) -> Plan:
    """One frame; tracks that were looked at are found where they are."""
    plan = attention.plan(seen, tracks, now, FRAME)
    for each in tracks:
        if plan.looks_at(each.expected(now)):
            each.last_seen = now
    attention.note(plan, seen, tracks, now)
    return plan


def awake(now: float = 0.0, *tracks: Track) -> Attention:
    """After a look at everything."""
    attention = Attention()
    assert step(attention, motion(everything=True), now, *tracks).full
    return attention


def test_the_first_picture_is_looked_at_whole() -> None:
    assert Attention().plan(motion(), [], 0.0, FRAME).full


def test_nothing_is_looked_at_nowhere() -> None:
    assert step(awake(), motion(), 0.2).nothing


def test_what_moves_after_quiet_is_looked_at_whole() -> None:
    attention = awake()
    assert step(attention, motion((5, 5)), 0.2).full
    after = step(attention, motion((5, 5)), 0.4)
    assert not after.full
    (region,) = after.regions
    assert holds(region, Box(480, 450, 576, 540))


def test_what_moved_is_looked_at_for_a_while() -> None:
    attention = awake()
    step(attention, motion((5, 5)), 0.2)
    looked = [not step(attention, motion(), 0.2 + 0.2 * n).nothing for n in range(1, 9)]
    assert looked == [True] * 7 + [False]  # 1.5 s


@given(st.lists(st.tuples(st.floats(0.01, 3.0), st.booleans()), max_size=40))
def test_it_is_never_long_without_a_look_at_everything(frames: list[tuple[float, bool]]) -> None:
    attention, now, full_at = awake(), 0.0, 0.0
    for gap, moves in frames:
        now += gap
        if step(attention, motion((3, 3)) if moves else motion(), now).full:
            full_at = now
        assert now - full_at < (SETTINGS.full_active_seconds if moves else SETTINGS.full_quiet_seconds)


def test_a_clock_set_back_means_a_look_at_everything() -> None:
    assert step(awake(1000.0), motion(), 10.0).full


@pytest.mark.parametrize("decision", [Undecided(), dataclasses.replace(NAMED, margin=0.05)])
def test_a_face_that_is_not_settled_is_looked_at_in_each_frame(decision: Decision) -> None:
    somebody = track(0.0, decision=decision)
    attention = awake(0.0, somebody)
    for n in range(1, 9):
        plan = step(attention, motion(), 0.2 * n, somebody)
        assert plan.looks_at(HERE)


@pytest.mark.parametrize("decision", [NAMED, Unknown((Reason.BELOW_THRESHOLD,), 5)])
def test_a_settled_face_is_looked_at_now_and_then(decision: Decision) -> None:
    somebody = track(0.0, decision=decision)
    attention = awake(0.0, somebody)
    plans = [step(attention, motion(), 0.2 * n, somebody) for n in range(1, 7)]
    assert [plan.looks_at(HERE) for plan in plans] == [False, False, True] * 2
    assert all(plan.calm == {"visit"} for plan in plans)


@given(st.floats(0.05, 1.0), st.floats(0.1, 0.59))
def test_no_settled_face_is_left_alone_for_longer_than_the_stride(gap: float, stride: float) -> None:
    somebody = track(0.0)
    attention = Attention(dataclasses.replace(SETTINGS, stride_seconds=stride))
    step(attention, motion(everything=True), 0.0, somebody)
    for n in range(1, 20):
        step(attention, motion(), gap * n, somebody)
        assert gap * n - somebody.last_seen < stride


def test_a_settled_face_whose_place_changes_is_looked_at_at_once() -> None:
    somebody = track(0.0)
    attention = awake(0.0, somebody)
    other = GREY.copy()
    other[25:35, 75:84] += 30
    plan = step(attention, motion(grey=other), 0.2, somebody)
    assert plan.looks_at(HERE)
    assert plan.calm == frozenset()


def test_a_face_too_small_to_watch_is_never_calm() -> None:
    small = Box(900, 300, 915, 315)
    somebody = track(0.0, small)
    assert step(awake(0.0, somebody), motion(), 0.2, somebody).calm == frozenset()


def test_a_face_that_was_lost_is_looked_for_where_it_should_be() -> None:
    somebody = track(0.0)
    attention = awake(0.0, somebody)
    somebody.misses, somebody.velocity = 1, (500.0, 0.0)
    plan = attention.plan(motion(), [somebody], 0.4, FRAME)
    assert plan.looks_at(Box(1100, 300, 1200, 420))


def test_the_body_of_a_known_face_is_searched_now_and_then() -> None:
    """What moves below a face is its person, for as long as that was seen a short while ago."""
    somebody = track(0.0, decision=Undecided())
    attention = awake(0.0, somebody)
    below = Box(900, 800, 960, 860)
    searched = [step(attention, motion((9, 9)), 0.2 * n, somebody).looks_at(below) for n in range(1, 7)]
    assert searched == [False, False, True] * 2


def test_somebody_beside_a_known_face_is_looked_at_at_once() -> None:
    known = track(0.0)
    attention = awake(0.0, known)
    plan = step(attention, motion((4, 2)), 0.2, known)
    assert plan.looks_at(Box(200, 370, 280, 440))
    assert not plan.looks_at(HERE)


def test_regions_of_nearly_all_are_a_look_at_everything() -> None:
    attention = awake()
    step(attention, motion((0, 0)), 0.2)
    everywhere = [(row, column) for row in range(12) for column in range(20)]
    assert step(attention, motion(*everywhere), 0.4).full


def test_so_many_that_the_frame_is_full_of_them() -> None:
    crowd = [
        track(0.0, Box(60.0 * n, 500.0, 60.0 * n + 30, 540.0), Undecided(), f"visit-{n}") for n in range(30)
    ]
    assert step(awake(0.0, *crowd), motion(), 0.2, *crowd).full


def test_forgetting_means_a_look_at_everything() -> None:
    attention = awake()
    attention.forget()
    assert step(attention, motion(), 0.2).full


def test_a_room_is_at_rest_after_a_while_and_awake_at_once() -> None:
    attention = awake()
    rests = [attention.resting]
    for n in range(1, 60):
        step(attention, motion(), 0.2 * n)
        rests.append(attention.resting)
    step(attention, motion((5, 5)), 12.0)
    rests.append(attention.resting)
    assert (rests[0], rests[49], rests[-2], rests[-1]) == (False, False, True, False)


def test_a_room_with_somebody_in_it_is_not_at_rest() -> None:
    somebody = track(0.0)
    attention = awake(0.0, somebody)
    for n in range(1, 80):
        step(attention, motion(), 0.2 * n, somebody)
    assert not attention.resting


@pytest.mark.parametrize(
    "change",
    [
        {"misses": 1},
        {"contested": True},
        {"unsure": True},
        {"doubted_since": 1.0},
        {"velocity": (100.0, 0.0)},
        {"confirmed": False},
        {"decision": Undecided()},
    ],
)
def test_what_is_not_settled(change: dict[str, object]) -> None:
    assert settled(track(0.0), SETTINGS)
    assert not settled(dataclasses.replace(track(0.0), **change), SETTINGS)  # type: ignore[arg-type]
