"""Average precision as WIDER FACE counts it, by pycocotools.

For a group, the other labelled faces are neither asked for nor counted as false.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from homeface.errors import TrainingError
from homeface.lab.training.detector.labels import GROUPS, Corners, FacePicture
from homeface.lab.training.task import Figures

OVERLAP = 0.5
_MOST = 1000
"""Detections of one picture that count."""
_COUNTED, _PASSED_OVER = 1.0, 10.0
"""COCO's evaluation passes over what is outside a range of areas: an area of our own says what counts."""


def require_coco() -> None:
    """Raises ``TrainingError`` before a training whose figures could not be computed."""
    try:
        import pycocotools.mask  # noqa: F401
    except ImportError as error:
        raise TrainingError("AP needs pycocotools: uv sync --extra lab.") from error


def average_precision(
    pictures: Sequence[FacePicture], found: Sequence[tuple[Corners, np.ndarray[Any, Any]]]
) -> Figures:
    """``ap_easy``, ``ap_medium``, ``ap_hard`` at an overlap (IoU) of 0.5, 0..1, and ``ap`` of all faces.

    ``found``: boxes and scores of each picture, in its own pixels. A group without faces is left out.
    """
    masks = {"ap": [np.ones(len(p.boxes), bool) for p in pictures]}
    masks |= {f"ap_{group}": [p.groups[group] for p in pictures] for group in GROUPS}
    return {
        name: _precision(pictures, found, wanted)
        for name, wanted in masks.items()
        if any(mask.any() for mask in wanted)
    }


def _precision(
    pictures: Sequence[FacePicture],
    found: Sequence[tuple[Corners, np.ndarray[Any, Any]]],
    wanted: Sequence[np.ndarray[Any, Any]],
) -> float:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth: list[dict[str, Any]] = []
    for number, (picture, mask) in enumerate(zip(pictures, wanted, strict=True)):
        for box, counts in zip(picture.boxes, mask, strict=True):
            truth.append(_entry(len(truth) + 1, number, box, _COUNTED if counts else _PASSED_OVER))
    seen: list[dict[str, Any]] = []
    for number, (boxes, scores) in enumerate(found):
        for box, score in zip(boxes, scores, strict=True):
            seen.append(_entry(len(seen) + 1, number, box, _COUNTED) | {"score": float(score)})
    if not seen:
        return 0.0
    images = [{"id": number} for number in range(len(pictures))]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(_coco(images, truth, COCO()), _coco(images, seen, COCO()), "bbox")
        evaluation.params.iouThrs = np.array([OVERLAP])
        evaluation.params.maxDets = [_MOST]
        evaluation.params.areaRng = [[0.0, 2 * _COUNTED]]
        evaluation.params.areaRngLbl = ["counted"]
        evaluation.evaluate()
        evaluation.accumulate()
    return float(np.mean(evaluation.eval["precision"]))


def _entry(number: int, image: int, box: Any, area: float) -> dict[str, Any]:
    x1, y1, x2, y2 = (float(value) for value in box)
    return {
        "id": number,
        "image_id": image,
        "category_id": 1,
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "area": area,
        "iscrowd": 0,
    }


def _coco(images: list[dict[str, Any]], entries: list[dict[str, Any]], made: Any) -> Any:
    made.dataset = {"images": images, "annotations": entries, "categories": [{"id": 1}]}
    made.createIndex()
    return made
