"""From what the house saw and what a subscriber heard to milliseconds."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

from homeface.core.types import Box, Quality, Sighting, Undecided
from homeface.service.hub import Moment
from homeface.service.latency import _Ear

GOOD = Quality(40.0, 1.0, 0.0, 0.0, 0.0, 120.0, 40.0, False, 0.9)


def _saw(
    ear: _Ear, visit: str, first_seen: float, captured_at: float, quality: Quality | None = GOOD
) -> None:
    sighting = Sighting(
        "hall", "camera", visit, first_seen, captured_at, Undecided(), Box(0, 0, 9, 9), quality
    )
    ear.see(cast(Moment, SimpleNamespace(sightings=(sighting,))))


def _event(visit: str, captured_at: float, **more: Any) -> bytes:
    at = datetime.fromtimestamp(captured_at, UTC).isoformat()
    return json.dumps({"event_type": "arrived", "captured_at": at, "track": visit, **more}).encode()


def test_from_the_first_usable_face_to_the_rooms_first_message_and_to_the_name() -> None:
    ear = _Ear()
    _saw(ear, "v1", 100.0, 100.2)
    ear.hear("homeface/kitchen/room/kitchen/occupancy", b"ON", 100.25)
    ear.hear("homeface/bench/room/hall/occupancy", b"ON", 100.3)
    ear.hear("homeface/bench/room/hall/event", _event("v1", 100.4, person="Ada"), 100.45)
    found = ear.found
    assert [round(value) for value in found.first_message] == [300]
    assert [round(value) for value in found.answer] == [450]
    assert [round(value) for value in found.picture] == [50]
    assert (found.events, found.named) == (1, 1)


def test_a_face_that_is_not_usable_yet_starts_no_clock() -> None:
    ear = _Ear()
    _saw(ear, "v1", 100.0, 100.2, quality=None)
    ear.hear("homeface/bench/room/hall/occupancy", b"ON", 100.3)
    assert ear.found.first_message == []


def test_a_visit_that_goes_on_under_another_id_counts_once() -> None:
    ear = _Ear()
    _saw(ear, "v1", 100.0, 100.2)
    ear.hear("homeface/bench/room/hall/occupancy", b"ON", 100.3)
    _saw(ear, "v2", 101.0, 101.2)
    ear.hear("homeface/bench/room/hall/event", _event("v2", 109.0), 109.0)
    assert len(ear.found.first_message) == 1
    assert ear.found.answer == []
    assert ear.found.as_json()["rows"][1]["p50_ms"] is None  # type: ignore[index]
