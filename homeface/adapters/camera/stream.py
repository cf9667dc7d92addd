"""Network streams through PyAV (FFmpeg): RTSP(S), HTTP(S) and RTMP."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from homeface.adapters.camera.alertness import Alertness
from homeface.adapters.camera.decoding import Decoder, Taken
from homeface.adapters.camera.failures import camera_error, silent, timed_out
from homeface.adapters.camera.picture import DecodedPicture
from homeface.adapters.camera.settings import CameraSettings
from homeface.adapters.camera.timing import CaptureClock
from homeface.core.types import Picture
from homeface.errors import CameraError

if TYPE_CHECKING:
    from av.codec.hwaccel import HWAccel
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_LOG = logging.getLogger(__name__)
_SETTLE_SECONDS = 0.5
"""A camera may begin with a burst of older pictures; their age is known once the burst is over."""
_FIRST_KEY_FRAME_SECONDS = 15.0
"""Cameras with "smart" codecs send a key frame only every ten seconds or so."""
_GUESSED_TIMESTAMPS = frozenset({"mpjpeg", "mjpeg", "jpeg_pipe", "image2pipe"})
"""Formats without timestamps, for which FFmpeg invents 25 frames a second."""


class PyAVSource:
    """One network stream. Pictures before the first key frame and damaged ones are left out."""

    def __init__(
        self,
        settings: CameraSettings,
        stopping: threading.Event | None = None,
        alertness: Alertness | None = None,
    ) -> None:
        self.received = 0
        self._settings = settings
        self._stopping = stopping or threading.Event()
        self._alertness = alertness or Alertness()
        self._container: InputContainer | None = None
        self._stream: VideoStream | None = None
        self._frames: Iterator[Taken] | None = None
        self._frame: VideoFrame | None = None
        self._clock = CaptureClock()
        self._has_timestamps = True
        self._settled_at: float | None = None
        self._told_software = False

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels of the last picture."""
        return (self._frame.width, self._frame.height) if self._frame is not None else (0, 0)

    @property
    def codec(self) -> str:
        """The codec's name; empty when closed."""
        return str(self._stream.codec_context.name) if self._stream is not None else ""

    def open(self) -> None:
        """Connect and find the video stream."""
        container = self._connect()
        self._container = container
        if not container.streams.video:
            raise CameraError(
                f"camera {self._settings.name} sends no video ({self._settings.address})",
                camera=self._settings.name,
            )
        self._stream = container.streams.video[0]
        self._has_timestamps = not _GUESSED_TIMESTAMPS & set(container.format.name.split(","))
        self._clock = CaptureClock(one_behind=container.format.name == "rtsp")
        self._settled_at = None
        self._frames = self._decoded(container, self._stream)

    def _connect(self) -> InputContainer:
        import av

        settings, began = self._settings, time.monotonic()
        try:
            return av.open(
                settings.full_url,
                mode="r",
                options=stream_options(settings),
                timeout=(settings.open_timeout_seconds, settings.read_timeout_seconds),
                metadata_errors="replace",
                hwaccel=self._hwaccel(),
            )
        except (av.FFmpegError, ValueError) as error:
            limit = min(settings.open_timeout_seconds, settings.read_timeout_seconds)
            problem = camera_error(settings, error, timed_out(time.monotonic() - began, limit))
        raise problem  # outside the handler: FFmpeg's own error holds the URL with its credentials

    def grab(self) -> float | None:
        """Wait for the next picture. A stream has no end: where it ends, that is a ``CameraError``."""
        if self._frames is None:
            raise CameraError(f"camera {self._settings.name} is not open", camera=self._settings.name)
        for frame, captured in self._frames:
            now = time.monotonic()
            self._frame = frame
            if self._settled_at is None:
                self._settled_at = now + _SETTLE_SECONDS
                self._check_hwaccel()
            if now >= self._settled_at:
                return time.time() - (now - captured)
        raise CameraError(
            f"camera {self._settings.name} ended the stream: {self._settings.address}",
            camera=self._settings.name,
        )

    def retrieve(self) -> Picture:
        """The last picture, as decoded."""
        if self._frame is None:
            raise CameraError(f"camera {self._settings.name} has no picture yet", camera=self._settings.name)
        return DecodedPicture(self._frame, self._settings.max_side_px)

    def close(self) -> None:
        """Disconnect and free the decoder."""
        container, self._container = self._container, None
        self._frames = self._frame = self._stream = None
        if container is not None:
            container.close()

    def _decoded(self, container: InputContainer, stream: VideoStream) -> Iterator[Taken]:
        """Frames with their time on the monotonic clock; FFmpeg's errors become ours."""
        import av

        settings = self._settings
        asked, limit = time.monotonic(), settings.read_timeout_seconds
        decoder = Decoder(stream, self._alertness, settings.analysis_fps, longest_sleep_seconds=limit)
        deadline = asked + limit + _FIRST_KEY_FRAME_SECONDS
        begun = late = False
        try:
            for packet in container.demux(stream):
                arrival = time.monotonic()
                # At its timeout FFmpeg first hands out what it held back, then waits once more.
                if not packet.size or timed_out(arrival - asked, limit) or self._stopping.is_set():
                    break
                self.received += 1
                begun = begun or packet.is_keyframe
                for taken in decoder.feed(packet, self._captured(packet, arrival), arrival) if begun else ():
                    deadline = arrival + limit
                    yield taken
                late = arrival > deadline + (limit if decoder.asleep else 0)
                if late:
                    break
                asked = time.monotonic()
            problem = self._ended(timed_out(time.monotonic() - asked, limit), late)
        except (av.FFmpegError, ValueError) as error:
            problem = camera_error(settings, error, timed_out(time.monotonic() - asked, limit))
        raise problem

    def _captured(self, packet: Packet[VideoStream], arrival: float) -> float:
        """When this packet's picture was taken, on the monotonic clock."""
        if packet.pts is None or not self._has_timestamps:
            return self._clock.captured(None, arrival)
        return self._clock.captured(float(packet.pts * packet.time_base), arrival)

    def _ended(self, silence: bool = False, without_pictures: bool = False) -> CameraError:
        """Why there are no more packets, or no more pictures in them."""
        name, address = self._settings.name, self._settings.address
        if silence:
            return silent(self._settings)
        what = "sends data but no pictures" if without_pictures else "ended the stream"
        return CameraError(f"camera {name} {what} ({address})", camera=name)

    def _hwaccel(self) -> HWAccel | None:
        """The hardware decoder asked for, or None (with one warning) when this machine has none such."""
        from homeface.adapters.camera.hardware import any_hardware_decoder, hardware_decoder

        wanted = self._settings.decoder
        if wanted == "software":
            return None
        if wanted == "auto":
            return any_hardware_decoder()
        try:
            return hardware_decoder(wanted)
        except ValueError as error:
            self._warn_software(str(error))
            return None

    def _check_hwaccel(self) -> None:
        """Say so when the hardware decoder was opened but does not take this codec."""
        if self._settings.decoder in {"software", "auto"} or self._stream is None:
            return
        if not self._stream.codec_context.is_hwaccel:
            self._warn_software(f"it does not decode {self.codec}")

    def _warn_software(self, why: str) -> None:
        if not self._told_software:
            self._told_software = True
            _LOG.warning(
                "camera %s: hardware decoder %r is not used, software decodes instead: %s",
                self._settings.name,
                self._settings.decoder,
                why,
            )


def stream_options(settings: CameraSettings) -> dict[str, str]:
    """FFmpeg's options for this URL; times there are microseconds."""
    read = str(round(settings.read_timeout_seconds * 1e6))
    scheme = (settings.url or "").split(":", 1)[0].lower()
    if scheme in {"rtsp", "rtsps"}:
        udp = settings.transport == "udp" and scheme == "rtsp"
        return {
            "rtsp_transport": "udp" if udp else "tcp",
            "allowed_media_types": "video",
            "timeout": read,
            "buffer_size": "4194304",  # a key frame arrives over UDP in one burst
            "fpsprobesize": "0",
        }
    if scheme in {"http", "https"}:
        return {"timeout": read, "rw_timeout": read}
    return {"rw_timeout": read}  # for RTMP "timeout" would mean: listen
