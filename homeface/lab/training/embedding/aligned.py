"""Faces cut out of a folder of identities once, and kept: ``ALIGNED/<person>/<picture>.jpg``.

Every face is cut wide, with its landmarks at the same places, so that what any network wants is a fixed part
of it and there is something around it to turn and shift into. ``index.jsonl`` gains a line for each picture
that was looked at; a run that was stopped goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from homeface.core.geometry import ARCFACE_112
from homeface.core.types import ImageRGB, Quality
from homeface.errors import ImageError, StoreError
from homeface.inference.alignment import PointTemplate, cut
from homeface.inference.manifest import ModelSpec
from homeface.lab.evaluation.cache import digest_of
from homeface.lab.evaluation.faces import Sampling, judged, pictures_of

WIDE_PX = 192
WIDE = PointTemplate(zoom=2 / 3)
WIDE_PLACES = ((ARCFACE_112 / 112.0 - 0.5) * WIDE.zoom + 0.5) * WIDE_PX
"""(5, 2) where the landmarks lie in a kept face."""
INDEX, LIST = "index.jsonl", "faces.txt"
_VERSION = 1
_JPEG_QUALITY = 90

Progress = Callable[[int, int], None]
Found = list[tuple[str, Path]]
"""People and pictures."""


@dataclass(frozen=True, slots=True)
class AlignedFace:
    """One kept face. ``file``: its place in the folder; ``picture``: name of the file it was cut from."""

    person: str
    file: str
    picture: str
    digest: str
    quality: Quality
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Aligned:
    """A folder of kept faces, by person and picture; ``missed``: names of the pictures without a face."""

    folder: Path
    faces: tuple[AlignedFace, ...]
    missed: tuple[str, ...] = ()

    def read(self, face: AlignedFace) -> ImageRGB:
        """(WIDE_PX, WIDE_PX, 3) RGB. Raises ImageError naming the file that is missing or broken."""
        return read_face(self.folder / face.file)


def is_aligned(folder: Path) -> bool:
    """True for a folder that ``align_folder`` made."""
    return (folder / INDEX).is_file()


def read_face(path: Path) -> ImageRGB:
    """A kept face. Raises ImageError naming the file that is missing, broken or of another size."""
    import cv2

    try:
        content = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise ImageError(f"The aligned face {path} cannot be read: {error.strerror or error}.") from error
    image = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    if image is None:
        raise ImageError(
            f"The aligned face {path} is broken: remove it and its folder's {INDEX}, align anew."
        )
    if image.shape != (WIDE_PX, WIDE_PX, 3):
        raise ImageError(f"{path} is no aligned face: it has {image.shape[1]}×{image.shape[0]} pixels.")
    return np.ascontiguousarray(image[:, :, ::-1])


def align_folder(
    folder: Path,
    out: Path,
    detector: ModelSpec,
    models: Sequence[Path],
    progress: Progress = lambda _done, _total: None,
    choose: Callable[[Found], Found] = lambda found: found,
) -> Aligned:
    """Cut every face of ``folder/<person>/<picture>`` that is not in ``out`` yet, and write the list.

    ``choose`` may take only some of the pictures.
    Raises ImageError for a folder without pictures, ``StoreError`` when ``out`` cannot be written, and the
    ``ModelError`` tree.
    """
    found = choose(pictures_of(folder, Sampling(least=1, most=0)))
    try:
        out.mkdir(parents=True, exist_ok=True)
        known = {(row["person"], row["digest"]): row for row in _rows(out, detector.name)}
        lacking = [(p, path, d) for p, path in found if (p, d := digest_of(path)) not in known]
        done = len(found) - len(lacking)
        progress(done, len(found))
        if lacking:
            with (out / INDEX).open("a", encoding="utf-8") as index:
                for row in _cut(lacking, out, detector, models):
                    index.write(json.dumps(row, ensure_ascii=False) + "\n")
                    index.flush()
                    done += 1
                    progress(done, len(found))
        aligned = read_aligned(out)
        _replace(out / LIST, "".join(f"{path} {number}\n" for path, number in listed(aligned)))
    except OSError as error:
        raise StoreError(f"Aligned faces cannot be kept in {out}: {error.strerror or error}.") from error
    return aligned


def read_aligned(folder: Path) -> Aligned:
    """What was kept. Raises ImageError when it is no such folder, or no face is in it."""
    rows = {(row["person"], row["digest"]): row for row in _rows(folder)}
    ordered = sorted(rows.values(), key=lambda row: (row["person"], row["picture"]))
    faces = tuple(_face(row) for row in ordered if row["file"])
    if not faces:
        raise ImageError(
            f"{folder} holds no aligned faces: make them with `homeface lab align DIR --out {folder}`."
        )
    return Aligned(folder, faces, tuple(row["picture"] for row in ordered if not row["file"]))


def listed(aligned: Aligned) -> Iterator[tuple[str, int]]:
    """(path, person's number) of every face: the training list."""
    numbers = {name: number for number, name in enumerate(dict.fromkeys(f.person for f in aligned.faces))}
    return ((face.file, numbers[face.person]) for face in aligned.faces)


def _cut(
    lacking: Sequence[tuple[str, Path, str]], out: Path, detector: ModelSpec, models: Sequence[Path]
) -> Iterator[dict[str, Any]]:
    from homeface.inference.models import Placement, load_detector
    from homeface.lab.evaluation.looking import (
        MIN_FACE_PX,
        QUALITY_FIELDS,
        Eyes,
        quality_numbers,
        read_picture,
    )
    from homeface.lab.evaluation.views import CLEAN_VIEW

    eyes = Eyes(load_detector(detector, Placement(list(models), "cpu"), MIN_FACE_PX), [], dlib=False)
    try:
        for person, path, digest in lacking:
            row: dict[str, Any] = {"version": _VERSION, "detector": detector.name, "person": person}
            row |= {"picture": path.name, "digest": digest, "file": "", "score": 0.0, "box": [0.0] * 4}
            row["quality"] = [0.0] * QUALITY_FIELDS
            image = read_picture(path)
            seen = None if image is None else eyes.see(image, [CLEAN_VIEW], digest)[0]
            if seen is not None:
                crop = cut(seen.image, seen.detection.landmarks, WIDE_PX, WIDE)
                row["file"] = f"{person}/{path.stem}.{digest[:8]}.jpg"
                _write_jpeg(out / row["file"], crop)
                row["score"] = round(float(seen.detection.score), 5)
                row["box"] = [round(float(value), 2) for value in seen.detection.box]
                row["quality"] = [round(value, 5) for value in quality_numbers(seen.quality)]
            yield row
    finally:
        eyes.close()


def _write_jpeg(path: Path, crop: ImageRGB) -> None:
    import cv2

    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    _, encoded = cv2.imencode(".jpg", np.ascontiguousarray(crop[:, :, ::-1]), options)
    path.parent.mkdir(exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(encoded.tobytes())
    part.replace(path)


def _replace(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _rows(folder: Path, detector: str | None = None) -> Iterator[dict[str, Any]]:
    """Lines of the index; a half line that a stopped run left behind is passed over."""
    file = folder / INDEX
    try:
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        raise ImageError(f"{file} cannot be read ({error}): remove it and align anew.") from error
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if not isinstance(row, dict) or row.get("version") != _VERSION:
            raise ImageError(
                f"{file}:{number}: of another version of homeface; remove the folder, align anew."
            )
        if detector is not None and row["detector"] != detector:
            raise ImageError(
                f"{folder} holds faces found by {row['detector']}, not {detector}: name another folder, "
                f"or --detector {row['detector']}."
            )
        yield row


def _face(row: dict[str, Any]) -> AlignedFace:
    quality = judged(np.array(row["quality"]), float(row["score"]))
    return AlignedFace(row["person"], row["file"], row["picture"], row["digest"], quality, tuple(row["box"]))
