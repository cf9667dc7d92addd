"""What one camera is told, and what it tells: settings, status and counters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from homeface.adapters.camera.url import with_credentials
from homeface.adapters.redaction import redact


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """One camera. Exactly one of ``url``, ``device`` and ``pipeline`` is given.

    ``url`` rtsp(s)://, http(s)://, rtmp(s):// or the path of a video file; ``username`` and ``password``
    are quoted into it. ``device`` a USB camera: number or /dev path. ``pipeline`` a GStreamer pipeline
    that ends in ``appsink``. ``analysis_fps`` frames a second to analyse, None for all. ``decoder`` is
    ``software``, ``auto`` (hardware where there is some) or an FFmpeg device type with an optional device:
    ``cuda``, ``cuda:1``, ``vaapi:/dev/dri/renderD128``. ``substream`` URL of the camera's small second stream
    (same credentials), watched for motion while the room is quiet.
    ``max_side_px`` makes larger pictures smaller while they are converted. ``loop`` starts a file
    again at its end. ``max_lag_seconds``: a stream that runs further behind is opened afresh.
    """

    name: str
    url: str | None = field(default=None, repr=False)
    device: int | str | None = None
    pipeline: str | None = field(default=None, repr=False)
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    transport: Literal["tcp", "udp"] = "tcp"
    analysis_fps: float | None = 5.0
    decoder: str = "software"
    substream: str | None = field(default=None, repr=False)
    max_side_px: int | None = None
    loop: bool = False
    open_timeout_seconds: float = 5.0
    read_timeout_seconds: float = 5.0
    max_lag_seconds: float = 8.0
    backoff_max_seconds: float = 5.0
    auth_backoff_seconds: float = 300.0

    def __post_init__(self) -> None:
        """Refuse settings that name no source, or more than one."""
        given = sum(value is not None for value in (self.url, self.device, self.pipeline))
        if given != 1:
            raise ValueError(f"camera {self.name}: give exactly one of url, device and pipeline, not {given}")
        if self.substream is not None and self.url is None:
            raise ValueError(f"camera {self.name}: a substream belongs to a url")

    @property
    def full_url(self) -> str:
        """The URL with its credentials: only for the library that connects, never for people."""
        return with_credentials(self.url or "", self.username, self.password)

    @property
    def address(self) -> str:
        """What may be shown and logged: the URL without credentials, the device or the pipeline."""
        if self.url is not None:
            return redact(self.url)
        return redact(self.pipeline) if self.pipeline is not None else f"device {self.device}"


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """Whether pictures come; ``reason`` is a sentence when not; ``since`` is a wall-clock time."""

    available: bool
    reason: str
    since: float

    @property
    def trouble(self) -> str:
        """Why no pictures come; empty while they do."""
        return "" if self.available else self.reason


@dataclass(frozen=True, slots=True)
class CameraStats:
    """Counters since ``start()``.

    ``received`` all frames; ``decoded`` those that were decoded for delivery; ``analysed``
    those taken; ``dropped`` due for analysis but overtaken by a newer one (newest wins); ``fps`` frames a
    second that the camera sends, lately; ``lag_seconds`` how late the newest frame arrived; ``reconnects``
    successful openings after the first.
    """

    received: int = 0
    decoded: int = 0
    analysed: int = 0
    dropped: int = 0
    fps: float = 0.0
    lag_seconds: float = 0.0
    reconnects: int = 0
    width: int = 0
    height: int = 0
    last_frame_at: float | None = None
