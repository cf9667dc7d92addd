"""A kitchen, a person and a stranger: a home for tests that break something around a running daemon."""

from __future__ import annotations

import atexit
import functools
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.household import enrol_family
from tests.support.daemon import Daemon, write_config
from tests.support.mosquitto import Listener, Mosquitto
from tests.support.rtsp import Mount, RtspServer
from tests.support.short_scene import KITCHEN, Turns, record, staying, taking_turns
from tests.support.waiting import wait_until

HOLD_SECONDS = 4.0
BRISK = {"hold": f"{HOLD_SECONDS:.0f}s", "event_cooldown": "0s"}
"""Each visit of the scene that takes turns is an event of its own."""
STATUS = "homeface/homeface/status"
TURNS, STAY = "/turns", "/stay"


@dataclass(frozen=True)
class Ready:
    """What all tests share: recordings by the server's path, and a gallery with the person in it."""

    clips: Mapping[str, Path]
    gallery: Path
    person: str
    stranger: str
    person_id: str


@functools.cache
def prepared() -> Ready:
    """Rendered and enrolled once for all tests of a run."""
    folder = Path(tempfile.mkdtemp(prefix="homeface-home-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    plan = taking_turns()
    clips = {TURNS: record(plan, folder / "turns.mp4"), STAY: record(staying(), folder / "stay.mp4")}
    state = folder / "state"
    config = write_config(
        folder / "config.yaml",
        rooms={KITCHEN: {}},
        cameras={KITCHEN: {"room": KITCHEN, "url": "rtsp://127.0.0.1:1/none"}},
        mqtt_port=1,
        storage=state,
    )
    names = enrol_family(config, plan)
    [(person, person_id)] = names.items()
    return Ready(clips, state, person, plan.strangers[0], person_id)


@dataclass(frozen=True)
class SmallHome:
    """What runs; the daemon is not started yet. The kitchen's camera shows ``TURNS`` or ``STAY``."""

    folder: Path
    broker: Mosquitto
    cameras: RtspServer
    daemon: Daemon
    listener: Listener
    ready: Ready

    @property
    def config(self) -> Path:
        """The daemon's configuration."""
        return self.folder / "config.yaml"

    @property
    def turns(self) -> Turns:
        """The truth of the scene that takes turns."""
        return Turns(taking_turns(), lambda: self.cameras.started_at(TURNS), HOLD_SECONDS)

    def configure(
        self,
        path: str,
        *,
        camera: Mapping[str, Any] | None = None,
        more_rooms: Mapping[str, Mapping[str, Any]] | None = None,
        **sections: Mapping[str, Any],
    ) -> None:
        """Write the configuration: the kitchen and its camera, which shows ``path``."""
        write_config(
            self.config,
            rooms={KITCHEN: {"name": "Kitchen"}, **(more_rooms or {})},
            cameras={KITCHEN: {"room": KITCHEN, "url": self.cameras.url(path), **(camera or {})}},
            mqtt_port=self.broker.port,
            storage=self.folder / "state",
            **sections,
        )

    def topic(self, *parts: str) -> str:
        """A topic below the node's."""
        return "/".join(("homeface", "homeface", *parts))

    def events(self, room: str = KITCHEN) -> list[dict[str, Any]]:
        """What was told at the room's event topic, in the order of arrival."""
        return [json.loads(payload) for payload in self.listener.on(self.topic("room", room, "event"))]

    def arrivals(self) -> list[dict[str, Any]]:
        """The person's arrivals in the kitchen."""
        return [event for event in self.events() if event["event_type"] == "arrived"]

    def told(self, *parts: str) -> str | None:
        """The newest payload of a state as the subscriber has it."""
        payload = self.listener.last(self.topic(*parts))
        return None if payload is None else payload.decode()

    def kitchen(self) -> dict[str, str | None]:
        """The kitchen and the person in it as the subscriber has them."""
        room = {
            key: self.told("room", KITCHEN, key)
            for key in ("availability", "occupancy", "people", "names", "unknown")
        }
        return room | {
            "person": self.told("person", self.ready.person_id, "room"),
            "presence": self.told("person", self.ready.person_id, "presence"),
        }

    def both(self) -> dict[str, str | None]:
        """What ``kitchen`` is to be while the person and the stranger are in sight."""
        room = {"availability": "online", "occupancy": "ON", "people": "2", "unknown": "1"}
        return {**room, "names": self.ready.person, "person": KITCHEN, "presence": "home"}

    def online_since(self, count: int) -> float | None:
        """When the daemon said ``online`` at last, if it did so after the first ``count`` messages."""
        news = [message for message in self.listener.heard[count:] if message.topic == STATUS]
        return news[-1].at if news and news[-1].payload == b"online" else None

    def wait_online(self, count: int, timeout: float = 60) -> float:
        """Wait for ``online`` after the first ``count`` messages; returns when it came."""
        wait_until(lambda: self.online_since(count), timeout, f"online; log: {self.daemon.log()[-2000:]}")
        since = self.online_since(count)
        assert since is not None
        return since

    def wait_turn(self, condition: Callable[[float], object], timeout: float = 45) -> None:
        """Wait for a moment of the scene that takes turns."""
        wait_until(lambda: condition(time.time()), timeout, "the scene gets there")


@contextmanager
def small_home(folder: Path, environ: Mapping[str, str] | None = None) -> Iterator[SmallHome]:
    """Start broker, cameras and subscriber; ``environ`` is for the daemon."""
    ready = prepared()
    shutil.copytree(ready.gallery, folder / "state")
    with ExitStack() as stack:
        broker = stack.enter_context(Mosquitto(folder / "broker"))
        mounts = {path: Mount(str(clip), loop=True) for path, clip in ready.clips.items()}
        cameras = stack.enter_context(RtspServer(mounts))
        listener = stack.enter_context(Listener(broker, "homeface/#", "homeassistant/status", "test/#"))
        daemon = Daemon(folder / "config.yaml", folder / "daemon", environ=environ)
        stack.callback(daemon.close)
        yield SmallHome(folder, broker, cameras, daemon, listener, ready)
