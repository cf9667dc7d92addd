"""Ways of telling a score: each names members of made-up households; what is told follows from searches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from homeface.cli.evaluate_scorings import show_scorings
from homeface.core.gallery import Gallery, Subject, Template
from homeface.core.identification import Policy, comparable
from homeface.core.strangers import strangers_of
from homeface.inference.manifest import Kind, find_spec
from homeface.lab.evaluation.faces import FaceSet
from homeface.lab.evaluation.looking import Recipe
from homeface.lab.evaluation.running import Timer, Work
from homeface.lab.evaluation.scoring.comparing import (
    WAYS,
    Outcome,
    ScoringsRequest,
    compared,
    difference,
    together,
)
from homeface.lab.evaluation.scoring.groups import searches_by_group, spread_of_groups
from homeface.lab.evaluation.scoring.searches import crowd_of, drawn, looks_mean
from homeface.lab.evaluation.street import Protocol
from tests.lab.made_faces import faces_of, street_of

PROTOCOL = Protocol(households=6, subjects=3, photos=4, looks=3, stranger_probes=60, stranger_visits=20)


@pytest.fixture(scope="module")
def faces() -> FaceSet:
    return street_of(many=24, few=160)


def everybody(faces: FaceSet) -> np.ndarray:
    return np.ones(len(faces.person), bool)


@pytest.mark.parametrize("name", WAYS)
def test_every_way_finds_members_and_tells_them_from_strangers(faces: FaceSet, name: str) -> None:
    scorer = WAYS[name](faces, crowd_of(faces, faces.part(0)))
    own, strange = [], []
    for kind in ("probe", "visit"):
        for searches in drawn(faces, faces.part(1), PROTOCOL, kind):
            scores = np.asarray(scorer(searches))
            assert scores.shape == (len(searches.rows), 3)
            assert np.isfinite(scores).all()
            member = searches.column >= 0
            assert member.any()
            assert (scores.argmax(axis=1) == searches.column)[member].mean() > 0.9
            own += scores.max(axis=1)[member].tolist()
            strange += scores.max(axis=1)[~member].tolist()
    assert np.median(own) > np.quantile(strange, 0.95)


def test_the_first_way_is_the_cores_own_score(faces: FaceSet) -> None:
    crowd = crowd_of(faces, faces.part(0))
    searches = drawn(faces, faces.part(1), PROTOCOL, "visit")[0]
    templates = [
        Template(f"{row}", f"{person:06d}", faces.vectors[row], faces.model_id)
        for person, rows in zip(searches.home.people, searches.home.templates, strict=True)
        for row in rows
    ]
    gallery = Gallery([Subject(f"{p:06d}", "") for p in searches.home.people], templates, faces.model_id)
    policy = Policy(threshold=0.0, strangers=strangers_of(crowd.vectors, crowd.person))
    wanted = comparable(gallery, policy, looks_mean(faces, searches.rows))
    assert np.allclose(next(iter(WAYS.values()))(faces, crowd)(searches), wanted, atol=1e-5)


def test_no_search_shows_a_picture_that_was_enrolled(faces: FaceSet) -> None:
    for kind in ("probe", "visit"):
        for searches in drawn(faces, everybody(faces), PROTOCOL, kind):
            assert not np.isin(searches.rows, searches.home.templates).any()
            assert np.isin(searches.person, searches.home.people).tolist() == (searches.column >= 0).tolist()


def outcome(best: list[float], member: list[bool], right: list[bool]) -> Outcome:
    count = len(best)
    return Outcome(np.arange(count), np.array(member), np.array(right), np.array(best), np.zeros(count, bool))


def test_rates_and_what_is_saved() -> None:
    before = outcome([0.9, 0.5, 0.6, 0.1], [True, True, False, False], [True, True, False, False])
    assert before.fpir(0.55) == 0.5
    assert before.fnir(0.55) == 0.5
    assert before.moved(0.55).fnir(0.0) == 0.5
    many = together([before] * 40)
    many = replace(many, person=np.arange(len(many.person)))
    better = replace(many, best=np.where(many.member, many.best + 0.5, many.best))
    assert difference(many, many, 0.01) == [0.0, 0.0]
    low, high = difference(better, many, 0.01)
    assert 0.3 < low <= high < 0.7


def test_what_is_told_and_shown(faces: FaceSet, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("strangers", "cosine")
    request = ScoringsRequest(Path(), rates=(0.1, 0.05, 0.02), protocol=PROTOCOL, ways=names)
    told = compared(request, Timer(Work(Recipe(find_spec("yunet_n", Kind.DETECTOR, ()), (), ()))), faces)
    assert [row["way"] for row in told["ways"]] == list(names)
    assert told["ways"][0]["probe"]["fewer_misses_than_the_first"] == [0.0, 0.0]
    for row in told["ways"]:
        for kind in ("probe", "visit"):
            assert list(row[kind]["fnir_at"]) == ["1/10", "1/20", "1/50"]
            assert 0 <= row[kind]["set_beforehand"]["1/20"]["fpir"] < 0.3
    show_scorings(told)
    assert "strangers" in capsys.readouterr().out


def test_groups_whose_faces_lie_close_are_confused_more(faces: FaceSet) -> None:
    apart = faces_of({f"a{number}": 1 for number in range(80)}, spread=0.3, seed=5)
    vectors = apart.vectors.copy()
    vectors[:40] += 0.8 * vectors[0]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    group = (np.arange(80) >= 40).astype(np.int64)
    grouped = replace(apart, vectors=vectors, person=group, names=("close", "apart"))
    scorer = WAYS["cosine"](grouped, crowd_of(faces, everybody(faces)))
    told = spread_of_groups(scorer, searches_by_group(grouped), (0.1,))["1/10"]
    assert told["fpir"]["close"] > 3 * told["fpir"]["apart"]
    assert told["spread"] == told["fpir"]["close"] - told["fpir"]["apart"]
