"""Writing recordings: H.264, or MPEG-4 where FFmpeg has no encoder for it."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from homeface.core.types import ImageBGR
from homeface.errors import CameraError

CODECS = ("libx264", "mpeg4")
_TIME_BASE = Fraction(1, 90_000)
_BITS = {"mpeg4": 6_000_000}
"""A second, for codecs that are not told a quality."""


class VideoFile:
    """A video without sound: ``open``, ``add``, then ``finish`` or ``discard``. It lies beside ``path`` until
    it is whole. Mode 0600: faces are in it. Raises ``CameraError`` for whatever goes wrong. Blocking.
    """

    def __init__(self, path: Path, fps: float = 25.0) -> None:
        self._path, self._fps = path, fps
        self._part = path.with_name(f".{path.stem}.part{path.suffix}")
        self._container: Any = None
        self._stream: Any = None
        self._last = -1

    def open(self) -> None:
        """Begin, in the folder of ``path``, which is made."""
        import av

        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._part.unlink(missing_ok=True)
            self._part.touch(0o600)
            self._container = av.open(str(self._part), mode="w")
        except (av.FFmpegError, OSError, ValueError) as error:
            with suppress(OSError):
                self._part.unlink(missing_ok=True)
            raise CameraError(f"{self._path} cannot be written: {error}") from error

    def add(self, image: ImageBGR, seconds: float) -> None:
        """A frame shown from ``seconds`` on; all of one size, in the order of time."""
        import av

        even = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2]
        if 0 in even.shape:
            raise CameraError(f"{self._path}: a picture of {image.shape[1]} × {image.shape[0]} is too small.")
        try:
            stream = self._stream or self._begin(even.shape[1], even.shape[0])
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="bgr24")
            self._last = max(self._last + 1, round(seconds / _TIME_BASE))
            frame.pts, frame.time_base = self._last, _TIME_BASE
            self._container.mux(stream.encode(frame))
        except (av.FFmpegError, OSError, ValueError) as error:
            raise CameraError(f"{self._path} cannot be written: {error}") from error

    def finish(self) -> None:
        """Write the rest, and take the place of ``path``."""
        import av

        try:
            if self._stream is not None:
                self._container.mux(self._stream.encode())
            self._container.close()
            self._part.replace(self._path)
        except (av.FFmpegError, OSError, ValueError) as error:
            self.discard()
            raise CameraError(f"{self._path} cannot be written: {error}") from error

    def discard(self) -> None:
        """Nothing stays of it. May be called twice."""
        import av

        with suppress(av.FFmpegError, OSError, ValueError):
            self._container.close()
        with suppress(OSError):
            self._part.unlink(missing_ok=True)

    def _begin(self, width: int, height: int) -> Any:
        import av

        for name in CODECS:
            try:
                av.codec.Codec(name, "w")
            except av.codec.codec.UnknownCodecError:
                continue
            stream: Any = self._container.add_stream(name, rate=Fraction(self._fps).limit_denominator(1000))
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.codec_context.time_base = _TIME_BASE
            if name in _BITS:
                stream.bit_rate = _BITS[name]
            else:
                stream.options = {"crf": "20", "preset": "veryfast"}
            self._stream = stream
            return stream
        raise CameraError(f"{self._path}: FFmpeg knows neither {' nor '.join(CODECS)}.")
