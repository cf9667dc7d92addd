"""The scene renderer: plans that keep their promises, pictures that agree with the truth, the judge."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import av
import numpy as np
import pytest

from homeface.core.types import Box
from tests.support.data import requires_data
from tests.support.scene import (
    Record,
    Scene,
    Visit,
    acting_portraits,
    enrolment_photos,
    household_scene,
    judge,
    render,
)


def _visit(
    person: str, enrolled: bool, start: float, end: float, room: str = "kitchen", door: int = -1
) -> Visit:
    return Visit(person, enrolled, room, start, end, 120.0, door, 700.0, 400.0, 10.0, ((start, "a.jpg"),))


ANNA, BEN = _visit("Anna", True, 2, 10), _visit("Ben", True, 20, 28)
STRANGER = _visit("Stranger", False, 12, 18)
OTHER = _visit("Other", False, 12.5, 18, door=1)
PLAN = Scene(1, ("kitchen", "porch"), 30.0, (ANNA, STRANGER, OTHER, BEN))


def test_judge_accepts_the_truth() -> None:
    said = [
        Record("kitchen", "Anna", 4, "t1"),
        Record("kitchen", None, 14, "t2"),
        Record("kitchen", None, 15, "t3"),
        Record("kitchen", "Ben", 28.5, "t4"),
    ]
    verdict = judge(PLAN, said)
    assert verdict.perfect
    assert verdict.named_visits == (ANNA, BEN)
    assert verdict.unknown_visits == (STRANGER, OTHER)


@pytest.mark.parametrize(
    ("record", "of_stranger"),
    [
        (Record("kitchen", "Ben", 4), False),
        (Record("kitchen", "Anna", 14), True),
        (Record("porch", "Anna", 4), False),
        (Record("kitchen", "Anna", 11.1), True),
        (Record("kitchen", "Nobody", 29.9), False),
    ],
)
def test_judge_sees_a_wrong_name(record: Record, of_stranger: bool) -> None:
    verdict = judge(PLAN, [record])
    assert verdict.wrong_names == (record,)
    assert bool(verdict.stranger_named) is of_stranger
    assert "wrong" in str(verdict)


def test_one_unknown_track_vouches_for_one_stranger_only() -> None:
    said = [Record("kitchen", None, 14, "t2"), Record("kitchen", None, 16, "t2")]
    verdict = judge(PLAN, said)
    assert len(verdict.unknown_visits) == 1
    assert len(verdict.missed_visits) == 3


def test_judge_tells_unknown_family_from_noise() -> None:
    family, nothing = Record("kitchen", None, 5), Record("porch", None, 5)
    verdict = judge(PLAN, [family, nothing])
    assert verdict.unknown_for_enrolled == (family,)
    assert verdict.out_of_nothing == (nothing,)
    assert not verdict.wrong_names


def test_a_visit_walks_in_from_the_wall_and_out_again() -> None:
    assert ANNA.box_at(1.9) is None
    assert ANNA.box_at(2.0) is None
    standing = ANNA.box_at(6)
    assert standing is not None
    assert standing.height == pytest.approx(120)
    assert abs(standing.centre[0] - 700) < 15
    assert ANNA.box_at(10) is None


def _overlap(a: Box, b: Box) -> float:
    width = min(a.x2, b.x2) - max(a.x1, b.x1)
    return max(0.0, width) * max(0.0, min(a.y2, b.y2) - max(a.y1, b.y1))


@requires_data
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_a_plan_keeps_its_promises(seed: int) -> None:
    plan = household_scene(seed)
    assert plan == household_scene(seed)
    assert len(plan.enrolled) == 4
    assert len(plan.strangers) == 3
    assert {visit.room for visit in plan.visits} == {"kitchen", "porch"}
    assert all(70 <= visit.face_px <= 260 and visit.end < plan.duration for visit in plan.visits)
    together = 0
    for one, two in combinations(plan.visits, 2):
        if one.start < two.end and two.start < one.end:
            assert one.person != two.person
            if one.room == two.room:
                together += 1
                assert one.door != two.door
                for time in np.arange(0, plan.duration, 0.1):
                    boxes = one.box_at(time), two.box_at(time)
                    assert not (boxes[0] and boxes[1] and _overlap(*boxes))
    assert together
    assert json.loads(plan.to_json())["enrolled"] == list(plan.enrolled)


@requires_data
def test_pictures_to_enrol_and_to_act_are_apart() -> None:
    for person in household_scene(1).enrolled:
        photos = enrolment_photos(person)
        assert len(photos) >= 3
        assert not set(photos) & {portrait.path for portrait in acting_portraits(person)}


@requires_data
def test_rendering_is_repeatable(tmp_path: Path) -> None:
    plan = household_scene(5, enrolled=1, strangers=1, rooms=("kitchen",), seconds=30)
    short = replace(plan, duration=4.0)
    files = [render(short, "kitchen", tmp_path / name, (640, 360), 5) for name in ("a.mp4", "b.mp4")]
    assert files[0].read_bytes() == files[1].read_bytes()
    with av.open(str(files[0])) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 640, 360)
        assert stream.average_rate == 5
        assert sum(1 for _ in container.decode(stream)) == 20


@requires_data
@pytest.mark.accuracy
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_faces_are_found_where_the_truth_says() -> None:
    """facenet-pytorch's MTCNN, an independent judge, on a frame of each visit."""
    import cv2
    import torch
    from facenet_pytorch import MTCNN

    from tests.support.scene_render import frames

    plan = household_scene(1, lights=("normal", "dim", "bright", "infrared"))
    detector = MTCNN(keep_all=True, min_face_size=35, device="cpu")
    sought = found = extra = 0
    for visit in plan.visits[::2]:
        time = round((visit.start + visit.end) / 2, 1)
        here = [box for other in plan.visits_in(visit.room, time) if (box := other.box_at(time))]
        moment = _moment(plan, visit.room, time)
        frame = next(iter(frames(moment, visit.room, (1920, 1080), 1)))
        whole = cv2.cvtColor(frame, cv2.COLOR_YUV2RGB_I420)
        picture = cv2.resize(whole, (960, 540), interpolation=cv2.INTER_AREA)
        with torch.inference_mode():
            boxes, scores = detector.detect(picture)
        seen = [] if boxes is None else zip(boxes * 2, scores, strict=True)
        sure = [Box(*box) for box, score in seen if score > 0.95]
        sought += len(here)
        found += sum(any(_iou(box, face) > 0.5 for face in sure) for box in here)
        extra += sum(all(_iou(box, face) < 0.3 for box in here) for face in sure)
    assert found >= 0.95 * sought, (found, sought)
    assert extra <= 1


def _moment(plan: Scene, room: str, time: float) -> Scene:
    """The same scene, moved so that it starts at this time and lasts one frame."""
    visits = tuple(
        replace(
            visit,
            start=visit.start - time,
            end=visit.end - time,
            pictures=tuple((since - time, name) for since, name in visit.pictures),
        )
        for visit in plan.visits_in(room)
    )
    lights = tuple((where, since - time, name) for where, since, name in plan.lights)
    return replace(plan, visits=visits, lights=lights, duration=1.0)


def _iou(a: Box, b: Box) -> float:
    common = _overlap(a, b)
    return common / (a.area + b.area - common)
