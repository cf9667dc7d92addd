"""Cameras: blocking readers in their own threads, and the newest frame of each for the event loop.

A ``Camera`` owns one reader thread and reconnects for ever; what it reads comes from a ``Source``:
PyAV for RTSP(S), HTTP, RTMP and files, OpenCV for USB devices and GStreamer pipelines. ``read_clip``
reads a recording without a thread, without a clock and without dropping anything; ``rehearse`` decodes one
as a camera would, for measuring what that costs.
"""

from __future__ import annotations

from homeface.adapters.camera.alertness import Alertness
from homeface.adapters.camera.clip import FileSource, read_clip, rehearse
from homeface.adapters.camera.opencv import OpenCVSource
from homeface.adapters.camera.reader import Camera
from homeface.adapters.camera.settings import CameraSettings, CameraStats, CameraStatus
from homeface.adapters.camera.slot import NewestFrameSlot
from homeface.adapters.camera.source import Probe, Source, open_source, probe
from homeface.adapters.camera.stream import PyAVSource
from homeface.adapters.camera.timing import Backoff, CaptureClock, Pace
from homeface.adapters.camera.url import with_credentials
from homeface.adapters.redaction import redact

__all__ = [
    "Alertness",
    "Backoff",
    "Camera",
    "CameraSettings",
    "CameraStats",
    "CameraStatus",
    "CaptureClock",
    "FileSource",
    "NewestFrameSlot",
    "OpenCVSource",
    "Pace",
    "Probe",
    "PyAVSource",
    "Source",
    "open_source",
    "probe",
    "read_clip",
    "redact",
    "rehearse",
    "with_credentials",
]
