"""Faces cut out of pictures with enough around them to be found and embedded again."""

from __future__ import annotations

import numpy as np

from homeface.adapters.photos import encode_jpeg
from homeface.adapters.store import FaceCrop
from homeface.core.types import Box, Detection, ImageBGR, KeptFace, Landmarks

CROP_CONTEXT = 2.0
"""Side of a kept crop, in longer sides of the face box: enough for any detector and alignment."""
CROP_MAX_SIDE_PX = 512
"""Larger crops are made smaller: no embedding model takes more than a quarter of this for the face."""


def cut_crop(image: ImageBGR, detection: Detection) -> FaceCrop:
    """The face with its surroundings as a JPEG picture. Takes milliseconds."""
    part, box, landmarks = cut_out(image, detection)
    return FaceCrop(encode_jpeg(part), box, landmarks)


def crop_of(face: KeptFace) -> FaceCrop:
    """A kept face as a JPEG picture. Takes milliseconds."""
    return FaceCrop(encode_jpeg(face.picture), face.box, face.landmarks)


def cut_out(
    image: ImageBGR, detection: Detection, max_side_px: int = CROP_MAX_SIDE_PX
) -> tuple[ImageBGR, Box, Landmarks]:
    """A copy of the face with its surroundings, clipped at the picture's edge, upright as in the picture;
    box and landmarks in its pixels. At most ``max_side_px`` on its longer side.
    """
    height, width = image.shape[:2]
    box = detection.box
    half = CROP_CONTEXT * max(box.width, box.height) / 2
    x, y = box.centre
    left, top = max(0, int(x - half)), max(0, int(y - half))
    right, bottom = min(width, int(np.ceil(x + half))), min(height, int(np.ceil(y + half)))
    part: ImageBGR = image[top:bottom, left:right].copy()  # a view would keep the whole picture in memory
    scale = min(1.0, max_side_px / max(part.shape[:2]))
    if scale < 1.0:
        import cv2

        size = (round(part.shape[1] * scale), round(part.shape[0] * scale))
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
    landmarks: Landmarks = ((detection.landmarks - (left, top)) * scale).astype(np.float32)
    moved = Box(
        (box.x1 - left) * scale, (box.y1 - top) * scale, (box.x2 - left) * scale, (box.y2 - top) * scale
    )
    return part, moved, landmarks
