"""Recordings through the daemon's own pipeline and presence, as fast as the device allows.

Time is the recordings' own: every frame that is due is analysed, none is dropped, and the same recordings
give the same events. Nothing is published and nothing is stored.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from homeface.adapters.camera import read_clip
from homeface.config import Config
from homeface.core.motion import MotionGate
from homeface.core.presence import House, PresenceEvent
from homeface.core.tracking import Tracker
from homeface.core.types import Frame, Identified, Sighting
from homeface.errors import CameraError
from homeface.service import wiring
from homeface.service.pipeline import FaceEngine, Pipeline, Recognition


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording of one camera."""

    camera: str
    path: Path


@dataclass(slots=True)
class ReplayReport:
    """What the recordings showed. Times are seconds since their beginning plus ``start_at``."""

    events: list[PresenceEvent] = field(default_factory=list)
    visits: list[Sighting] = field(default_factory=list)
    frames: int = 0
    looked: int = 0
    recorded_seconds: float = 0.0

    @property
    def named(self) -> list[Sighting]:
        """Visits that ended with a name."""
        return [visit for visit in self.visits if isinstance(visit.decision, Identified)]


async def replay(
    clips: Sequence[Clip],
    config: Config,
    engine: FaceEngine,
    recognition: Recognition,
    start_at: float = 0.0,
    on_progress: Callable[[float], None] = lambda _seconds: None,
) -> ReplayReport:
    """Walk the clips together in time, then let all holds run out. Raises ``CameraError`` for a bad file."""
    house = House(wiring.room_policies(config), wiring.presence_policy(config))
    house.set_subjects(sorted(recognition.gallery.subjects), start_at)
    pipelines = _pipelines(clips, config, engine, recognition)
    report = ReplayReport()
    for pipeline in pipelines.values():
        report.events += house.set_camera(pipeline.camera, pipeline.room, True, start_at)
    now = start_at
    async for frame in _frames(clips, config, start_at):
        now = max(now, frame.captured_at)
        _let_time_pass(house, now, report)
        _observe(house, await pipelines[frame.camera].process(frame), now, report)
        report.frames += 1
        on_progress(now - start_at)
    for pipeline in pipelines.values():
        _observe(house, pipeline.flush(), now, report)
        report.looked += pipeline.stats.looked
    report.recorded_seconds = now - start_at
    _let_time_pass(house, now + config.presence.away_after_seconds, report, longest=now + 86400.0)
    return report


def clip_seconds(path: Path) -> float:
    """How long a recording says it is; 0 when it does not say. Raises ``CameraError``."""
    import av

    try:
        with av.open(str(path)) as container:
            return float(container.duration or 0) / av.time_base
    except (av.FFmpegError, OSError) as error:
        reason = error.strerror or str(error)
        raise CameraError(f"{path} cannot be read as a recording: {reason}") from error


def assign(arguments: Sequence[str], config: Config) -> list[Clip]:
    """Which camera each CLIP argument belongs to: ``camera=path``, or a path named like a camera.

    Raises ``CameraError`` when that is not clear.
    """
    clips = [_assign_one(argument, config) for argument in arguments]
    cameras = [clip.camera for clip in clips]
    for camera in cameras:
        if cameras.count(camera) > 1:
            raise CameraError(
                f"Two recordings are given for camera {camera}; a camera has one.", camera=camera
            )
    return clips


def _assign_one(argument: str, config: Config) -> Clip:
    name, separator, rest = argument.partition("=")
    if separator and name in config.cameras:
        return Clip(name, Path(rest))
    path = Path(argument)
    if path.stem in config.cameras:
        return Clip(path.stem, path)
    if len(config.cameras) == 1 and (not separator or path.exists()):
        return Clip(next(iter(config.cameras)), path)
    known = ", ".join(config.cameras)
    file = rest or argument
    raise CameraError(f"Which camera made {file}? Write CAMERA={file}, with one of: {known}.")


def _pipelines(
    clips: Sequence[Clip], config: Config, engine: FaceEngine, recognition: Recognition
) -> Mapping[str, Pipeline]:
    return {
        clip.camera: Pipeline(
            camera=clip.camera,
            room=config.cameras[clip.camera].room,
            engine=engine,
            tracker=Tracker(clip.camera, config.cameras[clip.camera].room, visit_prefix="replay"),
            motion=MotionGate(),
            recognition=recognition,
        )
        for clip in clips
    }


async def _frames(clips: Sequence[Clip], config: Config, start_at: float) -> AsyncIterator[Frame]:
    """Frames of all clips in order of time; decoding runs in a worker thread."""
    streams = [
        read_clip(clip.path, clip.camera, start_at, config.cameras[clip.camera].analysis_fps)
        for clip in clips
    ]
    merged: Iterator[Frame] = heapq.merge(*streams, key=lambda frame: frame.captured_at)
    while (frame := await asyncio.to_thread(next, merged, None)) is not None:
        yield frame


def _let_time_pass(house: House, now: float, report: ReplayReport, longest: float | None = None) -> None:
    """Tick at each deadline up to ``now``, so that holds end when they end and not at the next frame."""
    limit = now if longest is None else min(now, longest)
    at = -1.0
    while (deadline := house.next_deadline(max(at, 0.0))) is not None and deadline <= limit and deadline > at:
        at = deadline
        report.events += house.tick(deadline)


def _observe(house: House, sightings: Sequence[Sighting], now: float, report: ReplayReport) -> None:
    for sighting in sightings:
        report.events += house.observe(sighting, now)
        if sighting.ended:
            report.visits.append(sighting)
