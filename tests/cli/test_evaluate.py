"""``homeface evaluate``: help that teaches, sentences for what is lacking, figures of a few real people."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.support.data import data_dir, requires_data

COMMANDS = {
    "household": "is the promise kept",
    "degraded": "real H.264 encoder",
    "verify": "threshold of each fold",
    "fairness": "within-group sum of squares",
    "embedders": "what a face costs",
    "scorings": "told on the other",
    "calibrate": "figures only, no face and no template",
}


def test_the_group_says_what_the_words_mean(homeface: Command) -> None:
    told = " ".join(homeface("evaluate", "--help").out.split())
    for words in ("false-positive identification rate", "A stranger called family", "DET curve", "FNMR"):
        assert words in told
    assert "..." not in told.partition("Commands:")[2]


@pytest.mark.parametrize("command", COMMANDS)
def test_each_protocol_explains_itself(homeface: Command, command: str) -> None:
    answer = homeface("evaluate", command, "--help")
    assert answer.code == 0
    assert COMMANDS[command] in " ".join(answer.out.split())


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["household", ".", "--ask", "often"], 2, "'often' is no rate"),
        (["household", ".", "--ask", "1/0"], 2, "'1/0' is no rate"),
        (["household", ".", "--condition", "fog"], 2, "there is no condition 'fog'. Known: clean, face-24px"),
        (["household", ".", "--subjects", "0"], 2, "'0' is neither a whole number from 1 to 20"),
        (["household", ".", "--subjects", "8-2"], 2, "'8-2' is neither"),
        (["household", ".", "--photos", "1-50"], 2, "'1-50' is neither"),
        (["household", ".", "--report", "gone/page.html"], 1, "there is no folder gone"),
        (["degraded", ".", "--condition", "fog"], 2, "there is no condition 'fog'"),
        (["household", ".", "--embedder", "nobody"], 1, "There is no embedder called 'nobody'"),
        (["scorings", ".", "--way", "luck"], 2, "there is no way 'luck'. Known: strangers; cosine;"),
        (["scorings", ".", "--report", "page.html"], 2, "--report draws no curves of this protocol"),
        (["household", ".", "-c", "gone.yaml"], 2, "gone.yaml"),
    ],
)
def test_what_is_wrong_is_told_before_any_work(
    homeface: Command, arguments: list[str], code: int, told: str
) -> None:
    answer = homeface("evaluate", *arguments)
    assert answer.code == code
    assert told in answer.err
    assert answer.out == ""


@requires_data
@pytest.mark.parametrize(
    ("make", "told"),
    [
        ([], "There are no pictures in"),
        (["gone"], "There is no folder"),
        (["Ada/1.txt"], "There are no pictures in"),
        (["Ada/1.jpg", "Bob/1.jpg"], "No face was found in any of the 2 pictures"),
    ],
)
def test_a_folder_that_lacks_everything(
    homeface: Command, tmp_path: Path, make: list[str], told: str
) -> None:
    folder = tmp_path / "people"
    if make != ["gone"]:
        folder.mkdir()
        for name in make:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(b"not a picture")
    answer = homeface("evaluate", "household", folder, "--no-dlib", "--jobs", "1")
    assert answer.code == 1
    assert told in answer.err
    assert "nan" not in answer.err + answer.out


@pytest.fixture
def few_people(tmp_path: Path) -> Path:
    """Five people with five pictures, twelve with one."""
    people = [(path, len(list(path.glob("*.jpg")))) for path in sorted((data_dir() / "lfw/images").iterdir())]
    some = [path for path, count in people if count >= 5][:5]
    once = [path for path, count in people if count == 1][:12]
    folder = tmp_path / "people"
    for person in [*some, *once]:
        (folder / person.name).mkdir(parents=True)
        for picture in sorted(person.glob("*.jpg"))[:5]:
            (folder / person.name / picture.name).symlink_to(picture)
    return folder


@requires_data
@pytest.mark.accuracy
def test_a_few_real_people(homeface: Command, few_people: Path, tmp_path: Path) -> None:
    arguments = ["evaluate", "household", few_people, "--subjects", "2", "--photos", "2", "--households",
                 "20", "--no-dlib", "--jobs", "1", "--tune", "shipped"]  # fmt: skip
    pytest.importorskip("matplotlib")
    pytest.importorskip("jinja2")
    page = tmp_path / "page.html"
    told = homeface(*arguments, "--ask", "1/100", "--json", "--report", page).json
    (entry,) = told["asked"]
    assert entry["asked"] == "1/100"
    for kind in ("probe", "visit"):
        assert entry["fpir_measured"][kind]["value"] <= 0.05
        assert entry["fnir"][kind]["value"] <= 0.2
        assert set(told["peers"]) == {"frigate", "compreface", "faceid"}
        assert told["peers"]["compreface"]["own_threshold"]["fpir"][kind]["threshold"] == 0.5
    assert told["data"]["looks_of_a_visit"] == 3
    assert told["skipped_searches_rechecked"]["names_given"] == 0
    html = page.read_text(encoding="utf-8")
    assert "<svg" in html
    assert "src=" not in html
    assert "CompreFace" in html
    again = homeface(*arguments, "--ask", "1/100").out  # from the cache
    assert "Visits of 5 looks were asked for; too few people have so many pictures." in again
    assert "FPIR measured" in again
    assert "Rank 1: the best candidate is the right one" in again
    several = homeface(*arguments, "--subjects", "2-3", "--photos", "1-2", "--ask", "1/100", "--no-peers").out
    assert "20 households of 2-3 with 1-2 photos each" in several


@requires_data
@pytest.mark.accuracy
def test_too_few_people_are_named_by_number(homeface: Command, few_people: Path) -> None:
    answer = homeface("evaluate", "household", few_people, "--subjects", "8", "--no-dlib", "--jobs", "1")
    assert answer.code == 1
    assert "A household of 8 needs 8 people with 6 pictures or more" in answer.err
    assert "here 0 of 17 people have them" in answer.err
