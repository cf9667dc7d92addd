"""Acceptance: the broker dies, the daemon dies; states are right soon after, and no event is told twice."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.small_home import BRISK, STAY, TURNS, SmallHome, small_home
from tests.support.data import requires_data
from tests.support.mosquitto import requires_mosquitto, retained
from tests.support.rtsp import require_rtsp
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.accuracy,
    pytest.mark.rtsp,
    pytest.mark.mosquitto,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    requires_data,
    requires_mosquitto,
]

RIGHT_WITHIN_SECONDS = 5.0


@pytest.fixture
def home(tmp_path: Path) -> Iterator[SmallHome]:
    """A small home whose daemon is not started yet."""
    require_rtsp()
    with small_home(tmp_path) as running:
        yield running


def test_what_happened_without_a_broker_is_a_state_afterwards_but_no_event(
    home: SmallHome, capsys: pytest.CaptureFixture[str]
) -> None:
    """The broker dies while the person is away, and comes back empty while the person is there."""
    person, stranger, turns = home.ready.person, home.ready.stranger, home.turns
    home.configure(TURNS, presence=BRISK)
    home.daemon.start()
    wait_until(lambda: home.cameras.started_at(TURNS), 20, "the scene began")
    home.wait_turn(lambda now: home.arrivals() and turns.certainly(person, now) is False)
    wait_until(lambda: home.kitchen()["person"] == "home", 5, "the person has left")

    home.broker.kill()
    died = time.time()
    home.wait_turn(lambda now: turns.coming(person, now))
    before, heard = len(home.events()), len(home.listener.heard)
    home.broker.start()
    back = time.time()
    since = home.wait_online(heard, 10)
    right = {"availability": "online", "occupancy": "ON", "people": "1", "names": person, "unknown": "0"}
    right |= {"person": "kitchen", "presence": "home"}
    wait_until(lambda: home.kitchen() == right, RIGHT_WITHIN_SECONDS, f"{home.kitchen()} is {right}")
    took = time.time() - since

    arrivals = len(home.arrivals())
    home.wait_turn(lambda now: turns.certainly(stranger, now))
    wait_until(lambda: "unknown" in [e["event_type"] for e in home.events()[before:]], 5, "events come again")
    with capsys.disabled():
        print(
            f"\nbroker away {back - died:.1f} s, online after {since - back:.1f} s, right after {took:.2f} s"
        )
    assert len(home.arrivals()) == arrivals == 1, home.arrivals()
    assert [e["event_type"] for e in home.events()[before:]] == ["left", "unknown"]
    assert_told_once(home)


def test_a_killed_daemon_takes_up_where_it_was(home: SmallHome, capsys: pytest.CaptureFixture[str]) -> None:
    """SIGKILL twice while a person and a stranger stay in sight: nobody arrives a second time."""
    home.configure(STAY)
    home.daemon.start()
    right = home.both()
    wait_until(lambda: home.kitchen() == right, 30, f"the house knows both: {home.kitchen()}")
    first = {"arrived": 1, "unknown": 1}
    wait_until(lambda: kinds(home.events()) == first, 5, f"both are told: {home.events()}")
    for _ in range(2):
        home.daemon.kill()
        wait_until(lambda: home.told("status") == "offline", 10, "the last will")
        heard = len(home.listener.heard)
        home.daemon.start(wait_ready=False)
        since = home.wait_online(heard)
        wait_until(lambda: home.kitchen() == right, RIGHT_WITHIN_SECONDS, f"{home.kitchen()} is {right}")
        with capsys.disabled():
            print(f"\nright {time.time() - since:.2f} s after the reconnect")
        wait_recognised(home)
        assert kinds(home.events()) == first, home.events()
    assert home.daemon.terminate() == 0
    assert kinds(home.events()) == first, home.events()
    assert_told_once(home)


def wait_recognised(home: SmallHome) -> None:
    """Wait until a new visit speaks for the person."""
    attributes = ("person", home.ready.person_id, "room", "attributes")
    restored = home.told(*attributes)
    wait_until(lambda: home.told(*attributes) != restored, 30, "the person is recognised again")


def kinds(events: list[dict[str, Any]]) -> Counter[str]:
    """How many events of each kind."""
    return Counter(event["event_type"] for event in events)


def assert_told_once(home: SmallHome) -> None:
    """No event came twice, none is kept by the broker, none was old when it came."""
    heard = [message for message in home.listener.heard if message.topic.endswith("/event")]
    assert not any(message.retain for message in heard)
    assert not [topic for topic in retained(home.broker, "homeface/#") if topic.endswith("/event")]
    events = [json.loads(message.payload) for message in heard]
    same = Counter(
        (m.topic, e["event_type"], e["captured_at"], e["track"]) for m, e in zip(heard, events, strict=True)
    )
    assert max(same.values()) == 1, same
    assert max(event["age_seconds"] for event in events) < RIGHT_WITHIN_SECONDS
