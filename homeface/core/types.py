"""The values that walk through the house, from a frame to a sighting.

Units: pixels in the full frame, seconds since the Unix epoch (``captured_at`` and ``now`` are
wall-clock times), scores are cosine similarities. Cameras deliver BGR; models take RGB; the turn is
made where a crop is cut (``homeface.inference.alignment``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from homeface.core.thumbnail import thumbnail

ImageBGR: TypeAlias = NDArray[np.uint8]
"""(height, width, 3), blue first."""
ImageRGB: TypeAlias = NDArray[np.uint8]
"""(height, width, 3), red first."""
Grey: TypeAlias = NDArray[np.uint8]
"""(height, width), 0 dark, 255 bright."""
Vector: TypeAlias = NDArray[np.float32]
"""(dimension,), unit length."""
Landmarks: TypeAlias = NDArray[np.float32]
"""(5, 2) pixels: eye, eye, nose, mouth corner, mouth corner; the picture's left one of each pair first."""


class Box(NamedTuple):
    """A rectangle in pixels of the full frame, corners included in x1 ≤ x < x2, y1 ≤ y < y2."""

    x1: float
    y1: float
    x2: float
    y2: float

    @property
    def width(self) -> float:
        """Width in pixels, never negative."""
        return max(0.0, self.x2 - self.x1)

    @property
    def height(self) -> float:
        """Height in pixels, never negative."""
        return max(0.0, self.y2 - self.y1)

    @property
    def area(self) -> float:
        """Area in square pixels."""
        return self.width * self.height

    @property
    def centre(self) -> tuple[float, float]:
        """Centre (x, y) in pixels."""
        return (self.x1 + self.x2) / 2, (self.y1 + self.y2) / 2


class Picture(Protocol):
    """What a camera saw, in whatever form it arrived. Usable from any thread, also after the camera closed.

    ``grey`` is nearly free; ``bgr`` costs milliseconds for a large picture and is done once, by the first
    caller, in the caller's thread (the device thread, not the event loop).
    """

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels of what ``bgr`` gives; known without converting anything."""

    def grey(self, height: int, width: int) -> Grey:
        """(h, w) uint8 of about that size, upright; only good for seeing what changes between pictures.

        The same picture gives the same values whether or not ``bgr`` was called before.
        """

    def bgr(self) -> ImageBGR:
        """(height, width, 3) uint8; the same array each time. Nobody writes into it."""


@dataclass(frozen=True, slots=True, eq=False)
class ArrayPicture:
    """A picture that already is an array: photos, tests, cameras that deliver BGR."""

    image: ImageBGR

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.image.shape[0], self.image.shape[1]

    def grey(self, height: int, width: int) -> Grey:
        """Green, the channel nearest to luma."""
        return thumbnail(self.image[:, :, 1], height, width)

    def bgr(self) -> ImageBGR:
        """The array itself."""
        return self.image


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of one camera. ``captured_at`` is when it was taken, not when it was processed."""

    camera: str
    index: int
    captured_at: float
    picture: Picture

    @property
    def image(self) -> ImageBGR:
        """The picture as BGR; the first call converts it (see ``Picture.bgr``)."""
        return self.picture.bgr()


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """A face found in one frame."""

    box: Box
    score: float
    landmarks: Landmarks


class Reason(StrEnum):
    """Why a face is not good enough, or why a track got no name. Keys are part of the MQTT contract."""

    # about one face
    TOO_SMALL = "too_small"
    BLURRED = "blurred"
    TURNED_AWAY = "turned_away"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    LOW_CONTRAST = "low_contrast"
    CUT_OFF = "cut_off"
    UNSURE_DETECTION = "unsure_detection"
    # about a track
    NO_USABLE_FACE = "no_usable_face"
    TOO_FEW_FACES = "too_few_faces"
    BELOW_THRESHOLD = "below_threshold"
    RUNNER_UP_TOO_CLOSE = "runner_up_too_close"
    FACES_DISAGREE = "faces_disagree"
    EMPTY_GALLERY = "empty_gallery"
    SECOND_OPINION = "second_opinion"


@dataclass(frozen=True, slots=True)
class Quality:
    """What one face is worth. ``reasons`` is empty when the face may be used for recognition.

    ``interocular_px`` distance of the eyes in the full frame; ``sharpness`` ≥ 0, larger is sharper;
    ``yaw``/``pitch``/``roll`` estimated degrees (0 = frontal); ``brightness``/``contrast`` mean and
    standard deviation of luma in 0..255; ``infrared`` True when the picture carries no colour;
    ``score`` overall worth in 0..1, used as weight.
    """

    interocular_px: float
    sharpness: float
    yaw: float
    pitch: float
    roll: float
    brightness: float
    contrast: float
    infrared: bool
    score: float
    reasons: tuple[Reason, ...] = ()

    @property
    def usable(self) -> bool:
        """True when nothing speaks against using this face for recognition."""
        return not self.reasons


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """A detection that was looked at: its quality, and the crop the embedder wants.

    ``crop`` is (h, w, 3) RGB uint8, aligned as the embedder asks.
    """

    detection: Detection
    quality: Quality
    crop: ImageRGB


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """One face as a unit vector of one model. Vectors of different models are never compared."""

    vector: Vector
    model_id: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A ranked hit of an identification: subject and score (cosine similarity)."""

    subject_id: str
    score: float


@dataclass(frozen=True, slots=True)
class Identified:
    """The track is this subject. ``margin`` is the lead over the runner-up, ``votes`` the faces behind it."""

    subject_id: str
    score: float
    margin: float
    votes: int
    candidates: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True)
class Unknown:
    """The track has been looked at well enough, and is nobody we may name. A value, not an error."""

    reasons: tuple[Reason, ...]
    votes: int = 0
    candidates: tuple[Candidate, ...] = ()

    @property
    def score(self) -> float | None:
        """Score of the best candidate, if there was any."""
        return self.candidates[0].score if self.candidates else None


@dataclass(frozen=True, slots=True)
class Undecided:
    """Not enough has been seen yet to say a name or to say unknown."""

    reasons: tuple[Reason, ...] = ()
    votes: int = 0
    candidates: tuple[Candidate, ...] = ()


Decision: TypeAlias = Identified | Unknown | Undecided


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """One face of a visit that was named so surely that the person may be known by it from now on."""

    subject_id: str
    embedding: Embedding
    quality: Quality
    visit_id: str
    seen_at: float


@dataclass(frozen=True, slots=True, eq=False)
class KeptFace:
    """A face of a visit with its surroundings. ``picture`` (h, w, 3) BGR; box and landmarks in its pixels."""

    picture: ImageBGR
    box: Box
    landmarks: Landmarks
    quality: Quality
    embedding: Embedding
    seen_at: float


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one track says now: who, where, when, how sure.

    ``visit_id`` is unique over restarts; ``ended`` marks the last sighting of a visit (the decision
    is then never Undecided: a visit that stayed undecided ends as Unknown with its reasons).
    ``lesson``: what this visit may teach about the person, where that is wanted; never published.
    ``faces``: the best few of a visit that ended without a name, where they are wanted; never published.
    ``captured_at`` belongs to the newest frame in which the track was seen.
    """

    room: str
    camera: str
    visit_id: str
    first_seen: float
    captured_at: float
    decision: Decision
    box: Box
    quality: Quality | None = None
    ended: bool = False
    lesson: Lesson | None = field(default=None, repr=False)
    faces: tuple[KeptFace, ...] = field(default=(), repr=False)
