"""Acceptance: a rendered scene over real RTSP, through the daemon, to an MQTT subscriber.

Prints how long after the picture the subscriber heard of it; machines are noisy, so no time is asserted.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.integration.household import household
from tests.support.data import requires_data
from tests.support.rtsp import require_rtsp
from tests.support.scene import household_scene, judge, write_scene
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.accuracy, pytest.mark.rtsp, pytest.mark.mosquitto, pytest.mark.slow, requires_data]

SECONDS = 60.0


@pytest.mark.timeout(420)
def test_a_household_is_named_and_strangers_are_unknown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two 1080p15 cameras: no wrong name, every enrolled visit named, every stranger unknown."""
    require_rtsp()
    plan = household_scene(seed=7, enrolled=3, strangers=3, seconds=SECONDS)
    clips = write_scene(plan, tmp_path / "scene")
    with household(tmp_path, plan, clips) as home:
        started = time.time()
        wait_until(lambda: home.cameras.started_at(f"/{plan.rooms[0]}"), 20, "the scene began")
        wait_until(lambda: time.time() > started + SECONDS + 6, SECONDS + 30, "the scene is over")
        verdict = judge(plan, home.records())
        latencies = sorted(
            (message.at - home.cameras.started_at(f"/{event['room']}") - home.scene_time(event)) * 1000  # type: ignore[operator]
            for message in home.listener.heard
            if message.topic.endswith("/event") and "/room/" in message.topic
            for event in [json.loads(message.payload)]
            if event["event_type"] != "left"
        )
        log = home.daemon.log()
    p50, p95 = latencies[len(latencies) // 2], latencies[max(0, -(-len(latencies) * 95 // 100) - 1)]
    with capsys.disabled():
        print(f"\n{verdict}")
        print(f"picture to subscriber: p50 {p50:.0f} ms, p95 {p95:.0f} ms of {len(latencies)} events")
    assert not verdict.wrong_names, f"{verdict}\n{log[-3000:]}"
    assert not verdict.missed_visits, f"{verdict}\n{log[-3000:]}"
