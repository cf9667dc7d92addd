"""Small painted pictures with labels in every format."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

Boxes = Sequence[tuple[float, float, float, float]]
"""Left, top, width, height."""


def paint(path: Path, size: tuple[int, int] = (80, 60), seed: int = 0) -> Path:
    """A (width, height) picture of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    assert cv2.imwrite(str(path), image)
    return path


def wider_list(folder: Path, faces: Mapping[str, Boxes], name: str = "wider_face_train_bbx_gt.txt") -> Path:
    """Pictures in ``images/`` and WIDER FACE's list of them."""
    lines = []
    for seed, (picture, boxes) in enumerate(faces.items()):
        paint(folder / "images" / picture, seed=seed)
        lines += [picture, str(len(boxes))]
        lines += [f"{x:g} {y:g} {w:g} {h:g} 0 0 0 0 0 0 " for x, y, w, h in boxes] or ["0 0 0 0 0 0 0 0 0 0 "]
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder / name


def voc_files(folder: Path, faces: Mapping[str, Boxes], label: str = "face") -> Path:
    """Each picture with an XML file beside it."""
    for seed, (picture, boxes) in enumerate(faces.items()):
        path = paint(folder / picture, seed=seed)
        things = "".join(
            f"<object><name>{label}</name><bndbox><xmin>{x}</xmin><ymin>{y}</ymin>"
            f"<xmax>{x + w}</xmax><ymax>{y + h}</ymax></bndbox></object>"
            for x, y, w, h in boxes
        )
        text = f"<annotation><filename>{picture}</filename>{things}</annotation>"
        path.with_suffix(".xml").write_text(text)
    return folder


def sample(folder: Path, faces: Mapping[str, Boxes]) -> Path:
    """``annotations.json`` and ``images/``; every face is easy."""
    entries = {}
    for seed, (picture, boxes) in enumerate(faces.items()):
        paint(folder / "images" / picture, seed=seed)
        numbers = list(range(len(boxes)))
        groups = {"easy": numbers, "medium": numbers, "hard": numbers}
        entries[picture] = {"boxes_xywh": [list(box) for box in boxes], **groups}
    (folder / "annotations.json").write_text(json.dumps(entries))
    return folder
