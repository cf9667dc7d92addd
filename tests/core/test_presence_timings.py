"""Timings that change while somebody is there."""

from __future__ import annotations

from dataclasses import replace

from tests.core.test_presence import POLICY, ROOMS, house, look, names, seen, told


def test_a_shorter_hold_ends_what_is_over_by_it_now() -> None:
    home = house()
    look(home, seen("anna", "kitchen", 10))
    rooms = {name: replace(room, hold_seconds=20) for name, room in ROOMS.items()}
    assert told(home.set_policies(rooms, POLICY, 25)) == []
    assert told(home.tick(31)) == [("left", "kitchen", "anna")]
    look(home, seen("anna", "kitchen", 40, "again"))
    shorter = {name: replace(room, hold_seconds=5) for name, room in ROOMS.items()}
    assert told(home.set_policies(shorter, POLICY, 50)) == [("left", "kitchen", "anna")]
    assert home.snapshot().people["anna"].since == 50  # not in the past, when another promise held


def test_a_longer_hold_keeps_who_is_there() -> None:
    home = house()
    look(home, seen("anna", "kitchen", 10))
    rooms = {name: replace(room, hold_seconds=500) for name, room in ROOMS.items()}
    assert told(home.set_policies(rooms, POLICY, 20)) == []
    assert told(home.tick(500)) == []
    assert names(home, "kitchen") == ("anna",)
    assert told(home.tick(511)) == [("left", "kitchen", "anna")]


def test_what_was_due_before_the_change_happens_by_the_old_timings() -> None:
    home = house()
    look(home, seen("anna", "kitchen", 10))
    rooms = {name: replace(room, hold_seconds=500) for name, room in ROOMS.items()}
    assert told(home.set_policies(rooms, POLICY, 80)) == [("left", "kitchen", "anna")]


def test_the_houses_timings_change_as_well() -> None:
    home = house()
    look(home, seen("anna", "kitchen", 10))
    home.tick(100)
    assert home.snapshot().people["anna"].home
    home.set_policies(ROOMS, replace(POLICY, away_seconds=50), 110)
    assert not home.snapshot().people["anna"].home
