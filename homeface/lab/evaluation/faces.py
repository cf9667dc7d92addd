"""A folder of people turned into embeddings once, and kept: ``DIR/<person>/<pictures>``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from homeface.core.geometry import interocular
from homeface.core.quality import RECOGNITION_LIMITS, assess, judge
from homeface.core.types import Detection, ImageBGR, Quality
from homeface.errors import ImageError
from homeface.inference.alignment import cut, template_named
from homeface.inference.types import Detector, Embedder
from homeface.lab.evaluation.degradation import CLEAN, Condition, degrade, home_camera

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
_CHUNK = 64

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class FaceSet:
    """Faces of many people as arrays of equal length.

    ``vectors`` (N, D) unit rows; ``person`` and ``picture`` number the folders and files;
    ``clean`` is True for the picture as it is, False for a degraded look;
    ``qualities`` are judged for recognition.
    """

    model_id: str
    names: tuple[str, ...]
    person: NDArray[np.int64]
    picture: NDArray[np.int64]
    clean: NDArray[np.bool_]
    vectors: NDArray[np.float32]
    qualities: tuple[Quality, ...]
    missed: int

    def part(self, number: int, parts: int = 2) -> NDArray[np.bool_]:
        """True for the faces of people in one of several disjoint parts, drawn by a hash of the name."""
        of_name = np.array([int(hashlib.sha256(n.encode()).hexdigest(), 16) % parts for n in self.names])
        return np.asarray(of_name[self.person] == number)


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which pictures of a folder are looked at, and how often each besides as it is.

    People with fewer than ``least`` pictures are left out; of the others the first ``most`` count.
    """

    looks: int = 1
    least: int = 3
    most: int = 9


def pictures_of(folder: Path, sampling: Sampling) -> list[tuple[str, Path]]:
    """(person, picture) in a fixed order. Raises ImageError when the folder holds none."""
    found: list[tuple[str, Path]] = []
    for person in sorted(path for path in folder.iterdir() if path.is_dir()):
        pictures = sorted(path for path in person.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
        if len(pictures) >= sampling.least:
            found += [(person.name, picture) for picture in pictures[: sampling.most]]
    if not found:
        raise ImageError(f"There are no pictures in {folder}: expected {folder}/<person>/<picture>.jpg.")
    return found


def collect(
    folder: Path,
    detector: Detector,
    embedders: Sequence[Embedder],
    sampling: Sampling,
    cache: Path,
    progress: Progress = lambda _done, _total: None,
) -> list[FaceSet]:
    """Embed every picture as it is and as a home camera sees it, once per embedder.

    The work is kept in ``cache`` chunk by chunk and taken up again where it stopped.
    """
    found = pictures_of(folder, sampling)
    places = [_place(cache, folder, detector, embedder, sampling) for embedder in embedders]
    for start in range(0, len(found), _CHUNK):
        name = f"{start:06d}.npz"
        todo = [
            (embedder, place / name)
            for embedder, place in zip(embedders, places, strict=True)
            if not (place / name).is_file()
        ]
        if todo:
            _look_at(found[start : start + _CHUNK], start, detector, todo, sampling.looks)
        progress(min(start + _CHUNK, len(found)), len(found))
    return [
        _joined(found, place, embedder.model_id) for embedder, place in zip(embedders, places, strict=True)
    ]


def _place(cache: Path, folder: Path, detector: Detector, embedder: Embedder, sampling: Sampling) -> Path:
    key = f"{embedder.model_id}|{detector.name}|{sampling}|{folder.resolve()}"
    place = cache / hashlib.sha256(key.encode()).hexdigest()[:16]
    place.mkdir(parents=True, exist_ok=True)
    return place


def _look_at(
    found: Sequence[tuple[str, Path]],
    first: int,
    detector: Detector,
    todo: Sequence[tuple[Embedder, Path]],
    looks: int,
) -> None:
    """One chunk: every view is detected once and embedded by each embedder that lacks it."""
    kept = [
        (first + offset, condition == CLEAN, image, detection)
        for offset, (_, path) in enumerate(found)
        for condition, (image, detection) in _views(path, first + offset, detector, looks)
    ]
    qualities = [_numbers(_quality(image, detection)) for _, _, image, detection in kept]
    for embedder, path in todo:
        vectors = embedder.embed([embedder.align(image, detection) for _, _, image, detection in kept])
        unfinished = path.with_suffix(".part.npz")
        np.savez(
            unfinished,
            picture=np.array([row[0] for row in kept], np.int64),
            clean=np.array([row[1] for row in kept], np.bool_),
            vectors=vectors.astype(np.float32).reshape(len(kept), -1),
            quality=np.array(qualities, np.float64).reshape(len(kept), -1),
            missed=np.array(len(found) * (1 + looks) - len(kept), np.int64),
        )
        unfinished.replace(path)


def _views(
    path: Path, number: int, detector: Detector, looks: int
) -> Iterator[tuple[Condition, tuple[ImageBGR, Detection]]]:
    """The picture as it is and degraded, each with the face in its middle, where one is found."""
    import cv2

    image = cv2.imread(str(path))
    if image is None:
        return
    generator = np.random.default_rng(number)
    subject = _central(detector.detect([np.asarray(image, np.uint8)])[0], image.shape[1], image.shape[0])
    if subject is None:
        return
    yield CLEAN, (np.asarray(image, np.uint8), subject)
    for _ in range(looks):
        condition = home_camera(generator)
        view = degrade(np.asarray(image, np.uint8), interocular(subject.landmarks), condition, generator)
        seen = _central(detector.detect([view])[0], view.shape[1], view.shape[0])
        if seen is not None:
            yield condition, (view, seen)


def _central(detections: Sequence[Detection], width: int, height: int) -> Detection | None:
    """The face in the middle of the picture: whose the picture is; None when nobody is there."""
    near = [
        (abs(d.box.centre[0] - width / 2) / width + abs(d.box.centre[1] - height / 2) / height, d)
        for d in detections
    ]
    near = [(distance, d) for distance, d in near if distance < 0.3]
    return min(near, key=lambda item: item[0] - 0.3 * item[1].box.width / width)[1] if near else None


def _quality(image: ImageBGR, detection: Detection) -> Quality:
    template = template_named("arcface_112")
    patch = cut(image, detection.landmarks, 112, template)  # type: ignore[arg-type]
    return assess(detection, patch, (image.shape[1], image.shape[0]))


def _numbers(quality: Quality) -> tuple[float, ...]:
    return (
        quality.interocular_px,
        quality.sharpness,
        quality.yaw,
        quality.pitch,
        quality.roll,
        quality.brightness,
        quality.contrast,
        float(quality.infrared),
        quality.score,
    )


def _joined(found: Sequence[tuple[str, Path]], place: Path, model_id: str) -> FaceSet:
    chunks = []
    for path in sorted(place.glob("??????.npz")):
        with np.load(path) as data:
            chunks.append({name: data[name] for name in data.files})
    names = tuple(dict.fromkeys(person for person, _ in found))
    number = {name: index for index, name in enumerate(names)}
    of_picture = np.array([number[person] for person, _ in found])
    picture = np.concatenate([chunk["picture"] for chunk in chunks])
    rows = np.concatenate([chunk["quality"] for chunk in chunks]).tolist()
    return FaceSet(
        model_id=model_id,
        names=names,
        person=of_picture[picture],
        picture=picture,
        clean=np.concatenate([chunk["clean"] for chunk in chunks]),
        vectors=np.concatenate([chunk["vectors"] for chunk in chunks]),
        qualities=tuple(_judged(row) for row in rows),
        missed=sum(int(chunk["missed"]) for chunk in chunks),
    )


def _judged(row: Sequence[float]) -> Quality:
    size, sharpness, yaw, pitch, roll, brightness, contrast, infrared, score = row
    measured = Quality(size, sharpness, yaw, pitch, roll, brightness, contrast, bool(infrared), score)
    return judge(measured, RECOGNITION_LIMITS)
