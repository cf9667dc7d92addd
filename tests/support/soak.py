"""Four cameras, a daemon, and trouble without end: does anything grow, is anything wrong afterwards?

    python -m tests.support.soak --seconds 1800 --seed 1

Kitchen (two cameras): an enrolled person and a stranger, all the time. Yard: the stranger alone. Hall:
nobody. Seeded faults: the broker dies (and comes back empty) or freezes; cameras die and freeze; Home
Assistant is born again; the configuration is reloaded. Nobody may ever be named where they are not. At the
end every state at the broker must be what the cameras show, and memory, threads and descriptors as before.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from homeface.lab.benchmark.soak import growth
from tests.integration.household import enrol_family
from tests.support.daemon import Daemon, write_config
from tests.support.mosquitto import Listener, Mosquitto, retained
from tests.support.rtsp import Mount, RtspServer
from tests.support.scene import Scene
from tests.support.short_scene import KITCHEN, record, staying
from tests.support.waiting import wait_until

CAMERAS = {"kitchen_a": "kitchen", "kitchen_b": "kitchen", "yard": "yard", "hall": "hall"}
LIGHT = {"detector": "yunet_n", "embedder": "mobilefacenet", "device": "cpu", "threads": 1}
MORE_MIB, MORE_THREADS, MORE_FILES = 64.0, min(32, (os.cpu_count() or 1) + 4) + 1, 6
"""What may be in use more than before the trouble: caches that fill, the executor's threads, which come one
by one up to its limit, sockets that are just being closed. What leaks with each fault is more, in time.
"""
LONG_SECONDS, SETTLING_SHARE, MORE_MIB_LATER = 600.0, 0.25, 32.0
"""From that long on, memory is compared with what it was after the first quarter: what the C library and
the compiled models keep has grown by then, fast at first and ever slower.
"""
_HEAL_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Use:
    """What the process has."""

    mib: float
    threads: int
    files: int


@dataclass
class Report:
    """What was seen. ``wrong``: sentences; empty when all is well."""

    seconds: float
    seed: int
    faults: Counter[str]
    before: Use
    after: Use
    later_mib: float | None
    events: int
    mib_per_day: float | None
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """For a person."""
        later = "" if self.later_mib is None else f" ({self.later_mib:.0f} MiB after the first quarter)"
        grown = "" if self.mib_per_day is None else f", {self.mib_per_day:+.0f} MiB a day by the slope"
        faults = ", ".join(f"{count}x {name}" for name, count in sorted(self.faults.items()))
        use = f"threads {self.before.threads} -> {self.after.threads}"
        files = f"descriptors {self.before.files} -> {self.after.files}"
        lines = [
            f"{self.seconds:.0f} s, seed {self.seed}, faults: {faults}",
            f"memory {self.before.mib:.0f} -> {self.after.mib:.0f} MiB{later}{grown}",
            f"{use}, {files}, {self.events} events",
            *(f"WRONG: {sentence}" for sentence in self.wrong),
        ]
        return "\n".join(lines)


@dataclass
class Home:
    """Everything that runs."""

    broker: Mosquitto
    cameras: dict[str, RtspServer]
    daemon: Daemon
    listener: Listener
    person: str
    person_id: str

    def use(self) -> Use:
        """Now."""
        process = psutil.Process(self.daemon.pid)
        return Use(process.memory_info().rss / 2**20, process.num_threads(), process.num_fds())

    def states(self) -> dict[str, str]:
        """What a newcomer is told by the broker."""
        kept = retained(self.broker, "homeface/#")
        return {topic.removeprefix("homeface/homeface/"): data.decode() for topic, data in kept.items()}

    def wanted(self) -> dict[str, str]:
        """What must be told while the cameras show what they show."""
        rooms = {"kitchen": ("ON", self.person, "1"), "yard": ("ON", "nobody known", "1")}
        rooms["hall"] = ("OFF", "nobody", "0")
        told = {"status": "online", f"person/{self.person_id}/room": "kitchen"}
        told[f"person/{self.person_id}/presence"] = "home"
        told |= {f"camera/{camera}/connectivity": "ON" for camera in CAMERAS}
        for room, (occupancy, names, unknown) in rooms.items():
            told |= {
                f"room/{room}/availability": "online",
                f"room/{room}/occupancy": occupancy,
                f"room/{room}/names": names,
                f"room/{room}/unknown": unknown,
                f"room/{room}/people": str(int(unknown) + (names == self.person)),
            }
        return told

    def differs(self) -> dict[str, tuple[str | None, str]]:
        """Topic to (heard, wanted) where they are not the same."""
        return _differing(self.wanted(), self.heard())

    def heard(self) -> dict[str, str]:
        """The newest that the subscriber heard of each topic."""
        newest = {message.topic: message.payload for message in list(self.listener.heard)}
        return {topic.removeprefix("homeface/homeface/"): data.decode() for topic, data in newest.items()}


@contextmanager
def home(folder: Path) -> Iterator[Home]:
    """Render, enrol, start everything, and wait until all is told right."""
    plan = staying()
    stranger = tuple(visit for visit in plan.visits if not visit.enrolled)
    scenes = {
        "kitchen_a": plan,
        "kitchen_b": plan,
        "yard": replace(plan, visits=stranger),
        "hall": Scene(plan.seed, plan.rooms, plan.duration, ()),
    }
    clips = {
        name: record(scene, folder / f"{name}.mp4") for name, scene in scenes.items() if name != "kitchen_b"
    }
    clips["kitchen_b"] = clips["kitchen_a"]
    with ExitStack() as stack:
        broker = stack.enter_context(Mosquitto(folder / "broker"))
        cameras = {
            name: stack.enter_context(RtspServer({"/view": Mount(str(clips[name]), loop=True)}))
            for name in CAMERAS
        }
        rooms = {room: {} for room in CAMERAS.values()}
        config = write_config(
            folder / "config.yaml",
            rooms=rooms,
            cameras={
                name: {"room": room, "url": cameras[name].url("/view"), "analysis_fps": 3}
                for name, room in CAMERAS.items()
            },
            mqtt_port=broker.port,
            storage=folder / "state",
            recognition=LIGHT,
        )
        [(person, person_id)] = enrol_family(config, plan).items()
        listener = stack.enter_context(Listener(broker, "homeface/#", "homeassistant/status"))
        daemon = Daemon(config, folder / "daemon", environ={"MALLOC_ARENA_MAX": "2"})  # as in the unit
        stack.callback(daemon.close)
        daemon.start(180)
        yield Home(broker, cameras, daemon, listener, person, person_id)


class Trouble:
    """One fault after the other, every kind before one comes again; each heals itself."""

    def __init__(self, here: Home, seed: int) -> None:
        self.done: Counter[str] = Counter()
        self._home = here
        self._random = random.Random(seed)
        self._next: list[str] = []
        self._faults: dict[str, Callable[[float], None]] = {
            "broker dies": self._broker_dies,
            "broker freezes": self._broker_freezes,
            "camera dies": self._camera_dies,
            "camera freezes": self._camera_freezes,
            "Home Assistant is born": self._birth,
            "reload": self._reload,
        }

    @property
    def every_kind(self) -> bool:
        """Whether all kinds have happened."""
        return set(self.done) == set(self._faults)

    def one(self) -> None:
        """The next fault, for two to seven seconds, and a little peace."""
        if not self._next:
            self._next = self._random.sample(sorted(self._faults), len(self._faults))
        name = self._next.pop()
        self._faults[name](self._random.uniform(2.0, 7.0))
        self.done[name] += 1
        time.sleep(self._random.uniform(0.5, 3.0))

    def _broker_dies(self, seconds: float) -> None:
        self._home.broker.kill()
        time.sleep(seconds)
        self._home.broker.start()

    def _broker_freezes(self, seconds: float) -> None:
        self._home.broker.freeze()
        time.sleep(seconds)
        self._home.broker.thaw()

    def _camera_dies(self, seconds: float) -> None:
        camera = self._home.cameras[self._random.choice(sorted(self._home.cameras))]
        camera.kill()
        time.sleep(seconds)
        camera.start()

    def _camera_freezes(self, seconds: float) -> None:
        camera = self._home.cameras[self._random.choice(sorted(self._home.cameras))]
        camera.freeze()
        time.sleep(seconds)
        camera.thaw()

    def _birth(self, _seconds: float) -> None:
        for word in ("offline", "online"):
            self._home.listener.publish("homeassistant/status", word)

    def _reload(self, _seconds: float) -> None:
        self._home.daemon.reload(120)


def soak(folder: Path, seconds: float, seed: int, progress: Callable[[str], None] = lambda _: None) -> Report:
    """Run it. Raises AssertionError when the daemon dies or never tells the right states."""
    with home(folder) as here:
        wait_right(here, 120)
        before, begun = here.use(), time.monotonic()
        times, memory = [0.0], [before.mib]
        trouble = Trouble(here, seed)
        while (now := time.monotonic() - begun) < seconds or not trouble.every_kind:
            trouble.one()
            times.append(now)
            memory.append(here.use().mib)
            progress(f"{now:6.0f} s {here.use()} {dict(trouble.done)}")
        wait_right(here, _HEAL_SECONDS)
        after = settled(here, before)
        slope = growth(times, memory, len(CAMERAS)).mib_per_day if len(times) > 60 else None
        later = None if seconds < LONG_SECONDS else memory_at(times, memory, SETTLING_SHARE * seconds)
        report = Report(seconds, seed, trouble.done, before, after, later, count_events(here), slope)
        report.wrong = what_is_wrong(here)
        report.wrong += what_has_grown(before, after, later)
        assert here.daemon.terminate(20) == 0
        return report


def wait_right(here: Home, timeout: float) -> None:
    """Until a newcomer is told what the cameras show."""
    try:
        wait_until(lambda: not here.differs(), timeout)
        wait_until(lambda: not _differing(here.wanted(), here.states()), 10)
    except AssertionError as error:
        told = f"heard {here.differs()}, kept {_differing(here.wanted(), here.states())}"
        raise AssertionError(f"{error}: {told}; log: {here.daemon.log()[-3000:]}") from None


def _differing(wanted: dict[str, str], told: dict[str, str]) -> dict[str, tuple[str | None, str]]:
    return {topic: (told.get(topic), want) for topic, want in wanted.items() if told.get(topic) != want}


def settled(here: Home, before: Use) -> Use:
    """What is in use when connections that were cut have been cleared away."""

    def quiet() -> bool:
        now = here.use()
        return now.threads <= before.threads + MORE_THREADS and now.files <= before.files + MORE_FILES

    with contextlib.suppress(AssertionError):  # told as wrong
        wait_until(quiet, 30)
    return here.use()


def count_events(here: Home) -> int:
    """Events of rooms that a subscriber heard."""
    return sum(
        "/room/" in message.topic and message.topic.endswith("/event") for message in here.listener.heard
    )


def what_is_wrong(here: Home) -> list[str]:
    """Sentences; empty when all is well."""
    wrong = []
    for message in here.listener.heard:
        place = message.topic.removeprefix("homeface/homeface/").split("/")
        text = message.payload.decode(errors="replace")
        if place[0] == "room" and place[1] != KITCHEN and here.person in text:
            wrong.append(f"{here.person} was named in the {place[1]}: {message.topic} {text[:200]}")
        if place[-1] == "event":
            if message.retain:
                wrong.append(f"an event was retained: {message.topic}")
            elif json.loads(text)["age_seconds"] > 15:
                wrong.append(f"an old event was told: {text[:200]}")
    log = here.daemon.log()
    if "Traceback" in log:
        wrong.append(f"a trace in the log: {log[log.index('Traceback') :][:1000]}")
    return wrong


def memory_at(times: list[float], memory: list[float], moment: float) -> float:
    """The first figure from that moment on, in MiB."""
    return next(mib for time_, mib in zip(times, memory, strict=True) if time_ >= moment)


def what_has_grown(before: Use, after: Use, later_mib: float | None) -> list[str]:
    """Sentences; empty when all is as before. A long run's memory is compared with ``later_mib``."""
    wrong = []
    first, more = (before.mib, MORE_MIB) if later_mib is None else (later_mib, MORE_MIB_LATER)
    if after.mib > first + more:
        wrong.append(f"memory grew from {first:.0f} to {after.mib:.0f} MiB")
    if after.threads > before.threads + MORE_THREADS:
        wrong.append(f"threads grew from {before.threads} to {after.threads}")
    if after.files > before.files + MORE_FILES:
        wrong.append(f"descriptors grew from {before.files} to {after.files}")
    return wrong


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=1800.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="homeface-soak-"))
    try:
        report = soak(folder, options.seconds, options.seed, lambda line: print(line, file=sys.stderr))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(report)
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
