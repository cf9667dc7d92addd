"""1:1 protocol and groups of people, without any picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from homeface.errors import ImageError
from homeface.lab.evaluation.fairness import FairnessRequest, group_of, pictures_by_group
from homeface.lab.evaluation.household_run import rates_of
from homeface.lab.evaluation.verification import best_threshold, read_pairs


def lfw(folder: Path) -> Path:
    for name in ("Ada", "Bob"):
        (folder / name).mkdir()
        for number in (1, 2):
            (folder / name / f"{name}_{number:04d}.jpg").touch()
    return folder


def test_pairs_are_read_fold_by_fold(tmp_path: Path) -> None:
    file = tmp_path / "pairs.txt"
    file.write_text("2\t1\nAda\t1\t2\nAda\t1\tBob\t2\nBob\t1\t2\nEve\t1\tBob\t2\n", encoding="utf-8")
    pairs, lacking = read_pairs(file, lfw(tmp_path))
    assert [(pair.same, pair.fold) for pair in pairs] == [(True, 0), (False, 0), (True, 1)]
    assert pairs[1].second.name == "Bob_0002.jpg"
    assert lacking == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "pairs.txt:1: expected the number of folds"),
        ("Ada 1 2\n", "pairs.txt:1: expected the number of folds"),
        ("1 1\nAda one two\n", "pairs.txt:2: expected 'name 1 2'"),
        ("1 1\nEve 1 2\nEve 1 Bob 2\n", "only 0 have both pictures"),
    ],
)
def test_a_broken_list_of_pairs_is_told(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "pairs.txt"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ImageError, match=told):
        read_pairs(file, lfw(tmp_path))


def test_the_best_threshold_has_the_most_right_answers() -> None:
    scores = np.array([0.1, 0.2, 0.35, 0.5, 0.6, 0.9])
    same = np.array([False, False, True, False, True, True])
    threshold = best_threshold(scores, same)
    assert ((scores >= threshold) == same).sum() == 5
    assert best_threshold(np.array([0.2, 0.8]), np.array([False, True])) == pytest.approx(0.5)
    assert best_threshold(np.array([0.2, 0.8]), np.array([False, False])) > 0.8


def test_groups_of_file_names(tmp_path: Path) -> None:
    for name in ("24_1_2_2017.jpg.chip.jpg", "60_0_0_2017.jpg", "notes.txt", "24_5_2_2017.jpg"):
        (tmp_path / name).touch()
    found = pictures_by_group(FairnessRequest(tmp_path, by="race-gender"))
    assert [(group, path.name[:2]) for group, path in found] == [("Asian female", "24"), ("White male", "60")]
    assert pictures_by_group(FairnessRequest(tmp_path, by="age"))[1][0] == "60+"


def test_groups_of_a_csv_file_and_of_folders(tmp_path: Path) -> None:
    (tmp_path / "val").mkdir()
    (tmp_path / "val" / "1.jpg").touch()
    labels = tmp_path / "labels.csv"
    labels.write_text("file,age,gender,race\nval/1.jpg,3-9,Male,East Asian\nval/2.jpg,3-9,Male,White\n")
    assert pictures_by_group(FairnessRequest(tmp_path, labels=labels)) == [
        ("East Asian", tmp_path / "val" / "1.jpg")
    ]
    assert pictures_by_group(FairnessRequest(tmp_path))[0][0] == "val"
    labels.write_text("name\n1\n")
    with pytest.raises(ImageError, match="columns file, age, gender, race"):
        pictures_by_group(FairnessRequest(tmp_path, labels=labels))
    (tmp_path / "val" / "1.jpg").unlink()
    with pytest.raises(ImageError, match="neither pictures named age_gender_race_date"):
        pictures_by_group(FairnessRequest(tmp_path))


def test_ages_are_put_in_bands() -> None:
    assert [group_of(age, "", "", "age") for age in ("3-9", "13", "more than 70", "")] == [
        "0-12", "13-19", "60+", "0-12",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["0", "1", "1/0", "two", "-1/100", "nan", "1/1000/2", "inf"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no rate"):
        rates_of([text])


def test_rates_are_told_in_several_ways() -> None:
    assert rates_of(["1/1000", "0.001", "1 in 100"]) == (0.001, 0.01)
