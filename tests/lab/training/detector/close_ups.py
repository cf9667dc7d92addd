"""Close-ups of real faces: something that can be learned in a minute on a processor."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import cv2
import numpy as np

from tests.lab.training.detector.made_labels import Boxes
from tests.support.data import data_dir

LEAST_PX, MOST_OF_A_PICTURE = 40, 3


def write_close_ups(folder: Path, side: int) -> tuple[Path, Path]:
    """Parts of the annotated sample around its larger faces: to train on as PASCAL VOC, to validate on as a
    WIDER FACE list. No picture of the sample is in both."""
    listed: list[str] = []
    annotations = json.loads((data_dir() / "wider" / "annotations.json").read_text())
    for name, entry in sorted(annotations.items()):
        held_out = zlib.crc32(name.encode()) % 5 == 0
        image = cv2.imread(str(data_dir() / "wider" / "images" / name))
        corners = np.array(entry["boxes_xywh"], float).reshape(-1, 4)
        corners[:, 2:] += corners[:, :2]
        large = [k for k in range(len(corners)) if np.min(corners[k, 2:] - corners[k, :2]) >= LEAST_PX]
        for number in large[:MOST_OF_A_PICTURE]:
            part, boxes = close_up(image, corners, number, side)
            file = f"{Path(name).stem}_{number}.png"
            place = folder / ("val/images" if held_out else "train") / file
            place.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(place), part)
            if held_out:
                rows = [" ".join(f"{value:.1f}" for value in box) for box in boxes]
                listed += [file, str(len(rows)), *rows]
            else:
                place.with_suffix(".xml").write_text(voc(file, boxes))
    (folder / "val" / "close_ups_bbx_gt.txt").write_text("\n".join(listed) + "\n")
    return folder / "train", folder / "val"


def close_up(image: np.ndarray, corners: np.ndarray, number: int, side: int) -> tuple[np.ndarray, Boxes]:
    """A (side, side, 3) part of the picture around one face, and all faces in it."""
    dice = np.random.default_rng(number)
    x1, y1, x2, y2 = corners[number]
    wide = max(x2 - x1, y2 - y1) * dice.uniform(2.2, 3.5)
    left, top = np.array([(x1 + x2) / 2, (y1 + y2) / 2]) + wide * (dice.uniform(-0.25, 0.25, 2) - 0.5)
    scale = side / wide
    soft = cv2.GaussianBlur(image, (0, 0), max(0.01, 0.4 / scale)) if scale < 1 else image
    matrix = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]])
    part = cv2.warpAffine(soft, matrix, (side, side), flags=cv2.INTER_LINEAR)
    boxes = (corners - [left, top, left, top]) * scale
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    boxes = np.clip(boxes[((centres > 0) & (centres < side)).all(axis=1)], 0, side)
    sides = boxes[:, 2:] - boxes[:, :2]
    return part, [(b[0], b[1], s[0], s[1]) for b, s in zip(boxes, sides, strict=True) if s.min() >= 10]


def voc(file: str, boxes: Boxes) -> str:
    """An XML file of PASCAL VOC."""
    things = "".join(
        f"<object><name>face</name><bndbox><xmin>{x:.1f}</xmin><ymin>{y:.1f}</ymin>"
        f"<xmax>{x + w:.1f}</xmax><ymax>{y + h:.1f}</ymax></bndbox></object>"
        for x, y, w, h in boxes
    )
    return f"<annotation><filename>{file}</filename>{things}</annotation>"
