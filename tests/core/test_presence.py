"""Presence, rule by rule."""

from __future__ import annotations

import pytest

from homeface.core.presence import Cause, EventKind, House, PresenceEvent, PresencePolicy, RoomPolicy
from homeface.core.types import Box, Candidate, Decision, Identified, Reason, Sighting, Undecided, Unknown

POLICY = PresencePolicy(
    away_seconds=1000,
    exit_leave_seconds=80,
    move_hysteresis_seconds=2,
    event_cooldown_seconds=30,
    max_sensor_hold_seconds=500,
    max_blind_hold_seconds=300,
)
ROOMS = {
    "kitchen": RoomPolicy("kitchen", hold_seconds=60),
    "study": RoomPolicy("study", hold_seconds=60, sensor_release_seconds=10),
    "porch": RoomPolicy("porch", hold_seconds=20, exit_room=True),
}
UNKNOWN = Unknown((Reason.BELOW_THRESHOLD,), votes=5, candidates=(Candidate("anna", 0.3),))


def person(name: str, score: float = 0.7) -> Identified:
    return Identified(name, score=score, margin=0.2, votes=4)


def seen(
    who: str | Decision,
    room: str,
    at: float,
    visit: str | None = None,
    *,
    since: float | None = None,
    camera: str | None = None,
    ended: bool = False,
) -> Sighting:
    decision = person(who) if isinstance(who, str) else who
    name = who if isinstance(who, str) else type(who).__name__.lower()
    return Sighting(
        room=room,
        camera=camera or f"{room}-camera",
        visit_id=visit or f"{name}-{room}",
        first_seen=at if since is None else since,
        captured_at=at,
        decision=decision,
        box=Box(0, 0, 10, 10),
        ended=ended,
    )


def house(policy: PresencePolicy = POLICY) -> House:
    made = House(ROOMS, policy)
    made.set_subjects(["anna", "ben"], 0)
    for room in ROOMS:
        made.set_camera(f"{room}-camera", room, True, 0)
    return made


def told(events: list[PresenceEvent]) -> list[tuple[str, str, str | None]]:
    return [(event.kind.value, event.room, event.subject_id) for event in events]


def look(home: House, sighting: Sighting, late: float = 0.0) -> list[tuple[str, str, str | None]]:
    return told(home.observe(sighting, sighting.captured_at + late))


def names(home: House, room: str) -> tuple[str, ...]:
    return home.snapshot().rooms[room].names


ARRIVED, LEFT, STRANGER, AGAIN = "arrived", "left", "unknown", "seen_again"


# -- arriving, staying, leaving


def test_a_new_house_is_empty_and_available() -> None:
    state = house().snapshot()
    assert all(room.available and not room.occupied and room.count == 0 for room in state.rooms.values())
    assert all(who.room is None and not who.home for who in state.people.values())


def test_arriving_is_told_once_with_its_grounds() -> None:
    home = house()
    events = home.observe(seen("anna", "kitchen", 100), 100.4)
    assert events == [
        PresenceEvent(
            EventKind.ARRIVED, "kitchen", "anna", 100, 100, "anna-kitchen", "kitchen-camera", 0.7, 0.2, 4
        )
    ]
    assert look(home, seen("anna", "kitchen", 101)) == []
    state = home.snapshot()
    assert state.rooms["kitchen"].names == ("anna",)
    assert (state.rooms["kitchen"].since, state.rooms["kitchen"].last_seen) == (100, 101)
    anna = state.people["anna"]
    assert (anna.room, anna.home, anna.since, anna.last_seen, anna.score) == ("kitchen", True, 100, 101, 0.7)


def test_the_hold_bridges_gaps_and_ends_at_its_own_time() -> None:
    home = house()
    look(home, seen("anna", "kitchen", 100))
    assert home.tick(159.9) == []
    assert home.next_deadline(159.9) == 160
    (left,) = home.tick(500)
    assert (left.kind, left.room, left.captured_at, left.last_seen) == (EventKind.LEFT, "kitchen", 160, 100)
    assert left.reasons == (Cause.HOLD_EXPIRED,)
    anna = home.snapshot().people["anna"]
    assert (anna.room, anna.home, anna.since) == (None, True, 160)


def test_a_broken_track_is_no_new_arrival_and_one_person() -> None:
    home = house()
    look(home, seen("anna", "kitchen", 100, "one"))
    look(home, seen("anna", "kitchen", 103, "one", ended=True))
    assert look(home, seen("anna", "kitchen", 108, "two")) == []
    assert home.snapshot().rooms["kitchen"].count == 1


@pytest.mark.parametrize(("gap", "expected"), [(20, []), (40, [(AGAIN, "kitchen", "anna")])])
def test_seen_again_is_a_new_visit_after_the_cooldown(
    gap: float, expected: list[tuple[str, str, str]]
) -> None:
    home = house()
    look(home, seen("anna", "kitchen", 100, "one"))
    assert look(home, seen("anna", "kitchen", 100 + gap, "two")) == expected
    assert look(home, seen("anna", "kitchen", 101 + gap, "two")) == []


def test_a_second_camera_that_sees_the_same_person_is_not_again() -> None:
    home = house()
    look(home, seen("anna", "kitchen", 100, "one", since=90))
    look(home, seen("anna", "kitchen", 140, "one", since=90))
    assert look(home, seen("anna", "kitchen", 141, "two", since=139, camera="other")) == []
    assert home.snapshot().rooms["kitchen"].count == 1


# -- one place per person


def test_moving_is_left_and_arrived() -> None:
    home = house()
    look(home, seen("anna", "kitchen", 100))
    events = home.observe(seen("anna", "study", 110), 110)
    assert told(events) == [(LEFT, "kitchen", "anna"), (ARRIVED, "study", "anna")]
    assert events[0].reasons == (Cause.MOVED,)
    assert events[0].last_seen == 100
    assert names(home, "kitchen") == ()
    assert not home.snapshot().rooms["kitchen"].occupied


def test_two_rooms_that_see_one_person_at_the_same_time_do_not_flap() -> None:
    home = house()
    look(home, seen("anna", "kitchen", 100))
    for step in range(1, 40):
        room = ("kitchen", "study")[step % 2]
        assert look(home, seen("anna", room, 100 + step * 0.5, since=100)) == []
    assert names(home, "kitchen") == ("anna",)


def test_a_glimpse_in_the_next_room_moves_when_the_old_room_stays_silent() -> None:
    home = house()
    look(home, seen("anna", "kitchen", 100))
    assert look(home, seen("anna", "study", 101)) == []
    assert home.next_deadline(101) == 104
    assert told(home.tick(104)) == [(LEFT, "kitchen", "anna"), (ARRIVED, "study", "anna")]


def test_a_late_sighting_of_another_room_moves_nobody() -> None:
    home = house()
    look(home, seen("anna", "kitchen", 100))
    assert look(home, seen("anna", "study", 95), late=10) == []
    assert home.tick(130) == []
    assert names(home, "kitchen") == ("anna",)


def test_a_sighting_older_than_the_hold_places_nobody() -> None:
    home = house()
    assert look(home, seen("anna", "kitchen", 100), late=61) == []
    assert names(home, "kitchen") == ()


# -- home and away


@pytest.mark.parametrize(("room", "gone", "away"), [("kitchen", 160, 1100), ("porch", 120, 180)])
def test_an_exit_room_makes_gone_away_sooner(room: str, gone: float, away: float) -> None:
    home = house()
    look(home, seen("anna", room, 100))
    home.tick(away - 1)
    anna = home.snapshot().people["anna"]
    assert (anna.room, anna.home, anna.since) == (None, True, gone)
    assert home.tick(away) == []
    anna = home.snapshot().people["anna"]
    assert (anna.home, anna.since) == (False, away)


def test_a_room_may_set_its_own_leave_time() -> None:
    home = House({"hall": RoomPolicy("hall", hold_seconds=10, leave_seconds=5)}, POLICY)
    look(home, seen("anna", "hall", 100))
    home.tick(110)
    assert not home.snapshot().people["anna"].home


# -- unknown people


def test_unknown_is_told_once_per_visit_and_counts_for_the_hold() -> None:
    home = house()
    assert look(home, seen(Undecided(), "kitchen", 100, "v")) == []
    assert home.snapshot().rooms["kitchen"].unknown_count == 0
    assert home.snapshot().rooms["kitchen"].count == 1
    (event,) = home.observe(seen(UNKNOWN, "kitchen", 102, "v", since=100), 102)
    assert (event.kind, event.subject_id, event.votes, event.score) == (EventKind.UNKNOWN, None, 5, 0.3)
    assert event.reasons == ("below_threshold",)
    assert look(home, seen(UNKNOWN, "kitchen", 104, "v", since=100, ended=True)) == []
    room = home.snapshot().rooms["kitchen"]
    assert (room.count, room.unknown_count, room.names) == (1, 1, ())
    assert home.tick(164) == []
    assert home.snapshot().rooms["kitchen"].count == 0


def test_an_unknown_visit_that_gets_a_name_converts() -> None:
    home = house()
    look(home, seen(UNKNOWN, "kitchen", 100, "v"))
    assert look(home, seen("anna", "kitchen", 101, "v", since=100)) == [(ARRIVED, "kitchen", "anna")]
    room = home.snapshot().rooms["kitchen"]
    assert (room.count, room.unknown_count, room.names) == (1, 0, ("anna",))


def test_an_unknown_without_a_usable_face_is_occupancy_only() -> None:
    home = house()
    faceless = Unknown((Reason.NO_USABLE_FACE,), votes=0)
    assert look(home, seen(faceless, "kitchen", 100, ended=True)) == []
    room = home.snapshot().rooms["kitchen"]
    assert (room.count, room.unknown_count) == (1, 0)


def test_a_very_late_last_word_is_still_told_once() -> None:
    home = house()
    last = seen(UNKNOWN, "porch", 100, "v", ended=True)
    assert look(home, last, late=25) == [(STRANGER, "porch", None)]
    assert look(home, last, late=26) == []
    assert home.snapshot().rooms["porch"].count == 0


def test_count_is_the_least_number_that_explains_what_was_seen() -> None:
    home = house()
    look(home, seen(UNKNOWN, "kitchen", 100, "a", since=90))
    look(home, seen(UNKNOWN, "kitchen", 105, "b", since=104))  # a's track broke, or somebody else
    assert home.snapshot().rooms["kitchen"].unknown_count == 1
    look(home, seen(UNKNOWN, "kitchen", 106, "c", since=105))  # at the same time as b
    assert home.snapshot().rooms["kitchen"].unknown_count == 2
    look(home, seen(UNKNOWN, "kitchen", 106, "d", since=100, camera="other"))  # the same people, perhaps
    assert home.snapshot().rooms["kitchen"].unknown_count == 2
    look(home, seen("anna", "kitchen", 107, "e", since=106))
    room = home.snapshot().rooms["kitchen"]
    assert (room.count, room.unknown_count, room.names) == (3, 2, ("anna",))


# -- revised decisions


def test_a_revoked_name_leaves_once_and_undoes_home() -> None:
    home = house()
    look(home, seen("anna", "kitchen", 100, "v"))
    events = home.observe(seen(UNKNOWN, "kitchen", 101, "v"), 101)
    assert told(events) == [(LEFT, "kitchen", "anna"), (STRANGER, "kitchen", None)]
    assert events[0].reasons == (Cause.DECISION_REVISED,)
    state = home.snapshot()
    assert (state.people["anna"].room, state.people["anna"].home) == (None, False)
    assert (state.rooms["kitchen"].count, state.rooms["kitchen"].unknown_count) == (1, 1)


def test_a_name_changed_to_another_name() -> None:
    home = house()
    look(home, seen("anna", "kitchen", 100, "v"))
    assert look(home, seen("ben", "kitchen", 101, "v")) == [
        (LEFT, "kitchen", "anna"),
        (ARRIVED, "kitchen", "ben"),
    ]
    assert home.snapshot().rooms["kitchen"].count == 1


def test_a_revoked_name_stays_when_another_visit_says_the_same() -> None:
    home = house()
    look(home, seen("anna", "kitchen", 100, "v"))
    look(home, seen("anna", "kitchen", 101, "w", camera="other"))
    assert look(home, seen(UNKNOWN, "kitchen", 102, "w", camera="other")) == [(STRANGER, "kitchen", None)]
    assert names(home, "kitchen") == ("anna",)


def test_a_wrong_sighting_elsewhere_is_taken_back_to_the_room_before() -> None:
    home = house()
    home.set_sensor("study", True, 0)
    look(home, seen("anna", "study", 100))
    home.tick(300)  # the visit is long gone, the sensor holds her
    look(home, seen("anna", "kitchen", 310, "wrong"))
    assert look(home, seen(UNKNOWN, "kitchen", 311, "wrong")) == [
        (LEFT, "kitchen", "anna"),
        (ARRIVED, "study", "anna"),
        (STRANGER, "kitchen", None),
    ]


def test_undecided_again_keeps_the_name_but_does_not_refresh_it() -> None:
    home = house()
    look(home, seen("anna", "kitchen", 100, "v"))
    assert look(home, seen(Undecided(), "kitchen", 130, "v")) == []
    assert told(home.tick(160)) == [(LEFT, "kitchen", "anna")]


# -- sensors


def test_a_sensor_holds_named_people_and_lets_go_when_it_clears() -> None:
    home = house()
    look(home, seen("anna", "study", 100))
    look(home, seen(UNKNOWN, "study", 100, "stranger"))
    home.set_sensor("study", True, 110)
    assert home.tick(400) == []
    room = home.snapshot().rooms["study"]
    assert (room.names, room.unknown_count, room.count) == (("anna",), 0, 1)
    home.set_sensor("study", False, 400)
    assert told(home.tick(409)) == []
    (left,) = home.tick(411)
    assert (left.kind, left.captured_at) == (EventKind.LEFT, 410)
    assert not home.snapshot().rooms["study"].occupied
    home.tick(1399)  # away counts from the last time the sensor vouched for her
    assert home.snapshot().people["anna"].home
    home.tick(1400)
    assert not home.snapshot().people["anna"].home


def test_a_sensor_only_prolongs() -> None:
    home = house()
    home.set_sensor("study", False, 0)
    look(home, seen("anna", "study", 100))
    assert home.tick(159) == []
    assert told(home.tick(160)) == [(LEFT, "study", "anna")]


def test_a_stuck_sensor_holds_nobody_for_ever() -> None:
    home = house()
    home.set_sensor("study", True, 300)
    look(home, seen("anna", "study", 300))
    (left,) = home.tick(10_000)
    assert left.captured_at == 800
    assert not home.snapshot().rooms["study"].occupied


def test_a_sensor_alone_is_occupancy_of_one() -> None:
    home = house()
    home.set_sensor("study", True, 100)
    room = home.snapshot().rooms["study"]
    assert (room.occupied, room.count, room.names, room.since) == (True, 1, (), 100)


# -- blind cameras


def test_a_dead_camera_is_not_an_empty_room() -> None:
    home = house()
    look(home, seen("anna", "kitchen", 100))
    home.set_camera("kitchen-camera", "kitchen", False, 110)
    assert home.tick(300) == []
    room = home.snapshot().rooms["kitchen"]
    assert (room.available, room.occupied, room.names) == (False, True, ("anna",))
    home.set_camera("kitchen-camera", "kitchen", True, 300)  # holds count from now
    assert home.tick(359) == []
    assert told(home.tick(360)) == [(LEFT, "kitchen", "anna")]


def test_being_blind_is_bounded() -> None:
    home = house()
    look(home, seen("anna", "kitchen", 100))
    look(home, seen(UNKNOWN, "kitchen", 100, "v"))
    home.set_camera("kitchen-camera", "kitchen", False, 110)
    (left,) = home.tick(5000)
    assert left.captured_at == 400
    assert not home.snapshot().rooms["kitchen"].occupied


def test_one_seeing_camera_or_a_sensor_keeps_a_room_available() -> None:
    home = house()
    home.set_camera("second", "kitchen", True, 0)
    home.set_camera("kitchen-camera", "kitchen", False, 10)
    assert home.snapshot().rooms["kitchen"].available
    home.set_camera("second", "kitchen", False, 11)
    assert not home.snapshot().rooms["kitchen"].available
    home.set_sensor("kitchen", False, 12)
    assert home.snapshot().rooms["kitchen"].available
    home.set_sensor("kitchen", None, 13)
    assert not home.snapshot().rooms["kitchen"].available


# -- privacy and the gallery


def test_a_paused_camera_forgets_at_once_and_says_nothing() -> None:
    home = house()
    look(home, seen("anna", "kitchen", 100))
    look(home, seen(UNKNOWN, "kitchen", 100, "v"))
    assert home.set_paused("kitchen-camera", "kitchen", True, 101) == []
    room = home.snapshot().rooms["kitchen"]
    assert (room.available, room.count, room.names) == (False, 0, ())
    assert (home.snapshot().people["anna"].room, home.snapshot().people["anna"].home) == (None, True)
    assert look(home, seen("anna", "kitchen", 102)) == []
    home.set_paused("kitchen-camera", "kitchen", False, 103)
    assert home.snapshot().rooms["kitchen"].available
    assert look(home, seen("anna", "kitchen", 104)) == [(ARRIVED, "kitchen", "anna")]


def test_pausing_one_of_two_cameras_keeps_what_the_other_sees() -> None:
    home = house()
    home.set_camera("second", "kitchen", True, 0)
    look(home, seen("anna", "kitchen", 100))
    look(home, seen("ben", "kitchen", 100))
    look(home, seen("anna", "kitchen", 100, "w", camera="second"))
    home.set_paused("kitchen-camera", "kitchen", True, 101)
    assert names(home, "kitchen") == ("anna",)
    assert home.snapshot().rooms["kitchen"].available


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("resumed", [False, True])
def test_a_name_taken_back_elsewhere_brings_nobody_back_to_a_paused_room(
    restarted: bool, resumed: bool
) -> None:
    home = house()
    look(home, seen("anna", "kitchen", 10, "v1"))
    home.set_paused("kitchen-camera", "kitchen", True, 12)
    if restarted:
        before, home = home.snapshot(), House(ROOMS, POLICY)
        home.restore(before, 13)
        home.set_subjects(["anna", "ben"], 13)
        home.set_camera("kitchen-camera", "kitchen", True, 13)
        home.set_paused("kitchen-camera", "kitchen", True, 13)
    if resumed:
        home.set_paused("kitchen-camera", "kitchen", False, 13)
    assert look(home, seen("anna", "study", 14, "v2")) == [(ARRIVED, "study", "anna")]
    assert look(home, seen(UNKNOWN, "study", 15, "v2", since=14)) == [
        (LEFT, "study", "anna"),
        (STRANGER, "study", None),
    ]
    anna = home.snapshot().people["anna"]
    assert (anna.room, anna.home) == (None, True)
    assert names(home, "kitchen") == ()


def test_somebody_in_view_whose_name_is_no_longer_sure_is_not_an_empty_room() -> None:
    home = house()
    look(home, seen("anna", "kitchen", 10, "v1"))
    for at in range(11, 100):
        look(home, seen(Undecided(), "kitchen", at, "v1", since=10))
    state = home.snapshot().rooms["kitchen"]
    assert (state.occupied, state.count, state.names, state.unknown_count) == (True, 1, (), 0)


def test_a_removed_subject_vanishes_and_its_visit_stays_as_somebody() -> None:
    home = house()
    look(home, seen("anna", "kitchen", 100, "v"))
    home.set_subjects(["ben"], 101)
    state = home.snapshot()
    assert list(state.people) == ["ben"]
    assert (state.rooms["kitchen"].names, state.rooms["kitchen"].count) == ((), 1)
    assert look(home, seen("anna", "kitchen", 102, "v")) == []
    assert home.tick(1000) == []


# -- clocks and nonsense


def test_a_frame_from_the_future_counts_as_now() -> None:
    home = house()
    (event,) = home.observe(seen("anna", "kitchen", 900), 100)
    assert event.captured_at == 100
    assert told(home.tick(160)) == [(LEFT, "kitchen", "anna")]


def test_a_clock_set_back_prolongs_by_one_hold_at_most() -> None:
    home = house()
    look(home, seen("anna", "kitchen", 10_000))
    assert home.tick(500) == []
    assert look(home, seen("anna", "kitchen", 501, "later")) == []
    assert home.snapshot().people["anna"].last_seen == 501
    assert told(home.tick(561)) == [(LEFT, "kitchen", "anna")]


def test_an_overtaken_frame_does_not_change_the_decision() -> None:
    home = house()
    look(home, seen("anna", "kitchen", 100, "v"))
    assert look(home, seen(UNKNOWN, "kitchen", 99.5, "v"), late=1) == []
    assert names(home, "kitchen") == ("anna",)


def test_nothing_follows_the_last_word_of_a_visit() -> None:
    home = house()
    look(home, seen(UNKNOWN, "kitchen", 100, "v", ended=True))
    assert look(home, seen("anna", "kitchen", 101, "v")) == []


def test_unknown_rooms_are_ignored() -> None:
    home = house()
    assert look(home, seen("anna", "attic", 100)) == []
    assert home.set_sensor("attic", True, 101) == []
    assert home.set_camera("x", "attic", True, 101) == []
    assert home.set_paused("x", "attic", True, 101) == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: RoomPolicy("x", hold_seconds=0),
        lambda: RoomPolicy("x", leave_seconds=-1),
        lambda: RoomPolicy("x", sensor_release_seconds=-1),
        lambda: PresencePolicy(away_seconds=-1),
    ],
)
def test_timings_that_cannot_work_are_refused(make: object) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=r"negative|at least"):
        make()


def test_memory_is_bounded() -> None:
    home = house()
    for number in range(2000):
        home.observe(seen(UNKNOWN, "kitchen", 100 + number * 0.001, f"v{number}"), 102)
    assert len(home._ledger.visits) <= 512
    assert len(home._announced) <= 1024
