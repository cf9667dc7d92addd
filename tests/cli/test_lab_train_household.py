"""``homeface lab train-household`` from photos to a second opinion that ``homeface`` asks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.cli.conftest import LIGHT, Command
from tests.support.data import data_dir, requires_data, weights_dir
from tests.support.painted_clips import portraits_on_a_wall
from tests.support.threads import one_thread

MEMBERS = ("Hugo_Chavez", "Jacques_Chirac", "Lleyton_Hewitt", "Nestor_Kirchner")
NOT_TAUGHT, STRANGER = "Tony_Blair", "Laura_Bush"
PHOTOS, LATER, ENROLLED, STRANGERS = 20, 3, 5, 60
SHORT = "--unknown 40 --views 2 --repeat 1 --epochs 3 --rate 0.0005 --device cpu --seed 1"


def pictures(person: str) -> list[Path]:
    return sorted((data_dir() / "lfw" / "images" / person).iterdir())


@requires_data
@pytest.mark.accuracy
@pytest.mark.slow
@pytest.mark.timeout(600)
@one_thread()
def test_a_household_is_learned_and_asked(homeface: Command, config: Path, tmp_path: Path) -> None:
    """Four people of 20 photos; a later photo of each, somebody not taught, and a stranger are looked at."""
    arguments = [
        photos(tmp_path / "photos"),
        "--strangers",
        strangers(tmp_path / "strangers"),
        "--out",
        "run",
    ]
    weights = weights_dir() / "embed" / "mobilefacenet_foamliu.pt"
    answer = homeface("lab", "train-household", *arguments, "--weights", weights, *SHORT.split(), "--json")
    assert answer.code == 0, answer.err
    assert answer.json["names"] == list(MEMBERS)
    examine(answer.json, tmp_path / "run")

    for person in (*MEMBERS, NOT_TAUGHT):
        assert homeface("enrol", person, *pictures(person)[:ENROLLED]).code == 0
    looked_at = {
        str(path): person
        for person in (*MEMBERS, NOT_TAUGHT, STRANGER)
        for path in pictures(person)[PHOTOS : PHOTOS + LATER]
    }
    alone = who(homeface, looked_at)
    right = sum(person in alone[path] for path, person in looked_at.items())
    assert right >= 12  # of 15: otherwise there is nothing that could be taken away

    met = MEMBERS[0]
    clip = portraits_on_a_wall(tmp_path / "hall.mkv", pictures(met)[PHOTOS : PHOTOS + LATER])
    ask(config, tmp_path / "run" / "household.json")
    assert recognised(homeface, clip) == {met}
    asked = who(homeface, looked_at)
    assert all(asked[path] <= alone[path] for path in looked_at)
    kept = sum(len(names) for names in asked.values())
    assert kept >= 0.8 * sum(len(names) for names in alone.values())

    ask(config, mistaken(tmp_path / "run" / "household.json"))
    assert recognised(homeface, clip) == set()
    doubted = who(homeface, looked_at)
    for path, person in looked_at.items():
        kept_names = {NOT_TAUGHT} if person == NOT_TAUGHT else set()
        assert doubted[path] == alone[path] & kept_names


def examine(told: dict[str, Any], run: Path) -> None:
    """Its figures are of photos and people it did not learn from: one class in five is chance."""
    transfer, finetuned = told["transfer"], told["finetuned"]
    for judged in (transfer, finetuned):
        assert judged["members_found"] >= 0.8
        assert judged["strangers_named"] <= 0.2
        assert judged["loss"] < 0.5 * np.log(len(MEMBERS) + 1)
        table = np.array(judged["confusion"])
        assert table.shape == (5, 5)
        assert list(table.sum(axis=1)[:4]) == [PHOTOS // 4] * 4
        assert sum(faces for _, _, faces in judged["reliability"]) == table.sum()
    rows = [json.loads(line) for line in (run / "finetuning" / "history.jsonl").read_text().splitlines()]
    assert rows[-1]["train_loss"] < 0.95 * rows[0]["train_loss"]
    for picture in ("household-confusion.png", "household-reliability.png", "finetuning/curves.png"):
        assert (run / picture).read_bytes().startswith(b"\x89PNG")


def photos(folder: Path) -> Path:
    """The members' photos, as somebody would lay them down."""
    for person in MEMBERS:
        (folder / person).mkdir(parents=True)
        for picture in pictures(person)[:PHOTOS]:
            (folder / person / picture.name).symlink_to(picture)
    return folder


def strangers(folder: Path) -> Path:
    """One picture of each of sixty people who are nobody of them."""
    known = {*MEMBERS, NOT_TAUGHT, STRANGER}
    others = sorted(p for p in (data_dir() / "lfw" / "images").iterdir() if p.name not in known)
    folder.mkdir()
    for person in others[:: len(others) // STRANGERS][:STRANGERS]:
        (folder / person.name).symlink_to(person)
    return folder


def who(homeface: Command, looked_at: dict[str, str]) -> dict[str, set[str]]:
    """The names said of each picture."""
    rows = homeface("identify", *looked_at, "--json").json
    found: dict[str, set[str]] = {path: set() for path in looked_at}
    for row in rows:
        assert "error" not in row
        if row["person"] is not None:
            found[row["image"]].add(row["person"])
    return found


def recognised(homeface: Command, clip: Path) -> set[str]:
    """Whom the daemon's pipeline says to have come."""
    answer = homeface("replay", clip, "--json")
    assert answer.code == 0, answer.err
    lines = [json.loads(line) for line in answer.out.splitlines()]
    return {line["person"] for line in lines if line["kind"] == "event"} - {None}


def ask(config: Path, file: Path) -> None:
    """The configuration, with this second opinion."""
    document = yaml.safe_load(config.read_text())
    document["recognition"] = LIGHT | {"second_opinion": str(file)}
    config.write_text(yaml.safe_dump(document))


def mistaken(file: Path) -> Path:
    """The same classifier, taking each for the next."""
    told = json.loads(file.read_text())
    told["names"] = told["names"][1:] + told["names"][:1]
    changed = file.with_name("mistaken.json")
    changed.write_text(json.dumps(told | {"least": 0.5}))
    return changed
