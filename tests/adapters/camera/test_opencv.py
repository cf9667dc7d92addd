"""USB devices and GStreamer pipelines: here mostly what is told when there are none."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from homeface.adapters.camera import CameraSettings, OpenCVSource, open_source
from homeface.adapters.camera.opencv import has_gstreamer
from homeface.errors import CameraError


@pytest.mark.skipif(has_gstreamer(), reason="this OpenCV has GStreamer")
def test_without_gstreamer_it_says_what_to_do() -> None:
    source = open_source(CameraSettings("drive", pipeline="videotestsrc ! videoconvert ! appsink"))
    with pytest.raises(CameraError, match="built without GStreamer: install an OpenCV that has it") as caught:
        source.open()
    assert caught.value.camera == "drive"
    source.close()


@pytest.mark.skipif(not has_gstreamer(), reason="this OpenCV was built without GStreamer")
def test_a_gstreamer_pipeline() -> None:
    source = OpenCVSource(
        CameraSettings(
            "drive", pipeline="videotestsrc num-buffers=3 ! videoconvert ! video/x-raw,format=BGR ! appsink"
        )
    )
    source.open()
    assert source.grab() is not None
    assert source.retrieve()().ndim == 3
    source.close()


@pytest.mark.parametrize("device", [97, "97", "/dev/video97"])
def test_a_missing_usb_camera_is_told(device: int | str) -> None:
    source = open_source(CameraSettings("desk", device=device))
    with pytest.raises(CameraError, match=r"camera desk cannot be opened \(device .*97\)"):
        source.open()
    source.close()


class _Device:
    """The part of ``cv2.VideoCapture`` that is used, with a device that is unplugged after two pictures."""

    def __init__(self, *_arguments: object) -> None:
        self.left = 2
        self.released = False

    def set(self, _key: int, _value: float) -> bool:
        return True

    def get(self, key: int) -> float:
        return {cv2.CAP_PROP_FRAME_WIDTH: 64.0, cv2.CAP_PROP_FRAME_HEIGHT: 48.0}[key]

    def isOpened(self) -> bool:  # noqa: N802
        return True

    def grab(self) -> bool:
        self.left -= 1
        return self.left >= 0

    def retrieve(self) -> tuple[bool, np.ndarray]:
        return True, np.full((48, 64), 9, np.uint8)

    def release(self) -> None:
        self.released = True


def test_an_unplugged_camera_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", _Device)
    source = OpenCVSource(CameraSettings("desk", device=0, max_side_px=32))
    source.open()
    assert source.size == (64, 48)
    assert source.grab() is not None
    picture = source.retrieve()
    assert source.grab() is not None
    assert picture.bgr().shape == (24, 32, 3)  # grey becomes colour, large becomes small
    with pytest.raises(CameraError, match="unplugged"):
        source.grab()
    source.close()
    with pytest.raises(CameraError):
        source.grab()
