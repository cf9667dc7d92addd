"""What a guest is told: an invite or a personal link shows nobody but its person, not even another's name."""

from __future__ import annotations

from types import MappingProxyType

from homeface.adapters.web.models_people import PersonDetails, PhotosAnswer, PhotoVerdict, RoundFeedback

_ABOUT_TWO = frozenset({"too_alike", "same_picture"})
"""Findings that are about more than one person."""
_OF_LIKENESS = frozenset({"outlier"})
"""Findings whose figures may be about somebody else."""
_ABOUT_THE_PICTURE = frozenset(
    {"accepted", "enough", "no_face", "several_faces", "low_quality", "unreadable", "picture", "too_large"}
)
"""Verdicts whose sentences speak of the picture alone."""
_SENTENCES = MappingProxyType(
    {
        "looks_like_another": "This face looks like somebody else who is enrolled.",
        "outlier": "This face does not fit the other photos.",
        "duplicate": "This photo is already there; it was not stored twice.",
    }
)
_NOT_TAKEN = "This photo was not taken."


def person_for_guest(person: PersonDetails) -> PersonDetails:
    """The same without what names others: findings keep key and figures, likeness keeps no name."""
    findings = [
        finding.model_copy(
            update={
                "sentence": "",
                "help": "",
                "people": [person.name],
                "figures": {} if finding.key in _OF_LIKENESS else finding.figures,
            }
        )
        for finding in person.health.findings
        if finding.key not in _ABOUT_TWO
    ]
    return person.model_copy(
        update={
            "health": person.health.model_copy(update={"findings": findings}),
            "templates": [photo.model_copy(update={"looks_like": None}) for photo in person.templates],
        }
    )


def photos_for_guest(answer: PhotosAnswer) -> PhotosAnswer:
    """Verdicts without names, and no notes about earlier photos."""
    return answer.model_copy(update={"photos": [_verdict(photo) for photo in answer.photos], "notes": []})


def feedback_for_guest(feedback: RoundFeedback) -> RoundFeedback:
    """Of a guided round: its result as for photos."""
    if feedback.result is None:
        return feedback
    return feedback.model_copy(update={"result": photos_for_guest(feedback.result)})


def _verdict(photo: PhotoVerdict) -> PhotoVerdict:
    if photo.key in _ABOUT_THE_PICTURE:
        return photo
    told: dict[str, object] = {"message": _SENTENCES.get(photo.key, _NOT_TAKEN), "figures": {}, "other": None}
    return photo.model_copy(update=told)
