"""Cutting a face out of a frame as an embedder wants it. Here BGR turns into RGB, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from homeface.core.geometry import ARCFACE_112, similarity_transform
from homeface.core.types import Box, Detection, ImageBGR, ImageRGB, Landmarks
from homeface.errors import ModelError

PATCH_PX = 112
"""Side of the patch that quality is judged on."""


@dataclass(frozen=True, slots=True)
class PointTemplate:
    """Five landmarks put near fixed places by a similarity transform, then perhaps stretched sideways.

    The places are those of ArcFace's 112×112 template, drawn towards the centre by ``zoom`` (below 1: the
    face is smaller and more of its surroundings is seen). Afterwards the crop is stretched in x about its
    centre by ``stretch`` and moved down by ``down`` of its side.
    """

    zoom: float = 1.0
    down: float = 0.0
    stretch: float = 1.0

    def matrix(self, landmarks: Landmarks, size: int) -> NDArray[np.float64]:
        """(2, 3) from the frame to a crop of ``size`` × ``size``."""
        places = ((ARCFACE_112 / 112.0 - 0.5) * self.zoom + 0.5) * size
        similarity = np.vstack([similarity_transform(landmarks, places), [0.0, 0.0, 1.0]])
        after = [[self.stretch, 0.0, size / 2 * (1 - self.stretch)], [0.0, 1.0, self.down * size]]
        matrix: NDArray[np.float64] = np.asarray(after) @ similarity
        return matrix


@dataclass(frozen=True, slots=True)
class BoxTemplate:
    """The detection's box, widened and stretched to a square, as facenet-pytorch's ``extract_face`` cuts it.

    ``margin`` is the share of the crop's side that lies outside the box.
    """

    margin: float


Template: TypeAlias = PointTemplate | BoxTemplate

TEMPLATES: Mapping[str, Template] = MappingProxyType(
    {
        "arcface_112": PointTemplate(),
        # FaceNet was trained on upright boxes stretched to squares: a similarity alone looks too narrow.
        "stretched": PointTemplate(zoom=0.8, down=-0.05, stretch=1.25),
        "plain": BoxTemplate(margin=14 / 160),
    }
)


def template_named(name: str) -> Template:
    """The template of that name; raises ``ModelError`` naming the known ones."""
    try:
        return TEMPLATES[name]
    except KeyError:
        known = ", ".join(TEMPLATES)
        raise ModelError(f"There is no alignment template called {name!r}. Known: {known}.") from None


def align(image: ImageBGR, detection: Detection, size: int, template: Template) -> ImageRGB:
    """Cut a detection as ``template`` says: (size, size, 3) RGB."""
    if isinstance(template, BoxTemplate):
        return crop(image, detection.box, size, template.margin)
    return cut(image, detection.landmarks, size, template)


def cut(image: ImageBGR, landmarks: Landmarks, size: int, template: PointTemplate) -> ImageRGB:
    """Warp so that ``landmarks`` fall on the template: (size, size, 3) RGB, with the edge repeated.

    Raises ``ValueError`` when the landmarks are all one point or not finite.
    """
    import cv2

    region, matrix = _shrink(image, template.matrix(landmarks, size), size)
    patch = cv2.warpAffine(
        region, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return cv2.cvtColor(patch, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]


def crop(image: ImageBGR, box: Box, size: int, margin: float) -> ImageRGB:
    """Cut a box with its margin, clipped at the frame and stretched to (size, size, 3) RGB."""
    import cv2

    height, width = image.shape[:2]
    x_margin, y_margin = (side * margin / (1 - margin) / 2 for side in (box.width, box.height))
    x1, y1 = int(max(box.x1 - x_margin, 0)), int(max(box.y1 - y_margin, 0))
    x2, y2 = int(min(box.x2 + x_margin, width)), int(min(box.y2 + y_margin, height))
    x1, y1 = min(x1, width - 1), min(y1, height - 1)
    region = image[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)]
    patch = cv2.resize(region, (size, size), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(patch, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]


def _shrink(image: ImageBGR, matrix: NDArray[np.float64], size: int) -> tuple[ImageBGR, NDArray[np.float64]]:
    """Average the needed part of the frame down first: a bilinear warp alone would alias when it shrinks."""
    import cv2

    scale = float(np.linalg.norm(matrix[:, :2], ord=2))  # of the axis that shrinks least
    if scale > 0.7:
        return image, matrix
    inverse = cv2.invertAffineTransform(matrix)
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]], np.float64)
    corners = corners @ inverse[:, :2].T + inverse[:, 2]
    height, width = image.shape[:2]
    x1, y1 = (int(v) for v in np.clip(np.floor(corners.min(axis=0)) - 2, 0, (width - 1, height - 1)))
    x2, y2 = (int(v) for v in np.clip(np.ceil(corners.max(axis=0)) + 2, (x1 + 1, y1 + 1), (width, height)))
    region = image[y1:y2, x1:x2]
    small_size = (max(1, round((x2 - x1) * scale)), max(1, round((y2 - y1) * scale)))
    small = cv2.resize(region, small_size, interpolation=cv2.INTER_AREA)
    # A pixel p of the small region has its centre at (p + 0.5) / factor - 0.5 + corner in the frame.
    factor = np.array(small_size) / (x2 - x1, y2 - y1)
    to_frame = np.array(
        [
            [1 / factor[0], 0, 0.5 / factor[0] - 0.5 + x1],
            [0, 1 / factor[1], 0.5 / factor[1] - 0.5 + y1],
            [0, 0, 1],
        ]
    )
    return small, matrix @ to_frame  # type: ignore[return-value]
