"""What the process of one of our own parts can do: detector, embedder, parts, engine, pipeline, decoder."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import homeface.inference  # noqa: F401 - before torch: it sets how OpenMP's threads wait
from homeface.core.calibration import policy_for
from homeface.core.evidence import Evidence
from homeface.core.gallery import Gallery, Subject, Template
from homeface.core.identification import Policy, decide
from homeface.core.motion import GREY_HEIGHT, GREY_WIDTH, MotionGate
from homeface.core.quality import RECOGNITION_LIMITS, assess
from homeface.core.types import ArrayPicture, Detection, Embedding, Face, Vector
from homeface.inference.alignment import PATCH_PX, TEMPLATES, align
from homeface.inference.calibration import calibration_for
from homeface.inference.engine import Engine, EngineSettings
from homeface.inference.manifest import Kind, find_spec
from homeface.inference.models import Placement, load_detector, load_embedder
from homeface.inference.types import Detector, Embedder
from homeface.lab.benchmark.setting import ANALYSIS_FPS
from homeface.lab.benchmark.worker import FrameFiles, Images, Task

if TYPE_CHECKING:
    from homeface.service.pipeline import Recognition

PEOPLE, PHOTOS = 4, 5
"""The household that is matched with: so many people with so many templates each."""
FALSE_NAMES = 1e-3


def load_own(name: str, options: Mapping[str, Any]) -> Mapping[str, Task]:
    """The tasks of one of our parts. Raises the ``ModelError`` tree."""
    made: Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Task]]] = {
        "detector": _detector,
        "embedder": _embedder,
        "parts": _parts,
        "engine": _engine,
        "pipeline": _pipeline,
        "decoder": _decoder,
        "peak": _peak,
    }
    return made[name](options)


def timed(work: Callable[[int], object], count: int, seconds: float) -> list[float]:
    """Seconds of each call ``work(index)``, indices going round, for ``seconds``, each at least once."""
    times: list[float] = []
    until = time.perf_counter() + seconds
    for index in itertools.cycle(range(count)):
        begun = time.perf_counter()
        work(index)
        times.append(time.perf_counter() - begun)
        if len(times) >= count and time.perf_counter() > until:
            return times
    return times


def household(
    model_id: str, dimension: int, people: int = PEOPLE, photos: int = PHOTOS
) -> tuple[Gallery, Policy]:
    """A gallery of random unit vectors: matching costs the same whoever they are."""
    random = np.random.default_rng(11)
    vectors = random.normal(size=(people, photos, dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    subjects = [Subject(f"p{person}", f"Person {person}") for person in range(people)]
    templates = [
        Template(f"t{p}-{n}", f"p{p}", vectors[p, n], model_id) for p in range(people) for n in range(photos)
    ]
    policy = policy_for(calibration_for(model_id), FALSE_NAMES, subjects=people)
    return Gallery(subjects, templates, model_id), policy


def _place(options: Mapping[str, Any]) -> Placement:
    folders = [Path(folder) for folder in options["folders"]]
    return Placement(folders, options["device"], cache=_cache(options), precision=options["precision"])


def _cache(options: Mapping[str, Any]) -> Path | None:
    return Path(options["cache"]) if options.get("cache") else None


def _find_detector(options: Mapping[str, Any]) -> Detector:
    spec = find_spec(options["detector"], Kind.DETECTOR)
    return load_detector(spec, _place(options), options["min_face_px"])


def _find_embedder(options: Mapping[str, Any]) -> Embedder:
    return load_embedder(find_spec(options["embedder"], Kind.EMBEDDER), _place(options))


def _detector(options: Mapping[str, Any]) -> Mapping[str, Task]:
    detector, frames = _find_detector(options), FrameFiles(rgb=False)

    def detect(wanted: Mapping[str, Any]) -> Any:
        return [_rows(detector.detect([image])[0]) for image in frames(wanted)]

    def batch(wanted: Mapping[str, Any]) -> Any:
        return [_rows(found) for found in detector.detect(frames(wanted))]

    return {"detect": detect, "detect_batch": batch}


def _rows(found: Sequence[Detection]) -> list[list[float]]:
    return [[*detection.box, detection.score] for detection in found]


def _embedder(options: Mapping[str, Any]) -> Mapping[str, Task]:
    import cv2

    embedder = _find_embedder(options)
    side = find_spec(options["embedder"], Kind.EMBEDDER).input_px

    @cache
    def crops() -> list[Images]:  # drawn while we load
        return [np.asarray(cv2.resize(crop, (side, side)), np.uint8) for crop in np.load(options["crops"])]

    def embed(wanted: Mapping[str, Any]) -> Any:
        faces = crops()
        return len(embedder.embed([faces[n % len(faces)] for n in range(wanted["count"])]))

    return {"embed": embed}


def _parts(options: Mapping[str, Any]) -> Mapping[str, Task]:
    """Seconds of each call of each part, on the frames asked for; what a part needs is made beforehand."""
    detector, embedder = _find_detector(options), _find_embedder(options)
    read = FrameFiles(rgb=False)
    gallery, policy = household(embedder.model_id, embedder.dimension)

    def faces_of(image: Images, found: Sequence[Detection]) -> list[Face]:
        size = (image.shape[1], image.shape[0])
        faces = []
        for detection in found:
            patch = align(image, detection, PATCH_PX, TEMPLATES["arcface_112"])
            quality = assess(detection, patch, size, RECOGNITION_LIMITS)
            faces.append(Face(detection, quality, embedder.align(image, detection)))
        return faces

    def parts(wanted: Mapping[str, Any]) -> Any:
        frames, seconds = read(wanted), float(wanted["seconds"])
        found = [detector.detect([image])[0] for image in frames]
        faces = [faces_of(image, each) for image, each in zip(frames, found, strict=True)]
        crops = [[face.crop for face in each] for each in faces]
        vectors: list[Sequence[Vector]] = [list(embedder.embed(each)) if each else [] for each in crops]
        looks = [
            [
                Evidence().add(Embedding(vector, embedder.model_id), face.quality, 0.0)
                for vector, face in zip(rows, each, strict=True)
            ]
            for rows, each in zip(vectors, faces, strict=True)
        ]
        gate = MotionGate()
        works: dict[str, Callable[[int], object]] = {
            "motion": lambda i: gate.examine(ArrayPicture(frames[i]).grey(GREY_HEIGHT, GREY_WIDTH), i / 5),
            "detect": lambda i: detector.detect([frames[i]]),
            "align": lambda i: faces_of(frames[i], found[i]),
            "embed": lambda i: embedder.embed(crops[i]) if crops[i] else None,
            "match": lambda i: [decide(evidence, gallery, policy) for evidence in looks[i]],
        }
        return {name: timed(work, len(frames), seconds) for name, work in works.items()} | {
            "faces": sum(map(len, found)) / len(frames)
        }

    return {"parts": parts}


def _engine(options: Mapping[str, Any]) -> Mapping[str, Task]:
    """Detection, quality, alignment, embedding and matching of whole frames, by the daemon's engine."""
    frames = FrameFiles(rgb=False)
    runner = asyncio.Runner()
    engine = _started(runner, options)
    gallery, policy = household(engine.model_id, _dimension(runner, engine))

    async def look(image: Images) -> int:
        faces = await engine.look(image)
        vectors = await engine.embed([face.crop for face in faces])
        for face, vector in zip(faces, vectors, strict=True):
            decide(Evidence().add(vector, face.quality, 0.0), gallery, policy)
        return len(faces)

    def whole(wanted: Mapping[str, Any]) -> Any:
        return [runner.run(look(image)) for image in frames(wanted)]

    def latency(wanted: Mapping[str, Any]) -> Any:
        images = frames(wanted)
        return timed(lambda n: runner.run(look(images[n])), len(images), float(wanted["seconds"]))

    return {"whole": whole, "latency": latency}


def _started(runner: asyncio.Runner, options: Mapping[str, Any]) -> Engine:
    settings = EngineSettings(
        detector=options["detector"],
        embedder=options["embedder"],
        device=options["device"],
        folders=tuple(Path(folder) for folder in options["folders"]),
        cache=_cache(options),
        min_face_px=options["min_face_px"],
        precision=options["precision"],
    )
    engine = Engine(settings)
    runner.run(engine.start())
    return engine


def _dimension(runner: asyncio.Runner, engine: Engine) -> int:
    """The length of a vector; also the first run of both networks, which is never timed."""
    blank = np.zeros((1080, 1920, 3), np.uint8)

    async def one() -> int:
        await engine.look(blank)
        (vector,) = await engine.embed([np.ascontiguousarray(blank[:112, :112])])
        return len(vector.vector)

    return runner.run(one())


class ClockedEngine:
    """An engine whose embedding time is taken apart from the rest."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.embed_wall_s = self.embed_cpu_s = 0.0
        self.looks = 0

    @property
    def model_id(self) -> str:
        """Id of the embedding model."""
        return self._engine.model_id

    async def look(self, *arguments: Any, **named: Any) -> list[Face]:
        """Look, and count."""
        self.looks += 1
        return await self._engine.look(*arguments, **named)

    async def embed(self, *arguments: Any, **named: Any) -> list[Embedding]:
        """Embed, and take the time."""
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            return await self._engine.embed(*arguments, **named)
        finally:
            self.embed_wall_s += time.perf_counter() - wall
            self.embed_cpu_s += time.process_time() - cpu

    def turn(self) -> AbstractAsyncContextManager[None]:
        """One frame in flight."""
        return self._engine.turn()


def _pipeline(options: Mapping[str, Any]) -> Mapping[str, Task]:
    """The daemon's own walk over a recording: gate, stride, regions and all."""
    from homeface.service.pipeline import Recognition

    runner = asyncio.Runner()
    engine = _started(runner, options)
    recognition = Recognition(*household(engine.model_id, _dimension(runner, engine)))

    def walk(wanted: Mapping[str, Any]) -> Any:
        return runner.run(_walk(Path(wanted["clip"]), engine, recognition))

    def gating(wanted: Mapping[str, Any]) -> Any:
        from homeface.lab.benchmark.gating import measure_gating

        clips, most = [Path(wanted["clip"])], wanted["most_frames"]
        report = runner.run(
            measure_gating(clips, engine, recognition, analysis_fps=ANALYSIS_FPS, most_frames=most)
        )
        return report.as_dict()

    return {"walk": walk, "gating": gating}


async def _walk(clip: Path, engine: Engine, recognition: Recognition) -> dict[str, float]:
    """Seconds that all but decoding, colour and embedding takes, over all frames due for analysis."""
    from homeface.adapters.camera import read_clip
    from homeface.core.tracking import Tracker
    from homeface.service.pipeline import Pipeline

    clocked = ClockedEngine(engine)
    pipeline = Pipeline(
        camera="bench",
        room="bench",
        engine=clocked,
        tracker=Tracker("bench", "bench", visit_prefix="bench"),
        motion=MotionGate(),
        recognition=recognition,
    )
    wall = cpu = 0.0
    frames = 0
    for frame in read_clip(clip, "bench", 0.0, ANALYSIS_FPS):
        frame.picture.bgr()  # MTCNN is given frames in colour as well
        begun, used = time.perf_counter(), time.process_time()
        await pipeline.process(frame)
        wall, cpu = wall + time.perf_counter() - begun, cpu + time.process_time() - used
        frames += 1
    return {
        "wall_s": wall - clocked.embed_wall_s,
        "cpu_s": cpu - clocked.embed_cpu_s,
        "frames": frames,
        "looks": clocked.looks,
        "embed_s": clocked.embed_wall_s,
    }


def _decoder(options: Mapping[str, Any]) -> Mapping[str, Task]:
    """Decoding as the cameras decode, with and without colour for the frames that are due."""
    from homeface.adapters.camera import read_clip

    clip = Path(options["clip"])

    def decode(wanted: Mapping[str, Any]) -> Any:
        frames = 0
        for frame in itertools.islice(read_clip(clip, "bench", 0.0, None), wanted["frames"]):
            frames += 1
            if wanted["colour"]:
                frame.picture.bgr()
        return frames

    return {"decode": decode}


def _peak(options: Mapping[str, Any]) -> Mapping[str, Task]:
    """What the device could do, and what the network asks of it."""
    from homeface.lab.benchmark.peak import measure_peak, operations_of_facenet

    device = "cuda:0" if options["device"] == "cuda" else options["device"]
    return {
        "peak": lambda _wanted: measure_peak(device),
        "facenet": lambda _wanted: operations_of_facenet(),
    }
