"""What looking away costs and saves: the daemon's own pipeline beside a detector that sees every frame whole.

Both see the same frames, those of a recording that are due for analysis, one after the other. The faces the
ungated detector finds are the truth. A face is *found* when the gated look at that frame finds it as well,
and *held* when it is found, or when the frame (or that part of it) was skipped and a living track stands
where the face is. A visit is what tracking makes of the ungated faces; it is *lost* when the gated look
never finds its face, and its *delay* is how much later it does for the first time.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from homeface.core.geometry import iou
from homeface.core.tracking import Tracker
from homeface.core.types import Box, Embedding, Face, Frame, ImageBGR, ImageRGB, Picture

if TYPE_CHECKING:
    from homeface.service.pipeline import FaceEngine, Pipeline, Recognition

_SAME_FACE = 0.4
"""Overlap (IoU) from which two boxes show one face."""
_HELD_FACE = 0.2
"""The same for where a track was last: who moves slowly is not looked at in every frame."""


@dataclass(frozen=True, slots=True)
class GatedVisit:
    """One visit of the ungated detector. ``delay_seconds`` until the gated look found it; None: never."""

    clip: str
    first_seen: float
    faces: int
    usable_faces: int
    delay_seconds: float | None


@dataclass(slots=True)
class GatingReport:
    """Counts over all clips. Costs are CPU seconds of detection, quality and alignment, without decoding,
    colour conversion and embedding. ``area``: sum of the shares of the frames that were looked at."""

    frames: int = 0
    looked: int = 0
    full: int = 0
    area: float = 0.0
    embedded: int = 0
    faces: int = 0
    found: int = 0
    held: int = 0
    usable_faces: int = 0
    usable_found: int = 0
    usable_held: int = 0
    extra: int = 0
    gated_cpu_seconds: float = 0.0
    ungated_cpu_seconds: float = 0.0
    frames_with_faces: int = 0
    visits: list[GatedVisit] = field(default_factory=list)

    @property
    def cost_ratio(self) -> float:
        """How many times cheaper the gated detection is than the ungated one, per analysed frame."""
        return self.ungated_cpu_seconds / max(1e-9, self.gated_cpu_seconds)

    @property
    def lost_visits(self) -> list[GatedVisit]:
        """Visits with a usable face that were never found."""
        return [visit for visit in self.visits if visit.delay_seconds is None and visit.usable_faces]

    @property
    def delays(self) -> list[float]:
        """Seconds to the first face of each visit that was found, ascending."""
        return sorted(visit.delay_seconds for visit in self.visits if visit.delay_seconds is not None)

    def as_dict(self) -> dict[str, float]:
        """Rates for a table or JSON; shares are 0..1."""
        frames, delays = max(1, self.frames), self.delays or [0.0]
        return {
            "frames": self.frames,
            "frames_with_faces": self.frames_with_faces / frames,
            "looked": self.looked / frames,
            "full": self.full / frames,
            "area": self.area / frames,
            "faces": self.faces,
            "recall_found": self.found / max(1, self.faces),
            "recall_held": self.held / max(1, self.faces),
            "usable_recall_found": self.usable_found / max(1, self.usable_faces),
            "usable_recall_held": self.usable_held / max(1, self.usable_faces),
            "visits": len(self.visits),
            "lost_visits": len(self.lost_visits),
            "delay_p50_seconds": delays[len(delays) // 2],
            "delay_max_seconds": delays[-1],
            "gated_ms_per_frame": self.gated_cpu_seconds / frames * 1000,
            "ungated_ms_per_frame": self.ungated_cpu_seconds / frames * 1000,
            "cost_ratio": self.cost_ratio,
            "embedded_per_frame": self.embedded / frames,
        }


async def measure_gating(
    clips: Sequence[Path],
    engine: FaceEngine,
    recognition: Recognition,
    analysis_fps: float = 5.0,
    most_frames: int | None = None,
    on_frame: Callable[[int], None] = lambda _done: None,
) -> GatingReport:
    """Walk recordings with and without the gate. Raises ``CameraError`` for a file that cannot be read.

    ``engine`` is started; ``recognition`` decides the tracks, as settled ones are looked at less often (an
    empty gallery does: everybody is unknown then). ``most_frames`` of each clip, None: all.
    """
    from homeface.adapters.camera import read_clip

    report = GatingReport()
    for clip in clips:
        walk = _Walk(clip.name, engine, recognition, report)
        frames = itertools.islice(read_clip(clip, clip.stem, 0.0, analysis_fps), most_frames)
        while (frame := await asyncio.to_thread(next, frames, None)) is not None:
            if not frame.index:
                await _warm_up(engine, frame)
            await walk.step(frame)
            on_frame(report.frames)
        walk.end()
    return report


async def _warm_up(engine: FaceEngine, frame: Frame) -> None:
    """Let networks be compiled for parts of all sizes: a daemon does so once in its life."""
    height, width = frame.picture.shape
    for share in (0.08, 0.14, 0.2, 0.25, 0.3, 0.35):
        await engine.look(frame.picture, [Box(0.0, 0.0, share * width, share * width)])
    await engine.look(frame.picture, [Box(0.0, 0.0, 0.3 * width, 1.0 * height)])


class _Probe:
    """The engine as the pipeline sees it; keeps what the last look gave, and what looks cost."""

    def __init__(self, engine: FaceEngine) -> None:
        self._engine = engine
        self.faces: list[Face] = []
        self.cpu_seconds = 0.0

    @property
    def model_id(self) -> str:
        """Id of the embedding model."""
        return self._engine.model_id

    async def look(self, image: ImageBGR | Picture, regions: Sequence[Box] | None = None) -> list[Face]:
        """Look, keep, and take the time."""
        begun = time.process_time()
        self.faces = await self._engine.look(image, regions)
        self.cpu_seconds += time.process_time() - begun
        return self.faces

    async def embed(self, crops: Sequence[ImageRGB]) -> list[Embedding]:
        """Embed."""
        return await self._engine.embed(crops)

    def turn(self) -> AbstractAsyncContextManager[None]:
        """One frame in flight."""
        return self._engine.turn()


@dataclass(slots=True)
class _Truth:
    """A visit of the ungated detector while it lasts."""

    first_seen: float
    confirmed: bool = False
    faces: int = 0
    usable_faces: int = 0
    found_at: float | None = None


class _Walk:
    """One recording."""

    def __init__(self, clip: str, engine: FaceEngine, recognition: Recognition, report: GatingReport) -> None:
        self._clip = clip
        self._report = report
        self._ungated, self._gated = _Probe(engine), _Probe(engine)
        self._pipeline = _pipeline(self._gated, recognition)
        self._tracker = Tracker("ungated", "room")
        self._visits: dict[str, _Truth] = {}

    async def step(self, frame: Frame) -> None:
        """One frame both ways. Its colours are converted first, at nobody's expense."""
        image, report = await asyncio.to_thread(frame.picture.bgr), self._report
        truth = await self._ungated.look(image)
        self._gated.faces = []
        await self._pipeline.process(frame)
        found = [face.detection.box for face in self._gated.faces]
        followed = [track.box for track in self._pipeline.tracker.living if not track.misses]
        report.frames += 1
        report.frames_with_faces += bool(truth)
        for face in truth:
            box, usable = face.detection.box, face.quality.usable
            is_found = _any_like(box, found, _SAME_FACE)
            is_held = is_found or _any_like(box, followed, _HELD_FACE)
            report.faces += 1
            report.found += is_found
            report.held += is_held
            report.usable_faces += usable
            report.usable_found += usable and is_found
            report.usable_held += usable and is_held
        boxes = [face.detection.box for face in truth]
        report.extra += sum(not _any_like(box, boxes, _SAME_FACE) for box in found)
        self._follow(truth, found, frame.captured_at)

    def end(self) -> None:
        """Add this recording's sums to the report."""
        report, stats = self._report, self._pipeline.stats
        report.looked += stats.looked
        report.full += stats.full
        report.area += stats.area
        report.embedded += stats.embedded
        report.gated_cpu_seconds += self._gated.cpu_seconds
        report.ungated_cpu_seconds += self._ungated.cpu_seconds
        for visit in self._visits.values():
            if not visit.confirmed:
                continue
            delay = None if visit.found_at is None else visit.found_at - visit.first_seen
            report.visits.append(
                GatedVisit(self._clip, visit.first_seen, visit.faces, visit.usable_faces, delay)
            )

    def _follow(self, truth: Sequence[Face], found: Sequence[Box], now: float) -> None:
        """Make visits of the ungated faces, and note when the gated look found them first."""
        self._tracker.update(truth, now)
        for track in self._tracker.living:
            if track.last_seen != now:
                continue
            visit = self._visits.setdefault(track.visit_id, _Truth(track.first_seen))
            visit.confirmed |= track.confirmed
            visit.faces += 1
            visit.usable_faces += track.face.quality.usable
            if visit.found_at is None and _any_like(track.box, found, _SAME_FACE):
                visit.found_at = now


def _any_like(box: Box, others: Sequence[Box], overlap: float) -> bool:
    return any(iou(box, other) >= overlap for other in others)


def _pipeline(engine: FaceEngine, recognition: Recognition) -> Pipeline:
    """As the daemon builds it."""
    from homeface.core.motion import MotionGate
    from homeface.service.pipeline import Pipeline

    return Pipeline(
        camera="gated",
        room="room",
        engine=engine,
        tracker=Tracker("gated", "room"),
        motion=MotionGate(),
        recognition=recognition,
    )


async def _main(clips: Sequence[Path], weights: Sequence[Path], analysis_fps: float) -> None:
    """Print what gating costs and saves on each recording."""
    from homeface.core.gallery import Gallery
    from homeface.core.identification import Policy
    from homeface.inference.engine import Engine, EngineSettings
    from homeface.service.pipeline import Recognition

    engine = Engine(EngineSettings(folders=tuple(weights)))
    await engine.start()
    try:
        nobody = Recognition(Gallery([], [], engine.model_id), Policy(0.5))
        for clip in clips:
            report = await measure_gating([clip], engine, nobody, analysis_fps)
            print(clip.name)
            for name, value in report.as_dict().items():
                print(f"  {name:22} {value:.3f}")
    finally:
        await engine.aclose()


def main(arguments: Sequence[str] | None = None) -> None:
    """``python -m homeface.lab.benchmark.gating CLIP…``."""
    parser = argparse.ArgumentParser(description="What looking away costs and saves on recordings.")
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--weights", nargs="*", type=Path, default=(), help="folders searched for weights")
    parser.add_argument("--fps", type=float, default=5.0, help="frames analysed in a second of recording")
    asked = parser.parse_args(arguments)
    asyncio.run(_main(asked.clips, asked.weights, asked.fps))


if __name__ == "__main__":
    main()
