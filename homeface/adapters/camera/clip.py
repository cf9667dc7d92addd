"""Video files: as recordings for replay, and as a camera that runs in real time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from homeface.adapters.camera.alertness import Alertness
from homeface.adapters.camera.decoding import Decoder
from homeface.adapters.camera.picture import DecodedPicture
from homeface.adapters.camera.settings import CameraSettings
from homeface.adapters.camera.structure import Knowledge
from homeface.adapters.camera.timing import Pace
from homeface.core.types import Frame, Picture
from homeface.errors import CameraError

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

Feed: TypeAlias = "Callable[[Packet[VideoStream]], list[VideoFrame]]"
"""What makes frames of one packet."""
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


def decode_file(
    path: str | Path, camera: str = "", begin: Callable[[VideoStream], Feed] | None = None
) -> Iterator[tuple[VideoFrame, float]]:
    """Frames of a file with their time in seconds since its first frame. Errors as in ``read_clip``.

    ``begin(stream)`` gives what decodes one packet after the other; by default all of each.
    """
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
            feed = begin(stream) if begin is not None else _decode
            yield from _timed(path, camera, container.demux(stream), feed, length)
    except (av.FFmpegError, ValueError) as error:
        raise CameraError(
            f"{path} cannot be read as a video, it is broken or of another kind: {error}", camera=camera
        ) from error


def _decode(packet: Packet[VideoStream]) -> list[VideoFrame]:
    """All frames; none of a damaged packet (a file of nothing else is told by ``_timed``)."""
    import av

    try:
        return packet.decode()
    except av.error.InvalidDataError:
        return []


def _timed(
    path: Path, camera: str, packets: Iterator[Packet[VideoStream]], feed: Feed, length: float
) -> Iterator[tuple[VideoFrame, float]]:
    """Frames with seconds since the first; checks that the file is whole. ``length`` seconds, 0 unknown."""
    first: float | None = None
    seconds = reached = -1.0
    step = 1.0 / _ASSUMED_FPS
    for packet in packets:
        rate = packet.stream.average_rate
        step = 1.0 / float(rate) if rate else step
        for frame in feed(packet):
            if frame.pts is None:
                seconds = max(0.0, seconds + step)
            else:
                first = frame.time if first is None else first
                seconds = frame.time - first
            yield frame, seconds
        if packet.pts is not None and first is not None:  # the last pictures need not all be decoded
            reached = max(reached, float(packet.pts * packet.time_base) - first)
    if seconds < 0:
        raise CameraError(f"{path} holds no picture that can be decoded", camera=camera)
    reached = max(reached, seconds) + step
    if reached < length * 0.9 - 1.0:
        raise CameraError(
            f"{path} is truncated: it ends after {reached:.1f} of {length:.1f} s", camera=camera
        )


class _StoppedError(Exception):
    """The camera is being stopped in the middle of the file."""


class FileSource:
    """A file that plays like a camera: in real time, once or (``settings.loop``) for ever.

    ``flat_out``: as fast as it is read, with times in seconds since its first frame; for measurements.
    """

    def __init__(
        self,
        settings: CameraSettings,
        stopping: threading.Event | None = None,
        alertness: Alertness | None = None,
        flat_out: bool = False,
    ) -> None:
        self.received = 0
        self._settings = settings
        self._stopping = stopping or threading.Event()
        self._alertness = alertness or Alertness()
        self._flat_out = flat_out
        self._frames: Iterator[tuple[VideoFrame, float]] | None = None
        self._frame: VideoFrame | None = None
        self._known = Knowledge()
        self._started = 0.0
        self._last = 0.0
        self._sent = 0.0
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
        self._started = 0.0 if self._flat_out else time.monotonic()
        self._play()

    def _play(self) -> None:
        self._frames = decode_file(self._settings.url or "", self._settings.name, self._begin)
        self._last = self._sent = 0.0

    def grab(self) -> float | None:
        """Wait until the next frame is due; the moment it was due. None at the end, unless it loops."""
        if self._frames is None:
            raise CameraError(f"camera {self._settings.name} is not open", camera=self._settings.name)
        try:
            following = next(self._frames, None)
            if following is None and self._settings.loop:
                self._started += max(self._last, self._sent) + self._step  # the last ones may not be decoded
                self._play()
                following = next(self._frames, None)
        except _StoppedError:
            return None
        if following is None:
            return None
        self._frame, seconds = following
        self._last = seconds
        if self._flat_out:
            return self._started + seconds
        return time.time() - max(0.0, time.monotonic() - self._started - seconds)

    def _begin(self, stream: VideoStream) -> Feed:
        """Packets come when a camera would send them, and are decoded as a camera's are."""
        decoder = Decoder(stream, self._alertness, self._settings.analysis_fps, knowledge=self._known)
        first: float | None = None

        def feed(packet: Packet[VideoStream]) -> list[VideoFrame]:
            nonlocal first
            stamp = packet.dts if packet.dts is not None else packet.pts
            if not packet.size:
                return [taken.frame for taken in decoder.finish()]
            seconds = self._last + self._step if stamp is None else float(stamp * packet.time_base)
            first = seconds if first is None else first
            self._step = max(0.0, seconds - first - self._sent) or self._step
            self._sent = seconds - first
            self._wait(self._sent)
            self.received += 1
            now = self._started + self._sent
            return [taken.frame for taken in decoder.feed(packet, self._sent, now)]

        return feed

    def _wait(self, seconds: float) -> None:
        """Until ``seconds`` after the start; a file read much too slowly goes on as if it had been paused."""
        if self._stopping.is_set():
            raise _StoppedError
        if self._flat_out:
            return
        wait = self._started + seconds - time.monotonic()
        if wait < -_BEHIND_SECONDS:
            self._started -= wait
        elif wait > 0 and self._stopping.wait(wait):
            raise _StoppedError

    def retrieve(self) -> Picture:
        """The last picture, as decoded."""
        if self._frame is None:
            raise CameraError(f"camera {self._settings.name} has no picture yet", camera=self._settings.name)
        return DecodedPicture(self._frame, self._settings.max_side_px)

    def close(self) -> None:
        """Let go of the file."""
        self._frames = self._frame = None


def rehearse(
    path: str | Path,
    alertness: Alertness | None = None,
    analysis_fps: float | None = 5.0,
    flat_out: bool = True,
) -> Iterator[Frame]:
    """The due frames of a recording exactly as a ``Camera`` would decode and deliver them, in this thread.

    For measuring what a camera costs: process CPU time around the loop is decoding, plus what the caller does
    with each frame. ``alertness.attention = False`` (at any time) is the empty room: key frames, and more
    when the stream wakes by itself. ``flat_out`` runs as fast as it can, False in real time; times are then
    seconds since the first frame, or wall clock. Raises ``CameraError`` as ``read_clip`` does.
    """
    settings = CameraSettings("rehearsal", url=str(path), analysis_fps=analysis_fps)
    source, pace = FileSource(settings, None, alertness, flat_out), Pace(analysis_fps)
    source.open()
    index = 0
    try:
        while (captured_at := source.grab()) is not None:
            if pace.due(captured_at):
                yield Frame(settings.name, index, captured_at, source.retrieve())
            index += 1
    finally:
        source.close()
