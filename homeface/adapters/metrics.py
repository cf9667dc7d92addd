"""The daemon's figures as Prometheus metrics: pure rendering. No names, and nothing of who is where."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

    from homeface.adapters.camera import CameraStats
    from homeface.adapters.mqtt import MqttStats

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LATENCY_BOUNDS = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Seconds from the picture to the event."""


@dataclass(slots=True)
class Latency:
    """A histogram that is only added to."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BOUNDS) + 1))
    total: float = 0.0

    def note(self, seconds: float) -> None:
        """One more event."""
        place = next((n for n, bound in enumerate(LATENCY_BOUNDS) if seconds <= bound), len(LATENCY_BOUNDS))
        self.counts[place] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulated, as Prometheus wants them."""
        bounds = [*(str(bound) for bound in LATENCY_BOUNDS), "+Inf"]
        return [(bound, float(sum(self.counts[: n + 1]))) for n, bound in enumerate(bounds)]


@dataclass(frozen=True, slots=True)
class CameraReading:
    """One camera. ``looked`` frames that the models saw; ``faces`` found in them; ``visits`` that ended."""

    name: str
    room: str
    available: bool
    paused: bool
    reason: str
    stats: CameraStats
    looked: int
    faces: int
    embedded: int
    visits: int


@dataclass(frozen=True, slots=True)
class DeviceReading:
    """What runs the models. ``silent_seconds`` since its last progress; idling is progress."""

    device: str
    runtime: str
    model: str
    frames: int
    faces: int
    embeddings: int
    failures: int
    dropped: int
    queued: int
    look_ms: float
    embed_ms: float
    silent_seconds: float


@dataclass(frozen=True, slots=True)
class StorageReading:
    """What is stored, and on which disk. ``copied_at`` None: there is no daily copy."""

    people: int
    templates: int
    bytes: int
    free_bytes: int
    writable: bool
    copied_at: float | None


@dataclass(frozen=True, slots=True)
class Readings:
    """All that is told. ``visits``: how many ended with which result (named, unknown, undecided);
    ``events``: how many were told, by their kind."""

    version: str
    started_at: float
    ready: bool
    healthy: bool
    broker_connected: bool
    mqtt: MqttStats
    cameras: Sequence[CameraReading]
    device: DeviceReading
    storage: StorageReading
    visits: Mapping[str, int]
    events: Mapping[str, int]
    latency: Latency


def render(readings: Readings) -> bytes:
    """Prometheus' text format (``CONTENT_TYPE``), with the figures of this process."""
    from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
    from prometheus_client.registry import Collector

    class _Collector(Collector):
        def collect(self) -> Iterator[Metric]:
            yield from _metrics(readings)

    registry = CollectorRegistry()
    registry.register(_Collector())
    ProcessCollector(registry=registry)
    return generate_latest(registry)


def _metrics(now: Readings) -> Iterator[Metric]:
    yield from _house(now)
    yield from _cameras(now.cameras)
    yield from _device(now.device)
    yield from _storage(now.storage)
    yield from _broker(now)


def _house(now: Readings) -> Iterator[Metric]:
    from prometheus_client.core import HistogramMetricFamily

    yield _gauge("build_info", "Version that runs.", [({"version": now.version}, 1)])
    yield _gauge("start_time_seconds", "When this life began, since the epoch.", [({}, now.started_at)])
    yield _gauge("ready", "1: every camera, the broker and the storage work.", [({}, now.ready)])
    yield _gauge("healthy", "1: the device makes progress.", [({}, now.healthy)])
    yield _gauge("threads", "Threads of the process.", [({}, threading.active_count())])
    yield _counter(
        "visits", "Visits that ended, by result.", [({"result": r}, n) for r, n in now.visits.items()]
    )
    yield _counter(
        "events", "Events of presence, by kind.", [({"kind": k}, n) for k, n in now.events.items()]
    )
    yield HistogramMetricFamily(
        "homeface_event_latency_seconds",
        "From the picture that decided to the event, in seconds.",
        buckets=now.latency.buckets(),
        sum_value=now.latency.total,
    )


def _cameras(cameras: Sequence[CameraReading]) -> Iterator[Metric]:
    def each(pick: str) -> list[tuple[dict[str, str], float]]:
        return [(_of(camera), float(getattr(camera.stats, pick))) for camera in cameras]

    yield _gauge("camera_up", "1: pictures come.", [(_of(c), c.available) for c in cameras])
    yield _gauge("camera_paused", "1: recognition is switched off.", [(_of(c), c.paused) for c in cameras])
    yield _gauge("camera_fps", "Frames a second that the camera sends.", each("fps"))
    yield _gauge("camera_lag_seconds", "How late the newest frame arrived.", each("lag_seconds"))
    for pick, text in (
        ("received", "Frames received."),
        ("decoded", "Frames decoded for analysis."),
        ("analysed", "Frames analysed."),
        ("dropped", "Frames that newer ones overtook."),
        ("reconnects", "Openings after the first."),
    ):
        name = "camera_reconnects" if pick == "reconnects" else f"camera_frames_{pick}"
        yield _counter(name, text, each(pick))
    yield _counter(
        "camera_frames_looked", "Frames that the models saw.", [(_of(c), c.looked) for c in cameras]
    )
    yield _counter("camera_faces", "Faces found.", [(_of(c), c.faces) for c in cameras])
    yield _counter("camera_embeddings", "Faces that were embedded.", [(_of(c), c.embedded) for c in cameras])
    yield _counter("camera_visits", "Visits that ended.", [(_of(c), c.visits) for c in cameras])


def _device(device: DeviceReading) -> Iterator[Metric]:
    labels = {"device": device.device, "runtime": device.runtime, "model": device.model}
    yield _gauge("device_info", "What runs the models.", [(labels, 1)])
    yield _gauge("device_silent_seconds", "Since its last progress.", [({}, device.silent_seconds)])
    yield _gauge("device_queued", "Requests that wait.", [({}, device.queued)])
    yield _gauge("device_look_seconds", "Recent mean time for a frame.", [({}, device.look_ms / 1000)])
    yield _gauge("device_embed_seconds", "Recent mean time for a face.", [({}, device.embed_ms / 1000)])
    yield _counter("device_frames", "Frames looked at.", [({}, device.frames)])
    yield _counter("device_faces", "Faces found.", [({}, device.faces)])
    yield _counter("device_embeddings", "Faces embedded.", [({}, device.embeddings)])
    yield _counter("device_failures", "Work that failed.", [({}, device.failures)])
    yield _counter("device_faces_dropped", "Faces that newer ones overtook.", [({}, device.dropped)])


def _storage(storage: StorageReading) -> Iterator[Metric]:
    yield _gauge("people", "People enrolled.", [({}, storage.people)])
    yield _gauge("templates", "Templates of them.", [({}, storage.templates)])
    yield _gauge("database_bytes", "Size of the database.", [({}, storage.bytes)])
    yield _gauge("disk_free_bytes", "Free space on its disk.", [({}, storage.free_bytes)])
    yield _gauge("storage_writable", "1: the last write worked.", [({}, storage.writable)])
    copied: Iterable[tuple[dict[str, str], float]] = [({}, storage.copied_at or 0.0)]
    yield _gauge("last_copy_time_seconds", "When the daily copy was made, since the epoch; 0: never.", copied)


def _broker(now: Readings) -> Iterator[Metric]:
    mqtt = now.mqtt
    yield _gauge("broker_connected", "1: the MQTT broker has everything.", [({}, now.broker_connected)])
    yield _counter("mqtt_connections", "Connections made.", [({}, mqtt.connections)])
    yield _counter("mqtt_states_sent", "States sent.", [({}, mqtt.states_sent)])
    yield _counter("mqtt_events_sent", "Events sent.", [({}, mqtt.events_sent)])
    reasons = (
        ("stale", mqtt.events_stale),
        ("offline", mqtt.events_offline),
        ("full", mqtt.events_overflowed),
    )
    dropped: list[tuple[dict[str, str], float]] = [({"reason": reason}, n) for reason, n in reasons]
    yield _counter("mqtt_events_dropped", "Events that were not sent, by reason.", dropped)
    yield _counter("mqtt_messages_received", "Messages received.", [({}, mqtt.messages_received)])
    yield _counter("mqtt_payloads_refused", "Messages that made no sense.", [({}, mqtt.payloads_refused)])


def _of(camera: CameraReading) -> dict[str, str]:
    return {"camera": camera.name, "room": camera.room}


def _gauge(name: str, text: str, samples: Iterable[tuple[Mapping[str, str], float]]) -> GaugeMetricFamily:
    from prometheus_client.core import GaugeMetricFamily

    taken = list(samples)
    labels = list(taken[0][0]) if taken else []
    family = GaugeMetricFamily(f"homeface_{name}", text, labels=labels)
    for values, number in taken:
        family.add_metric([values[label] for label in labels], float(number))
    return family


def _counter(name: str, text: str, samples: Iterable[tuple[Mapping[str, str], float]]) -> CounterMetricFamily:
    from prometheus_client.core import CounterMetricFamily

    taken = list(samples)
    labels = list(taken[0][0]) if taken else []
    family = CounterMetricFamily(f"homeface_{name}", text, labels=labels)
    for values, number in taken:
        family.add_metric([values[label] for label in labels], float(number))
    return family
