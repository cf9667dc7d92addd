"""Is this photo fit to teach us a person: one face, good enough, agreeing with the person's other photos.

Better no template than a wrong one: a bad photo poisons every later answer about a person. What is
refused is told with a reason and costs nothing that was stored before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from homeface.core.calibration import Calibration, threshold_for
from homeface.core.gallery import Gallery
from homeface.core.quality import ENROLMENT_LIMITS, QualityLimits, judge
from homeface.core.templates import SAME_PICTURE
from homeface.core.types import Face, Quality, Reason, Vector
from homeface.errors import (
    EnrolmentError,
    LooksLikeAnotherError,
    LowQualityError,
    NoFaceError,
    OutlierError,
    SeveralFacesError,
)

ACCEPTED = "accepted"
DUPLICATE = "duplicate"
ENOUGH = "enough"
_STRANGERS_STOPPED = 0.003


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentPolicy:
    """What a photo must be. Scores are cosine similarities of the embedding model in use.

    ``dominance``: with several faces, the largest is meant if its area is so many times the next one's
    (people in the background); otherwise nobody can know who is meant. ``same_photo``: above this two
    photos are one and the same, or one saved again. ``agreement``: least median similarity with the person's
    other photos. ``another``: a photo that is so similar to somebody else, and not more similar to the
    person's own stored photos, is refused, unless ``allow_lookalikes`` (twins). ``most``: photos kept of one
    person; a few dozen are compared with, and whoever has a link could send more and more (what the figures
    of a household cost grows by the square of their number).

    The defaults are for FaceNet (VGGFace2), measured on 60 people of LFW with three stored photos each:
    ``agreement`` 0.40 refuses 1.8 % of a person's own photos and lets 1.3 % of strangers' pass; ``another``
    0.55 finds 97 % of photos of somebody already enrolled and stops 0.3 % of strangers' for each subject.
    """

    limits: QualityLimits = ENROLMENT_LIMITS
    dominance: float = 4.0
    same_photo: float = SAME_PICTURE
    agreement: float = 0.40
    another: float = 0.55
    allow_lookalikes: bool = False
    most: int = 300


def policy_for_enrolment(calibration: Calibration, *, allow_lookalikes: bool = False) -> EnrolmentPolicy:
    """The limits for another model than FaceNet: those that the same share of strangers reaches."""
    return EnrolmentPolicy(
        agreement=calibration.support,
        another=max(calibration.support, threshold_for(calibration.single, _STRANGERS_STOPPED)),
        allow_lookalikes=allow_lookalikes,
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one photo. ``key`` is machine-readable: ``accepted``, ``duplicate`` or an error's key.

    ``message`` is a sentence for people; ``error`` is what was wrong, None for accepted and duplicate.
    ``reasons`` and ``figures`` are what the sentence is made of, ``other`` the name of whom it looks like:
    for those who say it in another language.
    """

    key: str
    message: str
    error: EnrolmentError | None = None
    reasons: tuple[str, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
    other: str = ""

    @property
    def accepted(self) -> bool:
        """True when the photo may be stored."""
        return self.key == ACCEPTED


_FINE = Verdict(ACCEPTED, "Accepted.")
_NO_MORE = Verdict(
    ENOUGH, "There are so many photos of this person that more teach nothing: remove some of them first."
)
RESTS = Verdict(
    ACCEPTED,
    "Accepted, and kept in reserve: the photos in use differ more from each other than this one does.",
    reasons=("rests",),
)
SET_ASIDE = Verdict(
    ACCEPTED,
    "Accepted, but not used: it does not look like the person's other photos (homeface people health).",
    reasons=("set_aside",),
)

_WORDS = {
    Reason.TOO_SMALL: "the face is too small: come nearer, or crop less",
    Reason.BLURRED: "the face is blurred: hold still and let the camera focus",
    Reason.TURNED_AWAY: "the head is turned away: look into the camera",
    Reason.TOO_DARK: "the face is too dark: turn towards the light",
    Reason.TOO_BRIGHT: "the face is too bright: avoid direct light",
    Reason.LOW_CONTRAST: "the face has hardly any contrast: use more even, brighter light",
    Reason.CUT_OFF: "the face is cut off by the edge of the picture: use one with the whole head in it",
    Reason.UNSURE_DETECTION: "it is hardly recognisable as a face: uncover it and look into the camera",
}


def refused(error: EnrolmentError) -> Verdict:
    """The verdict for a photo that raised ``error``."""
    return Verdict(error.key, str(error), error, reasons=getattr(error, "reasons", ()))


def poor(reasons: Sequence[Reason]) -> LowQualityError:
    """What is wrong with a face that fails the limits for these reasons."""
    return LowQualityError(in_words(reasons), reasons=reasons)


def in_words(reasons: Sequence[Reason]) -> str:
    """Reasons as one sentence that says what to do."""
    text = "; ".join(_WORDS.get(reason, str(reason).replace("_", " ")) for reason in reasons)
    return f"{text[:1].upper()}{text[1:]}."


def choose_face(faces: Sequence[Face], policy: EnrolmentPolicy) -> tuple[Face, Quality]:
    """The face that is meant in a photo, and its quality under the enrolment limits.

    Raises NoFaceError, SeveralFacesError or LowQualityError.
    """
    if not faces:
        raise NoFaceError("No face was found. Take a photo of the face from the front, in good light.")
    # a doubtful detection (a pattern on a shirt) is nobody's rival, but may be all there is
    sure = [face for face in faces if Reason.UNSURE_DETECTION not in face.quality.reasons] or list(faces)
    ordered = sorted(sure, key=lambda face: face.detection.box.area, reverse=True)
    if len(ordered) > 1:
        first, second = (face.detection.box.area for face in ordered[:2])
        if first < policy.dominance * second:
            raise SeveralFacesError(
                f"{len(ordered)} faces were found, and it is not clear whose photo this is. "
                "Use a photo of one person, or cut the others off."
            )
    chosen = ordered[0]
    quality = judge(chosen.quality, policy.limits)
    if not quality.usable:
        raise poor(quality.reasons)
    return chosen, quality


def examine(
    vectors: Sequence[Vector], gallery: Gallery, subject_id: str | None, policy: EnrolmentPolicy
) -> list[Verdict]:
    """A verdict for each new photo of one person, independent of their order but for duplicates.

    ``vectors``: (D,) unit vectors of the gallery's model. ``subject_id`` None: a person not enrolled yet.
    """
    own = [template.vector for template in gallery.templates if template.subject_id == subject_id]
    verdicts: list[Verdict | None] = _duplicates(vectors, own, policy)
    for index, vector in enumerate(vectors):
        if verdicts[index] is None:
            verdicts[index] = _like_another(vector, gallery, subject_id, policy)
    open_ones = [index for index, verdict in enumerate(verdicts) if verdict is None]
    candidates = [vectors[index] for index in open_ones]
    found = _against_own(candidates, own, policy) if own else _among_themselves(candidates, policy)
    for index, verdict in zip(open_ones, found, strict=True):
        verdicts[index] = verdict
    kept = sum(t.subject_id == subject_id and not t.adapted for t in gallery.templates)
    return _within(policy.most - kept, [verdict or _FINE for verdict in verdicts])


def _within(room: int, verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The first so many that are accepted stay so."""
    told: list[Verdict] = []
    for verdict in verdicts:
        room -= verdict.accepted
        told.append(verdict if room >= 0 or not verdict.accepted else _NO_MORE)
    return told


def _duplicates(
    vectors: Sequence[Vector], own: Sequence[Vector], policy: EnrolmentPolicy
) -> list[Verdict | None]:
    kept = list(own)
    verdicts: list[Verdict | None] = []
    for vector in vectors:
        if kept and max(float(other @ vector) for other in kept) > policy.same_photo:
            verdicts.append(Verdict(DUPLICATE, "This photo is already there; it was not stored twice."))
        else:
            verdicts.append(None)
            kept.append(vector)
    return verdicts


def _like_another(
    vector: Vector, gallery: Gallery, subject_id: str | None, policy: EnrolmentPolicy
) -> Verdict | None:
    if policy.allow_lookalikes:
        return None
    scores = {candidate.subject_id: candidate.score for candidate in gallery.scores(vector)}
    own = scores.pop(subject_id, None) if subject_id else None
    if not scores:
        return None
    other = max(scores, key=lambda key: scores[key])
    if scores[other] < policy.another or (own is not None and own > scores[other]):
        return None
    name = gallery.name(other)
    found = refused(
        LooksLikeAnotherError(
            f"This looks like {name}, who is already enrolled (score {scores[other]:.2f}). If it is {name}, "
            f"enrol the photo under that name; if they are two people who look alike, allow lookalikes.",
            other=other,
        )
    )
    return replace(found, other=name, figures={"score": scores[other]})


def _against_own(
    vectors: Sequence[Vector], own: Sequence[Vector], policy: EnrolmentPolicy
) -> list[Verdict | None]:
    """Stored photos are trusted: they, not the other new ones, say who the person is.

    So a whole heap of photos of somebody else, given under this name by mistake, is refused.
    """
    stored = np.stack(own)
    verdicts: list[Verdict | None] = []
    for vector in vectors:
        median = float(np.median(stored @ vector))
        if median >= policy.agreement:
            verdicts.append(None)
            continue
        error = OutlierError(
            f"This does not look like the person's {len(own)} stored photos (similarity {median:.2f}, "
            f"{policy.agreement:.2f} is needed). Is it somebody else? If not, try another photo, or remove "
            "the person and enrol anew."
        )
        figures = {"photos": len(own), "similarity": median, "needed": policy.agreement}
        verdicts.append(replace(refused(error), figures=figures))
    return verdicts


def _among_themselves(vectors: Sequence[Vector], policy: EnrolmentPolicy) -> list[Verdict | None]:
    """With nothing stored yet, the majority says who the person is, and the odd ones out are refused.

    Where there is no majority (two photos that differ, two and two) nobody can know: all are refused.
    """
    count = len(vectors)
    if count < 2:
        return [None] * count
    stacked = np.stack(vectors)
    kept = _agreeing(stacked @ stacked.T, policy.agreement)
    if 2 * len(kept) <= count:
        error = OutlierError(
            f"These {count} photos do not show one and the same person. Take out those of somebody else, "
            "or add more photos of the right person, so that it can be told which ones are wrong."
        )
        return [refused(error)] * count
    odd = OutlierError(
        f"This does not look like the other {len(kept)} photos. Is it somebody else? If not, try another one."
    )
    return [None if index in kept else refused(odd) for index in range(count)]


def _agreeing(similarity: NDArray[np.float32], agreement: float) -> set[int]:
    """Photos left when the worst is taken out until each one's median similarity with the rest is enough."""
    kept = list(range(len(similarity)))
    while len(kept) > 1:
        medians = []
        for index in kept:
            others = [other for other in kept if other != index]
            medians.append(float(np.median(similarity[index, others])))
        worst = int(np.argmin(medians))
        if medians[worst] >= agreement:
            break
        del kept[worst]
    return set(kept)
