"""A whole household on loopback: scene, RTSP server, mosquitto, gallery on disk, the daemon as a process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from homeface import config as configuration
from homeface.service.enrolment import Enrolment
from homeface.service.session import open_session
from tests.support.daemon import Daemon, environment, write_config
from tests.support.mosquitto import Listener, Mosquitto
from tests.support.rtsp import Mount, RtspServer
from tests.support.scene import Record, Scene, enrolment_photos

PRESENCE = {"hold": "2s", "event_cooldown": "0s"}
"""Short, so that each visit of a scene is an event of its own."""


@dataclass(frozen=True)
class Household:
    """Everything that runs, and where its files are."""

    plan: Scene
    folder: Path
    config: Path
    broker: Mosquitto
    cameras: RtspServer
    daemon: Daemon
    listener: Listener
    names: Mapping[str, str]

    def events(self) -> list[dict[str, Any]]:
        """What was told at the rooms' event topics, in the order of arrival."""
        heard = [message for message in self.listener.heard if message.topic.endswith("/event")]
        return [json.loads(message.payload) for message in heard if "/room/" in message.topic]

    def records(self) -> list[Record]:
        """Arrivals and unknowns as statements about the scene."""
        return [
            Record(event["room"], event["person"], self.scene_time(event), event["track"])
            for event in self.events()
            if event["event_type"] != "left"
        ]

    def scene_time(self, event: Mapping[str, Any]) -> float:
        """Seconds from the start of the scene."""
        started = self.cameras.started_at(f"/{event['room']}")
        assert started is not None
        return datetime.fromisoformat(event["captured_at"]).timestamp() - started


def scene_config(
    folder: Path, plan: Scene, urls: Mapping[str, str], mqtt_port: int, **sections: Mapping[str, Any]
) -> Path:
    """One camera a room, named like the room."""
    return write_config(
        folder / "config.yaml",
        rooms={room: {"name": room.capitalize()} for room in plan.rooms},
        cameras={room: {"room": room, "url": urls[room]} for room in plan.rooms},
        mqtt_port=mqtt_port,
        storage=folder / "state",
        **{"presence": PRESENCE, **sections},
    )


def enrol_family(config: Path, plan: Scene) -> dict[str, str]:
    """Enrol everybody the scene calls enrolled; returns name to subject id."""
    return asyncio.run(_enrol(configuration.load(config, environment()), plan))


async def _enrol(config: configuration.Config, plan: Scene) -> dict[str, str]:
    ids: dict[str, str] = {}
    async with open_session(config, environment()) as session:
        enrolment = Enrolment(session.engine, session.store)
        for name in plan.enrolled:
            photos = [(photo.name, photo) for photo in enrolment_photos(name)]
            report = await enrolment.enrol(name, photos)
            assert report.subject is not None, [photo.message for photo in report.photos]
            ids[name] = report.subject.subject_id
    return ids


@contextmanager
def household(
    folder: Path, plan: Scene, clips: Mapping[str, Path], loop: bool = False
) -> Iterator[Household]:
    """Start everything; the scene begins when the daemon's cameras connect."""
    with ExitStack() as stack:
        broker = stack.enter_context(Mosquitto(folder / "broker"))
        mounts = {f"/{room}": Mount(str(clip), loop=loop) for room, clip in clips.items()}
        cameras = stack.enter_context(RtspServer(mounts, together=True))
        urls = {room: cameras.url(f"/{room}") for room in clips}
        config = scene_config(folder, plan, urls, broker.port)
        names = enrol_family(config, plan)
        listener = stack.enter_context(Listener(broker, "homeface/#"))
        daemon = Daemon(config, folder / "daemon")
        stack.callback(daemon.close)
        daemon.start()
        yield Household(plan, folder, config, broker, cameras, daemon, listener, names)
