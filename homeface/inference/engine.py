"""The single device thread, and the async facade everybody else sees.

The thread alone creates, runs and frees models. Callers await; a caller that is cancelled or whose
request fails disturbs nobody else. ``turn`` bounds the frames in flight, so that a camera takes its
newest frame only when the device can start on it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from homeface.core.types import Embedding, Face, ImageBGR, ImageRGB

if TYPE_CHECKING:
    from homeface.core.quality import QualityLimits
    from homeface.inference.weights import ModelSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """What to run, where, and how much at a time.

    ``device``: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``. ``folders``: searched for weights, in order.
    ``min_face_px``: smallest face side worth finding, in pixels of the full frame. ``limits``: quality
    limits of recognition (None: the defaults). ``threads``: CPU threads of the device (0: let the runtime
    choose). ``max_frames``: frames in flight; ``max_crops``: largest embedding batch; ``max_queue``:
    requests that may wait. ``models``: further models besides the built-in manifest.
    """

    detector: str = "mtcnn"
    embedder: str = "facenet_vggface2"
    device: str = "auto"
    folders: Sequence[Path] = ()
    min_face_px: int = 40
    limits: QualityLimits | None = None
    threads: int = 0
    max_frames: int = 1
    max_crops: int = 16
    max_queue: int = 32
    models: tuple[ModelSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class EngineStats:
    """Counts since ``start``, and the mean milliseconds of recent work."""

    frames: int = 0
    faces: int = 0
    embeddings: int = 0
    embed_batches: int = 0
    failures: int = 0
    queued: int = 0
    look_ms: float = 0.0
    embed_ms: float = 0.0


class Engine:
    """Faces in, faces and vectors out; see the module docstring."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings

    @property
    def model_id(self) -> str:
        """Id of the embedding model; known after ``start``."""
        raise NotImplementedError

    @property
    def detector_name(self) -> str:
        """Name of the detector in the manifest."""
        return self._settings.detector

    @property
    def device(self) -> str:
        """Where the models run, e.g. ``cpu`` or ``cuda:0``; known after ``start``."""
        raise NotImplementedError

    @property
    def stats(self) -> EngineStats:
        """Counts and times so far."""
        raise NotImplementedError

    async def start(self) -> None:
        """Load the models in the device thread. Raises the ``ModelError`` tree."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Stop within 5 s: waiting requests fail with ``ModelError``. May be called twice."""
        raise NotImplementedError

    async def look(self, image: ImageBGR) -> list[Face]:
        """Faces of one frame with quality and aligned crop, best score first."""
        raise NotImplementedError

    async def embed(self, crops: Sequence[ImageRGB]) -> list[Embedding]:
        """One embedding for each crop of ``look``; requests of several callers share a batch."""
        raise NotImplementedError

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold this while a frame is in flight; at most ``max_frames`` callers are inside, first come first."""
        raise NotImplementedError
        yield

    def heartbeat(self) -> float:
        """``time.monotonic()`` of the device thread's last progress; idle counts as progress, hanging does not."""
        raise NotImplementedError
