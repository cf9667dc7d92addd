"""``homeface config``: problems for people and for editors."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Command


def test_a_right_configuration(homeface: Command, config: Path) -> None:
    answer = homeface("config", "check")
    assert (answer.code, answer.out) == (0, "The configuration is right: 1 room, 1 camera.\n")
    assert homeface("config", "check", "--json").json == {"ok": True, "problems": []}


def test_everything_wrong_is_told_at_once_with_its_line(homeface: Command, config: Path) -> None:
    document = yaml.safe_load(config.read_text())
    document["cameras"]["hall"]["room"] = "cellar"
    document["presence"] = {"hold": "ten"}
    document["recognition"]["embedder"] = "my_own"
    config.write_text(yaml.safe_dump(document, sort_keys=False))
    answer = homeface("config", "check", "-c", config)
    assert answer.code == 2
    assert answer.out == ""
    told = answer.err.splitlines()
    assert len(told) == 3
    assert all(line.startswith(f"{config}:") for line in told)
    for word in ("cellar", "hold", "my_own"):
        assert word in answer.err
    problems = homeface("config", "check", "--json")
    assert problems.code == 2
    assert [set(problem) for problem in problems.json["problems"]] == [{"file", "line", "key", "message"}] * 3


def test_the_environment_can_name_the_file(
    homeface: Command, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = config.rename(config.with_name("home.yaml"))
    assert homeface("config", "check").code == 2
    monkeypatch.setenv("HOMEFACE_CONFIG", str(moved))
    assert homeface("config", "check").code == 0


def test_the_schema_is_json(homeface: Command) -> None:
    schema = homeface("config", "schema").json
    assert {"rooms", "cameras", "mqtt"} <= schema["properties"].keys()


def test_the_example_is_right_apart_from_its_secrets(homeface: Command, tmp_path: Path) -> None:
    example = Path(__file__).resolve().parents[2] / "config.example.yaml"
    (tmp_path / "config.yaml").write_text(example.read_text())
    (tmp_path / "secrets.yaml").write_text("kitchen_camera_password: one\nmqtt_password: two\n")
    answer = homeface("config", "check")
    assert answer.code == 0, answer.err
