"""Crowds of real faces: four portraits side by side, labelled by another detector (YuNet)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from tests.lab.training.detector.close_ups import voc
from tests.lab.training.detector.made_labels import Boxes
from tests.support.data import data_dir
from tests.support.scene_people import MIN_PICTURES, faces_in

SIDE_PX = 250


def write_crowds(folder: Path, count: int) -> Path:
    """``count`` pictures of 500 × 500 px as PASCAL VOC, of people who never come in a scene."""
    folder.mkdir(parents=True, exist_ok=True)
    files = _extras()
    for number in range(count):
        crowd = np.zeros((2 * SIDE_PX, 2 * SIDE_PX, 3), np.uint8)
        boxes: Boxes = []
        for place in range(4):
            left, top = SIDE_PX * (place % 2), SIDE_PX * (place // 2)
            image = cv2.imread(str(next(files)))
            assert image is not None
            crowd[top : top + SIDE_PX, left : left + SIDE_PX] = image
            for x, y, w, h in faces_in(image):
                x1, y1, x2, y2 = np.clip([x, y, x + w, y + h], 0, SIDE_PX)
                boxes = [*boxes, (left + x1, top + y1, x2 - x1, y2 - y1)]
        file = folder / f"crowd_{number:03}.jpg"
        assert cv2.imwrite(str(file), crowd)
        file.with_suffix(".xml").write_text(voc(file.name, boxes))
    return folder


def _extras() -> Iterator[Path]:
    """One picture of each person who has too few of them for a scene, in a fixed mixed order."""
    folders = sorted((data_dir() / "lfw" / "images").iterdir())
    pictures = [sorted(folder.glob("*.jpg")) for folder in folders]
    few = [own for own in pictures if 0 < len(own) < MIN_PICTURES]
    return (few[index][0] for index in np.random.default_rng(0).permutation(len(few)))
