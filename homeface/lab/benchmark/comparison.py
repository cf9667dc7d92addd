"""The ratios: each of our parts in turns with what a user would pick instead, on the same frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from homeface.errors import BackendUnavailableError, HomefaceError
from homeface.lab.benchmark.frames import Material, labelled, labelled_scene, recall_of
from homeface.lab.benchmark.pairs import Ratio, in_turns, rounded
from homeface.lab.benchmark.process import Run, Worker
from homeface.lab.benchmark.recall import LabelledPicture
from homeface.lab.benchmark.setting import DLIB, FACENET, OPENCV, PEERS, Crew, Setting

Rows = list[list[float]]
AT_PEERS_RECALL = "_at_peers_recall"
"""End of the key of a row in which ours may be as blind as the peer, not more."""
EMBED_BATCH = 8
FACES = 4


@dataclass(slots=True)
class Ratios:
    """By key: a ratio, or the sentence that says why there is none."""

    found: dict[str, Ratio] = field(default_factory=dict)
    missing: dict[str, tuple[str, str]] = field(default_factory=dict)
    memory_mib: dict[str, float] = field(default_factory=dict)
    gating: dict[str, float] = field(default_factory=dict)
    cuda: dict[str, float] = field(default_factory=dict)

    def take(self, key: str, peer: str, measure: Callable[[], Ratio]) -> None:
        """Measure one; a peer that is not installed leaves a row that says so."""
        try:
            self.found[key] = measure()
        except HomefaceError as error:
            self.missing[key] = (peer, str(error))

    def as_json(self) -> dict[str, object]:
        """All keys, whether there are figures or not."""
        rows: dict[str, object] = {key: ratio.as_json() for key, ratio in self.found.items()}
        for key, (peer, why) in self.missing.items():
            rows[key] = {"ratio": None, "pairs": [], "peer": peer, "recall": {}, "missing": why}
        return rows


@dataclass(slots=True)
class Duel:
    """Two processes on the same frames, one frame at a time, each pair on the next frame."""

    ours: Worker
    theirs: Worker
    task: str
    file: Path
    frames: Sequence[int]
    seconds: float
    found: tuple[dict[int, Rows], dict[int, Rows]] = field(default_factory=lambda: ({}, {}))
    _turn: int = 0

    def fight(self, peer: str, what: str, labels: Sequence[LabelledPicture | None] | None = None) -> Ratio:
        """All frames at least once."""
        pairs = in_turns(self._we, self._they, self.seconds, least=len(self.frames))
        recall = {}
        if labels is not None:
            recall = {
                "ours": recall_of(labels, self.found[0]),
                "theirs": recall_of(labels, self.found[1]),
            }
        return Ratio(peer, pairs, what, recall)

    def _we(self) -> Run:
        return self._one(self.ours, 0)

    def _they(self) -> Run:
        run = self._one(self.theirs, 1)
        self._turn += 1
        return run

    def _one(self, worker: Worker, side: int) -> Run:
        frame = self.frames[self._turn % len(self.frames)]
        run = worker.run(self.task, file=str(self.file), frames=[frame])
        if self.task == "detect":
            self.found[side][frame] = run.result[0]
        return run


def subjects(setting: Setting) -> list[tuple[str, dict[str, Any]]]:
    """All of ours that a quick ``compare`` asks for, by subject and options."""
    as_blind = setting.at_peers_recall()
    return [
        *([] if as_blind is None else [("detector", {"detector": setting.detector, **as_blind})]),
        ("engine", {}),
        ("pipeline", {}),
        ("detector", {"detector": setting.detector}),
        ("detector", {"detector": "mtcnn"}),
        ("embedder", {"embedder": "facenet_vggface2"}),
        ("embedder", {"embedder": setting.embedder}),
    ]


def compare(material: Material, setting: Setting, crew: Crew) -> Ratios:
    """Every ratio of the table but those of the running daemon."""
    ratios = Ratios()
    _whole(ratios, crew, material, setting)  # first: memory is told of this, and only grows
    _detection(ratios, crew, material, setting)
    if not setting.quick:
        _batches(ratios, crew, material, setting)
    _gated(ratios, crew, material, setting)
    _embedding(ratios, crew, setting)
    if setting.device == "cuda":
        ratios.cuda = share_of_peak(crew)
    return ratios


def share_of_peak(crew: Crew, count: int = 256) -> dict[str, float]:
    """What FaceNet on our side makes of the device's own peak, in a batch of ``count``."""
    crew.setting.tell("the device's peak, and FaceNet's share of it")
    device, ours = crew.own("peak"), crew.own("embedder", embedder="facenet_vggface2")
    peak = float(device.run("peak").result)
    ours.run("embed", count=count)
    seconds = min(ours.run("embed", count=count).wall_s for _ in range(10))
    used = float(device.run("facenet").result) * count / seconds
    return {
        "peak_tflops": rounded(peak / 1e12),
        "facenet_tflops": rounded(used / 1e12),
        "share_of_peak": rounded(used / peak),
        "faces_per_second": rounded(count / seconds),
        "faces_at_once": float(count),
    }


def _detection(ratios: Ratios, crew: Crew, material: Material, setting: Setting) -> None:
    frames = range(len(material.labels))[:: 2 if setting.quick else 1]
    as_blind = setting.at_peers_recall()
    rows: list[tuple[str, dict[str, Any], str]] = [
        ("detect_1080p", {"detector": setting.detector}, FACENET),
        ("detect_1080p_mtcnn", {"detector": "mtcnn"}, FACENET),
    ]
    if as_blind is not None:
        key = "detect_1080p" + AT_PEERS_RECALL
        rows.append((key, {"detector": setting.detector, **as_blind}, FACENET))
    if not setting.quick:
        rows.append(("detect_1080p_opencv_yunet", {"detector": setting.detector}, OPENCV))
        rows.append(("detect_1080p_face_recognition", {"detector": setting.detector}, DLIB))
    for key, options, peer in rows:
        how = _told(options)
        setting.tell(f"{key}: {how} and {PEERS[peer]} in turns")
        what = f"{how} / {PEERS[peer]}, one 1080p frame, faces from 40 px"

        def measure(options: dict[str, Any] = options, peer: str = peer, what: str = what) -> Ratio:
            theirs = crew.peer(peer)
            ours = crew.own("detector", **options)
            duel = Duel(ours, theirs, "detect", material.street, frames, setting.seconds)
            return duel.fight(PEERS[peer], what, material.labels)

        ratios.take(key, PEERS[peer], measure)


def _told(options: dict[str, Any]) -> str:
    """The detector, and what of its settings is not the default."""
    others = [f"{name} {value}" for name, value in options.items() if name != "detector"]
    return f"{options['detector']} ({', '.join(others)})" if others else str(options["detector"])


def _batches(ratios: Ratios, crew: Crew, material: Material, setting: Setting) -> None:
    """Many frames in one call, and the stride of facenet-pytorch's notebooks, for a frame each."""
    size = 16 if setting.device == "cuda" else 4 if setting.quick else 8
    frames = [index % len(material.labels) for index in range(size)]
    many = f"batch of {size}"
    for key, detector, task, how in (
        ("detect_1080p_batch", setting.detector, "detect_batch", many),
        ("detect_1080p_batch_mtcnn", "mtcnn", "detect_batch", many),
        (
            "detect_1080p_strided",
            setting.detector,
            "detect_strided",
            "FastMTCNN: every fourth frame at half size",
        ),
    ):
        setting.tell(f"{key}: {detector} and facenet-pytorch, {how}")
        names = ("detect_batch", task)

        def measure(detector: str = detector, names: tuple[str, str] = names, how: str = how) -> Ratio:
            theirs, ours = crew.peer(FACENET), crew.own("detector", detector=detector)
            file = str(material.street)
            pairs = in_turns(
                lambda: ours.run(names[0], file=file, frames=frames),
                lambda: theirs.run(names[1], file=file, frames=frames),
                setting.seconds,
                work=(size, size),
            )
            what = f"{detector} on each frame / facenet-pytorch {how}, 1080p, each frame"
            return Ratio(PEERS[FACENET], pairs, what, _batch_recall(material, ours, theirs, names, frames))

        ratios.take(key, PEERS[FACENET], measure)


def _batch_recall(
    material: Material, ours: Worker, theirs: Worker, names: tuple[str, str], frames: Sequence[int]
) -> dict[str, float | None]:
    """Strided boxes are of another picture when frames are no film, so recall is told for batches only."""
    if names[1] != "detect_batch":
        return {}
    runs = [
        worker.run(name, file=str(material.street), frames=list(frames))
        for worker, name in zip((ours, theirs), names, strict=True)
    ]
    found = [dict(zip(frames, run.result, strict=True)) for run in runs]
    return {"ours": recall_of(material.labels, found[0]), "theirs": recall_of(material.labels, found[1])}


def _gated(ratios: Ratios, crew: Crew, material: Material, setting: Setting) -> None:
    """The daemon's walk over a recording, for each frame due, and MTCNN on frames of that recording."""
    as_blind = None if setting.quick else setting.at_peers_recall()
    rows: dict[str, dict[str, Any]] = {"detect_in_daemon": {}}
    if as_blind is not None:
        rows["detect_in_daemon" + AT_PEERS_RECALL] = as_blind
    for key, options in rows.items():
        setting.tell(f"{key}: the gated pipeline over a recording, and facenet-pytorch on its frames")

        def measure(options: dict[str, Any] = options) -> Ratio:
            return _walks(ratios, crew, material, options)

        ratios.take(key, PEERS[FACENET], measure)


def _walks(ratios: Ratios, crew: Crew, material: Material, options: dict[str, Any]) -> Ratio:
    setting = crew.setting
    theirs, pipeline = crew.peer(FACENET), crew.own("pipeline", **options)
    count, turn = len(np.load(material.walked, mmap_mode="r")), iter(range(10**9))
    told: dict[str, float] = {}

    def walk() -> Run:
        result = pipeline.run("walk", clip=str(material.people)).result
        told.update(result)
        frames = max(1, result["frames"])
        return Run(result["wall_s"] / frames, result["cpu_s"] / frames, result)

    def look() -> Run:
        return theirs.run("detect", file=str(material.walked), frames=[next(turn) % count])

    # A walk is many frames: it need not be repeated to outlast one of theirs.
    pairs = in_turns(walk, look, setting.seconds, least=2 if setting.quick else 3, most_repeats=1)
    setting.tell("what gating loses, beside a detector that sees every frame")
    clip, most = str(material.people), 40 if setting.quick else None
    lost = pipeline.run("gating", clip=clip, most_frames=most).result
    ratios.gating = ratios.gating or lost
    what = (
        f"all but decoding, colour and embedding, each of {told['frames']:.0f} frames due for analysis "
        f"({lost['frames_with_faces']:.0%} with faces, {told['looks']:.0f} looks) / MTCNN on such frames"
    )
    if options:
        what = f"{_told({'detector': setting.detector, **options})}: {what}"
    recall = {"ours": round(lost["recall_held"], 4), "ours_found": round(lost["recall_found"], 4)}
    return Ratio(PEERS[FACENET], pairs, what, recall | {"theirs": _walked_recall(crew, material, theirs)})


def _walked_recall(crew: Crew, material: Material, theirs: Worker) -> float | None:
    """The peer's share of the faces that our default detector sees when it looks at every frame whole.

    The same truth as ours is measured by: nobody has labelled one's own recordings. None without faces.
    """
    images = np.load(material.walked)
    frames = list(range(len(images)))
    ours = crew.own("detector", detector=crew.setting.detector)
    seen = [
        worker.run("detect", file=str(material.walked), frames=frames).result for worker in (ours, theirs)
    ]
    labels = [
        labelled("seen", image, np.array(rows, np.float64).reshape(-1, 5)[:, :4])
        for image, rows in zip(images, seen[0], strict=True)
    ]
    return recall_of(labels, dict(zip(frames, seen[1], strict=True)))


def _embedding(ratios: Ratios, crew: Crew, setting: Setting) -> None:
    for key, embedder in (
        ("embed_batch8", "facenet_vggface2"),
        ("embed_batch8_default", setting.embedder),
    ):
        setting.tell(f"{key}: {embedder} and facenet-pytorch's InceptionResnetV1, batch of {EMBED_BATCH}")

        def measure(embedder: str = embedder) -> Ratio:
            theirs, ours = crew.peer(FACENET), crew.own("embedder", embedder=embedder)
            pairs = in_turns(
                lambda: ours.run("embed", count=EMBED_BATCH),
                lambda: theirs.run("embed", count=EMBED_BATCH),
                setting.seconds,
                work=(EMBED_BATCH, EMBED_BATCH),
                least=5,
            )
            return Ratio(
                PEERS[FACENET], pairs, f"{embedder} / InceptionResnetV1 eager, a face in a batch of 8"
            )

        ratios.take(key, PEERS[FACENET], measure)


def _whole(ratios: Ratios, crew: Crew, material: Material, setting: Setting) -> None:
    """Detect and embed frames with four faces; peak memory of each side in its own process."""
    frames = range(len(material.scene_labels[FACES]))
    rows: list[tuple[str, str, dict[str, Any]]] = [
        ("whole_4_faces", FACENET, {}),
        ("whole_4_faces_face_recognition", DLIB, {}),
        ("whole_4_faces_opencv_yunet", OPENCV, {}),
    ]
    as_blind = None if setting.quick else setting.at_peers_recall()
    if as_blind is not None:
        rows.append(("whole_4_faces" + AT_PEERS_RECALL, FACENET, as_blind))
    for key, peer, options in rows:
        setting.tell(f"{key}: homeface and {PEERS[peer]} in turns")

        def measure(peer: str = peer, options: dict[str, Any] = options) -> Ratio:
            theirs, ours = crew.peer(peer), crew.own("engine", **options)
            duel = Duel(ours, theirs, "whole", material.scenes[FACES], frames, setting.seconds)
            embedder = "the same embedder" if peer == OPENCV else "its embedder"
            detector = _told({"detector": setting.detector, **options})
            what = f"{detector} + {setting.embedder} / {PEERS[peer]} + {embedder}, four faces in 1080p"
            ratio = duel.fight(PEERS[peer], what)
            ratios.memory_mib.setdefault("homeface", ours.peak_memory_mib)
            ratios.memory_mib[PEERS[peer]] = theirs.peak_memory_mib
            labels = labelled_scene(material, FACES)
            recall = {"theirs": _scene_recall(theirs, material, labels)}
            recall["ours"] = _own_recall(crew, material, labels, options)
            return Ratio(ratio.peer, ratio.pairs, ratio.what, recall)

        ratios.take(key, PEERS[peer], measure)


def _scene_recall(
    worker: Worker, material: Material, labels: Sequence[LabelledPicture | None]
) -> float | None:
    frames = list(range(len(labels)))
    rows = worker.run("detect", file=str(material.scenes[FACES]), frames=frames).result
    return recall_of(labels, dict(zip(frames, rows, strict=True)))


def _own_recall(
    crew: Crew,
    material: Material,
    labels: Sequence[LabelledPicture | None],
    options: dict[str, Any],
) -> float | None:
    try:
        ours = crew.own("detector", detector=crew.setting.detector, **options)
        return _scene_recall(ours, material, labels)
    except BackendUnavailableError:
        return None
