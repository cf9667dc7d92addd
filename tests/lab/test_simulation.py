"""Households made up: what is skipped or halved must say what the core itself says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from homeface.core.identification import conclude, decide, identify_one
from homeface.core.types import Embedding, Identified
from homeface.errors import ImageError
from homeface.lab.evaluation.judging import LADDER, Judge, ladder_with
from homeface.lab.evaluation.outcome import told_det, told_peers, told_promises
from homeface.lab.evaluation.simulation import simulate, simulate_all
from homeface.lab.evaluation.sizes import Span, of_sizes, span_of
from homeface.lab.evaluation.street import Protocol, Scene, Setting, Street, gallery_of
from homeface.lab.evaluation.trials import Resampling
from tests.lab.made_faces import CALIBRATION, faces_of, street_of

ASKED = (0.01, 0.001)


def setting(**changes: object) -> Setting:
    faces = street_of()
    everything = {
        "faces": faces,
        "inside": np.ones(len(faces.person), bool),
        "calibration": CALIBRATION,
        "ladder": ladder_with(ASKED),
        "asked": ASKED,
    }
    return Setting(**(everything | changes))  # type: ignore[arg-type]


def test_levels_are_the_decisions_of_the_core() -> None:
    """Every rate of the ladder asked one by one, for members and strangers, pictures and visits."""
    street = Street(setting(), Protocol(households=1, subjects=3, photos=4))
    faces = street.scene.faces
    judge = Judge(CALIBRATION, LADDER, 3)
    rows = np.concatenate([np.flatnonzero(faces.person == p)[:4] for p in (0, 1, 2)])
    gallery = gallery_of(faces, rows)
    named = 0
    for row in [*range(4, 12), *range(40, 140, 4)]:
        face = Embedding(faces.vectors[row], faces.model_id)
        right = f"{faces.person[row]:06d}" if faces.person[row] < 3 else None
        verdict = judge.picture(face, faces.qualities[row], gallery, right)
        decisions = [identify_one(face, faces.qualities[row], gallery, policy) for policy in judge.policies]
        names = [d.subject_id if isinstance(d, Identified) else None for d in decisions]
        assert verdict.right == sum(name == right for name in names if name is not None)
        assert verdict.wrong == sum(name not in (None, right) for name in names)
        named += verdict.right > 0
    assert named >= 5
    for visit in street.pool_rows[::3]:
        prefixes = street.prefixes(visit)
        person = int(faces.person[visit[0]])
        right = f"{person:06d}" if person < 3 else None
        verdict = judge.visit(prefixes, gallery, right)
        for step, policy in enumerate(judge.policies, 1):
            end = conclude(prefixes[-1], gallery, policy)
            on_the_way = [decide(evidence, gallery, policy) for evidence in prefixes] + [end]
            wrong = any(isinstance(d, Identified) and d.subject_id != right for d in on_the_way)
            assert wrong == (verdict.wrong >= step)
            if right is not None:
                found = isinstance(end, Identified) and end.subject_id == right
                assert found == (verdict.right >= step)


def test_skipped_strangers_would_have_got_no_name() -> None:
    street = Street(setting(), Protocol(households=1, subjects=3, photos=4))
    faces = street.scene.faces
    judge = Judge(CALIBRATION, LADDER, 3)
    gallery = gallery_of(faces, np.arange(4))
    hopeless = judge.hopeless(gallery, faces.vectors)
    assert 20 < hopeless.sum() < len(hopeless)
    for row in np.flatnonzero(hopeless):
        face = Embedding(faces.vectors[row], faces.model_id)
        decision = identify_one(face, faces.qualities[row], gallery, judge.policies[0])
        assert not isinstance(decision, Identified)


def test_enrolment_pictures_are_never_shown_again() -> None:
    faces = faces_of({f"p{number}": 6 for number in range(8)}, spread=3.0)
    protocol = Protocol(households=20, subjects=2, photos=5, looks=5)
    result = simulate(setting(faces=faces, inside=np.ones(len(faces.person), bool)), protocol)
    assert result.looks == 1  # one picture of each is left
    probe = result.own["probe"]
    assert probe.member.sum() == 20 * 2  # never the other five
    assert np.median(probe.right[probe.member]) == -np.inf  # noise is all they have in common


def test_the_figures_do_not_depend_on_the_number_of_jobs() -> None:
    protocol = Protocol(households=30, subjects=2, photos=2, stranger_probes=20, stranger_visits=10)
    first = simulate(setting(peers=True), protocol)
    again = simulate(setting(peers=True), protocol)
    assert np.array_equal(first.own["visit"].wrong, again.own["visit"].wrong)
    assert len(first.own["visit"].members) == 30
    assert first.rechecked[1] == 0


def test_households_of_several_sizes_in_one_run() -> None:
    protocols = of_sizes(
        Protocol(households=60, stranger_probes=20, stranger_visits=5), Span(2, 4), Span(1, 3)
    )
    result = simulate_all(setting(), protocols)
    members = result.own["probe"].members
    sizes = (members >= 0).sum(axis=1)
    assert np.bincount(sizes).tolist() == [0, 0, 20, 20, 20]
    assert sorted({protocol.photos for protocol in protocols}) == [1, 2, 3]
    fpir = Resampling(len(street_of().names)).fpir(result.own["probe"], 1)
    assert fpir.low <= fpir.value <= fpir.high
    assert fpir.hits > 0


@pytest.mark.parametrize("text", ["", "-", "2-", "3-2", "0-4", "x", "2-21", "1.5"])
def test_a_span_that_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="neither a whole number from 1 to 20 nor a range"):
        span_of(text, 1, 20)


def test_what_is_told_is_finite_and_complete() -> None:
    where = setting(peers=True)
    result = simulate(where, Protocol(households=10, subjects=4, photos=3))
    judges = [Judge(CALIBRATION, where.ladder, 4)]
    resampling = Resampling(len(where.faces.names))
    for entry in told_promises(result, judges, ASKED, resampling):
        for key in ("fpir_measured", "fnir"):
            for kind in ("probe", "visit"):
                rate = entry[key][kind]
                assert 0 <= rate["low"] <= rate["high"] <= 1
                assert rate["total"] > 0
                assert isinstance(rate["threshold"], float)
    assert all(len(points) == len(where.ladder) for points in told_det(result, where.ladder).values())
    peers = told_peers(result, where.faces.model_id, where.ladder, ASKED, resampling)
    assert set(peers) == {"frigate", "compreface", "faceid"}
    for peer in peers.values():
        assert [entry["asked"] for entry in peer["at_the_asked_rates"]] == ["1/100", "1/1000"]


def test_dlib_is_judged_where_it_was_shown_and_misses_what_it_does_not_find() -> None:
    faces = street_of()
    vectors = faces.vectors[:, :16].astype(np.float32)
    dlib = np.full((len(faces.files), 16), np.nan, np.float32)
    shown = np.flatnonzero(np.isin(faces.person, np.arange(30)))
    dlib[shown] = vectors[shown]
    dlib[shown[::7]] = np.inf
    result = simulate(setting(faces=faces, dlib=dlib), Protocol(households=5, subjects=2, photos=3))
    trials = result.peers["face_recognition"]["probe"]
    assert 0 < trials.strangers < result.own["probe"].strangers
    assert (trials.right[trials.member] == -np.inf).any()


def test_searches_with_doubtful_labels_are_marked() -> None:
    faces = street_of()
    pairs = frozenset({(0, 20), (1, 21)})
    where = setting(faces=faces, doubtful_pairs=pairs, doubtful_pictures=frozenset({30}))
    probe = simulate(where, Protocol(households=12, subjects=6, photos=3)).own["probe"]
    touched = probe.doubtful & ~probe.member
    for person, household in zip(probe.person[touched], probe.household[touched], strict=True):
        members = probe.members[household]
        assert (
            (person == 20 and 0 in members) or (person == 21 and 1 in members) or person == 2 or 2 in members
        )


@pytest.mark.parametrize(
    ("pictures", "protocol", "told"),
    [
        ({"a": 2, "b": 2, "c": 1}, Protocol(subjects=4), "needs 4 people with 6 pictures"),
        ({"a": 9, "b": 9}, Protocol(subjects=2, photos=3), "false names need strangers"),
        ({"a": 5}, Protocol(subjects=1, photos=5), "here 0 of 1 people have them"),
    ],
)
def test_what_a_folder_lacks_is_said(pictures: dict[str, int], protocol: Protocol, told: str) -> None:
    faces = faces_of(pictures)
    with pytest.raises(ImageError, match=told):
        Street(Scene(faces=faces, inside=np.ones(len(faces.person), bool)), protocol)


def test_visits_are_as_long_as_the_pictures_allow() -> None:
    faces = faces_of({f"p{number}": 5 for number in range(6)})
    street = Street(
        Scene(faces=faces, inside=np.ones(len(faces.person), bool)), Protocol(subjects=4, photos=2)
    )
    assert street.looks == 3
    assert (street.pool_rows >= 0).sum(axis=1).max() == 3


def test_faces_that_are_refused_are_met_only_when_wished() -> None:
    faces = street_of()
    poor = replace(faces.qualities[0], interocular_px=5.0)
    from homeface.core.quality import RECOGNITION_LIMITS, judge

    qualities = tuple(
        judge(poor, RECOGNITION_LIMITS) if number % 2 else quality
        for number, quality in enumerate(faces.qualities)
    )
    faces = replace(faces, qualities=qualities)
    inside = np.ones(len(faces.person), bool)
    protocol = Protocol(subjects=2, photos=2)
    fine = Street(Scene(faces=faces, inside=inside), protocol)
    every = Street(Scene(faces=faces, inside=inside, poor_too=True), protocol)
    assert len(fine.probes) < len(every.probes) == len(faces.person)
