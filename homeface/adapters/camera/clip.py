"""Video files: as recordings for replay, and as a camera that runs in real time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from homeface.adapters.camera.picture import DecodedPicture
from homeface.adapters.camera.settings import CameraSettings
from homeface.adapters.camera.timing import Pace
from homeface.core.types import Frame, Picture
from homeface.errors import CameraError

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_ASSUMED_FPS = 25.0
_BEHIND_SECONDS = 1.0
"""A file that is read this much too slowly goes on from now, as if it had been paused."""


def read_clip(
    path: str | Path,
    camera: str,
    start_at: float = 0.0,
    analysis_fps: float | None = None,
    max_side_px: int | None = None,
) -> Iterator[Frame]:
    """Every due frame of a recording, as fast as it decodes; ``captured_at = start_at + (pts − first pts)``.

    Deterministic: the same file gives the same frames. Raises ``CameraError`` naming the file when it
    is missing, broken, truncated or no video (after the frames before the break).
    """
    pace = Pace(analysis_fps)
    for index, (frame, seconds) in enumerate(decode_file(path, camera)):
        captured_at = start_at + seconds
        if pace.due(captured_at):
            yield Frame(camera, index, captured_at, DecodedPicture(frame, max_side_px))


def decode_file(path: str | Path, camera: str = "") -> Iterator[tuple[VideoFrame, float]]:
    """Frames of a file with their time in seconds since its first frame. Errors as in ``read_clip``."""
    import av

    path = Path(str(path).removeprefix("file://"))
    if not path.is_file():
        raise CameraError(f"{path} is no file: check the path of the recording", camera=camera)
    try:
        with av.open(str(path), mode="r", metadata_errors="replace") as container:
            if not container.streams.video:
                raise CameraError(f"{path} holds no video", camera=camera)
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            length = container.duration / av.time_base if container.duration else 0.0
            yield from _timed(path, camera, stream, container.demux(stream), length)
    except (av.FFmpegError, ValueError) as error:
        raise CameraError(
            f"{path} cannot be read as a video, it is broken or of another kind: {error}", camera=camera
        ) from error


def _timed(
    path: Path, camera: str, stream: VideoStream, packets: Iterator[Packet[VideoStream]], length: float
) -> Iterator[tuple[VideoFrame, float]]:
    """Frames with seconds since the first; checks that the file is whole. ``length`` seconds, 0 unknown."""
    import av

    step = 1.0 / float(stream.average_rate or _ASSUMED_FPS)
    first: float | None = None
    seconds = -step
    for packet in packets:
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            continue  # one damaged packet; a file of nothing else is caught below
        for frame in frames:
            if frame.pts is None:
                seconds += step
            else:
                first = frame.time if first is None else first
                seconds = frame.time - first
            yield frame, seconds
    if seconds < 0:
        raise CameraError(f"{path} holds no picture that can be decoded", camera=camera)
    if seconds + step < length * 0.9 - 1.0:
        raise CameraError(
            f"{path} is truncated: it ends after {seconds:.1f} of {length:.1f} s", camera=camera
        )


class FileSource:
    """A file that plays like a camera: in real time, once or (``settings.loop``) for ever."""

    def __init__(self, settings: CameraSettings, stopping: threading.Event | None = None) -> None:
        self._settings = settings
        self._stopping = stopping or threading.Event()
        self._frames: Iterator[tuple[VideoFrame, float]] | None = None
        self._frame: VideoFrame | None = None
        self._started = 0.0
        self._last = 0.0
        self._step = 1.0 / _ASSUMED_FPS

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels of the last picture."""
        return (self._frame.width, self._frame.height) if self._frame is not None else (0, 0)

    @property
    def codec(self) -> str:
        """Files are not asked for their codec."""
        return "file"

    def open(self) -> None:
        """Begin at the first frame, now."""
        self._frames = decode_file(self._settings.url or "", self._settings.name)
        self._started = time.monotonic()
        self._last = 0.0

    def grab(self) -> float | None:
        """Wait until the next frame is due; the moment it was due. None at the end, unless it loops."""
        if self._frames is None:
            raise CameraError(f"camera {self._settings.name} is not open", camera=self._settings.name)
        following = next(self._frames, None)
        if following is None and self._settings.loop:
            self._started += self._last + self._step
            self._frames = decode_file(self._settings.url or "", self._settings.name)
            self._last = 0.0
            following = next(self._frames, None)
        if following is None:
            return None
        self._frame, seconds = following
        if seconds > self._last:
            self._step = seconds - self._last
        self._last = seconds
        wait = self._started + seconds - time.monotonic()
        if wait < -_BEHIND_SECONDS:
            self._started -= wait
        elif wait > 0:
            self._stopping.wait(wait)
        return time.time() - max(0.0, time.monotonic() - self._started - seconds)

    def retrieve(self) -> Picture:
        """The last picture, as decoded."""
        if self._frame is None:
            raise CameraError(f"camera {self._settings.name} has no picture yet", camera=self._settings.name)
        return DecodedPicture(self._frame, self._settings.max_side_px)

    def close(self) -> None:
        """Let go of the file."""
        self._frames = self._frame = None
