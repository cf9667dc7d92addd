from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from homeface.adapters.photos import PHOTO_MAX_BYTES, encode_jpeg, load_photo
from homeface.core.types import ImageBGR
from homeface.errors import ImageError

RED, GREEN, BLUE, WHITE = (220, 30, 30), (30, 200, 30), (30, 30, 220), (255, 255, 255)
ROTATE_90_CW = 6  # EXIF: the camera was turned; shown upright only after a quarter turn clockwise


def landscape() -> Image.Image:
    """80×40, left half red, right half blue."""
    picture = Image.new("RGB", (80, 40), RED)
    picture.paste(BLUE, (40, 0, 80, 40))
    return picture


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def rotated_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = ROTATE_90_CW
    return exif


def huge_png(width: int, height: int) -> bytes:
    """A PNG whose header promises more than anybody wants to decode."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


def is_colour(image: ImageBGR, x: int, y: int, rgb: tuple[int, int, int], tolerance: int = 25) -> bool:
    return bool(np.abs(image[y, x].astype(int) - np.array(rgb[::-1])).max() <= tolerance)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF"])
def test_blue_comes_first(kind: str) -> None:
    image = load_photo(encoded(landscape(), kind))
    assert image.shape == (40, 80, 3)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert is_colour(image, 10, 20, RED)
    assert is_colour(image, 70, 20, BLUE)


def test_a_turned_jpeg_is_put_upright(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    path.write_bytes(encoded(landscape(), "JPEG", exif=rotated_exif()))
    image = load_photo(path)
    assert image.shape == (80, 40, 3)
    assert is_colour(image, 20, 10, RED)  # what was left is now above
    assert is_colour(image, 20, 70, BLUE)


@pytest.mark.parametrize("turned", [False, True])
def test_heic(turned: bool, tmp_path: Path) -> None:
    path = tmp_path / "IMG_0001.HEIC"
    heif = pillow_heif.from_pillow(landscape().resize((160, 80), Image.Resampling.NEAREST))
    heif.save(path, quality=90, **({"exif": rotated_exif().tobytes()} if turned else {}))
    image = load_photo(path)
    if turned:
        assert image.shape == (160, 80, 3)
        assert is_colour(image, 40, 20, RED)
    else:
        assert image.shape == (80, 160, 3)
        assert is_colour(image, 20, 40, RED)
        assert is_colour(image, 140, 40, BLUE)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_broken_exif_is_ignored() -> None:
    data = encoded(landscape(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff broken")
    assert load_photo(data).shape == (40, 80, 3)


@pytest.mark.parametrize("mode", ["CMYK", "L", "P", "1", "YCbCr", "LAB"])
def test_other_colour_spaces(mode: str) -> None:
    kind = {"CMYK": "JPEG", "YCbCr": "JPEG", "LAB": "PNG"}.get(mode, "PNG")
    picture = Image.new("RGB", (60, 40), WHITE)
    picture = picture if mode == "LAB" else picture.convert(mode)
    image = load_photo(encoded(picture, kind))
    assert image.shape == (40, 60, 3)
    assert is_colour(image, 30, 20, WHITE)


def test_cmyk_keeps_its_colours() -> None:
    image = load_photo(encoded(landscape().convert("CMYK"), "JPEG"))
    assert is_colour(image, 10, 20, RED, 40)
    assert is_colour(image, 70, 20, BLUE, 40)


def test_sixteen_bits_keep_the_upper_eight() -> None:
    wide = np.full((40, 60), 0x8012, np.uint16)
    image = load_photo(encoded(Image.fromarray(wide), "PNG"))
    assert is_colour(image, 30, 20, (0x80, 0x80, 0x80), 1)


def test_transparent_parts_become_white() -> None:
    picture = Image.new("RGBA", (60, 40), (*RED, 0))
    picture.paste((*GREEN, 255), (0, 0, 30, 40))
    image = load_photo(encoded(picture, "PNG"))
    assert is_colour(image, 10, 20, GREEN)
    assert is_colour(image, 50, 20, WHITE)


def test_a_palette_with_a_transparent_colour() -> None:
    picture = Image.new("P", (60, 40), 1)
    picture.putpalette([0, 0, 0, 30, 200, 30])
    picture.paste(0, (30, 0, 60, 40))
    image = load_photo(encoded(picture, "PNG", transparency=0))
    assert is_colour(image, 10, 20, GREEN)
    assert is_colour(image, 50, 20, WHITE)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_the_first_picture_of_an_animation(kind: str) -> None:
    first, second = Image.new("RGB", (60, 40), GREEN), Image.new("RGB", (60, 40), BLUE)
    data = encoded(first, kind, save_all=True, append_images=[second], duration=100)
    assert is_colour(load_photo(data), 30, 20, GREEN)


def test_a_large_picture_is_made_smaller() -> None:
    for kind in ("JPEG", "PNG"):
        image = load_photo(encoded(landscape().resize((4000, 2000)), kind), max_side_px=1000)
        assert image.shape == (500, 1000, 3)
        assert is_colour(image, 100, 250, RED)


def test_a_small_picture_stays_as_it_is() -> None:
    assert load_photo(encoded(Image.new("RGB", (1, 1), GREEN), "PNG")).shape == (1, 1, 3)


@pytest.mark.parametrize("size", [(20_000, 20_000), (9_000, 9_000), (10_000, 9_000)])
def test_too_many_pixels_are_refused_by_the_header(size: tuple[int, int]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ImageError, match=rf"flood\.png has {size[0]} × {size[1]} pixels; at most 64"):
            load_photo(huge_png(*size), "flood.png")


def test_too_many_bytes_are_not_even_read(tmp_path: Path) -> None:
    path = tmp_path / "film.jpg"
    with path.open("wb") as file:
        file.truncate(PHOTO_MAX_BYTES + 1)
    with pytest.raises(ImageError, match=r"film\.jpg has 30 MB"):
        load_photo(path)
    with pytest.raises(ImageError, match="upload is too large"):
        load_photo(bytes(PHOTO_MAX_BYTES + 1), "upload")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF"])
def test_a_truncated_picture(kind: str) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (200, 200, 3), np.uint8))
    if kind == "HEIF":
        buffer = io.BytesIO()
        pillow_heif.from_pillow(noise).save(buffer)
        data = buffer.getvalue()
    else:
        data = encoded(noise, kind)
    with pytest.raises(ImageError, match=r"cut\.jpg .*(damaged|not a picture)"):
        load_photo(data[: len(data) // 2], "cut.jpg")


def test_a_text_file(tmp_path: Path) -> None:
    path = tmp_path / "notes.jpg"
    path.write_text("milk, bread, butter")
    with pytest.raises(
        ImageError, match=r"notes\.jpg is not a picture homeface can read \(JPEG, PNG, WebP or"
    ):
        load_photo(path)


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.jpg"
    path.touch()
    with pytest.raises(ImageError, match=r"empty\.jpg is empty"):
        load_photo(path)


def test_a_folder_and_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"is a folder\. Name the pictures in it"):
        load_photo(tmp_path)
    with pytest.raises(ImageError, match="There is no file"):
        load_photo(tmp_path / "gone.jpg")


def test_a_named_pipe_does_not_hang(tmp_path: Path) -> None:
    path = tmp_path / "pipe.jpg"
    os.mkfifo(path)
    with pytest.raises(ImageError, match="is not a file"):
        load_photo(path)


def test_a_format_that_is_not_wanted() -> None:
    with pytest.raises(ImageError, match="not a picture homeface can read"):
        load_photo(encoded(landscape(), "TIFF"), "scan.tif")


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "BMP", "HEIF"]),
    places=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=8),
    cut=st.floats(0.0, 1.0),
)
def test_damage_is_a_picture_or_a_sentence(kind: str, places: list[tuple[float, int]], cut: float) -> None:
    data = bytearray(_sample(kind))
    for place, value in places:
        data[int(place * len(data))] = value
    try:
        image = load_photo(bytes(data[: max(1, int(cut * len(data)))]), "x", max_pixels=1_000_000)
    except ImageError:
        return
    assert image.ndim == 3
    assert image.shape[2] == 3


_samples: dict[str, bytes] = {}


def _sample(kind: str) -> bytes:
    if kind not in _samples:
        picture = landscape().resize((64, 64))
        if kind == "HEIF":
            buffer = io.BytesIO()
            pillow_heif.from_pillow(picture).save(buffer)
            _samples[kind] = buffer.getvalue()
        else:
            _samples[kind] = encoded(picture, kind)
    return _samples[kind]


def test_jpeg_for_keeping_loses_next_to_nothing() -> None:
    ramp = np.linspace(0, 255, 64, dtype=np.uint8)
    image = np.stack([np.tile(ramp, (64, 1)), np.tile(ramp[:, None], (1, 64)), np.full((64, 64), 40)], axis=2)
    image = np.ascontiguousarray(image.astype(np.uint8))
    again = load_photo(encode_jpeg(image))
    assert np.abs(again.astype(int) - image.astype(int)).mean() < 2.0
