"""Our parts one by one, and whole frames of ours and of each peer, for 0, 1, 4 and 16 faces in 1080p."""

from __future__ import annotations

import contextlib
import itertools
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from homeface.errors import BackendUnavailableError, HomefaceError
from homeface.lab.benchmark.frames import FACES, Material
from homeface.lab.benchmark.pairs import Ratio, in_turns, rounded
from homeface.lab.benchmark.process import Run, Worker
from homeface.lab.benchmark.setting import ANALYSIS_FPS, PEERS, Crew, Setting

PARTS = ("decode", "colour", "motion", "detect", "align", "embed", "match", "publish")


@dataclass(frozen=True, slots=True)
class PeerScene:
    """What such a frame costs a peer: ``whole``, ours and its in turns; median ``detect_ms`` of it alone."""

    whole: Ratio
    detect_ms: float

    def as_json(self) -> dict[str, object]:
        """The ratio with its pairs, and the peer's parts: what is not detection is cutting and embedding."""
        told = self.whole.as_json()
        theirs = statistics.median([theirs for _, theirs in self.whole.shown])
        return {
            "frames_per_second": rounded(1 / theirs, 3),
            "parts_ms": {
                "detect": rounded(self.detect_ms, 3),
                "align and embed": rounded(max(0.0, theirs * 1000 - self.detect_ms), 3),
            },
            **{name: told[name] for name in ("ratio", "cpu_ratio", "pairs", "ours_s", "theirs_s")},
        }


@dataclass(frozen=True, slots=True)
class Scene:
    """What a frame with so many faces costs. ``found``: faces the detector found in a frame, on average.

    ``parts_ms`` median milliseconds of each part; ``p50_ms``/``p95_ms`` of a whole frame that is looked at
    and whose faces are all embedded; ``cpu_ms`` the same in CPU time; ``memory_mib`` the process's most.
    ``peers``: the same frames in turns with each peer that is installed.
    """

    faces: int
    found: float
    parts_ms: dict[str, float]
    p50_ms: float
    p95_ms: float
    cpu_ms: float
    memory_mib: float
    peers: dict[str, PeerScene] = field(default_factory=dict)

    @property
    def frames_per_second(self) -> float:
        """Frames of one engine, one after the other."""
        return 1000 / self.p50_ms

    def cameras(self, cores: int, decode_cpu_ms: float, camera_fps: float) -> float:
        """Cameras on ``cores`` when every analysed frame of each is looked at and all its faces embedded."""
        share = (decode_cpu_ms * camera_fps + self.cpu_ms * ANALYSIS_FPS) / 1000
        return cores / share


@dataclass(slots=True)
class Whole:
    """All scenes, and what does not depend on faces: ``common_ms`` of decode, colour and publish."""

    scenes: list[Scene] = field(default_factory=list)
    common_ms: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def as_json(self, cores: int, camera_fps: float) -> list[dict[str, object]]:
        """One object for each number of faces."""
        decode = self.common_ms.get("decode", 0.0)
        return [
            {
                "faces": scene.faces,
                "found": round(scene.found, 2),
                "parts_ms": {
                    name: rounded(value, 3) for name, value in (self.common_ms | scene.parts_ms).items()
                },
                "frames_per_second": rounded(scene.frames_per_second, 3),
                "cameras_per_box": rounded(scene.cameras(cores, decode, camera_fps), 3),
                "latency_ms": {"p50": rounded(scene.p50_ms, 3), "p95": rounded(scene.p95_ms, 3)},
                "cpu_ms_per_frame": rounded(scene.cpu_ms, 3),
                "peak_memory_mib": round(scene.memory_mib),
                "peers": {name: peer.as_json() for name, peer in scene.peers.items()},
            }
            for scene in self.scenes
        ]


def measure_whole(material: Material, setting: Setting, seconds: float) -> Whole:
    """``seconds`` for each part and each number of faces."""
    whole = Whole()
    with Crew(setting, material.crops) as crew:
        decoder = crew.own("decoder", clip=str(material.people))
        setting.tell("parts: decode")
        whole.common_ms |= decode_ms(decoder)
        for faces in FACES:
            setting.tell(f"parts and whole frames with {faces} faces")
            whole.scenes.append(_scene(crew, material, faces, seconds))
        whole.notes += [f"whole frames of {PEERS[peer]}: {why}" for peer, why in crew.missing.items()]
    try:
        setting.tell("parts: publish")
        whole.common_ms["publish"] = _publish_ms(seconds)
    except BackendUnavailableError as error:
        whole.notes.append(f"publish: {error}")
    return whole


def decode_ms(decoder: Worker) -> dict[str, float]:
    """CPU milliseconds a frame of decoding as recordings are, and of colour on top."""
    frames = 60
    plain = [decoder.run("decode", frames=frames, colour=False) for _ in range(3)]
    coloured = [decoder.run("decode", frames=frames, colour=True) for _ in range(3)]

    def each(runs: Sequence[Run]) -> float:
        return statistics.median([r.cpu_s / max(1, int(r.result)) * 1000 for r in runs])

    return {"decode": each(plain), "colour": max(0.0, each(coloured) - each(plain))}


def _scene(crew: Crew, material: Material, faces: int, seconds: float) -> Scene:
    file, frames = str(material.scenes[faces]), list(range(len(material.scene_labels[faces])))
    result = crew.own("parts").run("parts", file=file, frames=frames, seconds=seconds).result
    found = float(result.pop("faces"))
    engine = crew.own("engine", faces=faces)
    engine.run("whole", file=file, frames=frames)
    run = engine.run("latency", file=file, frames=frames, seconds=max(seconds, 0.5))
    times = sorted(run.result)
    memory = engine.peak_memory_mib
    peers = {}
    for peer, name in PEERS.items():
        crew.setting.tell(f"whole frames with {faces} faces: homeface and {name} in turns")
        with contextlib.suppress(HomefaceError):  # the crew remembers why
            peers[name] = _beside((name, crew.peer(peer)), engine, file, frames, seconds)
    return Scene(
        faces=faces,
        found=found,
        parts_ms={name: statistics.median(values) * 1000 for name, values in result.items()},
        p50_ms=statistics.median(times) * 1000,
        p95_ms=times[min(len(times) - 1, int(0.95 * len(times)))] * 1000,
        cpu_ms=run.cpu_s / len(times) * 1000,
        memory_mib=memory,
        peers=peers,
    )


def _beside(
    peer: tuple[str, Worker], ours: Worker, file: str, frames: Sequence[int], seconds: float
) -> PeerScene:
    name, theirs = peer
    turns = itertools.cycle(frames)
    frame = next(turns)

    def we() -> Run:
        return ours.run("whole", file=file, frames=[frame])

    def they() -> Run:
        nonlocal frame
        run = theirs.run("whole", file=file, frames=[frame])
        frame = next(turns)
        return run

    whole = Ratio(name, in_turns(we, they, seconds, least=len(frames)))
    looks = [theirs.run("detect", file=file, frames=[each]).wall_s for each in frames]
    return PeerScene(whole, statistics.median(looks) * 1000)


def _publish_ms(seconds: float) -> float:
    """Median milliseconds from publishing an event's payload (QoS 1) to a subscriber who has it."""
    import queue

    from homeface.lab.benchmark.broker import Listener, broker

    payload = "x" * 420  # an event's JSON is about so long
    with broker() as port:
        heard: queue.SimpleQueue[float] = queue.SimpleQueue()
        with Listener(port, "bench/#", lambda _topic, _payload, at: heard.put(at)) as listener:
            times: list[float] = []
            until = time.monotonic() + seconds
            while len(times) < 20 or time.monotonic() < until:
                begun = time.time()
                listener.publish("bench/event", payload)
                times.append(heard.get(timeout=5) - begun)
    return statistics.median(times) * 1000
