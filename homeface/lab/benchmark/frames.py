"""What everybody is measured on: the same 1080p frames and recordings, and where their faces are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from homeface.core.types import Box, Detection, ImageBGR
from homeface.errors import ImageError
from homeface.lab.benchmark import drawing
from homeface.lab.benchmark.recall import LARGE, LabelledPicture, clip_frames, measure_recall, wider_pictures

FACES = (0, 1, 4, 16)
MIN_FACE_PX = 40
CROPS = "crops.npy"
CLIPS, PICTURES = (".mp4", ".mkv", ".avi", ".mov"), (".jpg", ".jpeg", ".png", ".webp")
_PEOPLE_SHARE = 0.3
_LFW_FACE = Box(78.0, 70.0, 172.0, 192.0)
"""Where the face is in LFW's deep-funnelled pictures of 250×250, about."""
_LFW_CUT = (slice(10, 240), slice(25, 225))
_CROP_PX = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What to take frames from. ``frames``: one's own pictures, recordings or folders of them. ``data``: a
    folder with any of ``wider``, ``lfw`` and ``clips``, as the tests' data has them. Neither: all is drawn.
    ``quick``: few frames and short recordings."""

    frames: tuple[Path, ...] = ()
    data: Path | None = None
    quick: bool = False


@dataclass(slots=True)
class Material:
    """Files in one folder, for every process to read.

    ``scenes``: by number of faces, a file of frames (N, 1080, 1920, 3) BGR. ``street``: a file of the frames
    that detection is timed on; ``labels``: their faces, None where nobody knows them. ``crops``: a file of
    (N, 160, 160, 3) RGB faces. ``people``: a recording with somebody about 30 % of the time, or one's own;
    ``walked``: a file of some frames of it; ``empty``: a recording with nobody. ``told``: in words, where all
    that comes from.
    """

    scenes: dict[int, Path] = field(default_factory=dict)
    scene_labels: dict[int, list[NDArray[np.float64]]] = field(default_factory=dict)
    street: Path = Path()
    labels: list[LabelledPicture | None] = field(default_factory=list)
    crops: Path = Path()
    people: Path = Path()
    walked: Path = Path()
    empty: Path = Path()
    told: list[str] = field(default_factory=list)
    portraits: list[drawing.Portrait] = field(default_factory=list)


def prepare(wish: Wish, folder: Path) -> Material:
    """Draw, read and write everything. Raises ``ImageError`` for files that cannot be used."""
    _files(wish.frames)  # what cannot be used is told before anything is drawn
    random = np.random.default_rng(2026)
    portraits, told = _portraits(wish)
    material = Material(told=[told], portraits=portraits)
    drawn: dict[int, list[tuple[ImageBGR, NDArray[np.float64]]]] = {}
    for faces in FACES:
        count = 2 if wish.quick or faces == 0 else 4
        drawn[faces] = [drawing.draw_frame(portraits, faces, random) for _ in range(count)]
        material.scenes[faces] = _save(folder / f"faces{faces}.npy", [frame for frame, _ in drawn[faces]])
        material.scene_labels[faces] = [boxes for _, boxes in drawn[faces]]
    street = _street(wish, material.told)
    if not street:
        street = [labelled("drawn", frame, boxes) for pair in drawn.values() for frame, boxes in pair[:2]]
    material.street = _save(folder / "street.npy", [picture.image for picture in street])
    material.labels = [None if not picture.groups else picture for picture in street]
    material.crops = _save(folder / CROPS, _crops(portraits))
    _recordings(wish, portraits, folder, material)
    return material


def recall_of(
    labels: Sequence[LabelledPicture | None], found: Mapping[int, Sequence[Sequence[float]]]
) -> float | None:
    """Share of the labelled faces of ``MIN_FACE_PX`` and more that are in ``found``: frame index → rows of
    x1, y1, x2, y2, score. None when none of these frames has labelled faces."""
    known = [(labels[index], rows) for index, rows in found.items()]
    pictures = [(picture, rows) for picture, rows in known if picture is not None]
    if not sum(int(picture.groups[LARGE].sum()) for picture, _ in pictures):
        return None
    answers = iter([_detections(rows) for _, rows in pictures])
    recall = measure_recall(lambda _image: next(answers), [picture for picture, _ in pictures])
    return round(recall.groups[LARGE].share, 4)


def labelled_scene(material: Material, faces: int) -> list[LabelledPicture | None]:
    """The drawn frames of one number of faces, as ``recall_of`` wants them."""
    blank = np.zeros((1, 1, 3), np.uint8)
    return [labelled("drawn", blank, boxes) for boxes in material.scene_labels[faces]]


def _detections(rows: Sequence[Sequence[float]]) -> list[Detection]:
    points = np.zeros((5, 2), np.float32)
    return [Detection(Box(*map(float, row[:4])), float(row[4]), points) for row in rows]


def labelled(name: str, image: ImageBGR, boxes: NDArray[np.float64]) -> LabelledPicture:
    """A picture whose faces are known: (N, 4) ``boxes``; those of ``MIN_FACE_PX`` must be found."""
    large = (boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=np.inf) >= MIN_FACE_PX
    return LabelledPicture(name, image, boxes, {LARGE: large})


def _save(path: Path, images: Sequence[NDArray[np.uint8]]) -> Path:
    np.save(path, np.stack(images))
    return path


def _portraits(wish: Wish) -> tuple[list[drawing.Portrait], str]:
    import cv2

    folder = None if wish.data is None else wish.data / "lfw" / "images"
    if folder is None or not folder.is_dir():
        return [drawing.astronaut()], "drawn frames: NASA's astronaut portrait in a drawn room, 80–250 px"
    people = sorted(folder.iterdir())
    chosen = people[:: max(1, len(people) // (8 if wish.quick else 24))]
    portraits = []
    for person in chosen:
        image = cv2.imread(str(next(iter(sorted(person.glob("*.jpg"))))))
        if image is not None and image.shape[:2] == (250, 250):
            rows, columns = _LFW_CUT
            box = Box(_LFW_FACE.x1 - 25, _LFW_FACE.y1 - 10, _LFW_FACE.x2 - 25, _LFW_FACE.y2 - 10)
            portraits.append(drawing.Portrait(np.ascontiguousarray(image[rows, columns]), box))
    return portraits, f"drawn frames: {len(portraits)} portraits of {folder} in a drawn room, 80–250 px"


def _street(wish: Wish, told: list[str]) -> list[LabelledPicture]:
    """Frames that detection is timed on, at 1080p; empty when there are none but drawn ones."""
    few = wish.quick
    frames: list[LabelledPicture] = []
    for path in _files(wish.frames):
        found = clip_frames(path, 4 if few else 8) if path.suffix.lower() in CLIPS else [_read(path)]
        frames += [_fitted(LabelledPicture(path.name, image, np.zeros((0, 4)), {})) for image in found]
    if frames:
        told.append(f"detection: {len(frames)} frames of {', '.join(str(path) for path in wish.frames)}")
        return frames[: 8 if few else 24]
    if wish.data is not None and (wish.data / "wider" / "annotations.json").is_file():
        step = 40 if few else 12
        frames += [_fitted(picture) for picture in wider_pictures(wish.data / "wider", step=step)]
        told.append(f"detection: {len(frames)} annotated WIDER FACE pictures of {wish.data}, fitted to 1080p")
    crowd = wish.data / "clips" / "crowd_station_1080p.mp4" if wish.data is not None else None
    if crowd is not None and crowd.is_file():
        images = list(clip_frames(crowd, 3 if few else 8))
        frames += [_fitted(LabelledPicture(crowd.name, image, np.zeros((0, 4)), {})) for image in images]
        told.append(f"detection: {len(images)} frames of {crowd.name} (no labels)")
    return frames


def _files(paths: Sequence[Path]) -> list[Path]:
    """Pictures and recordings among ``paths``, folders opened. Raises ``ImageError`` when there is none."""
    files: list[Path] = []
    for path in paths:
        inside = sorted(path.iterdir()) if path.is_dir() else [path]
        files += [file for file in inside if file.suffix.lower() in CLIPS + PICTURES]
    if paths and not files:
        kinds = ", ".join(CLIPS + PICTURES)
        raise ImageError(f"No picture and no recording in {', '.join(map(str, paths))} (looked for {kinds}).")
    return files


def _read(path: Path) -> ImageBGR:
    import cv2

    image = cv2.imread(str(path))
    if image is None:
        raise ImageError(f"{path} cannot be read as a picture.")
    return image  # type: ignore[return-value]


def _fitted(picture: LabelledPicture) -> LabelledPicture:
    """On a grey 1080p canvas: larger pictures are shrunk, smaller ones keep their size, faces move along."""
    import cv2

    height, width = picture.image.shape[:2]
    scale = min(1.0, drawing.HEIGHT / height, drawing.WIDTH / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(picture.image, size, interpolation=cv2.INTER_AREA) if scale < 1 else picture.image
    canvas: ImageBGR = np.full((drawing.HEIGHT, drawing.WIDTH, 3), 114, np.uint8)
    canvas[: size[1], : size[0]] = small
    boxes = picture.boxes * scale
    if not picture.groups:
        return LabelledPicture(picture.name, canvas, boxes, {})
    return LabelledPicture(picture.name, canvas, boxes, labelled("drawn", canvas, boxes).groups)


def _crops(portraits: Sequence[drawing.Portrait]) -> list[NDArray[np.uint8]]:
    """Eight RGB faces; what is in them does not change what embedding costs."""
    import cv2

    crops = []
    for number in range(8):
        portrait = portraits[number % len(portraits)]
        x1, y1, x2, y2 = (max(0, round(value)) for value in portrait.box)
        face = cv2.resize(portrait.image[y1:y2, x1:x2], (_CROP_PX, _CROP_PX))
        crops.append(np.ascontiguousarray(face[..., ::-1]))
    return crops  # type: ignore[return-value]


def _recordings(wish: Wish, portraits: Sequence[drawing.Portrait], folder: Path, material: Material) -> None:
    """The recording with people and the empty one."""
    seconds = 4.0 if wish.quick else 30.0
    material.empty = drawing.write_clip(folder / "empty.mp4", portraits, 2.0 if wish.quick else 10.0, ())
    own = next((path for path in _files(wish.frames) if path.suffix.lower() in CLIPS), None)
    if own is not None:
        material.people = own
        material.told.append(f"recording with people: {own}")
    else:
        visit = (1.0, 1.0 + _PEOPLE_SHARE * seconds)
        material.people = drawing.write_clip(
            folder / "people.mp4", portraits, seconds, (visit,), walks=not wish.quick
        )
        material.told.append(f"recording: drawn, {seconds:.0f} s of 1080p15, somebody about 30 % of the time")
    count = 4 if wish.quick else 10
    material.walked = _save(folder / "walked.npy", list(clip_frames(material.people, count)))


def describe_counts(material: Material) -> dict[str, object]:
    """For ``--json``: what there was to measure on."""
    return {
        "told": material.told,
        "labelled_frames": sum(picture is not None for picture in material.labels),
        "frames": len(material.labels),
        "faces": {str(faces): len(boxes) for faces, boxes in material.scene_labels.items()},
    }
