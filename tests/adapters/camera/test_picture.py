"""Pictures as decoded: grey without conversion, colour once, alive after the decoder is gone."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from av.video.frame import VideoFrame

from homeface.adapters.camera.picture import DecodedPicture
from homeface.core.types import ArrayPicture, Grey, Picture

GREEN_LEFT = np.zeros((180, 322, 3), np.uint8)
GREEN_LEFT[:, :161] = (10, 220, 10)
"""(180, 322): a width that FFmpeg pads."""


def decoded(pixel_format: str, max_side_px: int | None = None) -> DecodedPicture:
    return DecodedPicture(
        VideoFrame.from_ndarray(GREEN_LEFT, format="bgr24").reformat(format=pixel_format), max_side_px
    )


def is_left_bright(grey: Grey) -> bool:
    middle = grey.shape[1] // 2
    return bool(grey[:, : middle - 1].min() > 100 and grey[:, middle + 1 :].max() < 40)


@pytest.mark.parametrize(
    "pixel_format",
    ["yuv420p", "yuvj420p", "yuvj422p", "nv12", "gray", "yuv420p10le", "p010le", "bgr24", "rgba"],
)
def test_every_format_is_seen(pixel_format: str) -> None:
    picture = decoded(pixel_format)
    assert picture.shape == (180, 322)
    grey = picture.grey(90, 160)
    assert (grey.dtype, grey.ndim) == (np.uint8, 2)
    assert abs(grey.shape[0] - 90) <= 1
    assert abs(grey.shape[1] - 161) <= 1
    assert is_left_bright(grey)
    assert picture.bgr().shape == (180, 322, 3)
    assert np.array_equal(picture.grey(90, 160), grey)
    if pixel_format != "gray":
        assert np.abs(picture.bgr()[90, 40].astype(int) - (10, 220, 10)).max() < 8


def test_colour_is_converted_once_whoever_asks() -> None:
    picture = decoded("yuv420p")
    seen: list[int] = []
    threads = [threading.Thread(target=lambda: seen.append(id(picture.bgr()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 4
    assert set(seen) == {id(picture.bgr())}


def test_a_limit_makes_it_smaller_but_never_larger() -> None:
    assert decoded("yuv420p", 161).shape == decoded("yuv420p", 161).bgr().shape[:2] == (90, 161)
    assert decoded("yuv420p", 4000).shape == (180, 322)


def test_small_pictures_stay_as_they_are() -> None:
    small = VideoFrame.from_ndarray(GREEN_LEFT[:20, 150:180], format="bgr24")
    for pixel_format in ("yuv420p", "yuv420p10le"):
        assert DecodedPicture(small.reformat(format=pixel_format)).grey(90, 160).shape == (20, 30)


def test_arrays_are_pictures_too() -> None:
    picture: Picture = ArrayPicture(GREEN_LEFT)
    assert picture.shape == (180, 322)
    assert is_left_bright(picture.grey(90, 160))
    assert picture.bgr() is GREEN_LEFT
