"""USB cameras and GStreamer pipelines through OpenCV."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from homeface.adapters.camera.settings import CameraSettings
from homeface.core.types import ArrayPicture, ImageBGR, Picture
from homeface.errors import CameraError

if TYPE_CHECKING:
    import cv2


class OpenCVSource:
    """A V4L2 device or a GStreamer pipeline. ``captured_at`` is the arrival: timestamps do not come along."""

    def __init__(self, settings: CameraSettings) -> None:
        self._settings = settings
        self._capture: cv2.VideoCapture | None = None
        self._size = (0, 0)
        self.received = 0

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels as the device tells them."""
        return self._size

    @property
    def codec(self) -> str:
        """Which of OpenCV's readers is used."""
        return "gstreamer" if self._settings.pipeline is not None else "v4l2"

    def open(self) -> None:
        """Open the device or start the pipeline."""
        import cv2

        settings = self._settings
        if settings.pipeline is not None:
            if not has_gstreamer():
                raise CameraError(
                    f"camera {settings.name} wants a GStreamer pipeline, but this OpenCV was built without"
                    " GStreamer: install an OpenCV that has it (on a Jetson the one of JetPack; elsewhere"
                    " the system's python3-opencv), or give the camera's URL instead",
                    camera=settings.name,
                )
            capture = cv2.VideoCapture(settings.pipeline, cv2.CAP_GSTREAMER)
        else:
            capture = cv2.VideoCapture(_device(settings.device), cv2.CAP_V4L2)
            capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        if not capture.isOpened():
            capture.release()
            raise CameraError(
                f"camera {settings.name} cannot be opened ({settings.address}): is it plugged in, may this"
                " user read it (group video), and does no other program hold it?",
                camera=settings.name,
            )
        self._capture = capture
        self._size = (int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))

    def grab(self) -> float | None:
        """Wait for the next picture."""
        if self._capture is None or not self._capture.grab():
            raise CameraError(
                f"camera {self._settings.name} sends no more pictures: was it unplugged?",
                camera=self._settings.name,
            )
        self.received += 1
        return time.time()

    def retrieve(self) -> Picture:
        """The last picture, converted now: OpenCV's buffer is overwritten by the next ``grab()``."""
        found, image = self._capture.retrieve() if self._capture is not None else (False, None)
        if not found or image is None:
            raise CameraError(
                f"camera {self._settings.name} sent a picture that is none", camera=self._settings.name
            )
        picture = ArrayPicture(_as_bgr(np.asarray(image, dtype=np.uint8), self._settings.max_side_px))
        self._size = (int(image.shape[1]), int(image.shape[0]))
        return picture

    def close(self) -> None:
        """Release the device."""
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.release()


def has_gstreamer() -> bool:
    """True when the installed OpenCV can run GStreamer pipelines."""
    import cv2

    return bool(cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER))


def _device(device: int | str | None) -> int | str:
    """A device number as a number: ``"0"`` from a config file means ``0``."""
    if isinstance(device, str) and device.isdecimal():
        return int(device)
    return 0 if device is None else device


def _as_bgr(image: ImageBGR, max_side_px: int | None) -> ImageBGR:
    """Three channels, at most ``max_side_px``."""
    import cv2

    if image.ndim == 2:
        image = np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), dtype=np.uint8)
    height, width = image.shape[:2]
    if max_side_px is not None and max(height, width) > max_side_px:
        scale = max_side_px / max(height, width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return image
