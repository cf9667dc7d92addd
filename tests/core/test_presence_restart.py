"""Presence over restarts: what is stored, and how it ages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from homeface.core.presence import House, HouseState, PersonState, RoomState
from tests.core.test_presence import ARRIVED, LEFT, POLICY, ROOMS, STRANGER, UNKNOWN, house, look, seen, told


def restarted(state: HouseState, now: float) -> House:
    made = House(ROOMS, POLICY)
    made.set_subjects(["anna", "ben"], now)
    made.restore(HouseState.from_json(json.loads(json.dumps(state.to_json()))), now)
    for room in ROOMS:
        made.set_camera(f"{room}-camera", room, True, now)
    return made


def test_somebody_present_stays_and_does_not_arrive_again() -> None:
    home = house()
    look(home, seen("anna", "kitchen", 100))
    again = restarted(home.snapshot(), 110)
    state = again.snapshot()
    assert state.rooms["kitchen"].names == ("anna",)
    assert (state.rooms["kitchen"].since, state.people["anna"].since) == (100, 100)
    assert look(again, seen("anna", "kitchen", 111, "new")) == []
    assert look(again, seen("anna", "study", 120, "newer")) == [
        (LEFT, "kitchen", "anna"),
        (ARRIVED, "study", "anna"),
    ]


def test_a_restored_hold_counts_from_the_last_sight() -> None:
    home = house()
    look(home, seen("anna", "kitchen", 100))
    again = restarted(home.snapshot(), 150)
    assert again.tick(159) == []
    (left,) = again.tick(160)
    assert (told([left]), left.captured_at) == ([(LEFT, "kitchen", "anna")], 160)


@pytest.mark.parametrize(
    ("now", "at_home", "since"),
    [(500, True, 160), (1099, True, 160), (1101, False, 1100), (9e9, False, 1100)],
)
def test_whose_hold_ran_out_is_in_no_room_and_in_the_end_away(
    now: float, at_home: bool, since: float
) -> None:
    home = house()
    look(home, seen("anna", "kitchen", 100))
    again = restarted(home.snapshot(), now)
    anna = again.snapshot().people["anna"]
    assert (anna.room, anna.home, anna.since, anna.last_seen) == (None, at_home, since, 100)
    assert not again.snapshot().rooms["kitchen"].occupied
    assert again.tick(now) == []


def test_who_was_away_stays_away() -> None:
    again = restarted(house().snapshot(), 5000)
    assert not again.snapshot().people["anna"].home


def test_who_was_held_by_a_sensor_gets_one_hold_for_it_to_report_again() -> None:
    home = house()
    home.set_sensor("study", True, 90)
    look(home, seen("anna", "study", 100))
    home.tick(400)
    again = restarted(home.snapshot(), 405)
    assert again.snapshot().rooms["study"].names == ("anna",)
    again.set_sensor("study", True, 410)
    assert again.tick(590) == []
    silent = restarted(home.snapshot(), 405)
    assert told(silent.tick(460)) == [(LEFT, "study", "anna")]


def test_an_unknown_visitor_still_there_is_not_announced_again() -> None:
    home = house()
    look(home, seen(UNKNOWN, "kitchen", 100, "before"))
    again = restarted(home.snapshot(), 105)
    assert again.snapshot().rooms["kitchen"].unknown_count == 1
    assert look(again, seen(UNKNOWN, "kitchen", 107, "after")) == []
    assert again.snapshot().rooms["kitchen"].unknown_count == 1
    assert look(again, seen(UNKNOWN, "kitchen", 107, "another")) == [(STRANGER, "kitchen", None)]
    assert again.snapshot().rooms["kitchen"].unknown_count == 2


def test_rooms_and_subjects_that_are_gone_are_left_out() -> None:
    home = house()
    look(home, seen("anna", "kitchen", 100))
    look(home, seen("ben", "study", 100))
    smaller = House({"kitchen": ROOMS["kitchen"]}, POLICY)
    smaller.set_subjects(["ben"], 101)
    smaller.restore(home.snapshot(), 101)
    state = smaller.snapshot()
    assert list(state.rooms) == ["kitchen"]
    assert list(state.people) == ["ben"]
    assert (state.people["ben"].room, state.people["ben"].home) == (None, True)
    assert not state.rooms["kitchen"].occupied
    assert smaller.tick(5000) == []
    assert not smaller.snapshot().people["ben"].home


def test_a_state_from_the_future_is_brought_back_to_now() -> None:
    home = house()
    look(home, seen("anna", "kitchen", 10_000))
    again = restarted(home.snapshot(), 500)
    assert again.snapshot().rooms["kitchen"].names == ("anna",)
    assert told(again.tick(560)) == [(LEFT, "kitchen", "anna")]


def test_unavailable_until_a_camera_reports() -> None:
    home = house()
    look(home, seen("anna", "kitchen", 100))
    fresh = House(ROOMS, POLICY)
    fresh.restore(home.snapshot(), 110)
    room = fresh.snapshot().rooms["kitchen"]
    assert (room.available, room.names) == (False, ("anna",))
    assert told(fresh.tick(160)) == [(LEFT, "kitchen", "anna")]


# -- stored form


def test_the_stored_form_round_trips() -> None:
    home = house()
    look(home, seen("anna", "kitchen", 100))
    look(home, seen(UNKNOWN, "porch", 100))
    state = home.snapshot()
    assert HouseState.from_json(json.loads(json.dumps(state.to_json()))) == state


def spoilt(**changes: Any) -> dict[str, Any]:
    room = RoomState("kitchen", True, False, 0, (), 0, 1.0, None)
    who = PersonState("anna", None, False, 1.0)
    data: dict[str, Any] = HouseState({"kitchen": room}, {"anna": who}, 1.0).to_json()
    for key, value in changes.items():
        part, _, name = key.partition("__")
        if name:
            data[part][0][name] = value
        else:
            data[part] = value
    return data


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        "state",
        spoilt(version=2),
        spoilt(at="now"),
        spoilt(at=float("nan")),
        spoilt(rooms={}),
        spoilt(people=None),
        spoilt(rooms=[1]),
        spoilt(rooms=[{}]),
        spoilt(rooms__extra=1),
        spoilt(rooms__count=True),
        spoilt(rooms__count=-1),
        spoilt(rooms__unknown_count=10**9),
        spoilt(rooms__names=[1]),
        spoilt(rooms__names="anna"),
        spoilt(people__home="yes"),
        spoilt(people__since=None),
        spoilt(people__last_seen=float("inf")),
        spoilt(people__room=3),
    ],
)
def test_malformed_stored_forms_are_refused(data: object) -> None:
    with pytest.raises(ValueError, match="stored"):
        HouseState.from_json(data)


def test_the_unspoilt_form_is_accepted() -> None:
    assert HouseState.from_json(spoilt()).people["anna"].since == 1.0
