"""What one run of the benchmark works with: models, device, folders, time for each measurement."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from homeface.errors import BackendUnavailableError, HomefaceError
from homeface.lab.benchmark.frames import MIN_FACE_PX
from homeface.lab.benchmark.process import Worker

ANALYSIS_FPS = 5.0
"""The default of ``cameras.*.analysis_fps``."""
FACENET, DLIB, OPENCV = "peer:facenet", "peer:dlib", "peer:opencv"
PEERS_RECALL_PX = 66
"""``recognition.min_face_px`` at which YuNet-n is as blind as facenet-pytorch's MTCNN, but not more.

In a picture of 608 by 352 it finds 286 of the 335 faces of 40 px and more in the WIDER sample, the peer 281,
with 10 false detections beside 31 (docs/performance.md)."""
PEERS: Mapping[str, str] = {
    FACENET: "facenet-pytorch",
    DLIB: "face_recognition (dlib HOG)",
    OPENCV: "OpenCV YuNet",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """``device``: ``cpu`` or ``cuda``. ``folders``: searched for weights. ``seconds``: about so long for each
    comparison, warm-up not counted. ``tell`` hears what is being measured. ``cache``: of compiled models;
    without one FaceNet stays in torch. ``precision``: as in the configuration."""

    detector: str
    embedder: str
    device: str
    folders: tuple[Path, ...]
    seconds: float
    quick: bool = False
    tell: Callable[[str], None] = lambda _text: None
    cache: Path | None = None
    precision: str = "auto"

    @property
    def torch_device(self) -> str:
        """The same device as torch spells it."""
        return "cuda:0" if self.device == "cuda" else self.device

    def own(self, **changes: Any) -> dict[str, Any]:
        """Options of a subject of ours."""
        options = {
            "detector": self.detector,
            "embedder": self.embedder,
            "device": self.device,
            "folders": [str(folder) for folder in self.folders],
            "cache": None if self.cache is None else str(self.cache),
            "min_face_px": MIN_FACE_PX,
            "precision": self.precision,
        }
        return options | changes

    def at_peers_recall(self) -> dict[str, Any] | None:
        """Options of ours that find no fewer faces than facenet-pytorch does, and no more than need be.

        Both are settings of the configuration. None for a detector for which nobody has measured them.
        """
        from homeface.inference.runtimes.precision import cpu_flags

        if self.detector != "yunet_n" or self.device != "cpu":
            return None
        units = self.precision == "auto" and "amx_bf16" in cpu_flags()
        return {"min_face_px": PEERS_RECALL_PX, "precision": "bfloat16" if units else self.precision}

    def peer(self, peer: str, crops: Path) -> dict[str, Any]:
        """Options of a peer. Raises ``ModelError`` when a weight file that it shares with us is missing."""
        from homeface.inference.detectors.yunet import SMALLEST_FACE_PX
        from homeface.inference.manifest import Kind, find_spec
        from homeface.inference.weights import locate

        if peer == FACENET:
            weights = locate(find_spec("facenet_vggface2", Kind.EMBEDDER), self.folders)
            return {
                "device": self.torch_device,
                "min_face_px": MIN_FACE_PX,
                "weights": str(weights),
                "crops": str(crops),
            }
        if peer == OPENCV:
            return {
                "model": str(locate(find_spec("yunet_n", Kind.DETECTOR), self.folders)),
                "scale": min(1.0, SMALLEST_FACE_PX / MIN_FACE_PX),
                "embedder": "mobilefacenet",
                "embedder_file": str(locate(find_spec("mobilefacenet", Kind.EMBEDDER), self.folders)),
            }
        return {}


@dataclass(slots=True)
class Crew:
    """The processes of all subjects of one stage, started when first asked for; ``with`` ends them.

    A subject that cannot run is remembered with its sentence, and asked for once only.
    """

    setting: Setting
    crops: Path
    _workers: dict[str, Worker] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def own(self, subject: str, **changes: Any) -> Worker:
        """A process of ours."""
        key = _key(subject, changes)
        if key not in self._workers:
            self.setting.tell(f"Loading homeface: {subject} {' '.join(map(str, changes.values()))}")
            options = self.setting.own(crops=str(self.crops), **changes)
            self._workers[key] = Worker(subject, options)
        try:
            self._workers[key].wait_loaded()
        except HomefaceError:
            del self._workers[key]
            raise
        return self._workers[key]

    def peer(self, peer: str) -> Worker:
        """A peer's process. Raises ``BackendUnavailableError`` when it cannot run here."""
        if peer in self.missing:
            raise BackendUnavailableError(self.missing[peer])
        try:
            if peer not in self._workers:
                self.setting.tell(f"Loading {PEERS[peer]}")
                self._workers[peer] = Worker(peer, self.setting.peer(peer, self.crops))
            self._workers[peer].wait_loaded()
        except HomefaceError as error:
            self._workers.pop(peer, None)
            self.missing[peer] = str(error)
            raise BackendUnavailableError(str(error)) from error
        return self._workers[peer]

    def begin(self, own: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Let all peers and these of ours load at once, while frames are drawn."""
        for peer in PEERS:
            with contextlib.suppress(HomefaceError):  # told when it is asked for
                self._workers[peer] = Worker(peer, self.setting.peer(peer, self.crops))
        for subject, changes in own:
            options = self.setting.own(crops=str(self.crops), **changes)
            self._workers[_key(subject, changes)] = Worker(subject, options)

    def wait(self) -> None:
        """Until all that ``begin`` started has loaded: what still loads would disturb what is timed."""
        for worker in self._workers.values():
            with contextlib.suppress(HomefaceError):  # told when it is asked for
                worker.wait_loaded()

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()


def _key(subject: str, changes: Mapping[str, Any]) -> str:
    return f"{subject} {sorted(changes.items())}"
