"""What every kind of camera looks like from inside: a blocking source of pictures."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Protocol

from homeface.adapters.camera.alertness import Alertness
from homeface.adapters.camera.settings import CameraSettings
from homeface.adapters.camera.url import is_stream
from homeface.core.types import Picture


class Source(Protocol):
    """A blocking source of pictures; one thread opens, reads and closes it.

    Everything raises ``CameraError`` (``CameraAuthError`` for refused credentials) whose text names
    the camera and holds no credentials, and returns within the timeouts of the settings.
    """

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels of what the camera sends; (0, 0) before the first picture."""

    @property
    def codec(self) -> str:
        """Name of the codec, for people."""

    @property
    def received(self) -> int:
        """Pictures that arrived so far, decoded or not."""

    def open(self) -> None:
        """Connect."""

    def grab(self) -> float | None:
        """Wait for the next picture; when it was taken (wall clock), None at the end of a file."""

    def retrieve(self) -> Picture:
        """The picture of the last ``grab()``."""

    def close(self) -> None:
        """Let go of everything; may be called twice."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What a camera answered when it was tried: size in pixels and codec."""

    width: int
    height: int
    codec: str


def open_source(
    settings: CameraSettings,
    stopping: threading.Event | None = None,
    alertness: Alertness | None = None,
) -> Source:
    """The source these settings name, not yet opened.

    ``stopping`` ends its own waits early; ``alertness`` tells it what to decode (default: everything).
    """
    from homeface.adapters.camera.clip import FileSource
    from homeface.adapters.camera.opencv import OpenCVSource
    from homeface.adapters.camera.stream import PyAVSource

    if settings.url is None:
        return OpenCVSource(settings)
    if is_stream(settings.url):
        return PyAVSource(settings, stopping, alertness)
    return FileSource(settings, stopping, alertness)


def probe(settings: CameraSettings) -> Probe:
    """Open the camera, read one picture, close it; raises ``CameraError``. Blocking."""
    source = open_source(settings)
    try:
        source.open()
        source.grab()
        width, height = source.size
        return Probe(width, height, source.codec)
    finally:
        source.close()
