"""Tracking on one camera: who is followed, who is rather split, and what is worth an embedding."""

from __future__ import annotations

import dataclasses
import itertools

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from homeface.core.track import glance_of
from homeface.core.tracking import Track, Tracker, TrackerSettings, TrackUpdate, nowhere, wants_embedding
from homeface.core.types import (
    Box,
    Decision,
    Detection,
    Embedding,
    Face,
    Identified,
    Quality,
    Reason,
    Undecided,
    Unknown,
)

SIZE = 100.0
CROP = np.zeros((4, 4, 3), np.uint8)
LANDMARKS = np.zeros((5, 2), np.float32)


def quality(score: float = 0.8, reasons: tuple[Reason, ...] = ()) -> Quality:
    return Quality(40, 10, 0, 0, 0, 120, 40, False, score, reasons)


def face(
    x: float,
    y: float = 0.0,
    *,
    size: float = SIZE,
    score: float = 0.9,
    worth: float = 0.8,
    usable: bool = True,
) -> Face:
    """A face whose centre is (x, y), in face sizes."""
    cx, cy, half = x * SIZE + 1000, y * SIZE + 1000, size / 2
    box = Box(cx - half, cy - half, cx + half, cy + half)
    reasons = () if usable else (Reason.TURNED_AWAY,)
    return Face(Detection(box, score, LANDMARKS), quality(worth, reasons), CROP)


def vector(*values: float) -> Embedding:
    padded = np.zeros(4, np.float32)
    padded[: len(values)] = values
    return Embedding(padded / np.linalg.norm(padded), "model")


ANNA, BEN = vector(1), vector(0, 1)


def tracker(**changes: object) -> Tracker:
    return Tracker("cam", "hall", dataclasses.replace(TrackerSettings(), **changes), "run")  # type: ignore[arg-type]


def ids(tracks: list[Track]) -> list[str]:
    return [track.visit_id for track in tracks]


def follow(made: Tracker, frames: list[list[Face]], fps: float, start: float = 0.0) -> list[TrackUpdate]:
    return [made.update(faces, start + index / fps) for index, faces in enumerate(frames)]


# -- one person


def test_a_walk_is_one_visit() -> None:
    made = tracker()
    updates = follow(made, [[face(x)] for x in np.arange(0, 4, 0.3)], fps=5)
    assert [ids(update.started) for update in updates[:3]] == [[], ["run-cam-1"], []]
    assert ids(updates[-1].tracks) == ["run-cam-1"]
    (track,) = updates[-1].tracks
    assert (track.first_seen, track.misses) == (0, 0)
    assert track.velocity[0] == pytest.approx(150, rel=0.2)
    ended = made.update([], 100).ended
    assert ids(ended) == ["run-cam-1"]


@pytest.mark.parametrize(("fps", "step"), [(1, 1.4), (2, 1.2), (3, 1.0), (5, 0.9)])
def test_low_rates_are_enough_for_a_walking_person(fps: float, step: float) -> None:
    made = tracker()
    updates = follow(made, [[face(x * step)] for x in range(6)], fps=fps)
    assert ids(updates[-1].tracks) == ["run-cam-1"]


def test_a_face_out_of_reach_is_somebody_else() -> None:
    made = tracker()
    follow(made, [[face(0)], [face(0)]], fps=5)
    update = made.update([face(3)], 0.4)
    assert ids(update.tracks) == ["run-cam-1"]
    assert update.tracks[0].misses == 1


def test_a_face_of_quite_another_size_is_somebody_else() -> None:
    made = tracker()
    follow(made, [[face(0)], [face(0)]], fps=5)
    assert made.update([face(0, size=220)], 0.4).tracks[0].misses == 1


def test_a_turned_head_is_bridged() -> None:
    made = tracker()
    follow(made, [[face(0)], [face(0.1)]], fps=5)
    for step in range(1, 9):
        assert made.update([], 0.2 + step * 0.2).ended == []
    assert ids(made.update([face(0.5)], 2.0).tracks) == ["run-cam-1"]


def test_gone_for_too_long_is_ended_with_its_last_sight() -> None:
    made = tracker()
    follow(made, [[face(0)], [face(0)]], fps=5)
    update = made.update([face(0)], 2.5)
    assert ids(update.ended) == ["run-cam-1"]
    assert update.ended[0].last_seen == pytest.approx(0.2)
    assert update.tracks == []


# -- ghosts


def test_a_ghost_is_never_a_visit() -> None:
    made = tracker()
    made.update([face(0, score=0.7)], 0)
    assert made.update([], 0.2).tracks == []
    assert made.update([], 5).ended == []
    made.update([face(0, score=0.7)], 6)
    assert made.end_all() == []


def test_a_strong_usable_face_is_a_visit_at_once() -> None:
    assert ids(tracker().update([face(0, score=0.99)], 0).started) == ["run-cam-1"]
    assert tracker().update([face(0, score=0.99, usable=False)], 0).started == []


def test_a_second_detection_of_the_same_face_is_no_second_person() -> None:
    made = tracker()
    follow(made, [[face(0, score=0.99), face(0.05, score=0.96)]] * 3, fps=5)
    assert len(made.update([face(0)], 1).tracks) == 1


# -- several people


def test_side_by_side_people_keep_their_tracks() -> None:
    made = tracker()
    updates = follow(made, [[face(x), face(x + 1.3)] for x in np.arange(0, 3, 0.4)], fps=5)
    left, right = updates[-1].tracks
    assert left.box.x1 < right.box.x1
    assert ids(updates[-1].tracks) == ids(updates[1].tracks)


@pytest.mark.parametrize("order", [1, -1])
def test_the_order_of_the_faces_in_a_frame_does_not_matter(order: int) -> None:
    made = tracker()
    updates = follow(made, [[face(x), face(x + 1.3)][::order] for x in np.arange(0, 3, 0.4)], fps=5)
    assert len(updates[-1].tracks) == 2
    assert updates[-1].ended == []


def crossing(step: float, hidden: float, back: bool) -> list[list[tuple[str, float]]]:
    """Two people meet at 0; nearer than ``hidden`` only one is seen. They pass each other or turn back."""
    frames = []
    for x in np.arange(-3, 3, step):
        other = -abs(x) if back else x
        people = [("anna", other), ("ben", -other)]
        frames.append(people[:1] if abs(x) * 2 < hidden else people)
    return frames


@pytest.mark.parametrize("step", [0.1, 0.2, 0.3, 0.45, 0.7])
@pytest.mark.parametrize("hidden", [0.0, 0.6, 1.2])
@pytest.mark.parametrize("back", [False, True])
def test_people_who_meet_never_share_a_track_unnoticed(step: float, hidden: float, back: bool) -> None:
    """With embeddings where they are asked for, no track's evidence mixes two people."""
    made, owners = tracker(), {}
    for index, frame in enumerate(crossing(step, hidden, back)):
        at = index / 4
        update = made.update([face(x, score=0.99) for _, x in frame], at)
        for track in update.tracks:
            if track.misses or not wants_embedding(track, at, made.settings):
                continue
            centre = (track.box.centre[0] - 1000) / SIZE
            who = min(frame, key=lambda entry: abs(entry[1] - centre))[0]
            owner = made.note_embedding(track, {"anna": ANNA, "ben": BEN}[who], quality(), at)
            owner.decision = Identified(who, 0.8, 0.3, 3)
            assert owners.setdefault(owner.visit_id, who) == who


def test_a_doubtful_crossing_ends_both_tracks() -> None:
    made = tracker()
    follow(made, [[face(-0.9), face(0.9)], [face(-0.6), face(0.6)], [face(-0.3), face(0.3)]], fps=5)
    update = made.update([face(0.02)], 0.6)
    assert len(update.ended) == 2
    assert update.tracks == []


# -- appearance


def test_another_face_splits_the_track() -> None:
    made = tracker()
    follow(made, [[face(0)], [face(0)]], fps=5)
    (track,) = made.update([face(0)], 0.4).tracks
    assert made.note_embedding(track, ANNA, quality(), 0.4) is track
    track.decision = Identified("anna", 0.8, 0.3, 3)
    (track,) = made.update([face(0.1)], 0.6).tracks
    other = made.note_embedding(track, BEN, quality(), 0.6)
    assert other is not track
    assert (other.visit_id, other.first_seen) == ("run-cam-2", 0.6)
    assert isinstance(other.decision, Undecided)
    assert (track.evidence.usable_faces, other.evidence.usable_faces) == (1, 1)
    update = made.update([face(0.1)], 0.8)
    assert ids(update.tracks) == ["run-cam-2"]
    assert ids(update.ended) == ["run-cam-1"]
    assert update.ended[0].last_seen == 0.4
    assert made.update([face(0.1)], 1.0).ended == []


@pytest.mark.parametrize(
    ("embedding", "worth"), [(vector(0.5, 0.87), 0.9), (vector(0.35, 0.94), 0.9), (BEN, 0.1)]
)
def test_a_bad_view_of_the_same_person_does_not_split(embedding: Embedding, worth: float) -> None:
    made = tracker()
    (track,) = made.update([face(0, score=0.99)], 0).tracks
    made.note_embedding(track, ANNA, quality(), 0)
    assert made.note_embedding(track, embedding, quality(worth), 0.2) is track


def test_somebody_else_seen_too_poorly_to_split_is_not_called_by_the_name() -> None:
    made = tracker()
    (track,) = made.update([face(0, score=0.99)], 10).tracks
    made.note_embedding(track, ANNA, quality(), 10)
    track.decision = IDENTIFIED
    made.update([face(0, worth=0.2)], 11)
    assert made.note_embedding(track, BEN, quality(0.2), 11) is track
    assert isinstance(made.sighting(track).decision, Undecided)
    last = made.sighting(track, ended=True)
    assert (last.decision, last.captured_at) == (IDENTIFIED, 10)  # the name lasts as long as it was borne out
    made.note_embedding(track, ANNA, quality(0.2), 11.2)
    assert made.sighting(track).decision == IDENTIFIED


def test_an_embedding_that_comes_after_the_end_begins_nothing() -> None:
    made = tracker()
    (track,) = made.update([face(0, score=0.99)], 0).tracks
    made.note_embedding(track, ANNA, quality(), 0)
    assert made.end_all() == [track]
    assert made.note_embedding(track, BEN, quality(), 0.1) is track
    assert track.evidence.usable_faces == 1
    assert made.update([], 5).ended == []


def test_a_split_off_track_is_reported_when_everything_ends() -> None:
    made = tracker()
    (track,) = made.update([face(0, score=0.99)], 0).tracks
    made.note_embedding(track, ANNA, quality(), 0)
    other = made.note_embedding(track, BEN, quality(), 0.1)
    assert made.end_all() == [track, other]
    assert made.end_all() == []


def test_embeddings_of_another_model_start_the_comparison_anew() -> None:
    made = tracker()
    (track,) = made.update([face(0, score=0.99)], 0).tracks
    made.note_embedding(track, ANNA, quality(), 0)
    longer = np.zeros(8, np.float32)
    assert track.resembles(Embedding(longer, "other")) is None


# -- what was not looked at


def test_what_was_not_looked_at_was_not_missed() -> None:
    made = tracker()
    follow(made, [[face(0)], [face(0)]], fps=5)
    (track,) = made.update([], 0.4, nowhere).tracks
    assert (track.misses, track.last_seen) == (0, 0.2)
    (track,) = made.update([], 0.6, lambda box: box.x1 > 5000).tracks
    assert track.misses == 0
    (track,) = made.update([], 0.8, lambda box: box == track.expected(0.8)).tracks
    assert track.misses == 1


def test_nobody_lives_on_without_being_looked_at() -> None:
    made = tracker()
    follow(made, [[face(0)], [face(0)]], fps=5)
    for step in range(2, 11):
        assert made.update([], step / 5, nowhere).ended == []
    (ended,) = made.update([], 2.4, nowhere).ended
    assert ended.last_seen == 0.2


def test_a_face_beside_those_looked_at_begins_its_own_track() -> None:
    made = tracker()
    follow(made, [[face(0)], [face(0)]], fps=5)
    update = made.update([face(4, score=0.99)], 0.4, lambda box: box.x1 > 1200)
    assert [(track.visit_id, track.misses) for track in update.tracks] == [
        ("run-cam-1", 0),
        ("run-cam-2", 0),
    ]


@pytest.mark.parametrize(("calm", "contested"), [(True, False), (False, True)])
def test_a_place_that_stayed_as_it_was_counts_as_watched(calm: bool, contested: bool) -> None:
    made = tracker()
    (track,) = made.update([face(0, score=0.99)], 0).tracks
    made.note_embedding(track, ANNA, quality(), 0)
    track.decision = IDENTIFIED
    for at in (0.2, 0.4, 0.6):
        if calm:
            made.note_calm({track.visit_id}, at)
        made.update([], at, nowhere)
    made.update([face(0)], 0.8)
    assert track.contested is contested


# -- a glance


def looking(pattern: int) -> Face:
    """The same place, another look: a crop of light and dark squares."""
    squares = np.random.default_rng(pattern).integers(0, 255, (8, 8, 1), dtype=np.uint8)
    crop = np.repeat(np.kron(squares, np.ones((14, 14, 1), np.uint8)), 3, axis=2)
    return dataclasses.replace(face(0, score=0.99), crop=crop)


def test_a_face_that_suddenly_looks_different_is_checked_at_once() -> None:
    made = tracker()
    (track,) = made.update([looking(1)], 0).tracks
    made.note_embedding(track, ANNA, quality(), 0)
    track.decision = IDENTIFIED
    made.update([looking(1)], 0.2)
    assert not made.wants_embedding(track, 0.2)
    made.update([looking(2)], 0.4)
    assert made.wants_embedding(track, 0.4)
    assert isinstance(made.sighting(track).decision, Undecided)  # nobody is named until it was looked at
    other = made.note_embedding(track, BEN, quality(), 0.4)
    assert other is not track
    assert made.update([looking(2)], 0.6).ended == [track]


def test_a_turned_head_is_compared_when_it_turns_back() -> None:
    made = tracker()
    (track,) = made.update([looking(1)], 0).tracks
    made.note_embedding(track, ANNA, quality(), 0)
    track.decision = IDENTIFIED
    turned = dataclasses.replace(looking(2), quality=quality(reasons=(Reason.TURNED_AWAY,)))
    made.update([turned], 0.2)
    assert not track.contested
    made.update([looking(1)], 0.4)
    assert not track.contested
    made.update([turned], 0.6)
    made.update([looking(2)], 0.8)
    assert track.contested


@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 255))
def test_a_glance_is_of_unit_length_or_nothing(height: int, width: int, level: int) -> None:
    rng = np.random.default_rng(level)
    noisy = glance_of(rng.integers(0, 255, (height, width, 3), dtype=np.uint8))
    length = float(np.linalg.norm(noisy))
    assert length == pytest.approx(1, abs=1e-4) or length == 0
    assert not glance_of(np.full((height, width, 3), level, np.uint8)).any()


# -- frames out of order


def test_an_older_frame_changes_nothing() -> None:
    made = tracker()
    follow(made, [[face(0)], [face(0)]], fps=5, start=10)
    update = made.update([face(5, score=0.99)], 10.1)
    assert (ids(update.tracks), update.started, update.ended) == (["run-cam-1"], [], [])
    assert update.tracks[0].box == face(0).detection.box


def test_a_clock_set_back_ends_all_tracks() -> None:
    made = tracker()
    follow(made, [[face(0)], [face(0)]], fps=5, start=1000)
    update = made.update([face(0, score=0.99)], 10)
    assert ids(update.ended) == ["run-cam-1"]
    assert ids(update.tracks) == ["run-cam-2"]


# -- what is worth an embedding

IDENTIFIED = Identified("anna", 0.8, 0.3, 3)
UNKNOWN = Unknown((Reason.BELOW_THRESHOLD,), 5)


@pytest.mark.parametrize(
    ("decision", "waited", "worth", "expected"),
    [
        (Undecided(), 0.05, 0.8, False),
        (Undecided(), 0.2, 0.8, True),
        (UNKNOWN, 1.9, 0.8, False),
        (UNKNOWN, 2.1, 0.8, True),
        (IDENTIFIED, 4.9, 0.8, False),
        (IDENTIFIED, 5.1, 0.8, True),
        (IDENTIFIED, 0.2, 0.99, True),
        (IDENTIFIED, 0.05, 0.99, False),
    ],
)
def test_wants_embedding(decision: Decision, waited: float, worth: float, expected: bool) -> None:
    made = tracker(unwatched_seconds=10)
    (track,) = made.update([face(0, score=0.99)], 0).tracks
    assert made.wants_embedding(track, 0)
    made.note_embedding(track, ANNA, quality(), 0)
    track.decision = decision
    made.update([face(0, worth=worth)], waited)
    track.last_seen = waited
    assert made.wants_embedding(track, waited) is expected


def test_no_embedding_of_the_unusable_the_unseen_and_the_unconfirmed() -> None:
    made = tracker()
    (track,) = made.update([face(0, score=0.99)], 0).tracks
    made.update([face(0, usable=False)], 0.2)
    assert not made.wants_embedding(track, 0.2)
    made.update([], 0.4)
    assert not made.wants_embedding(track, 0.4)
    track.misses, track.face, track.confirmed = 0, face(0), False
    assert not made.wants_embedding(track, 0.6)


def test_a_contested_track_is_checked_at_once() -> None:
    made = tracker()
    (track,) = made.update([face(0, score=0.99)], 0).tracks
    made.note_embedding(track, ANNA, quality(), 0)
    track.decision = IDENTIFIED
    made.update([face(1.3)], 1)  # plausible, but it could be anybody
    assert track.contested
    assert made.wants_embedding(track, 1)
    made.note_embedding(track, ANNA, quality(), 1)
    assert not made.wants_embedding(track, 1.2)


def test_a_track_that_was_not_watched_is_checked_at_once() -> None:
    made = tracker()
    (track,) = made.update([face(0, score=0.99)], 0).tracks
    made.note_embedding(track, ANNA, quality(), 0)
    track.decision = IDENTIFIED
    made.update([face(0)], 0.4)
    assert not made.wants_embedding(track, 0.4)
    made.update([face(0)], 1.2)  # time enough for somebody else to sit down there
    assert made.wants_embedding(track, 1.2)


def test_an_embedding_that_is_not_much_like_the_others_wants_another() -> None:
    made = tracker()
    (track,) = made.update([face(0, score=0.99)], 0).tracks
    made.note_embedding(track, ANNA, quality(), 0)
    track.decision = IDENTIFIED
    made.update([face(0)], 0.4)
    assert made.note_embedding(track, vector(0.4, 0.9), quality(), 0.4) is track
    made.update([face(0)], 0.6)
    assert made.wants_embedding(track, 0.6)
    made.note_embedding(track, ANNA, quality(), 0.6)
    made.update([face(0)], 0.8)
    assert not made.wants_embedding(track, 0.8)


def test_nobody_is_named_while_another_may_bear_the_track() -> None:
    made = tracker()
    (track,) = made.update([face(0, score=0.99)], 10).tracks
    made.note_embedding(track, ANNA, quality(), 10)
    track.decision = IDENTIFIED
    made.update([face(0, usable=False)], 10.2)
    assert made.sighting(track).decision == IDENTIFIED  # a turned head
    made.update([], 10.4)
    made.update([face(0, usable=False)], 10.6)  # somebody whose face cannot be seen
    assert isinstance(made.sighting(track).decision, Undecided)
    last = made.sighting(track, ended=True)
    assert (last.decision, last.captured_at) == (IDENTIFIED, 10.2)
    made.update([face(0)], 10.8)
    made.note_embedding(track, ANNA, quality(), 10.8)
    assert made.sighting(track).decision == IDENTIFIED


def test_what_stays_undecided_is_not_embedded_for_ever_at_full_rate() -> None:
    made = tracker(max_eager_embeddings=3)
    (track,) = made.update([face(0, score=0.99)], 0).tracks
    for step in range(3):
        made.note_embedding(track, ANNA, quality(), step)
    assert not made.wants_embedding(track, 3)
    assert made.wants_embedding(track, 4.1)


# -- bounds and words


def test_memory_is_bounded() -> None:
    made = tracker(max_tracks=8)
    crowd = [face(3 * x, 3 * y, score=0.99) for x, y in itertools.product(range(5), range(5))]
    assert len(made.update(crowd, 0).tracks) == 8


def test_a_sighting_says_what_the_track_knows() -> None:
    made = tracker()
    (track,) = made.update([face(0, score=0.99)], 7).tracks
    track.decision = IDENTIFIED
    sighting = made.sighting(track, ended=True)
    assert (sighting.room, sighting.camera, sighting.visit_id) == ("hall", "cam", "run-cam-1")
    assert (sighting.first_seen, sighting.captured_at, sighting.ended) == (7, 7, True)
    assert sighting.decision is IDENTIFIED


PLACES = st.lists(
    st.lists(st.tuples(st.floats(-4, 4), st.floats(-2, 2), st.floats(0.5, 1)), max_size=5), max_size=15
)


@given(PLACES, st.floats(0.05, 1.5))
def test_visits_begin_and_end_once(frames: list[list[tuple[float, float, float]]], gap: float) -> None:
    made = tracker()
    begun: set[str] = set()
    over: set[str] = set()
    for index, places in enumerate(frames):
        update = made.update([face(x, y, score=score) for x, y, score in places], index * gap)
        started, ended, active = (set(ids(t)) for t in (update.started, update.ended, update.tracks))
        assert not started & begun
        begun |= started
        assert not ended & over
        over |= ended
        assert active == begun - over
        seen = [track for track in update.tracks if not track.misses]
        assert len({track.face for track in seen}) == len(seen) <= len(places)
        assert all(track.first_seen <= track.last_seen for track in update.tracks + update.ended)
    assert set(ids(made.end_all())) == begun - over
