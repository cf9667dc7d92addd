"""Whose photos a household can be learned from, and what is told of those that cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from homeface.errors import DatasetError, ImageError
from homeface.lab.training.embedding.aligned import INDEX, Aligned, read_aligned
from homeface.lab.training.household.data import HouseholdData, household_data, some_strangers
from tests.lab.training.embedding.made import make_aligned


def data_of(members: Aligned, strangers: Aligned) -> HouseholdData:
    return household_data(members, strangers, None, unknown=20, seed=0)


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Aligned:
    return read_aligned(make_aligned(tmp_path_factory.mktemp("strangers"), people=36, pictures=1))


def renamed(folder: Path, people: int, pictures: int) -> Aligned:
    """Members, who are nobody of the strangers."""
    index = make_aligned(folder, people, pictures) / INDEX
    rows = [json.loads(line) for line in index.read_text().splitlines()]
    index.write_text("".join(json.dumps(row | {"person": f"m{row['person']}"}) + "\n" for row in rows))
    return read_aligned(folder)


def test_nobody_who_judges_is_learned_from(strangers: Aligned, tmp_path: Path) -> None:
    data = data_of(renamed(tmp_path, 2, 8), strangers)
    assert data.names == ("mp0", "mp1")
    assert [int((data.learned.labels == label).sum()) for label in range(3)] == [6, 6, 20]
    assert [int((data.judged.labels == label).sum()) for label in range(3)] == [2, 2, 10]
    learned = {face.tobytes() for face in data.learned.faces}
    assert not learned & {face.tobytes() for face in data.judged.faces}


def test_one_member_alone_is_a_household(strangers: Aligned, tmp_path: Path) -> None:
    data = data_of(renamed(tmp_path, 1, 8), strangers)
    assert data.names == ("mp0",)
    assert set(data.learned.labels.tolist()) == {0, 1}


def test_members_with_too_few_photos_are_named(strangers: Aligned, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"Too few photos .*: mp0 \(7\), mp1 \(7\)\. .* 8 of each"):
        data_of(renamed(tmp_path, 2, 7), strangers)


def test_too_few_strangers(tmp_path: Path) -> None:
    few = read_aligned(make_aligned(tmp_path / "few", people=29, pictures=1))
    with pytest.raises(DatasetError, match=r"There are 29 strangers: .*--strangers"):
        data_of(renamed(tmp_path / "members", 2, 8), few)


def test_members_among_the_strangers_are_no_strangers(tmp_path: Path) -> None:
    both = read_aligned(make_aligned(tmp_path, people=31, pictures=8))
    with pytest.raises(DatasetError, match="There are 0 strangers"):
        data_of(both, both)


@pytest.mark.parametrize("content", [b"", b"no picture", None])
def test_a_photo_that_is_broken_or_gone_is_named(
    content: bytes | None, strangers: Aligned, tmp_path: Path
) -> None:
    members = renamed(tmp_path, 2, 8)
    if content is None:
        (tmp_path / "p1" / "3.jpg").unlink()
    else:
        (tmp_path / "p1" / "3.jpg").write_bytes(content)
    with pytest.raises(ImageError, match=r"p1/3\.jpg"):
        data_of(members, strangers)


def test_strangers_are_drawn_one_picture_each() -> None:
    found = [(f"p{n % 50}", Path(f"{n}.jpg")) for n in range(150)]
    drawn = some_strangers(found, 20, seed=3)
    assert len({person for person, _ in drawn}) == len(drawn) == 20
    assert all(path == Path(f"{person[1:]}.jpg") for person, path in drawn)
    assert drawn == some_strangers(found, 20, seed=3)
