"""What must hold for presence whatever happens."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import hypothesis.strategies as st
from hypothesis import given, settings

from homeface.core.presence import EventKind, House, HouseState, PresenceEvent, PresencePolicy, RoomPolicy
from homeface.core.types import Box, Decision, Identified, Reason, Sighting, Undecided, Unknown

ROOMS = {
    "a": RoomPolicy("a", hold_seconds=20, sensor_release_seconds=3),
    "b": RoomPolicy("b", hold_seconds=7),
    "c": RoomPolicy("c", hold_seconds=12, exit_room=True),
}
POLICY = PresencePolicy(
    away_seconds=60,
    exit_leave_seconds=15,
    move_hysteresis_seconds=2,
    event_cooldown_seconds=10,
    max_sensor_hold_seconds=50,
    max_blind_hold_seconds=40,
)
SUBJECTS = ("p", "q")
EVER = 1000.0

Act: TypeAlias = Callable[[House, float], list[PresenceEvent]]


@dataclass(frozen=True)
class Step:
    """Something that happens ``wait`` seconds after the step before."""

    wait: float
    act: Act = field(repr=False)
    what: str


def decisions() -> st.SearchStrategy[Decision]:
    named = st.sampled_from(SUBJECTS).map(lambda who: Identified(who, 0.7, 0.2, 3))
    return st.one_of(named, named, st.just(Unknown((Reason.BELOW_THRESHOLD,), 5)), st.just(Undecided()))


@st.composite
def sightings(draw: st.DrawFn) -> Step:
    room, camera = draw(st.sampled_from(sorted(ROOMS))), draw(st.sampled_from(["1", "2"]))
    visit = draw(st.integers(0, 3))
    decision, late = draw(decisions()), draw(st.sampled_from([0, 0, 0.5, 3, 30, -2]))
    ended = draw(st.booleans()) and not isinstance(decision, Undecided)

    def act(home: House, now: float) -> list[PresenceEvent]:
        return home.observe(
            Sighting(
                room=room,
                camera=f"{room}{camera}",
                visit_id=f"{room}{camera}-{visit}",
                first_seen=now - late - 1,
                captured_at=now - late,
                decision=decision,
                box=Box(0, 0, 9, 9),
                ended=ended,
            ),
            now,
        )

    wait = draw(st.sampled_from([0.0, 0.3, 1.0, 2.5, 8.0, 25.0]))
    return Step(wait, act, f"{room}{camera}-{visit} {decision} late={late} ended={ended}")


@st.composite
def switches(draw: st.DrawFn) -> Step:
    room, on = draw(st.sampled_from(sorted(ROOMS))), draw(st.booleans())
    act: Act
    if draw(st.booleans()):
        act, what = (lambda home, now: home.set_sensor(room, on, now)), "sensor"
    else:
        act, what = (lambda home, now: home.set_camera(f"{room}1", room, on, now)), "camera"
    return Step(draw(st.sampled_from([0.0, 1.0, 5.0, 30.0])), act, f"{what} {room} {on}")


@st.composite
def timings(draw: st.DrawFn) -> Step:
    hold, patience = draw(st.sampled_from([1.0, 10.0, 90.0])), draw(st.sampled_from([0.0, 2.0, 20.0]))
    rooms = {name: replace(room, hold_seconds=hold) for name, room in ROOMS.items()}
    policy = replace(POLICY, move_hysteresis_seconds=patience, max_blind_hold_seconds=hold)
    return Step(1.0, lambda home, now: home.set_policies(rooms, policy, now), f"hold {hold} {patience}")


STORIES = st.lists(st.one_of(sightings(), sightings(), sightings(), switches()), max_size=30)
RETIMED = st.lists(st.one_of(sightings(), sightings(), sightings(), switches(), timings()), max_size=30)
SEEN_ONLY = st.lists(sightings(), max_size=30)


def fresh() -> House:
    home = House(ROOMS, POLICY)
    home.set_subjects(SUBJECTS, EVER)
    for room in ROOMS:
        home.set_camera(f"{room}1", room, True, EVER)
    return home


def tell(
    story: list[Step],
    home: House,
    check: Callable[[House, list[PresenceEvent]], None] | None = None,
    start: float = EVER,
) -> tuple[list[PresenceEvent], float]:
    events: list[PresenceEvent] = []
    now = start
    for step in story:
        now += step.wait
        new = step.act(home, now)
        events += new
        if check is not None:
            check(home, new)
    return events, now


def check_state(home: House, _: list[PresenceEvent]) -> None:
    state = home.snapshot()
    for name, room in state.rooms.items():
        here = sorted(who.subject_id for who in state.people.values() if who.room == name)
        assert list(room.names) == here
        assert room.count >= len(room.names) + room.unknown_count >= 0
        assert room.unknown_count >= 0
        assert room.occupied == (room.count > 0)
        assert room.last_seen is None or room.last_seen <= state.at
        assert room.since <= state.at
    for who in state.people.values():
        assert who.home or who.room is None
        assert who.since <= state.at
    assert HouseState.from_json(json.loads(json.dumps(state.to_json()))) == state


@given(RETIMED)
def test_states_are_consistent_after_every_step(story: list[Step]) -> None:
    tell(story, fresh(), check_state)


@given(RETIMED)
def test_arrived_and_left_alternate_and_nobody_is_in_two_rooms(story: list[Step]) -> None:
    where: dict[str, str | None] = dict.fromkeys(SUBJECTS)

    def check(home: House, events: list[PresenceEvent]) -> None:
        for event in events:
            who = event.subject_id
            if event.kind is EventKind.ARRIVED:
                assert who is not None
                assert where[who] is None
                where[who] = event.room
            elif event.kind is EventKind.LEFT:
                assert who is not None
                assert where[who] == event.room
                where[who] = None
            elif event.kind is EventKind.SEEN_AGAIN:
                assert who is not None
                assert where[who] == event.room
        assert {name: who.room for name, who in home.snapshot().people.items()} == where

    tell(story, fresh(), check)


@given(STORIES)
def test_unknown_is_told_at_most_once_per_visit(story: list[Step]) -> None:
    events, _ = tell(story, fresh())
    visits = [event.visit_id for event in events if event.kind is EventKind.UNKNOWN]
    assert len(visits) == len(set(visits))


@given(STORIES, st.lists(st.floats(0, 300), max_size=20))
def test_more_ticks_change_nothing(story: list[Step], ticks: list[float]) -> None:
    seldom, often = fresh(), fresh()
    expected, end = tell(story, seldom)
    expected += seldom.tick(end + 500)
    pending = sorted(EVER + tick for tick in ticks)
    events: list[PresenceEvent] = []
    now = EVER
    for step in story:
        now += step.wait
        while pending and pending[0] <= now:
            events += often.tick(pending.pop(0))
        events += step.act(often, now)
    while (deadline := often.next_deadline(now)) is not None and deadline <= end + 500:
        events += often.tick(deadline)
        now = deadline
    events += often.tick(end + 500)
    assert events == expected
    assert often.snapshot() == seldom.snapshot()


@given(RETIMED)
def test_the_ticker_is_told_of_every_change(story: list[Step]) -> None:
    """Nothing changes between now and ``next_deadline``."""
    home = fresh()
    _, now = tell(story, home)
    while (deadline := home.next_deadline(now)) is not None and now < EVER + 5000:
        before = home.snapshot()
        just_before = now + (deadline - now) * 0.999
        assert home.tick(just_before) == []
        after = dataclasses.replace(home.snapshot(), at=before.at)
        assert after.rooms == before.rooms
        home.tick(deadline)
        now = deadline
    assert home.next_deadline(now) is None


@given(SEEN_ONLY)
def test_nobody_leaves_inside_the_hold(story: list[Step]) -> None:
    """A ``left`` for want of sight comes no sooner than the hold after the last sight, and not later."""
    home = fresh()
    events, end = tell(story, home)
    for event in events + home.tick(end + 500):
        if event.kind is EventKind.LEFT and event.reasons == ("hold_expired",):
            assert event.captured_at == event.last_seen + ROOMS[event.room].hold_seconds


@given(RETIMED)
def test_after_a_long_silence_everything_is_empty(story: list[Step]) -> None:
    home = fresh()
    _, end = tell(story, home)
    home.tick(end + 1000)
    state = home.snapshot()
    assert all(not room.occupied and room.names == () for room in state.rooms.values())
    assert all(who.room is None and not who.home for who in state.people.values())
    assert home.next_deadline(end + 1000) is None


@given(STORIES)
def test_the_order_of_subjects_and_rooms_does_not_matter(story: list[Step]) -> None:
    other = House(dict(reversed(ROOMS.items())), POLICY)
    other.set_subjects(reversed(SUBJECTS), EVER)
    for room in ROOMS:
        other.set_camera(f"{room}1", room, True, EVER)
    home = fresh()
    expected, _ = tell(story, home)
    events, _ = tell(story, other)
    assert events == expected
    assert other.snapshot() == home.snapshot()


@given(STORIES, st.sampled_from([0.0, 5.0, 30.0, 200.0]), STORIES)
@settings(max_examples=50)
def test_a_restart_tells_nothing_and_keeps_who_is_where(
    story: list[Step], down: float, more: list[Step]
) -> None:
    home = fresh()
    _, end = tell(story, home)
    state = home.snapshot()
    again = House(ROOMS, POLICY)
    again.set_subjects(SUBJECTS, end + down)
    again.restore(state, end + down)
    check_state(again, [])
    restored = again.snapshot().people
    for name, who in restored.items():
        assert who.room in (None, state.people[name].room)
        assert who.home <= state.people[name].home
        if down == 0.0 and state.rooms.get(who.room or "") and state.rooms[who.room or ""].available:
            assert who.room == state.people[name].room
    tell(more, again, check_state, start=end + down)


@given(st.lists(st.tuples(sightings(), st.sampled_from([0.0, 0.0, -4.0, -100.0, 50.0])), max_size=30))
def test_a_jumping_clock_breaks_nothing(story: list[tuple[Step, float]]) -> None:
    home = fresh()
    now = EVER * 10
    for step, jump in story:
        now = max(EVER, now + step.wait + jump)
        step.act(home, now)
        check_state(home, [])
    home.tick(now + 1000)
    assert not any(room.occupied for room in home.snapshot().rooms.values())
