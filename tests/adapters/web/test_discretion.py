"""Guests are told nothing about others, whatever the sentences of the house say."""

from __future__ import annotations

import pytest

from homeface.adapters.web.discretion import feedback_for_guest, person_for_guest, photos_for_guest
from homeface.adapters.web.models_people import (
    PersonDetails,
    PersonFinding,
    PersonHealth,
    PhotosAnswer,
    PhotoVerdict,
    RoundFeedback,
    Template,
)

OTHER = "Bartholomew"


def verdict(key: str, accepted: bool = False) -> PhotoVerdict:
    return PhotoVerdict(
        label="a.jpg", key=key, message=f"Like {OTHER}.", accepted=accepted, used=accepted, template_id=None,
        figures={"score": 0.61}, other=OTHER,
    )  # fmt: skip


def answer(*keys: str) -> PhotosAnswer:
    return PhotosAnswer(
        person_id="p", photos=[verdict(key) for key in keys], notes=[f"A photo of {OTHER} rests now."]
    )


def test_no_other_name_is_in_what_a_guest_sees_of_themselves() -> None:
    findings = [
        PersonFinding(
            key=key,
            sentence=f"{OTHER} too.",
            help=f"Photos of {OTHER}.",
            people=["Guest", OTHER],
            figures={"photos": 2.0, "like_score": 0.61},
        )
        for key in ("no_infrared_photos", "too_alike", "same_picture", "outlier")
    ]
    photo = Template(
        id="t", picture_url=None, quality=None, kind="day", used=True, finding="looks_like", looks_like=OTHER,
        source="photo", created_at=1.0,
    )  # fmt: skip
    person = PersonDetails(
        id="p", name="Guest", aliases=[], photos=1, infrared_photos=0, paused=False, room=None,
        last_seen=None,
        health=PersonHealth(level="fair", findings=findings), picture_url=None, templates=[photo],
    )  # fmt: skip
    told = person_for_guest(person)
    assert OTHER not in told.model_dump_json()
    assert [finding.key for finding in told.health.findings] == ["no_infrared_photos", "outlier"]
    assert told.templates[0].finding == "looks_like"
    assert {tuple(finding.people) for finding in told.health.findings} == {("Guest",)}
    assert told.health.findings[0].figures, "what is about themselves is told with its figures"
    assert not told.health.findings[1].figures, "how like somebody else is nobody's business"


@pytest.mark.parametrize("key", ["looks_like_another", "outlier", "duplicate", "something_new"])
def test_verdicts_about_likeness_keep_the_other_name_to_themselves(key: str) -> None:
    told = photos_for_guest(answer(key))
    assert OTHER not in told.model_dump_json()
    assert told.photos[0].key == key
    assert not told.photos[0].figures
    assert told.photos[0].message


def test_verdicts_about_the_picture_are_told_as_they_are() -> None:
    assert photos_for_guest(answer("low_quality")).photos[0].message == verdict("low_quality").message


def test_the_end_of_a_guided_round_is_as_discreet() -> None:
    feedback = RoundFeedback(
        feedback="done", sentence="Done.", wanted="done", progress=1.0, taken=False, box=None, result=None
    )
    assert feedback_for_guest(feedback) is feedback
    told = feedback_for_guest(feedback.model_copy(update={"result": answer("looks_like_another")}))
    assert OTHER not in told.model_dump_json()
