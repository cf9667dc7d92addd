"""Labels in three formats, and everything that can be wrong with them: told, left out, never fatal alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from homeface.errors import DatasetError
from homeface.lab.training.detector.labels import Labels, split
from homeface.lab.training.detector.sources import read_labels
from tests.lab.training.detector.made_labels import Boxes, paint, sample, voc_files, wider_list

FACES: dict[str, Boxes] = {
    "a.jpg": [(10, 5, 20, 30)],
    "b.jpg": [],
    "c.png": [(0, 0, 12, 12), (40, 20, 30, 35)],
}


def boxes_of(labels: Labels) -> dict[str, list[list[float]]]:
    return {picture.name: picture.boxes.tolist() for picture in labels.pictures}


@pytest.mark.parametrize("write", [wider_list, voc_files, sample])
def test_every_format_says_the_same(tmp_path: Path, write: Callable[..., Path]) -> None:
    labels = read_labels(write(tmp_path, FACES))
    assert labels.problems == []
    assert boxes_of(labels) == {
        "a.jpg": [[10, 5, 30, 35]],
        "b.jpg": [],  # kept: a picture of nothing
        "c.png": [[0, 0, 12, 12], [40, 20, 70, 55]],
    }


def test_groups_by_height_where_the_labels_do_not_say(tmp_path: Path) -> None:
    (picture,) = read_labels(
        wider_list(tmp_path, {"a.jpg": [(0, 0, 40, 50), (0, 0, 9, 9), (0, 0, 25, 30)]})
    ).pictures
    assert {name: mask.tolist() for name, mask in picture.groups.items()} == {
        "easy": [True, False, False],
        "medium": [True, False, True],
        "hard": [True, False, True],
    }


def test_groups_follow_their_faces_when_one_is_left_out(tmp_path: Path) -> None:
    (picture,) = read_labels(sample(tmp_path, {"a.jpg": [(0, 0, 0, 9), (5, 5, 20, 20)]})).pictures
    assert picture.boxes.tolist() == [[5, 5, 25, 25]]
    assert picture.groups["easy"].tolist() == [True]


def test_pictures_where_wider_faces_archives_put_them(tmp_path: Path) -> None:
    listed = wider_list(tmp_path / "wider_face_split", FACES)
    (tmp_path / "WIDER_train").mkdir()
    (tmp_path / "wider_face_split" / "images").rename(tmp_path / "WIDER_train" / "images")
    assert len(read_labels(listed).pictures) == 3


def test_a_missing_picture_is_told_and_left_out(tmp_path: Path) -> None:
    listed = wider_list(tmp_path, FACES)
    (tmp_path / "images" / "a.jpg").unlink()
    labels = read_labels(listed)
    assert boxes_of(labels).keys() == {"b.jpg", "c.png"}
    missing = tmp_path / "images" / "a.jpg"
    told = f"wider_face_train_bbx_gt.txt:1: there is no picture {missing}; the picture is left out."
    assert labels.problems == [told]


def test_a_picture_that_is_none(tmp_path: Path) -> None:
    listed = wider_list(tmp_path, FACES)
    (tmp_path / "images" / "a.jpg").write_text("not a picture")
    labels = read_labels(listed)
    assert len(labels.pictures) == 2
    assert "cannot be read as a picture" in labels.problems[0]


@pytest.mark.parametrize(
    ("box", "kept", "told"),
    [
        ((100, 10, 20, 20), [], "lies outside of 80 × 60"),
        ((-50, -50, 20, 20), [], "lies outside of 80 × 60"),
        ((10, 10, 0, 20), [], "has no extent"),
        ((10, 10, -5, 20), [], "has no extent"),
        ((10, 10, float("nan"), 20), [], "has no extent"),
        ((10, 10, float("inf"), 20), [], "has no extent"),
        ((70, 50, 30, 30), [[70, 50, 80, 60]], "sticks out of 80 × 60"),
        ((60, 40, 21, 21), [[60, 40, 80, 60]], None),  # a pixel of rounding
    ],
)
def test_boxes_that_are_none(
    tmp_path: Path, box: tuple[float, float, float, float], kept: list[list[float]], told: str | None
) -> None:
    labels = read_labels(wider_list(tmp_path, {"a.jpg": [box]}))
    assert boxes_of(labels) == {"a.jpg": kept}
    if told is None:
        assert labels.problems == []
    else:
        assert labels.problems[0].startswith("wider_face_train_bbx_gt.txt:3: the box ")
        assert told in labels.problems[0]


def test_wider_faces_own_invalid_mark(tmp_path: Path) -> None:
    listed = wider_list(tmp_path, {"a.jpg": [(1, 1, 20, 20), (30, 30, 20, 20)]})
    listed.write_text(listed.read_text().replace("30 30 20 20 0 0 0 0", "30 30 20 20 0 0 0 1"))
    labels = read_labels(listed)
    assert boxes_of(labels) == {"a.jpg": [[1, 1, 21, 21]]}
    assert "marked invalid" in labels.problems[0]


def test_a_list_with_gaps(tmp_path: Path) -> None:
    """Empty lines, a count that does not fit, a picture without a count, a line of nonsense, a broken box."""
    for name in ("a.jpg", "b.jpg", "c.jpg", "d.jpg"):
        paint(tmp_path / "images" / name)
    listed = tmp_path / "list_bbx_gt.txt"
    listed.write_text(
        "a.jpg\n3\n1 1 20 20 0 0 0 0 0 0\n\nb.jpg\nc.jpg\n1\n5 5 x 20\n\n\nd.jpg\n1\n2 2 30 30\n"
    )
    labels = read_labels(listed)
    assert boxes_of(labels) == {"a.jpg": [[1, 1, 21, 21]], "c.jpg": [], "d.jpg": [[2, 2, 32, 32]]}
    told = "\n".join(labels.problems)
    assert "3 empty lines" in told
    assert "list_bbx_gt.txt:1: 3 faces are promised and 1 listed" in told
    assert "list_bbx_gt.txt:5: the number of faces is missing" in told
    assert "list_bbx_gt.txt:8: '5 5 x 20' is no box" in told


def test_broken_xml_is_told_and_left_out(tmp_path: Path) -> None:
    voc_files(tmp_path, FACES)
    (tmp_path / "a.xml").write_text("<annotation><object>")
    labels = read_labels(tmp_path)
    assert boxes_of(labels).keys() == {"b.jpg", "c.png"}
    assert labels.problems[0].startswith("a.xml: ")


def test_xml_that_grows_without_end_is_refused(tmp_path: Path) -> None:
    voc_files(tmp_path, FACES)
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 50}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE a [<!ENTITY e0 "face">{entities}]><annotation><filename>&e11;</filename></annotation>'
    (tmp_path / "a.xml").write_text(bomb)
    labels = read_labels(tmp_path)
    assert len(labels.pictures) == 2
    assert labels.problems[0].startswith("a.xml: ")


def test_an_empty_class_is_told(tmp_path: Path) -> None:
    voc_files(tmp_path, FACES)
    file = tmp_path / "c.xml"
    file.write_text(file.read_text().replace("<name>face</name>", "<name> </name>", 1))
    labels = read_labels(tmp_path)
    assert boxes_of(labels)["c.png"] == [[40, 20, 70, 55]]
    assert labels.problems == ["c.xml: object 1 has no class; it is left out."]


def test_other_classes_alone_are_no_faces(tmp_path: Path) -> None:
    voc_files(tmp_path, FACES, label="dog")
    with pytest.raises(DatasetError, match=r"names a face; their classes are dog.*--class"):
        read_labels(tmp_path)
    assert read_labels(tmp_path, classes=["dog"]).faces == 3


def test_an_object_without_a_box(tmp_path: Path) -> None:
    voc_files(tmp_path, FACES)
    file = tmp_path / "a.xml"
    file.write_text(file.read_text().replace("<xmin>10</xmin>", ""))
    assert read_labels(tmp_path).problems == ["a.xml: object 1 has no box of four numbers; it is left out."]


@pytest.mark.parametrize("name", ["../secret.jpg", "/etc/secret.jpg", "a/../../secret.jpg", "..\\secret.jpg"])
def test_a_list_cannot_lead_out_of_its_folder(tmp_path: Path, name: str) -> None:
    listed = wider_list(tmp_path / "data", FACES)
    paint(tmp_path / "secret.jpg")
    listed.write_text(f"{name}\n1\n1 1 20 20\n" + listed.read_text())
    labels = read_labels(listed)
    assert len(labels.pictures) == 3
    assert "is no path inside" in labels.problems[0]


@pytest.mark.parametrize("content", ["", "no list at all\n", "\x00\x01"])
def test_a_list_of_nothing(tmp_path: Path, content: str) -> None:
    listed = tmp_path / "wider_face_train_bbx_gt.txt"
    listed.write_text(content)
    with pytest.raises(DatasetError, match="no picture that could be trained on"):
        read_labels(listed)


def test_no_labels_at_all(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds no labels: give a WIDER FACE list"):
        read_labels(tmp_path)
    (tmp_path / "annotations.json").write_text("{")
    with pytest.raises(DatasetError, match=r"annotations\.json cannot be read"):
        read_labels(tmp_path)


def test_the_split_does_not_depend_on_what_else_is_there(tmp_path: Path) -> None:
    labels = read_labels(sample(tmp_path, {f"{n}.jpg": [(1, 1, 20, 20)] for n in range(30)}))
    pictures, held_out = split(labels)
    names = {picture.name for picture in held_out}
    assert len(pictures) + len(held_out) == 30
    assert 2 <= len(names) <= 12
    fewer = Labels([p for p in labels.pictures if int(p.name[:-4]) % 2])
    assert {p.name for p in split(fewer)[1]} == {name for name in names if int(name[:-4]) % 2}
    assert np.isin(list(names), [p.name for p in pictures]).sum() == 0
