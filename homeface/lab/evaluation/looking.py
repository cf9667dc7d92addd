"""One picture after the other through detector, quality and embedders: what the worker processes run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeface.core.geometry import interocular
from homeface.core.quality import assess
from homeface.core.types import Box, Detection, ImageBGR, ImageRGB, Quality
from homeface.errors import ImageError
from homeface.inference.alignment import PATCH_PX, cut, template_named
from homeface.inference.manifest import Kind, ModelSpec, find_spec
from homeface.inference.types import Detector, Embedder
from homeface.lab.evaluation.views import CLEAN_VIEW, View, look_through

DLIB = "dlib_resnet/hog-1"
"""The embedding of face_recognition, found and cut by dlib's own detector."""
MIN_FACE_PX = 24
QUALITY_FIELDS = 9


@dataclass(frozen=True, slots=True)
class Look:
    """One way of turning a face into a vector. ``mirrored``: the mean of the crop's and its mirror's."""

    spec: ModelSpec
    mirrored: bool = False

    @property
    def model_id(self) -> str:
        """Id of the model, marked when it is averaged with the mirror image."""
        return self.spec.model_id + ("+mirror" if self.mirrored else "")

    @property
    def key(self) -> str:
        """What tells this look from every other in the cache: the model, its files, its cut."""
        hashes = "+".join(artefact.sha256 or artefact.file for artefact in self.spec.artefacts)
        return f"{self.model_id}|{self.spec.input_px}|{self.spec.colour}|{hashes}"


def look_of(name: str, extra: Sequence[ModelSpec] = ()) -> Look:
    """A look by its name: ``embedder``, ``embedder:plain`` (another cut), ``embedder+mirror``.

    Raises ``ModelError`` for names that are unknown.
    """
    base, _, mark = name.partition("+")
    embedder, _, cut_name = base.partition(":")
    spec = find_spec(embedder, Kind.EMBEDDER, extra)
    if cut_name:
        template_named(cut_name)
        spec = replace(spec, template=cut_name, revision=1)
    return Look(spec, mirrored=mark == "mirror")


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a worker needs to load: names and folders, nothing that lives on a device."""

    detector: ModelSpec
    looks: tuple[Look, ...]
    folders: tuple[Path, ...]
    min_face_px: int = MIN_FACE_PX
    dlib: bool = False


@dataclass(slots=True, eq=False)
class Rows:
    """What was seen in some pictures by one look under one view, row by row.

    ``found`` False: no face in the middle of the picture, the other figures of the row are zeros.
    """

    digests: list[str] = field(default_factory=list)
    found: list[bool] = field(default_factory=list)
    vectors: list[NDArray[np.float32]] = field(default_factory=list)
    quality: list[tuple[float, ...]] = field(default_factory=list)
    box: list[tuple[float, ...]] = field(default_factory=list)
    score: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A face in the middle of a picture, as one view shows it."""

    image: ImageBGR
    detection: Detection
    quality: Quality


class Eyes:
    """Detector and embedders at work. Not thread-safe; ``close`` frees them."""

    def __init__(self, detector: Detector, embedders: Sequence[tuple[Embedder, bool]], dlib: bool) -> None:
        self._detector = detector
        self._embedders = list(embedders)
        self._dlib: Any = None
        if dlib:
            from homeface.lab.peers.dlib import DlibFaces

            self._dlib = DlibFaces()

    @classmethod
    def load(cls, recipe: Recipe) -> Eyes:
        """Load what the recipe names, on one CPU thread. Raises the ``ModelError`` tree."""
        from homeface.inference.models import Placement, load_detector, load_embedder

        place = Placement(list(recipe.folders), "cpu", threads=1)
        loaded: dict[str, Embedder] = {}
        for look in recipe.looks:
            if look.spec.model_id not in loaded:
                loaded[look.spec.model_id] = load_embedder(look.spec, place)
        embedders = [(loaded[look.spec.model_id], look.mirrored) for look in recipe.looks]
        return cls(load_detector(recipe.detector, place, recipe.min_face_px), embedders, recipe.dlib)

    def see(self, image: ImageBGR, views: Sequence[View], digest: str) -> list[Seen | None]:
        """The face in the middle of the picture under each view; None where nobody is found."""
        subject = central(self._detector.detect([image])[0], image.shape[1], image.shape[0])
        if subject is None:
            return [None] * len(views)
        seen: list[Seen | None] = []
        for view in views:
            if view == CLEAN_VIEW:
                seen.append(Seen(image, subject, _quality(image, subject)))
                continue
            shown = look_through(image, interocular(subject.landmarks), view, digest)
            found = central(self._detector.detect([shown])[0], shown.shape[1], shown.shape[0])
            seen.append(None if found is None else Seen(shown, found, _quality(shown, found)))
        return seen

    def embed(self, seen: Sequence[Seen], number: int) -> NDArray[np.float32]:
        """(N, D) unit rows of the embedder with that number."""
        embedder, mirrored = self._embedders[number]
        crops = [embedder.align(face.image, face.detection) for face in seen]
        vectors = np.asarray(embedder.embed(crops), np.float32)
        if mirrored and crops:
            vectors = vectors + embedder.embed([np.ascontiguousarray(crop[:, ::-1]) for crop in crops])
            vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors, np.float32)

    def describe(self, image: ImageBGR) -> NDArray[np.float32] | None:
        """dlib's descriptor of the face in the middle of the picture, found by dlib; None without one."""
        rgb: ImageRGB = np.ascontiguousarray(image[:, :, ::-1])
        boxes = self._dlib.detect_hog(rgb)
        height, width = image.shape[:2]
        middle = min(boxes, key=lambda box: _distance(box, width, height), default=None)
        if middle is None or _distance(middle, width, height) >= _MIDDLE:
            return None
        return np.asarray(self._dlib.embed(rgb, [middle])[0], np.float32)

    def close(self) -> None:
        """Free the models."""
        self._detector.close()
        for embedder, _ in self._embedders:
            embedder.close()


def look_at(
    eyes: Eyes, found: Sequence[tuple[str, Path]], views: Sequence[View], looks: Sequence[int]
) -> dict[tuple[int, str], Rows]:
    """Rows of (digest, picture) pairs by (look number, view name). A file that is no picture has no face."""
    everything = {(look, view.name): Rows() for look in looks for view in views}
    seen: list[list[Seen | None]] = []
    for digest, path in found:
        image = read_picture(path)
        seen.append([None] * len(views) if image is None else eyes.see(image, views, digest))
    for number, view in enumerate(views):
        shown = [row[number] for row in seen]
        faces = [face for face in shown if face is not None]
        for look in looks:
            vectors = iter(eyes.embed(faces, look) if faces else ())
            for (digest, _), face in zip(found, shown, strict=True):
                _append(everything[look, view.name], digest, face, None if face is None else next(vectors))
    return everything


def describe_all(eyes: Eyes, found: Sequence[tuple[str, Path]]) -> Rows:
    """dlib's rows of (digest, picture) pairs; quality is not measured."""
    rows = Rows()
    for digest, path in found:
        image = read_picture(path)
        vector = None if image is None else eyes.describe(image)
        rows.digests.append(digest)
        rows.found.append(vector is not None)
        rows.vectors.append(np.zeros(128, np.float32) if vector is None else vector)
        rows.quality.append((0.0,) * QUALITY_FIELDS)
        rows.box.append((0.0,) * 4)
        rows.score.append(0.0)
    return rows


def read_picture(path: Path) -> ImageBGR | None:
    """The picture, upright and at most 1,600 px a side, or None when the file is none."""
    from homeface.adapters.photos import load_photo

    try:
        return load_photo(path, max_side_px=_MAX_SIDE_PX)
    except ImageError:
        return None


_MAX_SIDE_PX = 1600
_MIDDLE, _LARGE = 0.3, 0.15


def _distance(box: Box, width: int, height: int) -> float:
    """How far the box's centre is from the picture's, in shares of its sides, summed."""
    return abs(box.centre[0] - width / 2) / width + abs(box.centre[1] - height / 2) / height


def central(detections: Sequence[Detection], width: int, height: int) -> Detection | None:
    """Whose picture it is: the face in its middle, or one that is large and alone; None when nobody is."""
    if len(detections) == 1 and detections[0].box.width >= _LARGE * width:
        return detections[0]
    near = [(_distance(d.box, width, height), d) for d in detections]
    near = [(distance, d) for distance, d in near if distance < _MIDDLE]
    return min(near, key=lambda item: item[0] - 0.3 * item[1].box.width / width)[1] if near else None


def _quality(image: ImageBGR, detection: Detection) -> Quality:
    template = template_named("arcface_112")
    patch = cut(image, detection.landmarks, PATCH_PX, template)  # type: ignore[arg-type]
    return assess(detection, patch, (image.shape[1], image.shape[0]))


def _append(rows: Rows, digest: str, face: Seen | None, vector: NDArray[np.float32] | None) -> None:
    rows.digests.append(digest)
    rows.found.append(face is not None)
    if face is None or vector is None:
        rows.vectors.append(np.zeros(0, np.float32))
        rows.quality.append((0.0,) * QUALITY_FIELDS)
        rows.box.append((0.0,) * 4)
        rows.score.append(0.0)
        return
    rows.vectors.append(vector)
    rows.quality.append(quality_numbers(face.quality))
    rows.box.append(tuple(float(value) for value in face.detection.box))
    rows.score.append(float(face.detection.score))


def quality_numbers(quality: Quality) -> tuple[float, ...]:
    """The ``QUALITY_FIELDS`` figures of a quality, to keep; ``faces.judged`` reads them."""
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
