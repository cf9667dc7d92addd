"""Pictures from people's phones and disks: bytes in, BGR pixels out, with limits checked before decoding."""

from __future__ import annotations

import io
import stat
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from homeface.core.types import ImageBGR
from homeface.errors import ImageError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

PHOTO_MAX_BYTES = 30 * 1024 * 1024
PHOTO_MAX_PIXELS = 64_000_000
"""Above a phone's 50 megapixel mode; decoded this is 192 MB."""
PHOTO_MAX_SIDE_PX = 3000
"""Larger pictures are made smaller: no face needs more, and detection takes time by the pixel."""
FORMATS = ("JPEG", "PNG", "WEBP", "HEIF", "AVIF", "GIF", "BMP")

_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    OverflowError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
)
"""What the decoders raise for damaged files."""


def load_photo(
    source: Path | bytes,
    name: str = "",
    *,
    max_side_px: int = PHOTO_MAX_SIDE_PX,
    max_pixels: int = PHOTO_MAX_PIXELS,
) -> ImageBGR:
    """A JPEG, PNG, WebP or HEIC picture as (h, w, 3) uint8, **blue first**, upright as the EXIF data says.

    Transparent parts become white, of an animation the first frame is taken, and a picture larger than
    ``max_side_px`` is made smaller. ``name`` is what people know the picture as (default: the path).
    Raises ImageError, which names the picture and says what to do. Blocking.
    """
    label = name or (str(source) if isinstance(source, Path) else "the picture")
    data = _read(source, label)
    with _damage_told(label), _opened(data, label) as picture:
        width, height = picture.size
        if width * height > max_pixels:
            raise ImageError(
                f"{label} has {width} × {height} pixels; at most {max_pixels // 1_000_000} megapixels are "
                "read. Make it smaller and try again.",
                reason="too_many_pixels",
            )
        picture.draft(
            "RGB", (max_side_px, max_side_px)
        )  # JPEG alone: decodes at 1/2, 1/4, 1/8 where possible
        picture.load()
        upright = _upright(picture)
        if max(upright.size) > max_side_px:
            upright.thumbnail((max_side_px, max_side_px), _pillow().Resampling.LANCZOS)
        rgb = np.asarray(_rgb(upright))
    return np.ascontiguousarray(rgb[..., ::-1])


def encode_jpeg(image: ImageBGR, quality: int = 95) -> bytes:
    """JPEG of BGR pixels with full colour resolution, so that it can be embedded again later."""
    buffer = io.BytesIO()
    picture = _pillow().fromarray(np.ascontiguousarray(image[..., ::-1]))
    picture.save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def _read(source: Path | bytes, label: str) -> bytes:
    limit = f"at most {PHOTO_MAX_BYTES // 1024**2} MB are read. Make the picture smaller and try again."
    if isinstance(source, bytes):
        data = source
    else:
        try:
            facts = source.stat()
            if stat.S_ISDIR(facts.st_mode):
                raise ImageError(f"{label} is a folder. Name the pictures in it, for example {label}/*.")
            if not stat.S_ISREG(facts.st_mode):  # a pipe would block for ever
                raise ImageError(f"{label} is not a file.")
            if facts.st_size > PHOTO_MAX_BYTES:
                raise ImageError(f"{label} has {facts.st_size / 1024**2:.0f} MB; {limit}")
            with source.open("rb") as file:
                data = file.read(PHOTO_MAX_BYTES + 1)
        except FileNotFoundError as error:
            raise ImageError(f"There is no file {label}.") from error
        except OSError as error:
            raise ImageError(f"{label} cannot be read: {error.strerror}.") from error
    if len(data) > PHOTO_MAX_BYTES:
        raise ImageError(f"{label} is too large; {limit}", reason="too_many_bytes")
    if not data:
        raise ImageError(f"{label} is empty (0 bytes). Copy it again.", reason="empty")
    return data


@cache
def _pillow() -> ModuleType:
    """Pillow with HEIF. Its own size check only warns up to twice the limit; ours is stricter and first."""
    import pillow_heif
    from PIL import Image

    pillow_heif.register_heif_opener(thumbnails=False)
    Image.MAX_IMAGE_PIXELS = None
    warnings.filterwarnings("ignore", module=r"PIL\.")  # odd metadata of somebody's phone is no news
    Image.init()
    return Image


@contextmanager
def _opened(data: bytes, label: str) -> Iterator[Picture]:
    from PIL import UnidentifiedImageError

    pillow = _pillow()
    try:
        picture = pillow.open(io.BytesIO(data), formats=[name for name in FORMATS if name in pillow.OPEN])
    except UnidentifiedImageError as error:
        raise ImageError(
            f"{label} is not a picture homeface can read (JPEG, PNG, WebP or HEIC), or it is damaged.",
            reason="no_picture",
        ) from error
    with picture:
        yield picture


@contextmanager
def _damage_told(label: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise ImageError(
            f"{label} is damaged or incomplete ({error}). Copy it again from the phone or camera.",
            reason="damaged",
        ) from error


def _upright(picture: Picture) -> Picture:
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(picture)
    except _DAMAGE:  # unreadable EXIF data does not make the pixels unusable
        return picture


def _rgb(picture: Picture) -> Picture:
    if picture.mode.startswith("I"):  # 16 bits a pixel: keep the upper eight
        wide = np.asarray(picture).astype(np.int64)
        grey: Picture = _pillow().fromarray((np.clip(wide, 0, 65535) >> 8).astype(np.uint8))
        return grey.convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        layered = picture.convert("RGBA")
        white: Picture = _pillow().new("RGBA", layered.size, (255, 255, 255, 255))
        white.alpha_composite(layered)
        return white.convert("RGB")
    return picture.convert("RGB")
