"""Real faces: a photo of somebody else is found, look-alikes are told, and sound families are left alone."""

from __future__ import annotations

import numpy as np
import pytest

from homeface.core.calibration import STRICTNESS, policy_for
from homeface.core.gallery import Gallery, Subject, Template
from homeface.core.health import Asked, examine_health
from homeface.core.health_findings import Topic, findings
from homeface.core.templates import chosen_gallery, limits_for, outliers
from homeface.inference.calibration import calibration_for
from homeface.lab.evaluation.faces import FaceSet
from homeface.lab.evaluation.household import enrollable
from tests.accuracy.conftest import EMBEDDERS
from tests.support.data import requires_data

pytestmark = [pytest.mark.accuracy, pytest.mark.slow, requires_data, pytest.mark.timeout(240)]


def photos_of(faces: FaceSet, least: int) -> dict[int, list[int]]:
    """Rows of enrolment photos of each person who has that many."""
    good = np.flatnonzero(enrollable(faces))
    rows = {int(p): [int(r) for r in good[faces.person[good] == p]] for p in np.unique(faces.person[good])}
    return {person: own for person, own in rows.items() if len(own) >= least}


def gallery_of(faces: FaceSet, people: dict[str, list[int]]) -> Gallery:
    templates = [
        Template(f"{row:05d}", name, faces.vectors[row], faces.model_id, quality=faces.qualities[row].score)
        for name, rows in people.items()
        for row in rows
    ]
    return Gallery([Subject(name, name) for name in people], templates, faces.model_id)


@pytest.mark.parametrize(("embedder", "share"), [("mobilefacenet", 0.97), ("facenet_vggface2", 0.8)])
def test_somebody_elses_photo_among_six_is_found(
    face_sets: dict[str, FaceSet], embedder: str, share: float
) -> None:
    faces = face_sets[embedder]
    limits = limits_for(calibration_for(faces.model_id))
    members = photos_of(faces, 6)
    strangers = [rows[0] for person, rows in photos_of(faces, 1).items() if person not in members]
    assert len(members) >= 4
    assert len(strangers) >= 15
    found = tried = 0
    false: set[str] = set()
    for own in members.values():
        for stranger in strangers:
            told = {o.template_id for o in outliers(gallery_of(faces, {"a": [*own[:5], stranger]}), limits)}
            found += f"{stranger:05d}" in told
            false |= told - {f"{stranger:05d}"}
            tried += 1
    assert found >= share * tried
    assert len(false) <= 2  # of five own photos of each member


@pytest.mark.parametrize("embedder", EMBEDDERS)
def test_members_photos_mixed_up_are_told_by_name(face_sets: dict[str, FaceSet], embedder: str) -> None:
    faces = face_sets[embedder]
    limits = limits_for(calibration_for(faces.model_id))
    people = {f"p{person}": rows[:6] for person, rows in photos_of(faces, 6).items()}
    names = list(people)
    moved = people[names[1]][5]
    mixed = gallery_of(
        faces, people | {names[0]: [*people[names[0]][:5], moved], names[1]: people[names[1]][:5]}
    )
    told = {outlier.template_id: outlier.like for outlier in outliers(mixed, limits)}
    assert told[f"{moved:05d}"] == names[1]
    assert f"{moved:05d}" not in {t.template_id for t in chosen_gallery(mixed, limits).templates}


@pytest.mark.parametrize("embedder", EMBEDDERS)
def test_look_alikes_are_told_and_others_are_not(face_sets: dict[str, FaceSet], embedder: str) -> None:
    """One person enrolled under two names is as alike as two can be."""
    faces = face_sets[embedder]
    calibration = calibration_for(faces.model_id)
    limits, rate = limits_for(calibration), STRICTNESS["normal"]
    people = {f"p{person}": rows[:6] for person, rows in photos_of(faces, 6).items()}
    first = next(iter(people))
    twins = people | {first: people[first][:3], "twin": people[first][3:]}

    def alike(who: dict[str, list[int]]) -> list[tuple[str, ...]]:
        stored = gallery_of(faces, who)
        policy = policy_for(calibration, rate, subjects=len(who))
        asked = Asked(rate, policy, calibration, limits)
        health = examine_health(stored, chosen_gallery(stored, limits), asked)
        assert health.false_names <= rate
        told = [finding for finding in findings(health) if finding.topic is Topic.ALIKE]
        return [finding.subjects for finding in told if not finding.promise]

    assert alike(people) == []
    assert alike(twins) == [tuple(sorted((first, "twin")))]
