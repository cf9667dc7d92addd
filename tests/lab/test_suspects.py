"""Labels that look wrong are found by a rule from the data, and read from a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from homeface.core.calibration import Calibration
from homeface.errors import ImageError
from homeface.lab.evaluation.faces import FaceSet, people_digest
from homeface.lab.evaluation.running import measured_on_these
from homeface.lab.evaluation.suspects import find_suspects, read_suspects
from homeface.lab.evaluation.tuning import Tune
from tests.lab.made_faces import CALIBRATION, faces_of


def mislabelled() -> FaceSet:
    """Forty people; one of them is filed under two names, and one picture lies in the wrong folder."""
    faces = faces_of({f"p{number:02d}": 6 for number in range(40)}, spread=0.5)
    vectors = faces.vectors.copy()
    twins = np.flatnonzero(faces.person == 7)
    vectors[np.flatnonzero(faces.person == 3)] = vectors[twins]
    vectors[12] = faces.vectors[np.flatnonzero(faces.person == 20)[0]]
    return replace(faces, vectors=vectors)


def test_one_person_under_two_names_and_a_picture_in_the_wrong_folder() -> None:
    suspects = find_suspects(mislabelled())
    assert suspects.pairs == ((3, 7),)
    assert suspects.pictures == (12,)
    assert suspects.told[0].startswith("p03 and p07: likeness 1.00")
    assert suspects.told[1].startswith("p02/12.jpg: likeness ")


def test_too_few_pictures_tell_nothing() -> None:
    assert not find_suspects(faces_of({"a": 3, "b": 3})).found


def test_a_file_of_suspects(tmp_path: Path) -> None:
    file = tmp_path / "suspects.txt"
    file.write_text("# wrong labels\np03\tp07\np02/12.jpg   # somebody else\n", encoding="utf-8")
    suspects = read_suspects(file, mislabelled())
    assert (suspects.pairs, suspects.pictures) == (((3, 7),), (12,))
    file.write_text("p03 p99\n", encoding="utf-8")
    with pytest.raises(ImageError, match=r"suspects\.txt:1: 'p03 p99' is neither"):
        read_suspects(file, mislabelled())


def measured_on(names: list[str]) -> Calibration:
    return replace(CALIBRATION, provenance={"people_digest": people_digest(names)})


def test_figures_measured_on_these_people_are_not_told_on_them() -> None:
    names, counts = ["a", "b", "c"], [9, 5, 1]
    assert measured_on_these(names, measured_on(["c", "a", "b"]), counts) is Tune.CROSS
    assert measured_on_these(names, measured_on(["a", "b"]), counts) is Tune.CROSS  # those with several
    assert measured_on_these(names, measured_on(["x", "y"]), counts) is Tune.SHIPPED
    assert measured_on_these(names, CALIBRATION, counts) is Tune.SHIPPED
    assert measured_on_these(names, None, counts) is Tune.CROSS
