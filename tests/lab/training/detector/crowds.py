"""Crowds of real faces: four portraits side by side, labelled by the daemon's own detector."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tests.lab.training.detector.close_ups import voc
from tests.lab.training.detector.made_labels import Boxes
from tests.support.data import data_dir
from tests.support.scene_people import MIN_PICTURES, _detector

SIDE = 250
LEAST_PX = 24


def write_crowds(folder: Path, count: int) -> Path:
    """``count`` pictures of 500 × 500 px as PASCAL VOC, of people who never act in a scene."""
    folder.mkdir(parents=True, exist_ok=True)
    people = sorted((data_dir() / "lfw" / "images").iterdir())
    few = [found for person in people if len(found := sorted(person.glob("*.jpg"))) < MIN_PICTURES]
    dice = np.random.default_rng(0)
    order = [few[index][0] for index in dice.permutation(len(few))]
    files = iter(order + [each for found in few for each in found[1:]])
    for number in range(count):
        canvas = np.zeros((2 * SIDE, 2 * SIDE, 3), np.uint8)
        boxes: Boxes = []
        for place in range(4):
            x, y = SIDE * (place % 2), SIDE * (place // 2)
            image = cv2.imread(str(next(files)))
            canvas[y : y + SIDE, x : x + SIDE] = image
            found = _detector().detect(image)[1]
            boxes += [(row[0] + x, row[1] + y, row[2], row[3]) for row in (() if found is None else found)]
        file = folder / f"crowd_{number:03}.jpg"
        assert cv2.imwrite(str(file), canvas)
        file.with_suffix(".xml").write_text(voc(file.name, boxes))
    return folder
