"""The guided round: what is said about a frame, and when the shutter goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeface.core.guided_round import (
    SENTENCES,
    STEPS,
    Feedback,
    GuidedRound,
    Say,
    SeenFace,
    Wanted,
)
from homeface.core.types import Box, Quality, Reason
from tests.fakes.engine import person_vector

FRAME = (640, 480)
OVAL = Box(220, 120, 420, 370)
FINE = Quality(90.0, 0.05, 0.0, 8.5, 0.0, 120.0, 50.0, False, 0.9)
YAWS = {Wanted.LEFT: 20.0, Wanted.RIGHT: -20.0}
PITCHES = {Wanted.UP: 0.0, Wanted.DOWN: 17.0}


def face(box: Box = OVAL, **changes: Any) -> SeenFace:
    return SeenFace(box, replace(FINE, **changes))


def posing(step: Wanted) -> SeenFace:
    """Somebody who does what the step asks."""
    return face(yaw=YAWS.get(step, 0.0), pitch=PITCHES.get(step, 8.5))


def begun(step: Wanted = Wanted.FRONT) -> GuidedRound:
    return replace(GuidedRound(0.4), position=STEPS.index(step), straight_pose=(0.0, 8.5))


def said(step: Wanted, *faces: SeenFace) -> Say:
    return begun(step).look(faces, FRAME, 1.0)[1].say


@pytest.mark.parametrize(
    ("faces", "say"),
    [
        ([], Say.NO_FACE),
        ([face(), face(Box(20, 120, 200, 350))], Say.ONE_FACE_ONLY),
        ([face(), face(Box(20, 20, 50, 60))], Say.GOOD),
        ([face(), face(Box(20, 120, 200, 350), reasons=(Reason.UNSURE_DETECTION,))], Say.GOOD),
        ([face(Box(300, 220, 340, 270))], Say.CLOSER),
        ([face(interocular_px=20.0)], Say.CLOSER),
        ([face(Box(60, 10, 560, 470))], Say.FARTHER),
        ([face(Box(0, 120, 180, 350))], Say.CENTRE),
        ([face(reasons=(Reason.CUT_OFF,))], Say.CENTRE),
        ([face(brightness=20.0)], Say.MORE_LIGHT),
        ([face(contrast=5.0)], Say.MORE_LIGHT),
        ([face(brightness=240.0)], Say.LESS_LIGHT),
        ([face(sharpness=0.001)], Say.HOLD_STILL),
        ([face(reasons=(Reason.UNSURE_DETECTION,))], Say.HOLD_STILL),
        ([face(yaw=20.0)], Say.LOOK_STRAIGHT),
        ([face(pitch=25.0)], Say.LOOK_STRAIGHT),
        ([face(roll=40.0)], Say.HEAD_UPRIGHT),
    ],
)
def test_what_is_said_about_a_frame(faces: Sequence[SeenFace], say: Say) -> None:
    after, feedback = begun().look(faces, FRAME, 1.0)
    assert feedback.say is say
    assert (after.good_since is not None) == (say is Say.GOOD)
    assert not feedback.ready


@pytest.mark.parametrize(
    ("step", "say"),
    [
        (Wanted.LEFT, Say.TURN_LEFT),
        (Wanted.RIGHT, Say.TURN_RIGHT),
        (Wanted.UP, Say.LOOK_UP),
        (Wanted.DOWN, Say.LOOK_DOWN),
    ],
)
def test_poses(step: Wanted, say: Say) -> None:
    assert said(step, face()) is say
    assert said(step, posing(step)) is Say.GOOD
    opposite = {Wanted.LEFT: -20.0, Wanted.RIGHT: 20.0}.get(step, 0.0)
    assert said(step, face(yaw=opposite, pitch=8.5)) is say


def test_too_far_is_told() -> None:
    assert said(Wanted.LEFT, face(yaw=35.0)) is Say.TURN_LESS
    assert said(Wanted.DOWN, face(pitch=29.0)) is Say.TURN_LESS


def test_poses_are_told_against_the_persons_own_front() -> None:
    """A face whose landmarks say 'looks down' when it looks straight."""
    high = replace(begun(Wanted.UP), straight_pose=(5.0, 15.0))
    assert high.look([face(pitch=8.5)], FRAME, 1.0)[1].say is Say.GOOD
    assert replace(high, position=STEPS.index(Wanted.LEFT)).look([face(yaw=14.0)], FRAME, 1.0)[1].say is (
        Say.TURN_LEFT
    )


def test_the_shutter_waits_until_somebody_holds_still_and_glasses_take_a_moment() -> None:
    for step, patience in ((Wanted.FRONT, 0.3), (Wanted.GLASSES, 4.0), (Wanted.SMILE, 2.0)):
        running, feedback = begun(step).look([posing(step)], FRAME, 10.0)
        assert not feedback.ready
        running, feedback = running.look([posing(step)], FRAME, 10.0 + patience - 0.05)
        assert not feedback.ready
        moved, _ = running.look([], FRAME, 10.0 + patience - 0.03)
        assert moved.good_since is None
        _, feedback = running.look([posing(step)], FRAME, 10.0 + patience)
        assert feedback.ready


def walked(people: Sequence[int]) -> tuple[GuidedRound, list[Feedback]]:
    """Somebody does at once whatever is asked; ``people``: who is before the camera at each shot."""
    running, now, told = GuidedRound(0.4), 0.0, []
    for number, person in enumerate(people):
        step = running.wanted
        for _ in range(100):
            running, feedback = running.look([posing(step)], FRAME, now)
            told.append(feedback)
            now += 0.1
            if feedback.ready:
                break
        running, feedback = running.shoot(person_vector(person, number + 1), posing(step).quality)
        told.append(feedback)
    return running, told


def test_a_round_to_the_end() -> None:
    running, told = walked([1] * len(STEPS))
    assert running.wanted is Wanted.DONE
    assert (running.progress, told[-1].say, told[-1].taken) == (1.0, Say.DONE, True)
    assert [feedback.taken for feedback in told].count(True) == len(STEPS) == len(running.vectors)
    assert running.look([face()], FRAME, 100.0)[1].say is Say.DONE
    assert running.shoot(person_vector(1), FINE)[0] is running


def test_somebody_else_is_not_taken() -> None:
    running, told = walked([1, 2, 1])
    assert told[-2].say is not Say.SAME_PERSON
    assert [feedback.say for feedback in told if feedback.say is Say.SAME_PERSON] == [Say.SAME_PERSON]
    assert (len(running.vectors), running.wanted) == (2, STEPS[2])


def test_every_step_can_be_skipped() -> None:
    running = GuidedRound(0.4)
    for number, step in enumerate(STEPS):
        assert running.wanted is step
        running, feedback = running.skip()
        assert feedback.progress == pytest.approx((number + 1) / len(STEPS))
    assert (feedback.say, running.vectors) == (Say.DONE, ())
    assert running.skip()[0].wanted is Wanted.DONE


def test_everything_that_can_be_said_has_a_sentence() -> None:
    assert set(SENTENCES) == set(Say)


_NUMBERS = st.floats(-80, 80)
_BOXES = st.tuples(st.floats(-50, 600), st.floats(-50, 440), st.floats(1, 500), st.floats(1, 500)).map(
    lambda b: Box(b[0], b[1], b[0] + b[2], b[1] + b[3])
)
_FACES = st.builds(
    lambda box, yaw, pitch, sharp, light: face(box, yaw=yaw, pitch=pitch, sharpness=sharp, brightness=light),
    _BOXES,
    _NUMBERS,
    _NUMBERS,
    st.floats(0, 0.1),
    st.floats(0, 255),
)


@given(st.lists(st.tuples(st.lists(_FACES, max_size=3), st.floats(0, 2), st.booleans()), max_size=25))
def test_progress_never_falls_and_only_good_faces_are_taken(
    frames: list[tuple[list[SeenFace], float, bool]],
) -> None:
    running, now, progress = GuidedRound(0.4), 0.0, 0.0
    for faces, later, skips in frames:
        now += later
        running, feedback = running.look(faces, FRAME, now)
        if feedback.ready:
            assert feedback.box is not None
            chosen = max(faces, key=lambda one: one.box.area)
            assert abs(chosen.quality.yaw) <= 30
            assert chosen.quality.sharpness >= 0.015
            running, feedback = running.shoot(person_vector(1, 1), chosen.quality)
        elif skips:
            running, feedback = running.skip()
        assert feedback.progress >= progress
        progress = feedback.progress
        if feedback.box is not None:
            assert all(0.0 <= value <= 1.0 for value in feedback.box)
    assert len(running.vectors) <= running.position <= len(STEPS)
