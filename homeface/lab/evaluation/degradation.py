"""What a home camera does to a face: distance, motion, noise, dim or infra-red light, compression."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homeface.core.types import ImageBGR


@dataclass(frozen=True, slots=True)
class Condition:
    """One way of looking at a picture. Lengths in pixels of the result, noise in grey levels.

    ``interocular_px`` 0 leaves the picture's own size; ``gain`` below 1 dims; ``jpeg`` 0 compresses nothing,
    nor does ``h264_bits`` 0; above, the picture is encoded as a short H.264 clip of so many bits a pixel.
    """

    name: str
    interocular_px: float = 0.0
    motion_px: float = 0.0
    motion_angle: float = 0.0
    noise: float = 0.0
    gain: float = 1.0
    jpeg: int = 0
    infrared: bool = False
    roll: float = 0.0
    h264_bits: float = 0.0


CLEAN = Condition("clean")


def home_camera(generator: np.random.Generator) -> Condition:
    """A random look of a home camera: 14 to 40 px between the eyes, a quarter of them under infra-red."""
    size = float(np.exp(generator.uniform(math.log(14.0), math.log(40.0))))
    infrared = bool(generator.random() < 0.25)
    return Condition(
        name="infrared" if infrared else "camera",
        interocular_px=size,
        motion_px=float(generator.choice([0.0, 0.0, size * 0.06, size * 0.12])),
        motion_angle=float(generator.uniform(0.0, math.pi)),
        noise=float(generator.uniform(1.0, 8.0)),
        gain=float(generator.uniform(0.45, 1.1)),
        jpeg=int(generator.integers(30, 80)),
        infrared=infrared,
        roll=float(generator.normal(0.0, 6.0)),
    )


def degrade(
    image: ImageBGR, interocular_px: float, condition: Condition, generator: np.random.Generator
) -> ImageBGR:
    """The picture as the condition shows it; ``interocular_px`` is the distance of the eyes in ``image``."""
    import cv2

    if condition == CLEAN:
        return image
    height, width = image.shape[:2]
    scale = condition.interocular_px / interocular_px if condition.interocular_px else 1.0
    result: NDArray[np.float32] = image.astype(np.float32)
    if condition.roll:
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), condition.roll, 1.0)
        result = np.asarray(
            cv2.warpAffine(result, turn, (width, height), borderMode=cv2.BORDER_REPLICATE), np.float32
        )
    size = (max(24, round(width * scale)), max(24, round(height * scale)))
    shrink = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    result = np.asarray(cv2.resize(result, size, interpolation=shrink), np.float32)
    if condition.motion_px >= 1.0:
        result = np.asarray(
            cv2.filter2D(result, -1, _motion(condition.motion_px, condition.motion_angle)), np.float32
        )
    result = result * condition.gain
    if condition.infrared:
        grey = result @ np.array(
            [0.05, 0.35, 0.60], np.float32
        )  # silicon sees most of it through the red filter
        result = np.repeat(grey[:, :, None], 3, axis=2)
    if condition.noise:
        channels = 1 if condition.infrared else 3
        result = result + generator.normal(0.0, condition.noise, (*result.shape[:2], channels)).astype(
            np.float32
        )
    picture = np.clip(np.rint(result), 0, 255).astype(np.uint8)
    if condition.h264_bits:
        picture = compressed(picture, condition.h264_bits, generator)
    if not condition.jpeg:
        return picture
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, condition.jpeg])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def _motion(length: float, angle: float) -> NDArray[np.float32]:
    """Kernel of a straight movement during exposure."""
    import cv2

    side = 2 * math.ceil(length / 2) + 1
    kernel = np.zeros((side, side), np.float32)
    middle = side // 2
    reach = np.array([math.cos(angle), math.sin(angle)]) * length / 2
    start, end = np.rint(middle - reach).astype(int), np.rint(middle + reach).astype(int)
    cv2.line(kernel, (int(start[0]), int(start[1])), (int(end[0]), int(end[1])), 1.0, 1)
    return np.asarray(kernel / kernel.sum(), np.float32)


_CLIP_FRAMES = 8
_CLIP_FPS = 15


def compressed(image: ImageBGR, bits_per_pixel: float, generator: np.random.Generator) -> ImageBGR:
    """The last frame of a short H.264 clip in which the picture drifts by a pixel a frame.

    Encoded by libx264 as cheap cameras do: no B-frames, one key frame at the start, ``bits_per_pixel`` on
    average. The sides of the result are even.
    """
    import io
    from fractions import Fraction

    import av
    import cv2

    height, width = (side - side % 2 for side in image.shape[:2])
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=_CLIP_FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.bit_rate = max(1000, round(bits_per_pixel * width * height * _CLIP_FPS))
        stream.time_base = Fraction(1, _CLIP_FPS)
        stream.thread_count = 1
        stream.options = {"preset": "veryfast", "bf": "0", "g": str(_CLIP_FRAMES), "threads": "1"}
        for number in range(_CLIP_FRAMES):
            away = float(_CLIP_FRAMES - 1 - number)
            shift = np.array([[1.0, 0.0, away], [0.0, 1.0, away / 3]])
            moved = cv2.warpAffine(image, shift, (width, height), borderMode=cv2.BORDER_REPLICATE)
            moved = np.clip(moved + generator.normal(0.0, 1.0, moved.shape), 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(moved, format="bgr24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    file.seek(0)
    with av.open(file, "r") as clip:
        *_, last = clip.decode(video=0)
        return np.asarray(last.to_ndarray(format="bgr24"), np.uint8)
