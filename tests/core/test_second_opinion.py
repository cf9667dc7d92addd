"""The second opinion takes names away and never gives one."""

from __future__ import annotations

import errno
import json
import os
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeface.core.evidence import Evidence
from homeface.core.gallery import Gallery, Subject, Template
from homeface.core.identification import Policy, conclude, decide, identify_one
from homeface.core.second_opinion import SecondOpinion, second_opinion_as_json, second_opinion_from
from homeface.core.types import Embedding, Identified, Quality, Reason, Unknown
from homeface.errors import ModelError
from homeface.inference.second_opinion import forget_in_opinion, opinion_for, rename_in_opinion

MODEL = "made/up-1"
GOOD = Quality(60.0, 0.05, 0.0, 0.0, 0.0, 120.0, 50.0, infrared=False, score=1.0)
POLICY = Policy(threshold=0.5, single_threshold=0.6, support=0.3, rival=0.3)
ADA, BOB = np.eye(4, dtype=np.float32)[:2]
GALLERY = Gallery(
    [Subject("1", "Ada"), Subject("2", "Bob")],
    [Template("a", "1", ADA, MODEL), Template("b", "2", BOB, MODEL)],
    MODEL,
)


def opinion(least: float = 0.5, names: tuple[str, ...] = ("ada", "Bob")) -> SecondOpinion:
    """Sure of what the gallery says, too."""
    rows = np.array([8 * ADA, 8 * BOB, np.zeros(4)], np.float32)[[*range(len(names)), 2]]
    return SecondOpinion(MODEL, names, rows, np.zeros(len(rows), np.float32), least)


def visit(vector: np.ndarray, looks: int = 5) -> Evidence:
    evidence = Evidence()
    for number in range(looks):
        evidence = evidence.add(Embedding(vector, MODEL), GOOD, number * 1.0)
    return evidence


def test_a_name_it_agrees_with_stays() -> None:
    decision = decide(visit(ADA), GALLERY, replace(POLICY, second_opinion=opinion()))
    assert isinstance(decision, Identified)
    assert decision.subject_id == "1"


def test_a_name_it_doubts_is_taken_away_and_the_reason_told() -> None:
    reversed_names = replace(opinion(), names=("Bob", "ada"))
    for answer in (
        conclude(visit(ADA), GALLERY, replace(POLICY, second_opinion=reversed_names)),
        identify_one(Embedding(ADA, MODEL), GOOD, GALLERY, replace(POLICY, second_opinion=reversed_names)),
    ):
        assert isinstance(answer, Unknown)
        assert answer.reasons == (Reason.SECOND_OPINION,)


def test_it_has_no_opinion_about_people_it_was_not_taught() -> None:
    only_bob = SecondOpinion(MODEL, ("Bob",), np.zeros((2, 4), np.float32), np.zeros(2, np.float32), 1.0)
    assert isinstance(decide(visit(ADA), GALLERY, replace(POLICY, second_opinion=only_bob)), Identified)
    assert isinstance(conclude(visit(BOB), GALLERY, replace(POLICY, second_opinion=only_bob)), Unknown)


@given(
    st.lists(st.floats(-1, 1), min_size=4, max_size=4).filter(lambda v: float(np.linalg.norm(v)) > 0.1),
    st.floats(0, 1),
    st.lists(st.floats(-20, 20), min_size=12, max_size=12),
)
def test_it_never_gives_a_name(values: list[float], least: float, rows: list[float]) -> None:
    vector = np.array(values, np.float32) / np.float32(np.linalg.norm(values))
    other = SecondOpinion(
        MODEL, ("ada", "Bob"), np.array(rows, np.float32).reshape(3, 4), np.zeros(3, np.float32), least
    )
    alone = conclude(visit(vector), GALLERY, POLICY)
    asked = conclude(visit(vector), GALLERY, replace(POLICY, second_opinion=other))
    if isinstance(asked, Identified):
        assert isinstance(alone, Identified)
        assert asked.subject_id == alone.subject_id
    if isinstance(alone, Unknown):
        assert asked == alone


def test_what_is_written_is_read(tmp_path: Path) -> None:
    file = tmp_path / "household.json"
    file.write_text(json.dumps(second_opinion_as_json(opinion(0.25), {"faces": 12})))
    again = opinion_for(MODEL, file)
    assert again.names == ("ada", "Bob")
    assert again.least == 0.25
    assert np.array_equal(again.weights, opinion().weights)
    with pytest.raises(
        ModelError, match=r"trained on vectors of made/up-1, but faces are told apart by other"
    ):
        opinion_for("other", file)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"names": []},
        {"names": ["Ada", "Ada"]},
        {"names": ["Ada"]},
        {"weights": [[1.0]]},
        {"weights": [[1.0], [2.0, 3.0], [1.0]]},
        {"bias": ["x"]},
        {"bias": [float("nan")] * 3},
        {"least": 2},
        {"least": None},
    ],
)
def test_a_damaged_file_is_told(change: dict[str, object], tmp_path: Path) -> None:
    file = tmp_path / "household.json"
    file.write_text(json.dumps(second_opinion_as_json(opinion(), {}) | change))
    with pytest.raises(ModelError, match="train it anew"):
        opinion_for(MODEL, file)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff\xfe", b'"text"'])
def test_a_file_that_is_something_else(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "household.json").write_bytes(content)
    with pytest.raises(ModelError, match="train"):
        opinion_for(MODEL, tmp_path / "household.json")


def test_vectors_of_another_length() -> None:
    with pytest.raises(ModelError, match="vectors of 4 numbers, not 5"):
        opinion().probabilities(np.zeros((1, 5), np.float32))


def test_not_even_a_version() -> None:
    with pytest.raises(ModelError, match="damaged"):
        second_opinion_from({})


def test_a_person_who_is_forgotten_leaves_the_file(tmp_path: Path) -> None:
    file = tmp_path / "household.json"
    file.write_text(json.dumps(second_opinion_as_json(opinion(), {"photos": 9})))
    file.chmod(0o640)
    assert not forget_in_opinion(file, ["Cem"])
    assert forget_in_opinion(file, ["Nobody", "ADA"])
    text = file.read_text()
    assert "ada" not in text.casefold()
    assert file.stat().st_mode & 0o777 == 0o640
    assert [place.name for place in tmp_path.iterdir()] == ["household.json"]
    left, before = second_opinion_from(json.loads(text)), opinion()
    assert left.names == ("Bob",)
    assert np.array_equal(left.weights, before.weights[1:])
    with pytest.raises(ModelError, match="trained on nobody else"):
        forget_in_opinion(file, ["bob"])
    assert not forget_in_opinion(tmp_path / "none.json", ["bob"])


def test_a_file_that_cannot_be_changed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "household.json"
    file.write_text(json.dumps(second_opinion_as_json(opinion(), {})))

    def read_only(*_: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "open", read_only)
    with pytest.raises(ModelError, match="still holds what was learned of the person's face"):
        forget_in_opinion(file, ["ada"])
    with pytest.raises(ModelError, match=r"cannot be written \(Read-only file system\)"):
        rename_in_opinion(file, "ada", "Eva")
    monkeypatch.undo()
    assert opinion_for(MODEL, file).names == ("ada", "Bob")


def test_a_name_written_in_another_unicode_form_is_the_same(tmp_path: Path) -> None:
    """As a Mac writes the folder that the person was learned from."""
    name, folder = "J\u00fcrgen", unicodedata.normalize("NFD", "J\u00fcrgen")
    assert name != folder
    trained = opinion(names=(folder, "Bob"))
    one = np.ones(1)
    assert trained.objects(name, BOB[None], one)
    assert not trained.objects(name, ADA[None], one)
    file = tmp_path / "household.json"
    file.write_text(json.dumps(second_opinion_as_json(trained, {})))
    assert forget_in_opinion(file, [name.upper()])
    assert opinion_for(MODEL, file).names == ("Bob",)


def test_somebody_is_called_otherwise(tmp_path: Path) -> None:
    file = tmp_path / "household.json"
    file.write_text(json.dumps(second_opinion_as_json(opinion(), {})))
    assert not rename_in_opinion(file, "Cem", "Eva")
    assert not rename_in_opinion(tmp_path / "none.json", "ada", "Eva")
    assert rename_in_opinion(file, "ADA", "Ada Maria")
    assert rename_in_opinion(file, "Bob", "bob")
    renamed = opinion_for(MODEL, file)
    assert renamed.names == ("Ada Maria", "bob")
    assert np.array_equal(renamed.weights, opinion().weights)
    with pytest.raises(ModelError, match="two people"):
        rename_in_opinion(file, "bob", "ada maria")
    file.write_text("{")
    for change in (lambda: rename_in_opinion(file, "bob", "Eva"), lambda: forget_in_opinion(file, ["bob"])):
        with pytest.raises(ModelError, match="may hold what was learned of the person's face"):
            change()
