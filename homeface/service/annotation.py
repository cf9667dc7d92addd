"""Recognition drawn into a recording: what the daemon would have known at each moment.

Every frame is written; those that are due by the camera's ``analysis_fps`` go through the pipeline, so that
the visits are those of ``replay``. Nothing is published and nothing is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from homeface.adapters.camera import read_clip
from homeface.adapters.camera.timing import Pace
from homeface.adapters.drawing import Cell, Mark, Row, colour_of, contact_sheet, drawn
from homeface.adapters.video_file import VideoFile
from homeface.config import Config
from homeface.core.gallery import Gallery
from homeface.core.motion import MotionGate
from homeface.core.tracking import Tracker
from homeface.core.types import (
    Decision,
    Detection,
    Frame,
    Identified,
    ImageBGR,
    Landmarks,
    Sighting,
    Undecided,
)
from homeface.errors import CameraError
from homeface.service.crops import cut_out
from homeface.service.pipeline import FaceEngine, Pipeline, Recognition
from homeface.service.replay import Clip

_SHEET_SIDE_PX = 160
_COLUMNS = 8


@dataclass(slots=True)
class Annotated:
    """What was drawn. ``visits``: those that ended, by the last word about each."""

    frames: int = 0
    looked: int = 0
    seconds: float = 0.0
    visits: list[Sighting] = field(default_factory=list)
    faces: dict[str, tuple[float, ImageBGR]] = field(default_factory=dict)
    """The best face of each visit with its quality."""


async def annotate(
    clip: Clip,
    out: Path,
    config: Config,
    engine: FaceEngine,
    recognition: Recognition,
    on_progress: Callable[[float], None] = lambda _seconds: None,
) -> Annotated:
    """Write ``out``. Raises ``CameraError`` for a recording that cannot be read or a file that cannot be
    written; then nothing is left of it."""
    if await asyncio.to_thread(_same, out, clip.path):
        raise CameraError(f"{out} is the recording itself: name another file.", camera=clip.camera)
    camera = config.cameras[clip.camera]
    pipeline = Pipeline(
        camera=clip.camera,
        room=camera.room,
        engine=engine,
        tracker=Tracker(clip.camera, camera.room, visit_prefix="replay"),
        motion=MotionGate(),
        recognition=recognition,
    )
    walk = _Walk(pipeline, Pace(camera.analysis_fps), recognition.gallery)
    frames = read_clip(clip.path, clip.camera)
    async with _video(out) as video:
        while (frame := await asyncio.to_thread(next, frames, None)) is not None:
            marks = await walk.step(frame)
            caption = f"{clip.camera}  {frame.captured_at:.1f} s"
            await asyncio.to_thread(_write, video, frame, marks, caption)
            on_progress(frame.captured_at)
        walk.end()
    walk.report.looked = pipeline.stats.looked
    return walk.report


def visit_sheet(report: Annotated, gallery: Gallery, title: str) -> bytes:
    """The best face of every visit as a PNG picture: named ones first, by person."""
    rows: dict[str, list[Cell]] = {}
    for number, visit in enumerate(report.visits):
        best = report.faces.get(visit.visit_id)
        if best is None:
            continue
        decision = visit.decision
        name = _name(decision, gallery)
        times = f"{visit.first_seen:.1f} to {visit.captured_at:.1f} s"
        why = ", ".join(getattr(decision, "reasons", ()))
        cell = Cell(best[1], [_words(decision, gallery), times, why], colour_of(number))
        rows.setdefault(name, []).append(cell)
    order = sorted(rows, key=lambda name: (name == "unknown", name.casefold()))
    return contact_sheet(title, [Row(name, rows[name]) for name in order], _COLUMNS)


@asynccontextmanager
async def _video(path: Path) -> AsyncIterator[VideoFile]:
    """A video that is whole afterwards, or not there."""
    video = VideoFile(path)
    await asyncio.to_thread(video.open)
    try:
        yield video
    except BaseException:
        await asyncio.to_thread(video.discard)
        raise
    await asyncio.to_thread(video.finish)


def _same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)


class _Walk:
    """One recording on its way through the pipeline."""

    def __init__(self, pipeline: Pipeline, pace: Pace, gallery: Gallery) -> None:
        self.report = Annotated()
        self._pipeline, self._pace, self._gallery = pipeline, pace, gallery
        self._numbers: dict[str, int] = {}
        self._living: Sequence[Sighting] = ()
        self._looked_at = 0.0

    async def step(self, frame: Frame) -> list[Mark]:
        """Analyse the frame if it is due; what is known then."""
        self.report.frames += 1
        self.report.seconds = frame.captured_at
        if self._pace.due(frame.captured_at):
            self._looked_at = frame.captured_at
            sightings = await self._pipeline.process(frame)
            self._living = [sighting for sighting in sightings if not sighting.ended]
            self.report.visits += [sighting for sighting in sightings if sighting.ended]
            for sighting in self._living:
                await self._keep(sighting, frame)
        return [self._mark(sighting) for sighting in self._living]

    def end(self) -> None:
        """The recording is over."""
        self.report.visits += self._pipeline.flush()

    def _mark(self, sighting: Sighting) -> Mark:
        number = self._numbers.setdefault(sighting.visit_id, len(self._numbers))
        sure = sighting.captured_at >= self._looked_at
        return Mark(sighting.box, _words(sighting.decision, self._gallery), colour_of(number), sure)

    async def _keep(self, sighting: Sighting, frame: Frame) -> None:
        quality = sighting.quality
        if quality is None or sighting.captured_at < frame.captured_at:
            return
        best = self.report.faces.get(sighting.visit_id)
        if best is None or quality.score > best[0]:
            face = Detection(sighting.box, 1.0, _no_landmarks())
            part, _, _ = await asyncio.to_thread(lambda: cut_out(frame.image, face, _SHEET_SIDE_PX))
            self.report.faces[sighting.visit_id] = (quality.score, part)


def _no_landmarks() -> Landmarks:
    import numpy as np

    return np.zeros((5, 2), np.float32)


def _write(video: VideoFile, frame: Frame, marks: Sequence[Mark], caption: str) -> None:
    video.add(drawn(frame.image, marks, caption), frame.captured_at)


def _name(decision: Decision, gallery: Gallery) -> str:
    if isinstance(decision, Identified):
        subject = gallery.subjects.get(decision.subject_id)
        return subject.name if subject is not None else decision.subject_id
    return "unknown"


def _words(decision: Decision, gallery: Gallery) -> str:
    """``Ada 0.71``, ``unknown 0.32`` (the best score, of somebody), or dots and votes while it is open."""
    if isinstance(decision, Identified):
        return f"{_name(decision, gallery)} {decision.score:.2f}"
    if isinstance(decision, Undecided):
        return f"… {decision.votes}"
    return "unknown" if decision.score is None else f"unknown {decision.score:.2f}"
