"""People for rendered scenes, cut out of the test pictures: who, which pictures, and the cut-outs.

Every picture is looked at once by a small detector (YuNet), so that truth boxes fit each picture and pictures
with a second large face are left out. A person's pictures are split for good: some for enrolment, the others
for scenes, whatever the seed.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.support.data import data_dir, weights_dir

MIN_PICTURES = 6
"""Usable pictures a person needs to be enrolled in a scene: half to enrol, half to act."""
MAX_ENROLMENT = 8
_MAX_PICTURES = 40  # more are not looked at: a scene needs no more
_SIZE = 250
_MIN_SCORE = 0.85


@dataclass(frozen=True, slots=True)
class Portrait:
    """One usable picture: its file and the face in it, (x, y, w, h) in pixels of the 250×250 picture."""

    path: Path
    face: tuple[float, float, float, float]

    @property
    def centre(self) -> tuple[float, float]:
        """Centre of the face in the picture."""
        x, y, w, h = self.face
        return x + w / 2, y + h / 2


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """A person cut out: ``bgr`` (h, w, 3) uint8, ``alpha`` (h, w) uint8; the face centre is at ``anchor``."""

    bgr: NDArray[np.uint8]
    alpha: NDArray[np.uint8]
    anchor: tuple[float, float]
    face_size: tuple[float, float]


def people() -> dict[str, int]:
    """Everybody in the test data, with the number of pictures."""
    folder = data_dir() / "lfw" / "images"
    return {person.name: len(list(person.glob("*.jpg"))) for person in sorted(folder.iterdir())}


@functools.cache
def _detector() -> cv2.FaceDetectorYN:
    model = weights_dir() / "detect" / "face_detection_yunet_2023mar.onnx"
    return cv2.FaceDetectorYN.create(str(model), "", (_SIZE, _SIZE), 0.6)


@functools.cache
def portraits(person: str) -> tuple[Portrait, ...]:
    """The person's usable pictures, by file name: one clear, upright, frontal-enough face in the middle."""
    files = sorted((data_dir() / "lfw" / "images" / person).glob("*.jpg"))[:_MAX_PICTURES]
    found = (_portrait(path) for path in files)
    return tuple(portrait for portrait in found if portrait is not None)


def faces_in(image: NDArray[np.uint8]) -> list[tuple[float, float, float, float]]:
    """All faces of a (250, 250, 3) picture that YuNet sees, (x, y, w, h)."""
    found = _detector().detect(image)[1]
    return [] if found is None else [(row[0], row[1], row[2], row[3]) for row in found.tolist()]


def _portrait(path: Path) -> Portrait | None:
    image = cv2.imread(str(path))
    if image is None or image.shape != (_SIZE, _SIZE, 3):
        return None
    faces = _detector().detect(image)[1]
    if faces is None:
        return None
    faces = sorted(faces, key=lambda row: abs(row[0] + row[2] / 2 - _SIZE / 2))
    first = faces[0]
    if first[14] < _MIN_SCORE or _turned(first) or any(row[3] > 0.45 * first[3] for row in faces[1:]):
        return None
    return Portrait(path, (float(first[0]), float(first[1]), float(first[2]), float(first[3])))


def _turned(row: NDArray[np.float32]) -> bool:
    """True for faces turned or tilted so far that no recogniser could be blamed."""
    eyes, nose = row[4:8].reshape(2, 2), row[8:10]
    span = float(np.linalg.norm(eyes[1] - eyes[0]))
    offset = abs(float(nose[0]) - float(eyes[:, 0].mean()))
    return (
        span < 0.3 * float(row[2]) or offset > 0.38 * span or abs(float(eyes[1, 1] - eyes[0, 1])) > 0.4 * span
    )


def enrolment_photos(person: str) -> list[Path]:
    """Photos to enrol this person with; never used in a scene."""
    return [portrait.path for portrait in portraits(person)[::2]][:MAX_ENROLMENT]


def acting_portraits(person: str) -> tuple[Portrait, ...]:
    """The pictures a scene may show of this person; none of them is in ``enrolment_photos``."""
    return portraits(person)[1::2]


Colour = tuple[float, float, float]


@functools.lru_cache(maxsize=256)
def clothes(portrait: Portrait) -> Colour:
    """BGR colour of the clothes in a picture; one visit keeps that of its first picture."""
    image, mask = _picture(portrait), _head_and_shoulders(portrait)
    low = slice(round(0.84 * _SIZE), round(0.97 * _SIZE))
    worn = mask[low].astype(np.float32)
    worn[:, round(0.36 * _SIZE) : round(0.64 * _SIZE)] *= 0.02  # beside the collar and the tie
    weight = worn[..., None] + 1e-3
    blue, green, red = 0.85 * (image[low] * weight).sum((0, 1)) / weight.sum()
    return float(blue), float(green), float(red)


@functools.lru_cache(maxsize=256)
def cut_out(portrait: Portrait, cloth: Colour) -> Cutout:
    """Head and shoulders with soft edges, on a plain body in the colour of the clothes.

    The canvas is 2.8 faces wide and reaches from 1.1 faces above the face centre to 5.5 below it.
    """
    image, mask = _picture(portrait), _head_and_shoulders(portrait)
    face_w, face_h = portrait.face[2:]
    width, above, below = round(2.8 * face_h), round(1.1 * face_h), round(5.5 * face_h)
    centre_x, centre_y = portrait.centre
    canvas, alpha = _body(cloth, face_h, (above + below, width), above)
    shift = np.array([[1, 0, width / 2 - centre_x], [0, 1, above - centre_y]], np.float32)
    size = (width, above + below)
    head = cv2.warpAffine(image, shift, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    head_alpha = cv2.warpAffine(mask, shift, size, flags=cv2.INTER_LINEAR)[..., None].astype(np.float32) / 255
    blended = head * head_alpha + canvas * (1 - head_alpha)
    alpha = np.maximum(alpha, (head_alpha[..., 0] * 255).astype(np.uint8))
    return Cutout(blended.astype(np.uint8), alpha, (width / 2, float(above)), (face_w, face_h))


def _picture(portrait: Portrait) -> NDArray[np.uint8]:
    image = cv2.imread(str(portrait.path))
    if image is None:
        raise FileNotFoundError(portrait.path)
    return image.astype(np.uint8, copy=False)


@functools.lru_cache(maxsize=256)
def _head_and_shoulders(portrait: Portrait) -> NDArray[np.uint8]:
    """Soft alpha (250, 250): GrabCut inside a prior of ellipses, fading out before the picture ends."""
    image = _picture(portrait)
    x, y = (round(value) for value in portrait.centre)
    w, h = portrait.face[2:]
    half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    labels = np.full(half.shape[:2], cv2.GC_BGD, np.uint8)

    def ellipse(dx: float, dy: float, rx: float, ry: float, label: int) -> None:
        centre = (round(x / 2 + dx * h / 2), round(y / 2 + dy * h / 2))
        cv2.ellipse(labels, centre, (round(rx / 2), round(ry / 2)), 0, 0, 360, label, -1)

    ellipse(0, 0.0, 0.95 * w, 0.86 * h, cv2.GC_PR_BGD)
    ellipse(0, 1.25, 1.15 * h, 0.62 * h, cv2.GC_PR_FGD)
    ellipse(0, -0.05, 0.74 * w, 0.72 * h, cv2.GC_PR_FGD)
    ellipse(0, -0.04, 0.54 * w, 0.62 * h, cv2.GC_FGD)
    ellipse(0, 0.95, 0.35 * h, 0.45 * h, cv2.GC_FGD)
    cv2.setRNGSeed(0)
    models = (np.zeros((1, 65)), np.zeros((1, 65)))
    cv2.grabCut(half, labels, None, *models, 3, cv2.GC_INIT_WITH_MASK)
    solid = np.where((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD), 255, 0).astype(np.uint8)
    solid = cv2.morphologyEx(solid, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    solid = cv2.resize(solid, (_SIZE, _SIZE), interpolation=cv2.INTER_LINEAR)
    soft = cv2.GaussianBlur(solid, (0, 0), 3.0).astype(np.float32)
    ramp = np.ones(_SIZE, np.float32)
    edge = round(0.14 * _SIZE)
    ramp[:6], ramp[-6:] = 0, 0
    ramp[6 : 6 + edge] = np.linspace(0, 1, edge)
    down = np.ones(_SIZE, np.float32)
    down[-edge:] = np.linspace(1, 0, edge)
    sides = np.minimum(ramp, ramp[::-1])
    return (soft * sides[None, :] * down[:, None]).astype(np.uint8)


def _body(
    cloth: Colour, face_h: float, shape: tuple[int, int], centre_row: int
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """A plain body below the head: colours (h, w, 3) float32 and alpha (h, w) uint8."""
    height, width = shape
    shade = np.linspace(1.0, 0.72, height, dtype=np.float32)[:, None, None]
    fold = 1 + 0.07 * np.sin(np.linspace(0, 5 * np.pi, width, dtype=np.float32))[None, :, None]
    colours = np.broadcast_to(np.array(cloth, np.float32), (height, width, 3)) * shade * fold
    legs = centre_row + round(3.1 * face_h)
    colours[legs:] = colours[legs:] * 0.35 + 14
    points = [
        (0.24, 0.5),
        (0.42, 0.78),
        (0.92, 1.02),
        (1.06, 1.3),
        (1.12, 2.9),
        (0.92, 3.1),
        (0.72, 3.12),
        (0.62, 5.3),
    ]
    right = [(width / 2 + dx * face_h, centre_row + dy * face_h) for dx, dy in points]
    left = [(width - px, py) for px, py in reversed(right)]
    alpha = np.zeros(shape, np.uint8)
    cv2.fillPoly(alpha, [np.array(right + left, np.int32)], 255)
    return np.clip(colours, 0, 255), cv2.GaussianBlur(alpha, (0, 0), 0.025 * face_h)
