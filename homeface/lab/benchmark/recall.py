"""How many faces a detector finds: on annotated pictures, and on frames where several detectors agree.

A face counts as found when a detection overlaps it by ``OVERLAP`` (WIDER FACE's own rule), each detection for
one face. A detection that touches no labelled face of any size is a false one. Finders are plain functions,
so that homeface's detectors and other people's are measured by the same code on the same pixels.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from homeface.core.geometry import iou_matrix
from homeface.core.types import Detection, ImageBGR
from homeface.errors import ImageError

Corners: TypeAlias = NDArray[np.float64]
"""(N, 4): x1, y1, x2, y2 in pixels."""
Find: TypeAlias = Callable[[ImageBGR], Sequence[Detection]]
"""A detector as seen from here: faces of one picture, best score first."""

OVERLAP = 0.5
TOUCH = 0.2
"""A detection that overlaps every labelled face by less than this is a false one."""
LARGE = "large"
"""The group of faces of ``min_face_px`` and more."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPicture:
    """A picture with all its faces. ``groups``: (N,) masks of those that must be found, by name."""

    name: str
    image: ImageBGR
    boxes: Corners
    groups: Mapping[str, NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class Count:
    """Faces found of those wanted."""

    found: int
    wanted: int

    @property
    def share(self) -> float:
        """Recall, 0..1; 1 when nothing was wanted."""
        return self.found / self.wanted if self.wanted else 1.0


@dataclass(frozen=True, slots=True)
class Recall:
    """What a detector found: by group of faces; ``false`` of its ``detections`` touch no labelled face."""

    pictures: int
    groups: Mapping[str, Count]
    detections: int
    false: int

    def as_json(self) -> dict[str, object]:
        """Plain values for a report."""
        return {
            "pictures": self.pictures,
            "recall": {name: round(count.share, 4) for name, count in self.groups.items()},
            "faces": {name: count.wanted for name, count in self.groups.items()},
            "detections": self.detections,
            "false_detections": self.false,
        }


def wider_pictures(folder: Path, *, min_face_px: int = 40, step: int = 1) -> Iterator[LabelledPicture]:
    """Every ``step``-th picture of a WIDER FACE sample: ``annotations.json`` and ``images/``.

    Groups: ``easy``, ``medium``, ``hard`` as WIDER FACE counts them, and ``large``: all labelled faces whose
    shorter side has ``min_face_px``. Raises ``ImageError`` for a file that is no picture.
    """
    annotations = json.loads((folder / "annotations.json").read_text())
    for name in sorted(annotations)[::step]:
        entry = annotations[name]
        boxes = np.asarray(entry["boxes_xywh"], np.float64).reshape(-1, 4)
        numbers = np.arange(len(boxes))
        groups = {group: np.isin(numbers, entry[group]) for group in ("easy", "medium", "hard")}
        groups[LARGE] = boxes[:, 2:].min(axis=1, initial=np.inf) >= min_face_px
        boxes[:, 2:] += boxes[:, :2]
        yield LabelledPicture(name, _read(folder / "images" / name), boxes, groups)


def clip_frames(path: Path, count: int) -> Iterator[ImageBGR]:
    """``count`` frames spread evenly over a recording. Raises ``ImageError`` when it cannot be read."""
    import cv2

    video = cv2.VideoCapture(str(path))
    try:
        total = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
        if total <= 0:
            raise ImageError(f"{path} is no recording that can be read.")
        wanted = set(np.linspace(0, total - 1, min(count, total)).round().astype(int).tolist())
        for index in range(max(wanted) + 1):
            if not video.grab():
                break
            if index in wanted:
                yield video.retrieve()[1]  # type: ignore[misc]
    finally:
        video.release()


def agreed_faces(
    name: str, image: ImageBGR, witnesses: Sequence[Find], *, min_face_px: int = 40, least: int = 2
) -> LabelledPicture:
    """A frame nobody labelled: its faces are what the ``witnesses`` find, one box (their mean) for each face.

    Group ``large``: the faces that ``least`` witnesses agree on, of ``min_face_px`` and more by their mean
    box. What only one of them saw is labelled, too, but not asked for.
    """
    seen: list[list[Corners]] = []
    for witness in witnesses:
        boxes = corners(witness(image))
        known = np.array([np.mean(face, axis=0) for face in seen]).reshape(-1, 4)
        partner = _pairs(boxes, known, OVERLAP * 0.8)
        for box, index in zip(boxes, partner, strict=True):
            if index >= 0:
                seen[index].append(box)
            else:
                seen.append([box])
    means = np.array([np.mean(face, axis=0) for face in seen]).reshape(-1, 4)
    votes = np.array([len(face) for face in seen], np.int64)
    large = (means[:, 2:] - means[:, :2]).min(axis=1, initial=np.inf) >= min_face_px
    return LabelledPicture(name, image, means, {LARGE: large & (votes >= least)})


def measure_recall(find: Find, pictures: Iterable[LabelledPicture]) -> Recall:
    """Run a detector over labelled pictures and count."""
    found: dict[str, int] = {}
    wanted: dict[str, int] = {}
    number = detections = false = 0
    for picture in pictures:
        boxes = corners(find(picture.image))
        hit = _pairs(picture.boxes, boxes, OVERLAP) >= 0
        number += 1
        detections += len(boxes)
        false += int((iou_matrix(boxes, picture.boxes).max(axis=1, initial=0.0) < TOUCH).sum())
        for group, mask in picture.groups.items():
            found[group] = found.get(group, 0) + int((mask & hit).sum())
            wanted[group] = wanted.get(group, 0) + int(mask.sum())
    counts = {group: Count(found[group], wanted[group]) for group in wanted}
    return Recall(number, counts, detections, false)


def corners(detections: Sequence[Detection]) -> Corners:
    """Boxes of detections as an array."""
    return np.array([detection.box for detection in detections], np.float64).reshape(-1, 4)


def _pairs(first: Corners, second: Corners, overlap: float) -> NDArray[np.int64]:
    """For each of ``first`` the index of its partner in ``second`` or -1; best overlaps pair up first."""
    partner = np.full(len(first), -1, np.int64)
    matrix = iou_matrix(first, second)
    while matrix.size and matrix.max() >= overlap:
        row, column = np.unravel_index(matrix.argmax(), matrix.shape)
        partner[row] = column
        matrix[row, :] = matrix[:, column] = -1.0
    return partner


def _read(path: Path) -> ImageBGR:
    import cv2

    image = cv2.imread(str(path))
    if image is None:
        raise ImageError(f"{path} cannot be read as a picture.")
    return image  # type: ignore[return-value]
