"""``homeface homeassistant install`` as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

from homeface.adapters.homeassistant_files import LIST
from tests.cli.conftest import Command

BLUEPRINT = "blueprints/automation/homeface/nobody_home.yaml"


def test_the_command_tells_what_it_does(tmp_path: Path, homeface: Command) -> None:
    folder = tmp_path / "ha"
    folder.mkdir()
    (folder / "configuration.yaml").write_text("default_config:\n")
    plan = homeface("homeassistant", "install", "--config", str(folder), "--dry-run")
    assert plan.code == 0
    assert f"new: {BLUEPRINT}" in plan.out
    assert "Would be done" in plan.out
    assert not (folder / LIST).exists()
    done = homeface("homeassistant", "install", "--config", str(folder))
    assert "Restart Home Assistant" in done.out
    assert (folder / BLUEPRINT).is_file()
    again = homeface("homeassistant", "install", "--config", str(folder), "--json")
    assert {file["act"] for file in json.loads(again.out)["files"]} == {"same"}
    gone = homeface("homeassistant", "install", "--config", str(folder), "--undo")
    assert f"removed: {BLUEPRINT}" in gone.out
    assert not (folder / "custom_components").exists()
    wrong = homeface("homeassistant", "install", "--config", str(folder / "none"))
    assert (wrong.code, "There is no folder" in wrong.err) == (1, True)
