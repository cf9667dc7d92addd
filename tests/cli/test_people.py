"""A family through the command line: enrolled from photos, told apart, renamed, exported, forgotten."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.support.data import data_dir, requires_data
from tests.support.scene_people import acting_portraits, enrolment_photos

LAURA, HUGO, ANDRE = "Laura_Bush", "Hugo_Chavez", "Andre_Agassi"


def photos(person: str, count: int = 4) -> list[Path]:
    return enrolment_photos(person)[:count]


def other(person: str) -> Path:
    return acting_portraits(person)[0].path


@requires_data
@pytest.mark.accuracy
class TestFamily:
    def test_from_enrolment_to_oblivion(self, homeface: Command, config: Path, tmp_path: Path) -> None:
        assert "Nobody is enrolled yet" in homeface("people", "list").out

        enrolled = homeface("enrol", "Laura", *photos(LAURA), "--json")
        assert enrolled.code == 0, enrolled.out
        assert (enrolled.json["name"], enrolled.json["created"]) == ("Laura", True)
        assert enrolled.json["accepted"] >= 3
        assert {"photo", "key", "message", "used"} == enrolled.json["photos"][0].keys()
        table = homeface("enrol", "Hugo", *photos(HUGO))
        assert table.code == 0
        assert f"Hugo: {table.out.count(' accepted ')} of 4 photos accepted." in table.out

        people = {person["name"]: person for person in homeface("people", "list", "--json").json}
        assert people["Laura"]["id"] == enrolled.json["subject_id"]
        assert people["Laura"]["templates"] == enrolled.json["accepted"]
        assert "Hugo" in homeface("people", "list").out

        renamed = homeface("people", "rename", "hugo", "Hugo Rafael")
        assert (renamed.code, renamed.out) == (0, "hugo is now called Hugo Rafael.\n")
        shown = homeface("people", "show", "Hugo Rafael", "--json").json
        assert shown["id"] == people["Hugo"]["id"]
        assert len(shown["photos"]) == shown["templates"]
        assert "Last visits" in homeface("people", "show", people["Hugo"]["id"]).out

        self.identify(homeface)
        self.export(homeface, tmp_path / "laura")

        assert homeface("people", "remove", "Laura", "--yes").out == "Laura is forgotten.\n"
        assert [person["name"] for person in homeface("people", "list", "--json").json] == ["Hugo Rafael"]
        assert [row["person"] for row in homeface("identify", other(LAURA), "--json").json] == [None]

    def identify(self, homeface: Command) -> None:
        (row,) = homeface("identify", other(LAURA), "--json").json
        assert row["candidates"][0]["person"] == "Laura"
        assert row["person"] in {"Laura", None}  # one picture may be too little for a name, never for another
        assert row["person"] is not None or row["reasons"]
        assert row["margin"] == pytest.approx(
            row["candidates"][0]["score"] - row["candidates"][1]["score"], abs=2e-4
        )
        assert len(row["box"]) == 4
        answer = homeface("identify", other(ANDRE), photos(HUGO)[0])
        assert answer.code == 0
        assert "below_threshold" in answer.out
        assert "Hugo Rafael" in answer.out

    def export(self, homeface: Command, folder: Path) -> None:
        answer = homeface("people", "export", "Laura", folder)
        assert answer.code == 0
        assert json.loads((folder / "subject.json").read_text())["name"] == "Laura"
        assert len(list(folder.glob("*.jpg"))) >= 3
        again = homeface("people", "export", "Laura", folder)
        assert again.code == 1
        assert "is not empty" in again.err

    def test_photos_that_are_refused(self, homeface: Command, config: Path, tmp_path: Path) -> None:
        notes = tmp_path / "notes.jpg"
        notes.write_text("this is a text file")
        group = data_dir() / "gallery" / "obama_and_biden.jpg"
        answer = homeface("enrol", "Nobody", notes, tmp_path / "gone.jpg", group, "--json")
        assert answer.code == 1
        assert answer.json["accepted"] == 0
        assert answer.json["subject_id"] is None
        assert [photo["key"] for photo in answer.json["photos"]] == [
            "unreadable", "unreadable", "several_faces",
        ]  # fmt: skip
        assert "gone.jpg" in answer.json["photos"][1]["message"]
        assert homeface("people", "list", "--json").json == []

        assert homeface("enrol", "Laura", *photos(LAURA)).code == 0
        for_another = homeface("enrol", "Hugo", photos(LAURA)[0], "--json")
        assert for_another.code == 1
        assert for_another.json["photos"][0]["key"] == "looks_like_another"
        assert "Laura" in for_another.json["photos"][0]["message"]
        again = homeface("enrol", "Laura", photos(LAURA)[0], "--json")
        assert again.code == 0  # nothing to do is no failure
        assert again.json["photos"][0]["key"] == "duplicate"

    def test_another_embedder_needs_reembedding(self, homeface: Command, config: Path) -> None:
        assert homeface("enrol", "Laura", *photos(LAURA)).code == 0
        config.write_text(config.read_text().replace("mobilefacenet", "facenet_vggface2"))
        refused = homeface("enrol", "Laura", other(LAURA))
        assert refused.code == 1
        assert "people reembed" in refused.err
        answer = homeface("people", "reembed", "--json")
        assert answer.code == 0, answer.out
        assert answer.json["done"] >= 3
        assert answer.json["failed"] == {}
        (person,) = homeface("people", "list", "--json").json
        assert len(person["models"]) == 1
        assert person["models"][0].startswith("facenet_vggface2")


class TestWithoutModels:
    """What needs no model does not load one."""

    @pytest.mark.parametrize(
        "command",
        ["people show Ada", "people rename Ada Eva", "people remove Ada --yes", "people export Ada x"],
    )
    def test_somebody_unknown(self, homeface: Command, config: Path, command: str) -> None:
        answer = homeface(*command.split())
        assert answer.code == 1
        assert "Ada" in answer.err
        assert "homeface people list" in answer.err
        assert "Traceback" not in answer.err

    def test_removing_asks_first(
        self, homeface: Command, config: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        from homeface.adapters.store import Store

        with Store(tmp_path / "state" / "homeface.db") as store:
            store.add_subject("Ada")
        monkeypatch.setattr("click.termui.visible_prompt_func", lambda _text: "n")
        answer = homeface("people", "remove", "Ada")
        assert answer.code == 130
        assert "Stopped." in answer.err
        assert [person["name"] for person in homeface("people", "list", "--json").json] == ["Ada"]
        assert homeface("people", "rename", "Ada", " ").code == 1
