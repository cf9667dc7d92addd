"""The guided round: from what a camera shows now to what to say to the person, and when to take a picture.

Pure: the time is an argument, pictures stay outside. A round is a value; each look and each shot gives the
next one. Poses are told against the person's own frontal pose, since five landmarks know proportions of the
average face only. Glasses and a smile cannot be seen in landmarks (those of the mouth hardly move when
somebody smiles; tests/accuracy measures it): they are asked for and taken after a moment, or skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from homeface.core.quality import ENROLMENT_LIMITS, QualityLimits, judge
from homeface.core.types import Box, Quality, Reason, Vector


class Wanted(StrEnum):
    """What the round wants to see next. Keys are part of the API."""

    FRONT = "front"
    LEFT = "left"
    RIGHT = "right"
    UP = "up"
    DOWN = "down"
    GLASSES = "glasses"
    SMILE = "smile"
    DONE = "done"


STEPS = tuple(step for step in Wanted if step is not Wanted.DONE)


class Say(StrEnum):
    """What to tell the person. Keys are part of the API."""

    NO_FACE = "no_face"
    ONE_FACE_ONLY = "one_face_only"
    CLOSER = "closer"
    FARTHER = "farther"
    CENTRE = "centre"
    MORE_LIGHT = "more_light"
    LESS_LIGHT = "less_light"
    HOLD_STILL = "hold_still"
    HEAD_UPRIGHT = "head_upright"
    LOOK_STRAIGHT = "look_straight"
    TURN_LEFT = "turn_left"
    TURN_RIGHT = "turn_right"
    LOOK_UP = "look_up"
    LOOK_DOWN = "look_down"
    TURN_LESS = "turn_less"
    SAME_PERSON = "same_person"
    GOOD = "good"
    TAKEN = "taken"
    DONE = "done"


SENTENCES = MappingProxyType(
    {
        Say.NO_FACE: "Put your face into the oval.",
        Say.ONE_FACE_ONLY: "One face only, please.",
        Say.CLOSER: "Come closer.",
        Say.FARTHER: "A little farther away.",
        Say.CENTRE: "Move into the middle.",
        Say.MORE_LIGHT: "More light, please: turn towards a window or a lamp.",
        Say.LESS_LIGHT: "Too bright: turn away from the light.",
        Say.HOLD_STILL: "Hold still.",
        Say.HEAD_UPRIGHT: "Keep the head upright.",
        Say.LOOK_STRAIGHT: "Look straight into the camera.",
        Say.TURN_LEFT: "Turn your head to the left.",
        Say.TURN_RIGHT: "Turn your head to the right.",
        Say.LOOK_UP: "Lift your chin a little.",
        Say.LOOK_DOWN: "Lower your chin a little.",
        Say.TURN_LESS: "Not quite so far.",
        Say.SAME_PERSON: "This looks like somebody else: the same person throughout, please.",
        Say.GOOD: "Good, stay like this.",
        Say.TAKEN: "Got it!",
        Say.DONE: "Done. Thank you!",
    }
)


class SeenFace(NamedTuple):
    """A face in the frame: box in pixels, and its quality."""

    box: Box
    quality: Quality


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundLimits:
    """When a picture is good enough. Angles in degrees, times in seconds, sizes in shares of the frame.

    ``face_share``: least and largest side of the face in the frame's shorter side; ``off_centre``: most
    distance of its middle from the frame's, in either direction; ``dominance``: as in ``EnrolmentPolicy``.
    ``aside``/``tilted``: least turn from the frontal pose for left and right, up and down. ``straight``: most
    of either in the frontal pose, around ``usual_pitch`` (tests/accuracy/test_unknown_visits.py measures it).
    ``holding``: how long a pose must last; ``glasses``/``smiling``: how long somebody is given for those.
    """

    quality: QualityLimits = ENROLMENT_LIMITS
    face_share: tuple[float, float] = (0.22, 0.85)
    off_centre: float = 0.28
    dominance: float = 4.0
    straight: float = 11.0
    usual_pitch: float = 9.0
    aside: float = 13.0
    tilted: float = 6.0
    holding: float = 0.3
    glasses: float = 4.0
    smiling: float = 2.0


@dataclass(frozen=True, slots=True)
class Feedback:
    """What to show now. ``ready``: this very frame is good enough to be taken. ``box``: in 0..1 of the frame.

    ``progress`` 0..1 never falls within a round.
    """

    say: Say
    wanted: Wanted
    progress: float
    ready: bool = False
    taken: bool = False
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class GuidedRound:
    """A round so far. ``agreement``: least cosine of a shot with the mean of those before it."""

    agreement: float
    limits: RoundLimits = field(default_factory=RoundLimits)
    steps: tuple[Wanted, ...] = STEPS
    position: int = 0
    good_since: float | None = None
    straight_pose: tuple[float, float] | None = None
    vectors: tuple[Vector, ...] = field(default=(), repr=False)

    @property
    def wanted(self) -> Wanted:
        """The present step."""
        return self.steps[self.position] if self.position < len(self.steps) else Wanted.DONE

    @property
    def progress(self) -> float:
        """Share of the steps that are behind us."""
        return self.position / len(self.steps) if self.steps else 1.0

    def told(self, say: Say, *, box: Box | None = None, ready: bool = False, taken: bool = False) -> Feedback:
        """Feedback about the present step."""
        return Feedback(say, self.wanted, self.progress, ready, taken, box)

    def look(
        self, faces: Sequence[SeenFace], frame_size: tuple[int, int], now: float
    ) -> tuple[GuidedRound, Feedback]:
        """What to say about a frame of (width, height) pixels. Nothing is taken here; see ``shoot``."""
        if self.wanted is Wanted.DONE:
            return self, self.told(Say.DONE)
        face = _meant(faces, self.limits.dominance)
        if isinstance(face, Say):
            return replace(self, good_since=None), self.told(face)
        box = _share(face.box, frame_size)
        say = self._fault(face, frame_size)
        if say is not None:
            return replace(self, good_since=None), self.told(say, box=box)
        since = now if self.good_since is None else min(self.good_since, now)
        after = replace(self, good_since=since)
        if now - since < self._patience():
            return after, after.told(Say.GOOD, box=box)
        return after, after.told(Say.GOOD, box=box, ready=True)

    def shoot(self, vector: Vector, quality: Quality) -> tuple[GuidedRound, Feedback]:
        """Take the picture that ``look`` called ready, whose embedding is ``vector`` (D,): or say why not."""
        if self.wanted is Wanted.DONE:
            return self, self.told(Say.DONE)
        if self.vectors:
            mean = np.mean(np.stack(self.vectors), axis=0)
            length = float(np.linalg.norm(mean))
            if length <= 0 or float(mean @ vector) / length < self.agreement:
                return replace(self, good_since=None), self.told(Say.SAME_PERSON)
        pose = (quality.yaw, quality.pitch) if self.wanted is Wanted.FRONT else self.straight_pose
        after = replace(
            self._next(), vectors=(*self.vectors, np.asarray(vector, np.float32)), straight_pose=pose
        )
        return after, after.told(Say.DONE if after.wanted is Wanted.DONE else Say.TAKEN, taken=True)

    def skip(self) -> tuple[GuidedRound, Feedback]:
        """Go on without a picture of this step."""
        after = self._next()
        if after.wanted is Wanted.DONE:
            return after, after.told(Say.DONE)
        return after, after.told(_INVITATION[after.wanted])

    def _next(self) -> GuidedRound:
        return replace(self, position=min(len(self.steps), self.position + 1), good_since=None)

    def _patience(self) -> float:
        match self.wanted:
            case Wanted.GLASSES:
                return self.limits.glasses
            case Wanted.SMILE:
                return self.limits.smiling
            case _:
                return self.limits.holding

    def _fault(self, face: SeenFace, frame_size: tuple[int, int]) -> Say | None:
        """What is wrong with the face for this step, the most obvious first."""
        quality = judge(face.quality, self.limits.quality)
        framing = _framing_fault(face.box, quality, frame_size, self.limits)
        if framing is not None:
            return framing
        if {Reason.TOO_DARK, Reason.LOW_CONTRAST} & set(quality.reasons):
            return Say.MORE_LIGHT
        if Reason.TOO_BRIGHT in quality.reasons:
            return Say.LESS_LIGHT
        pose = self._pose_fault(quality)
        if pose is not None:
            return pose
        return None if quality.usable else Say.HOLD_STILL  # blurred, or hardly seen as a face

    def _pose_fault(self, quality: Quality) -> Say | None:
        limits, most = self.limits, self.limits.quality
        if abs(quality.roll) > most.max_roll:
            return Say.HEAD_UPRIGHT
        yaw0, pitch0 = self.straight_pose or (0.0, limits.usual_pitch)
        yaw, pitch = quality.yaw - yaw0, quality.pitch - pitch0
        too_far = abs(quality.yaw) > most.max_yaw or abs(quality.pitch) > most.max_pitch
        wanted = _POSES.get(self.wanted)
        if wanted is None:
            straight = abs(yaw) <= limits.straight and abs(pitch) <= limits.straight
            return None if straight and not too_far else Say.LOOK_STRAIGHT
        turned, say = wanted(yaw, pitch, limits)
        if not turned:
            return say
        return Say.TURN_LESS if too_far else None


_Pose = Callable[[float, float, RoundLimits], tuple[bool, Say]]

# In a picture that is not mirrored, whoever turns to their own left shows the nose on the picture's right.
_POSES: MappingProxyType[Wanted, _Pose] = MappingProxyType(
    {
        Wanted.LEFT: lambda yaw, _pitch, limits: (yaw >= limits.aside, Say.TURN_LEFT),
        Wanted.RIGHT: lambda yaw, _pitch, limits: (yaw <= -limits.aside, Say.TURN_RIGHT),
        Wanted.UP: lambda _yaw, pitch, limits: (pitch <= -limits.tilted, Say.LOOK_UP),
        Wanted.DOWN: lambda _yaw, pitch, limits: (pitch >= limits.tilted, Say.LOOK_DOWN),
    }
)
_INVITATION = MappingProxyType(
    {
        Wanted.FRONT: Say.LOOK_STRAIGHT,
        Wanted.LEFT: Say.TURN_LEFT,
        Wanted.RIGHT: Say.TURN_RIGHT,
        Wanted.UP: Say.LOOK_UP,
        Wanted.DOWN: Say.LOOK_DOWN,
        Wanted.GLASSES: Say.LOOK_STRAIGHT,
        Wanted.SMILE: Say.LOOK_STRAIGHT,
    }
)


def _meant(faces: Sequence[SeenFace], dominance: float) -> SeenFace | Say:
    """The one face that is meant, or what to say when there is none or more than one."""
    sure = [face for face in faces if Reason.UNSURE_DETECTION not in face.quality.reasons] or list(faces)
    if not sure:
        return Say.NO_FACE
    ordered = sorted(sure, key=lambda face: face.box.area, reverse=True)
    if len(ordered) > 1 and ordered[0].box.area < dominance * ordered[1].box.area:
        return Say.ONE_FACE_ONLY
    return ordered[0]


def _framing_fault(
    box: Box, quality: Quality, frame_size: tuple[int, int], limits: RoundLimits
) -> Say | None:
    """Whether the face is too small, too large or too far aside in the frame."""
    width, height = (max(1, side) for side in frame_size)
    share = max(box.width, box.height) / min(width, height)
    if share < limits.face_share[0] or Reason.TOO_SMALL in quality.reasons:
        return Say.CLOSER
    if share > limits.face_share[1]:
        return Say.FARTHER
    x, y = box.centre
    off = max(abs(x / width - 0.5), abs(y / height - 0.5))
    return Say.CENTRE if off > limits.off_centre or Reason.CUT_OFF in quality.reasons else None


def _share(box: Box, frame_size: tuple[int, int]) -> Box:
    width, height = (max(1, side) for side in frame_size)
    values = (box.x1 / width, box.y1 / height, box.x2 / width, box.y2 / height)
    return Box(*(min(1.0, max(0.0, value)) for value in values))
