"""The companion's files in a Home Assistant folder: put in, updated, taken away; what is the user's stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from homeface.adapters.homeassistant_files import (
    ASIDE,
    BESIDE,
    LIST,
    Act,
    carry_out,
    check_folder,
    plan_install,
    plan_undo,
    source_files,
)
from homeface.errors import HomefaceError

CODE = "custom_components/homeface/api.py"
BLUEPRINT = "blueprints/automation/homeface/nobody_home.yaml"
DASHBOARD = "dashboards/homeface.yaml"
OURS = {CODE: b"code", BLUEPRINT: b"blueprint", DASHBOARD: b"dashboard"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "configuration.yaml").write_text("default_config:\n")
    (tmp_path / "blueprints").mkdir()
    (tmp_path / "blueprints" / "mine.yaml").write_text("mine")
    return tmp_path


def install(folder: Path, wanted: dict[str, bytes]) -> dict[str, Act]:
    steps = plan_install(folder, wanted)
    carry_out(folder, steps, wanted)
    return {step.path: step.act for step in steps}


def undo(folder: Path) -> dict[str, Act]:
    steps = plan_undo(folder)
    carry_out(folder, steps, {})
    return {step.path: step.act for step in steps}


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_there_and_back_leaves_nothing_behind(folder: Path) -> None:
    before = files(folder)
    assert set(install(folder, OURS).values()) == {Act.ADD}
    assert {path: files(folder)[path] for path in OURS} == OURS
    assert set(install(folder, OURS).values()) == {Act.SAME}
    cache = folder / "custom_components" / "homeface" / "__pycache__"
    cache.mkdir()
    (cache / "api.cpython-313.pyc").write_bytes(b"compiled")
    assert set(undo(folder).values()) == {Act.REMOVE}
    assert files(folder) == before
    assert not (folder / "custom_components").exists()
    assert not (folder / "dashboards").exists()
    assert undo(folder) == {}


def test_an_update_replaces_adds_and_removes_what_is_ours(folder: Path) -> None:
    install(folder, OURS)
    newer = {CODE: b"newer code", BLUEPRINT: b"blueprint", "dashboards/other.yaml": b"other"}
    assert install(folder, newer) == {
        CODE: Act.UPDATE,
        BLUEPRINT: Act.SAME,
        "dashboards/other.yaml": Act.ADD,
        DASHBOARD: Act.REMOVE,
    }
    assert not (folder / DASHBOARD).exists()


def test_what_somebody_changed_is_theirs(folder: Path) -> None:
    install(folder, OURS)
    for path in OURS:
        (folder / path).write_bytes(b"mine")
    newer = {path: content + b" 2" for path, content in OURS.items()}
    acts = install(folder, newer)
    assert acts == {CODE: Act.SET_ASIDE, BLUEPRINT: Act.KEEP, DASHBOARD: Act.KEEP}
    there = files(folder)
    assert (there[CODE], there[CODE + ASIDE]) == (b"code 2", b"mine")
    assert (there[BLUEPRINT], there[BLUEPRINT + BESIDE]) == (b"mine", b"blueprint 2")
    assert undo(folder) == {CODE: Act.REMOVE}
    assert files(folder)[BLUEPRINT] == b"mine"


def test_a_file_of_that_name_that_was_there_before_is_not_ours(folder: Path) -> None:
    (folder / "dashboards").mkdir()
    (folder / DASHBOARD).write_bytes(b"my own dashboard")
    assert install(folder, OURS)[DASHBOARD] is Act.KEEP
    undo(folder)
    assert files(folder)[DASHBOARD] == b"my own dashboard"


def test_what_is_gone_or_changed_is_left_alone_by_an_undo(folder: Path) -> None:
    install(folder, OURS)
    (folder / CODE).unlink()
    (folder / BLUEPRINT).write_bytes(b"mine")
    assert undo(folder) == {CODE: Act.GONE, BLUEPRINT: Act.KEEP, DASHBOARD: Act.REMOVE}
    assert files(folder)[BLUEPRINT] == b"mine"


def test_only_a_folder_of_home_assistant_will_do(tmp_path: Path) -> None:
    with pytest.raises(HomefaceError, match="There is no folder"):
        check_folder(tmp_path / "none")
    with pytest.raises(HomefaceError, match="no configuration folder of Home Assistant"):
        check_folder(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"files": {"../../etc/passwd": "x"}}', '{"files": {"/etc/x": "x"}}']
)
def test_a_list_that_is_none_of_ours_deletes_nothing(folder: Path, text: str) -> None:
    (folder / LIST).write_text(text)
    with pytest.raises(HomefaceError, match="delete it"):
        plan_undo(folder)


def test_a_disk_that_refuses_is_told(folder: Path) -> None:
    (folder / "custom_components").write_text("a file where a folder must be")
    with pytest.raises(HomefaceError, match="cannot be changed"):
        install(folder, OURS)
    assert not [path for path in files(folder) if path.endswith(".partial")]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_files_belong_to_whom_the_folder_belongs(folder: Path) -> None:
    os.chown(folder, 12345, 12345)
    install(folder, OURS)
    assert {(folder / path).stat().st_uid for path in (CODE, DASHBOARD, LIST)} == {12345}
    assert (folder / CODE).parent.stat().st_uid == 12345


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be misled")
def test_a_link_does_not_lead_root_out_of_the_folder(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (folder / "dashboards").symlink_to(elsewhere)
    with pytest.raises(HomefaceError, match="leads out of"):
        install(folder, OURS)
    assert not list(elsewhere.iterdir())
    assert not (folder / CODE).exists()


def test_everything_that_belongs_in_is_found() -> None:
    found = source_files()
    for path in (
        "custom_components/homeface/manifest.json",
        "custom_components/homeface/translations/de.json",
        "custom_components/homeface/brand/icon.png",
        BLUEPRINT,
        DASHBOARD,
        "custom_sentences/de/homeface.yaml",
    ):
        assert path in found
    assert {path.split("/")[0] for path in found} == {
        "blueprints",
        "custom_components",
        "custom_sentences",
        "dashboards",
    }
    assert not [path for path in found if "__pycache__" in path or path.endswith(".pyc")]
