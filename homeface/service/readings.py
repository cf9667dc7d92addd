"""What the daemon tells of itself: counts of what happened, and everything now."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from homeface import __version__
from homeface.adapters.metrics import CameraReading, DeviceReading, Latency, Readings, StorageReading
from homeface.adapters.store import Store
from homeface.core.types import Identified, Undecided

if TYPE_CHECKING:
    from homeface.service.hub import Moment
    from homeface.service.life import Life


@dataclass(frozen=True, slots=True)
class Disk:
    """The database on its disk, as it was lately."""

    bytes: int = 0
    free_bytes: int = 0
    copied_at: float | None = None


def look_at_disk(store: Store) -> Disk:
    """Now. Blocks."""
    try:
        free = shutil.disk_usage(store.path.parent).free
        log = store.path.with_name(f"{store.path.name}-wal")
        size = store.path.stat().st_size + (log.stat().st_size if log.exists() else 0)
        return Disk(size, free, store.copied_at())
    except OSError:
        return Disk()


class Tally:
    """Counts what happens in one life; a listener of the hub."""

    def __init__(self) -> None:
        self.started_at = time.time()
        self.visits = Counter({"named": 0, "unknown": 0, "undecided": 0})
        self.events: Counter[str] = Counter()
        self.latency = Latency()

    def note(self, moment: Moment) -> None:
        """One change of the house."""
        for sighting in moment.sightings:
            if sighting.ended:
                self.visits[_result(sighting.decision)] += 1
        for event in moment.events:
            self.events[str(event.kind)] += 1
            self.latency.note(max(0.0, moment.at - event.captured_at))


def readings(life: Life) -> Readings:
    """Everything now; on the event loop, and never waits."""
    report = life.health()
    return Readings(
        version=__version__,
        started_at=life.tally.started_at,
        ready=report.ready,
        healthy=report.healthy,
        broker_connected=life.link.connected,
        mqtt=life.link.stats,
        cameras=[_camera(life, slug) for slug in life.watches],
        device=_device(life),
        storage=_storage(life),
        visits=dict(life.tally.visits),
        events=dict(life.tally.events),
        latency=replace(life.tally.latency, counts=list(life.tally.latency.counts)),
    )


def status_document(life: Life) -> dict[str, object]:
    """For ``homeface status``: the readings, and who is where. For the service's user and root alone."""
    now = readings(life)
    names = {subject.subject_id: subject.name for subject in life.subjects}
    paused = {subject.subject_id for subject in life.subjects if subject.paused}
    state = life.hub.house.snapshot()
    knowable = any(room.available for room in state.rooms.values())
    return {
        "version": now.version,
        "at": time.time(),
        "started_at": now.started_at,
        "ready": now.ready,
        "healthy": now.healthy,
        "broker": {"connected": now.broker_connected, "reason": str(life.link.error or "")},
        "device": asdict(now.device),
        "storage": asdict(now.storage),
        "visits": dict(now.visits),
        "events": dict(now.events),
        "guest_mode": life.hub.guest_mode,
        "cameras": [
            {**asdict(camera), "analysed_fps": life.camera_figures(camera.name).analysed_fps}
            for camera in now.cameras
        ],
        "rooms": [
            {
                "room": room.room,
                "available": room.available,
                "occupied": room.occupied,
                "people": [names.get(subject_id, subject_id) for subject_id in room.names],
                "unknown": room.unknown_count,
                "since": room.since,
            }
            for room in state.rooms.values()
        ],
        "people": [
            {
                "name": names[person.subject_id],
                "available": knowable and person.subject_id not in paused,
                "home": person.home,
                "room": person.room,
                "since": person.since,
            }
            for person in state.people.values()
            if person.subject_id in names
        ],
    }


def _result(decision: object) -> str:
    if isinstance(decision, Identified):
        return "named"
    return "undecided" if isinstance(decision, Undecided) else "unknown"


def _camera(life: Life, slug: str) -> CameraReading:
    watch = life.watches[slug]
    counted = watch.pipeline.stats
    return CameraReading(
        name=slug,
        room=watch.room,
        available=watch.status.available,
        paused=watch.paused,
        reason=watch.status.trouble,
        stats=watch.stats,
        looked=counted.looked,
        faces=counted.faces,
        embedded=counted.embedded,
        visits=counted.visits,
    )


def _device(life: Life) -> DeviceReading:
    stats = life.engine.stats
    return DeviceReading(
        device=str(life.engine.device),
        runtime=str(life.engine.runtime),
        model=life.engine.model_id,
        frames=stats.frames,
        faces=stats.faces,
        embeddings=stats.embeddings,
        failures=stats.failures,
        dropped=stats.dropped,
        queued=stats.queued,
        look_ms=stats.look_ms,
        embed_ms=stats.embed_ms,
        silent_seconds=max(0.0, time.monotonic() - life.engine.heartbeat()),
    )


def _storage(life: Life) -> StorageReading:
    gallery = life.recognition.gallery if life.recognition is not None else None
    return StorageReading(
        people=len(life.subjects),
        templates=0 if gallery is None else len(gallery.templates),
        bytes=life.disk.bytes,
        free_bytes=life.disk.free_bytes,
        writable=not life.hub.saving_failed,
        copied_at=life.disk.copied_at,
    )
