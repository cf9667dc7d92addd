"""Labels as they come: WIDER FACE's lists, PASCAL VOC's XML, and samples with ``annotations.json``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from homeface.errors import DatasetError
from homeface.lab.training.detector.labels import (
    Labels,
    RawBox,
    RawPicture,
    checked,
    safe_name,
)

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
_INVALID = 7
"""Column of WIDER FACE's invalid flag: x y w h blur expression illumination invalid occlusion pose."""


def read_labels(
    source: Path,
    images: Path | None = None,
    classes: Sequence[str] = ("face",),
) -> Labels:
    """Labels of ``source``: a WIDER FACE list (.txt), or a folder with ``annotations.json``, lists or XML.

    ``images``: folder of the pictures, where it is not the usual one. ``classes``: names in XML that mean a
    face. Raises ``DatasetError`` when nothing can be read; single faults are told in ``Labels.problems``.
    """
    problems: list[str] = []
    if source.is_file() and source.suffix == ".txt":
        raw = list(_wider(source, images or _images_beside(source), problems))
    elif (source / "annotations.json").is_file():
        raw = list(_sample(source, images or source / "images", problems))
    elif source.is_dir() and (lists := sorted(source.glob("*bbx_gt.txt"))):
        raw = [one for file in lists for one in _wider(file, images or _images_beside(file), problems)]
    elif source.is_dir() and (files := sorted(source.rglob("*.xml"))):
        raw = list(_voc(files, source, images, classes, problems))
    else:
        raise DatasetError(
            f"{source} holds no labels: give a WIDER FACE list (wider_face_train_bbx_gt.txt), or a folder "
            "with such a list, with PASCAL VOC files (*.xml), or with annotations.json and images/."
        )
    return checked(raw, problems)


def _images_beside(file: Path) -> Path:
    """Where WIDER FACE's archives put the pictures of a list."""
    part = "val" if "_val_" in file.name else "train"
    places = (file.parent / "images", file.parent.parent / f"WIDER_{part}" / "images", file.parent)
    return next((place for place in places if place.is_dir()), file.parent)


def _wider(file: Path, images: Path, problems: list[str]) -> Iterator[RawPicture]:
    """Picture, number of faces, one line a face (a line of zeros where there is none), and so on."""
    try:
        lines = list(enumerate(file.read_text(encoding="utf-8").splitlines(), 1))
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{file} cannot be read as a list: {error}") from error
    rows = [(number, line.strip()) for number, line in lines if line.strip()]
    if len(rows) < len(lines):
        problems.append(f"{file}: {len(lines) - len(rows)} empty lines; they are passed over.")
    place = 0
    while place < len(rows):
        number, name = rows[place]
        at = f"{file.name}:{number}"
        place += 1
        if Path(name).suffix.lower() not in PICTURES:
            problems.append(f"{at}: {name[:60]!r} is no picture's name; the line is passed over.")
            continue
        stretch = place
        while stretch < len(rows) and Path(rows[stretch][1]).suffix.lower() not in PICTURES:
            stretch += 1
        boxes = _wider_boxes(file.name, at, rows[place:stretch], problems)
        place = stretch
        try:
            safe = safe_name(name)
        except ValueError as error:
            problems.append(f"{at}: {error}; it is left out.")
            continue
        if boxes is not None:
            yield RawPicture(at, safe, images / safe, boxes)


def _wider_boxes(
    file: str, at: str, rows: Sequence[tuple[int, str]], problems: list[str]
) -> list[RawBox] | None:
    """The faces of one picture; None when there is no telling how many there should be."""
    if not rows or not rows[0][1].isdigit():
        problems.append(f"{at}: the number of faces is missing; the picture is left out.")
        return None
    promised, found = int(rows[0][1]), rows[1:]
    if promised == 0:
        return []
    if promised != len(found):
        problems.append(f"{at}: {promised} faces are promised and {len(found)} listed; those are used.")
    boxes = []
    for number, line in found:
        try:
            values = [float(word) for word in line.split()]
            x, y, wide, tall = values[:4]
        except ValueError:
            problems.append(f"{file}:{number}: {line[:60]!r} is no box; it is left out.")
            continue
        invalid = len(values) > _INVALID and values[_INVALID] == 1
        boxes.append(RawBox(f"{file}:{number}", (x, y, wide, tall), invalid))
    return boxes


def _sample(folder: Path, images: Path, problems: list[str]) -> Iterator[RawPicture]:
    """``annotations.json``: picture → ``boxes_xywh`` and the numbers of its easy, medium, hard faces."""
    file = folder / "annotations.json"
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise DatasetError(f"{file} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise DatasetError(f"{file} is no object of pictures.")
    for name, entry in sorted(content.items()):
        at = f"{file.name}: {name}"
        try:
            safe = safe_name(name)
            boxes = [
                RawBox(at, (float(x), float(y), float(w), float(h))) for x, y, w, h in entry["boxes_xywh"]
            ]
            groups = {
                group: [int(i) for i in entry[group]]
                for group in ("easy", "medium", "hard")
                if group in entry
            }
        except (KeyError, TypeError, ValueError) as error:
            problems.append(f"{at}: {error}; it is left out.")
            continue
        yield RawPicture(at, safe, images / safe, boxes, groups or None)


def _voc(
    files: Sequence[Path], folder: Path, images: Path | None, classes: Sequence[str], problems: list[str]
) -> Iterator[RawPicture]:
    wanted, other = set(classes), set[str]()
    faces = 0
    for file in files:
        picture = _voc_picture(file, folder, images, wanted, other, problems)
        if picture is not None:
            faces += len(picture.boxes)
            yield picture
    if not faces and other:
        raise DatasetError(
            f"None of the {len(files)} XML files in {folder} names a {' or '.join(classes)}; their "
            f"classes are {', '.join(sorted(other))}. Say which ones are faces with --class."
        )


def _voc_picture(
    file: Path, folder: Path, images: Path | None, wanted: set[str], other: set[str], problems: list[str]
) -> RawPicture | None:
    at = str(file.relative_to(folder))
    try:
        # Entities are not expanded from elsewhere, and expat itself refuses those that grow without end.
        root = ET.parse(file).getroot()  # noqa: S314
        name = safe_name((root.findtext("filename") or "").strip() or f"{file.stem}.jpg")
    except (ET.ParseError, OSError, ValueError) as error:
        problems.append(f"{at}: {error}; it is left out.")
        return None
    boxes = []
    for number, thing in enumerate(root.iter("object"), 1):
        label = (thing.findtext("name") or "").strip()
        if not label:
            problems.append(f"{at}: object {number} has no class; it is left out.")
        elif label not in wanted:
            other.add(label)
        else:
            box = _voc_box(f"{at}: object {number}", thing, problems)
            if box is not None:
                boxes.append(box)
    return RawPicture(at, name, _voc_path(name, file, folder, images), boxes)


def _voc_box(at: str, thing: ET.Element, problems: list[str]) -> RawBox | None:
    try:
        x1, y1, x2, y2 = (
            float(thing.findtext(f"bndbox/{key}") or "nothing") for key in ("xmin", "ymin", "xmax", "ymax")
        )
    except ValueError:
        problems.append(f"{at} has no box of four numbers; it is left out.")
        return None
    return RawBox(at, (x1, y1, x2 - x1, y2 - y1))


def _voc_path(name: str, file: Path, folder: Path, images: Path | None) -> Path:
    """Beside the XML file, or where PASCAL VOC keeps pictures."""
    places = (
        (images,)
        if images is not None
        else (file.parent, folder / "JPEGImages", file.parent.parent / "JPEGImages", folder / "images")
    )
    found = (place / name for place in places if place is not None)
    return next((path for path in found if path.is_file()), (images or file.parent) / name)
