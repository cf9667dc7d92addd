"""``homeface demo``: the real pipeline, store and MQTT link on embedded defaults, told as a story.

An embedded broker (amqtt), a database in a temporary folder, and a recording as the camera: the visitor comes
unknown, is enrolled from that very visit, goes, comes back and is named.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import aiomqtt
import numpy as np

from homeface.adapters.photos import encode_jpeg
from homeface.config import Config
from homeface.core.enrolment import policy_for_enrolment
from homeface.core.geometry import iou
from homeface.core.types import (
    Box,
    Embedding,
    Face,
    Identified,
    ImageBGR,
    ImageRGB,
    Picture,
    Sighting,
    Unknown,
)
from homeface.errors import HomefaceError
from homeface.inference.calibration import calibration_for
from homeface.inference.engine import EngineStats
from homeface.service.enrolment import Enrolment
from homeface.service.hub import Moment
from homeface.service.life import Life
from homeface.service.pipeline import CountingEngine

VISITOR = "Visitor"
ROOM = "living_room"
_PHOTOS = 5
_PHOTO_SPACING_SECONDS = 0.5
_CONTEXT = 3.0
_GRACE_SECONDS = 4.0

Tell = Callable[[Mapping[str, object]], None]
"""Called with each thing that happens: a JSON object with ``kind``."""


@dataclass(slots=True)
class Story:
    """What has happened so far."""

    visits: list[Sighting] = field(default_factory=list)
    messages: list[tuple[str, bytes, bool]] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list)
    enrolled_id: str | None = None
    enrolled_at: float | None = None

    @property
    def named(self) -> list[Sighting]:
        """Visits that ended with a name."""
        return [visit for visit in self.visits if isinstance(visit.decision, Identified)]

    @property
    def unknown(self) -> list[Sighting]:
        """Visits that ended as unknown."""
        return [visit for visit in self.visits if isinstance(visit.decision, Unknown)]

    def wrong_names(self) -> int:
        """Names given before anybody was enrolled, or to anybody but the one visitor of the clip."""
        return sum(
            isinstance(visit.decision, Identified)
            and (self.enrolled_at is None or visit.decision.subject_id != self.enrolled_id)
            for visit in self.visits
        )

    def summary(self, *, truth_known: bool) -> dict[str, object]:
        """The last line of ``--json``."""
        latencies = self.latencies_ms or [float("nan")]
        p50, p95 = (float(value) for value in np.percentile(latencies, [50, 95]))
        return {
            "kind": "summary",
            "named_visits": len(self.named),
            "unknown_visits": len(self.unknown),
            "wrong_names": self.wrong_names() if truth_known else None,
            "mqtt_messages": len(self.messages),
            "latency_ms": {"p50": _rounded(p50), "p95": _rounded(p95)},
        }


class RememberingEngine:
    """An engine that remembers the last look, so that the demo can enrol a face it has just seen."""

    def __init__(self, engine: CountingEngine) -> None:
        self._engine = engine
        self.last: tuple[ImageBGR | Picture, list[Face]] | None = None

    @property
    def model_id(self) -> str:
        """Id of the embedding model."""
        return self._engine.model_id

    @property
    def device(self) -> str:
        """The engine's."""
        return self._engine.device

    @property
    def runtime(self) -> str:
        """The engine's."""
        return self._engine.runtime

    def heartbeat(self) -> float:
        """The engine's."""
        return self._engine.heartbeat()

    @property
    def stats(self) -> EngineStats:
        """Counts."""
        return self._engine.stats

    async def look(self, image: ImageBGR | Picture, regions: Sequence[Box] | None = None) -> list[Face]:
        """Look, and remember."""
        faces = await self._engine.look(image, regions)
        self.last = (image, faces)
        return faces

    async def embed(self, crops: Sequence[ImageRGB]) -> list[Embedding]:
        """Embed."""
        return await self._engine.embed(crops)

    def turn(self) -> AbstractAsyncContextManager[None]:
        """One frame in flight."""
        return self._engine.turn()


class Demo:
    """One run. ``tell`` hears everything; ``run`` returns the story."""

    def __init__(self, life: Life, engine: RememberingEngine, tell: Tell) -> None:
        self.story = Story()
        self._life = life
        self._engine = engine
        self._tell = tell
        self._album: dict[str, deque[tuple[float, bytes]]] = {}
        self._enrol_visit: asyncio.Queue[str] = asyncio.Queue(maxsize=1)
        self._something_happened = asyncio.Event()
        self._began = time.time()
        self._last_lines: dict[str, str] = {}
        life.hub.listeners.append(self._on_moment)

    async def run(self, limit_seconds: float, *, stay: bool = False) -> Story:
        """Until the story is told, the recording is over, or the limit is reached; ``stay``: to the limit."""
        async with asyncio.TaskGroup() as tasks:
            jobs = [tasks.create_task(job, name=name) for name, job in self._life.jobs()]
            jobs.append(tasks.create_task(self._listen(), name="demo subscriber"))
            jobs.append(tasks.create_task(self._enrol_when_due(), name="demo enrolment"))
            try:
                async with asyncio.timeout(limit_seconds):
                    await self._until_told()
                    if stay:
                        self._tell({"kind": "note", "text": "The page stays until you press Ctrl+C."})
                        await asyncio.Event().wait()
            except TimeoutError:
                self._tell({"kind": "note", "text": f"The demo's limit of {limit_seconds:.0f} s is reached."})
            for job in jobs[1:-2]:
                job.cancel()
            await asyncio.wait(jobs[1:-2])
            await self._life.close()
            await asyncio.sleep(0.3)  # let the subscriber hear the goodbye
            for job in jobs:
                job.cancel()
        return self.story

    async def _until_told(self) -> None:
        """The visitor was unknown, was named, and has left; or the camera has ended for good."""
        watch = next(iter(self._life.watches.values()))
        while not (self.story.unknown and self.story.named) and not self._over(watch.status.reason):
            await self._something_happened.wait()
            self._something_happened.clear()
        await asyncio.sleep(_GRACE_SECONDS)

    def _over(self, reason: str) -> bool:
        return reason == "the recording is over" and self._enrol_visit.empty()

    def _on_moment(self, moment: Moment) -> None:
        self._something_happened.set()
        for sighting in moment.sightings:
            self._tell_sighting(sighting)
            if sighting.ended:
                self.story.visits.append(sighting)
            self._keep_photo(sighting)
        unknown = [s for s in moment.sightings if s.ended and isinstance(s.decision, Unknown)]
        for sighting in unknown:
            seen_well = len(self._album.get(sighting.visit_id, ())) >= 2
            if seen_well and self.story.enrolled_at is None and not self._enrol_visit.full():
                self._enrol_visit.put_nowait(sighting.visit_id)

    def _keep_photo(self, sighting: Sighting) -> None:
        """Cut the face of an unnamed visit out of the newest frame, a few times a visit."""
        if self._engine.last is None or sighting.ended or isinstance(sighting.decision, Identified):
            return
        picture, faces = self._engine.last
        album = self._album.setdefault(sighting.visit_id, deque(maxlen=_PHOTOS))
        if album and sighting.captured_at - album[-1][0] < _PHOTO_SPACING_SECONDS:
            return
        for face in faces:
            if face.quality.usable and iou(face.detection.box, sighting.box) > 0.5:
                image = picture if isinstance(picture, np.ndarray) else picture.bgr()
                album.append((sighting.captured_at, encode_jpeg(_cut(image, face.detection.box))))

    def _tell_sighting(self, sighting: Sighting) -> None:
        """Once per change of a visit's answer."""
        decision = sighting.decision
        name = VISITOR if isinstance(decision, Identified) else None
        line = f"{type(decision).__name__} {sighting.ended}"
        if self._last_lines.get(sighting.visit_id) == line:
            return
        self._last_lines[sighting.visit_id] = line
        stats = self._life.watches[sighting.camera].stats
        margin = decision.margin if isinstance(decision, Identified) else None
        self._tell(
            {
                "kind": "visit",
                "at": round(time.time() - self._began, 2),
                "room": sighting.room,
                "visit": sighting.visit_id,
                "answer": type(decision).__name__.lower(),
                "person": name,
                "score": _rounded(decision.candidates[0].score, 3) if decision.candidates else None,
                "margin": _rounded(margin, 3),
                "votes": decision.votes,
                "reasons": [str(reason) for reason in getattr(decision, "reasons", ())],
                "ended": sighting.ended,
                "age_ms": round((time.time() - sighting.captured_at) * 1000),
                "frames": stats.analysed,
                "dropped": stats.dropped,
            }
        )

    async def _enrol_when_due(self) -> None:
        visit_id = await self._enrol_visit.get()
        photos = [(f"face {n}", jpeg) for n, (_, jpeg) in enumerate(self._album[visit_id], start=1)]
        policy = policy_for_enrolment(calibration_for(self._engine.model_id))
        report = await Enrolment(self._engine, self._life.store, policy).enrol(VISITOR, photos)
        if report.subject is not None:
            self.story.enrolled_id = report.subject.subject_id
            self.story.enrolled_at = time.time()
        self._tell(
            {
                "kind": "enrolment",
                "at": round(time.time() - self._began, 2),
                "name": VISITOR,
                "accepted": report.accepted,
                "photos": [{"photo": p.label, "key": p.key, "message": p.message} for p in report.photos],
            }
        )

    async def _listen(self) -> None:
        """What anybody at the broker hears, with its age."""
        settings = self._life.link.settings
        async with aiomqtt.Client(settings.host, settings.port) as client:
            await client.subscribe("#", qos=1)
            async for message in client.messages:
                payload = message.payload if isinstance(message.payload, bytes) else b""
                self.story.messages.append((message.topic.value, payload, message.retain))
                self._hear(message.topic.value, payload)

    def _hear(self, topic: str, payload: bytes) -> None:
        event = _event_of(payload)
        if event is None or "/room/" not in topic:  # the person's topic says the same
            return
        captured_at = datetime.fromisoformat(str(event["captured_at"])).timestamp()
        latency = (time.time() - captured_at) * 1000
        if event["event_type"] != "left":
            self.story.latencies_ms.append(latency)
        self._tell(
            {
                "kind": "event",
                "at": round(time.time() - self._began, 2),
                "topic": topic,
                "event": event["event_type"],
                "room": event.get("room"),
                "person": event.get("person"),
                "score": event.get("score"),
                "margin": event.get("margin"),
                "votes": event.get("votes"),
                "latency_ms": round(latency),
            }
        )


@asynccontextmanager
async def embedded_broker() -> AsyncIterator[int]:
    """A real MQTT broker inside this process, on loopback; yields its port."""
    try:
        from amqtt.broker import Broker
    except ImportError as error:
        raise HomefaceError(
            "The demo needs amqtt and scikit-image: uv run --extra demo homeface demo "
            "(or pip install 'homeface[demo]')."
        ) from error
    port = _free_port()
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    await broker.start()
    try:
        yield port
    finally:
        await broker.shutdown()


def write_config(folder: Path, camera: Mapping[str, object], port: int, web_port: int | None = None) -> Path:
    """The demo's configuration, as a user would write it (JSON is YAML)."""
    path = folder / "config.yaml"
    config: dict[str, dict[str, object]] = {
        "home": {"name": "homeface demo", "node_id": "demo"},
        "rooms": {ROOM: {"name": "Living room", "hold": "3s"}},
        "cameras": {"camera": {"room": ROOM, **camera}},
        "mqtt": {"host": "127.0.0.1", "port": port, "version": "3.1.1"},
        "storage": {"folder": str(folder)},
        "web": {"enabled": web_port is not None, "camera_pictures": True},
    }
    if web_port is not None:
        config["web"]["port"] = web_port
    path.write_text(json.dumps(config), encoding="utf-8")
    return path


def demo_config(
    folder: Path,
    camera: Mapping[str, object],
    port: int,
    environ: Mapping[str, str],
    *,
    with_page: bool = False,
) -> Config:
    """Load the demo's configuration; the page gets a free port. Raises ``ConfigError``."""
    from homeface.config import load

    return load(write_config(folder, camera, port, _free_port() if with_page else None), environ)


def _event_of(payload: bytes) -> dict[str, object] | None:
    try:
        content = json.loads(payload)
    except ValueError:
        return None
    if isinstance(content, dict) and "event_type" in content and "captured_at" in content:
        return content
    return None


def _cut(image: ImageBGR, box: Box) -> ImageBGR:
    """The face with its surroundings, as a photo would show it."""
    x, y = box.centre
    half = max(box.width, box.height) * _CONTEXT / 2
    height, width = image.shape[:2]
    rows = slice(max(0, int(y - half)), min(height, int(y + half)))
    columns = slice(max(0, int(x - half)), min(width, int(x + half)))
    return np.ascontiguousarray(image[rows, columns])


def _rounded(value: float | None, digits: int = 1) -> float | None:
    return None if value is None or math.isnan(value) else round(value, digits)


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
