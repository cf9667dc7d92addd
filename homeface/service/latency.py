"""From the first usable face to the MQTT message, with the daemon's own parts inside this process.

A process of its own would tell when a message comes, but not when the face was first there to be seen. Here
the house's sightings say it, and a subscriber at a real broker hears the rest.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import aiomqtt
import numpy as np

from homeface.config import Config, load
from homeface.core.enrolment import policy_for_enrolment
from homeface.inference.calibration import calibration_for
from homeface.inference.engine import Engine
from homeface.service import wiring
from homeface.service.enrolment import Enrolment
from homeface.service.hub import Moment
from homeface.service.life import Life
from homeface.service.session import open_store

_EMPTY_SECONDS = 2.0
"""A room without a sight for so long is told to be free (its hold in this measurement is a second)."""


@dataclass(slots=True)
class Latencies:
    """Milliseconds, one for each visit. ``first_message``: from the first usable face to the first message of
    its room (somebody is here). ``answer``: to the event that says who, or that it is nobody known.
    ``picture``: from the picture that decided it to that event. ``named`` events of all ``events``."""

    first_message: list[float] = field(default_factory=list)
    answer: list[float] = field(default_factory=list)
    picture: list[float] = field(default_factory=list)
    events: int = 0
    named: int = 0

    def as_json(self) -> dict[str, object]:
        """Median and 95th percentile of each."""
        rows = {
            "first usable face to first message of the room": self.first_message,
            "first usable face to the event that says who": self.answer,
            "deciding picture to that event": self.picture,
        }
        return {
            "events": self.events,
            "named": self.named,
            "rows": [
                {
                    "what": what,
                    "visits": len(values),
                    "p50_ms": round(float(np.percentile(values, 50)), 1) if values else None,
                    "p95_ms": round(float(np.percentile(values, 95)), 1) if values else None,
                }
                for what, values in rows.items()
            ],
        }


@dataclass(slots=True)
class _Ear:
    """Puts together what the house saw and what a subscriber hears.

    A visit counts when its room had been empty before: one that goes on after a glance away changes nothing
    that would be told.
    """

    last_sight: dict[str, float] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    usable_since: dict[str, float] = field(default_factory=dict)
    room_of: dict[str, str] = field(default_factory=dict)
    greeted: set[str] = field(default_factory=set)
    answered: set[str] = field(default_factory=set)
    found: Latencies = field(default_factory=Latencies)

    def see(self, moment: Moment) -> None:
        """Note since when each visit has a usable face."""
        for sighting in moment.sightings:
            room, now = sighting.room, sighting.captured_at
            fresh = now - self.last_sight.get(room, -math.inf) > _EMPTY_SECONDS
            self.last_sight[room] = max(now, self.last_sight.get(room, now))
            if not fresh and sighting.visit_id not in self.known:
                continue
            self.known.add(sighting.visit_id)
            if sighting.quality is not None and sighting.quality.usable:
                # tracks are told from their second look on: the first one counts, never to our advantage
                self.usable_since.setdefault(sighting.visit_id, sighting.first_seen)
                self.room_of.setdefault(sighting.visit_id, sighting.room)

    def hear(self, topic: str, payload: bytes, now: float) -> None:
        """One message."""
        event = _event(payload)
        for visit, since in self.usable_since.items():
            if visit in self.greeted or f"/room/{self.room_of[visit]}/" not in topic:
                continue
            self.greeted.add(visit)
            self.found.first_message.append((now - since) * 1000)
        if event is None or "/room/" not in topic or event["event_type"] == "left":
            return
        self.found.events += 1
        self.found.named += event.get("person") is not None
        visit = str(event.get("track"))
        if visit in self.usable_since and visit not in self.answered:
            self.answered.add(visit)
            captured = datetime.fromisoformat(str(event["captured_at"])).timestamp()
            self.found.answer.append((now - self.usable_since[visit]) * 1000)
            self.found.picture.append((now - captured) * 1000)


async def measure_latency(
    config_path: Path, photos: Sequence[tuple[str, bytes]], environ: Mapping[str, str], seconds: float
) -> Latencies:
    """Watch the cameras of a configuration for so long; whoever is on ``photos`` (label, JPEG) is enrolled.

    Raises ``HomefaceError`` for what keeps a daemon from starting.
    """
    config = load(config_path, environ, wiring.known_names())
    store = open_store(config)
    engine = Engine(wiring.engine_settings(config, environ))
    await engine.start()
    try:
        if photos:
            policy = policy_for_enrolment(calibration_for(engine.model_id))
            await Enrolment(engine, store, policy).enrol("Visitor", photos)
        life = Life(config, engine, store)
        await life.begin()
        ear = _Ear()
        life.hub.listeners.append(ear.see)
        await _run(life, config, ear, seconds)
        return ear.found
    finally:
        await engine.aclose()
        store.close()


async def _run(life: Life, config: Config, ear: _Ear, seconds: float) -> None:
    async with asyncio.TaskGroup() as tasks:
        link, *others = [tasks.create_task(job, name=name) for name, job in life.jobs()]
        listener = tasks.create_task(_listen(config, ear), name="latency subscriber")
        await asyncio.sleep(seconds)
        for task in others:
            task.cancel()
        await asyncio.wait(others)
        await life.close()
        link.cancel()
        listener.cancel()


async def _listen(config: Config, ear: _Ear) -> None:
    settings = wiring.mqtt_settings(config)
    async with aiomqtt.Client(settings.host, settings.port) as client:
        await client.subscribe("#", qos=1)
        async for message in client.messages:
            if isinstance(message.payload, bytes) and not message.retain:
                ear.hear(message.topic.value, message.payload, time.time())


def _event(payload: bytes) -> dict[str, object] | None:
    try:
        content = json.loads(payload)
    except ValueError:
        return None
    if isinstance(content, dict) and {"event_type", "captured_at"} <= content.keys():
        return content
    return None
