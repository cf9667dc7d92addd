"""Installing below another root, what stands against it, and the files themselves."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from homeface.adapters import installation, system_files
from homeface.adapters.installation import (
    Step,
    Target,
    left_behind,
    obstacles,
    plan_install,
    plan_uninstall,
)
from homeface.adapters.store import Store, schema
from homeface.errors import HomefaceError
from tests.cli.conftest import Command, homeface  # noqa: F401 - a fixture

UNITS = Path(__file__).resolve().parents[2] / "systemd"
PROGRAM = Path("/opt/homeface/bin/homeface")


def files(root: Path) -> set[str]:
    return {str(file.relative_to(root)) for file in root.rglob("*") if file.is_file()}


def test_there_and_back_below_another_root(tmp_path: Path) -> None:
    target = Target(tmp_path)
    command = Path("/srv/faces/bin/homeface")
    for step in plan_install(command, target, enable=True):
        assert not step.sentence.startswith(("Tell", "Start")), "no command is run for another root"
        step.do()
    unit = (tmp_path / "etc/systemd/system/homeface.service").read_text()
    assert f"ExecStart={command} run -c /etc/homeface/config.yaml" in unit
    assert (tmp_path / "etc/homeface/config.yaml").stat().st_mode & 0o777 == 0o640
    assert plan_install(command, target, enable=False) == []
    (tmp_path / "etc/homeface/config.yaml").write_text("mine")
    edited = tmp_path / "etc/systemd/system/homeface.service"
    edited.write_text(edited.read_text() + "# by hand\n")
    moved = plan_install(PROGRAM, target, enable=False)
    assert [step.sentence.split()[0] for step in moved] == ["Update", "Update"]
    for step in moved:
        step.do()
    assert "# by hand" not in edited.read_text()
    assert "# by hand" in edited.with_name("homeface.service.old").read_text()
    assert plan_install(PROGRAM, target, enable=False) == []
    for update in (command, PROGRAM, command):
        for step in plan_install(update, target, enable=False):
            step.do()
    kept = {edited.with_name(f"homeface.service.old{number}").read_text() for number in ("", "2", "3")}
    assert len(kept) == 3, "each of the three that were there, once"
    assert "# by hand" in edited.with_name("homeface.service.old").read_text()
    assert not edited.with_name("homeface.service.old4").exists()
    for step in plan_uninstall(target, purge=False):
        step.do()
    assert files(tmp_path) == {"etc/homeface/config.yaml"}
    assert left_behind(target) == [tmp_path / "etc/homeface"]
    for step in plan_uninstall(target, purge=True):
        step.do()
    assert files(tmp_path) == set()


def test_a_step_that_fails_says_which(homeface: Command, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "etc").write_text("a file where a folder should be")
    answer = homeface("install", "--root", tmp_path / "root", "--yes")
    assert answer.code == 1
    assert "This will be done:" in answer.out
    assert answer.err.startswith(("Step 1 failed:", "homeface cannot be installed"))


def test_a_dry_run_says_by_its_exit_code_whether_installing_would_be_refused(
    homeface: Command,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = tmp_path / "root"
    monkeypatch.setattr(installation, "_HIDDEN", ())
    monkeypatch.setattr(installation, "_out_of_reach", lambda *_: [])
    free = homeface("install", "--root", root, "--dry-run")
    assert (free.code, "In the way" in free.out) == (0, False)
    monkeypatch.setattr(installation, "_out_of_reach", lambda *_: ["It lies in /home."])
    answer = homeface("install", "--root", root, "--dry-run")
    assert answer.code == 1
    assert "Would do:" in answer.out, "the plan is told all the same"
    assert "In the way: It lies in /home." in answer.out
    refused = homeface("install", "--root", root, "--yes")
    assert (refused.code, "cannot be installed like this" in refused.err) == (1, True)
    assert not root.exists()


def a_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders of the service, of the node attic, and of a restore that was killed."""
    state, settings = tmp_path / "state", tmp_path / "etc"
    for folder in (settings, state / "attic", state / ".homeface-0a1b2c3d"):
        folder.mkdir(parents=True)
    for name in ("config.yaml", "attic.yaml", "cellar.yaml", ".attic.yaml.swp"):
        (settings / name).touch()
    monkeypatch.setattr(installation, "STATE", state)
    monkeypatch.setattr(installation, "CONFIG", settings / "config.yaml")
    return state


def test_databases_are_those_of_the_service_and_its_nodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = a_state(tmp_path, monkeypatch)
    for place in (state, state / "attic"):
        Store(place / "homeface.db").close()
    (state / ".homeface-0a1b2c3d" / "homeface.db").write_bytes(b"half of a restore" * 100)
    plan = plan_install(PROGRAM, Target(), enable=False)
    brought = [step.sentence.split()[1] for step in plan if step.sentence.startswith("Bring")]
    assert brought == [str(state / "homeface.db"), str(state / "attic" / "homeface.db")]
    assert "homeface.db" not in "\n".join(obstacles(PROGRAM, Target()))


def test_a_database_that_would_be_refused_is_told_before_anything_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = a_state(tmp_path, monkeypatch)
    with monkeypatch.context() as newer:
        newer.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, ("CREATE TABLE later (id)",)))
        Store(state / "attic" / "homeface.db").close()
    (state / "homeface.db").write_bytes(b"no database at all " * 100)
    before = (state / "homeface.db").read_bytes()
    told = "\n".join(obstacles(PROGRAM, Target()))
    assert f"The database {state}/attic/homeface.db was written by a newer homeface" in told
    assert f"The database {state}/homeface.db is damaged" in told
    assert (state / "homeface.db").read_bytes() == before


def test_no_room_for_the_copy_is_told_before_anything_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = a_state(tmp_path, monkeypatch)
    monkeypatch.setattr(installation, "_SPARE_BYTES", 0)
    for place in (state, state / "attic"):
        (place / "homeface.db").write_bytes(b"x" * (1 << 20))
    assert "The disk with" not in "\n".join(obstacles(PROGRAM, Target()))
    usage = shutil.disk_usage(state)._replace(free=(4 << 20) - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    told = "\n".join(obstacles(PROGRAM, Target()))
    assert f"The disk with {state} has 3 MiB left, and a copy of the database may need 4 MiB" in told


@pytest.mark.parametrize("failing", ["Stop it", "Copy"])
@pytest.mark.parametrize(
    ("error", "code", "last"),
    [
        (HomefaceError("The disk is full."), 1, "The steps before it are done; mend it and run this again."),
        (KeyboardInterrupt(), 130, "Stopped."),
    ],
)
def test_what_was_stopped_starts_again_when_a_step_is_not_finished(
    homeface: Command,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failing: str,
    error: BaseException,
    code: int,
    last: str,
) -> None:
    done = []

    def do(what: str) -> None:
        done.append(what)
        if what == failing:
            raise error

    start = Step("Start it again", lambda: do("start"))
    steps = [Step("Stop it", lambda: do("Stop it"), undo=start), Step("Copy", lambda: do("Copy"))]
    monkeypatch.setattr(installation, "obstacles", lambda *_: [])
    monkeypatch.setattr(installation, "plan_install", lambda *_, **__: steps)
    answer = homeface("install", "--root", tmp_path, "--yes")
    assert answer.code == code
    assert done[-2:] == [failing, "start"]
    assert answer.err.splitlines()[0] == f"Step {len(done) - 1} was not finished. Start it again"
    assert answer.err.splitlines()[-1] == last


def test_what_cannot_be_started_again_is_told(
    homeface: Command,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(why: str) -> None:
        raise HomefaceError(why)

    start = Step("Start it again", lambda: fail("no bus"))
    steps = [Step("Stop it", lambda: None, undo=start), Step("Copy", lambda: fail("The disk is full."))]
    monkeypatch.setattr(installation, "obstacles", lambda *_: [])
    monkeypatch.setattr(installation, "plan_install", lambda *_, **__: steps)
    answer = homeface("install", "--root", tmp_path, "--yes")
    assert answer.err.splitlines()[1:3] == [
        "That failed, too; do it by hand: no bus",
        "Step 2 failed: The disk is full.",
    ]


def test_an_update_knows_how_to_start_what_it_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(a_state(tmp_path, monkeypatch) / "homeface.db").close()
    monkeypatch.setattr(installation, "running_units", lambda: ["homeface.service", "homeface@attic.service"])
    first = plan_install(PROGRAM, Target(), enable=False)[0]
    assert first.sentence.endswith("systemctl stop homeface.service homeface@attic.service")
    assert first.undo is not None
    assert first.undo.sentence.endswith("systemctl start homeface.service homeface@attic.service")


def test_purging_takes_sealed_keys_and_additions_to_the_units(tmp_path: Path) -> None:
    target = Target(tmp_path)
    theirs = {"etc/credstore.encrypted/another.key", "etc/systemd/system/other.service.d/key.conf"}
    ours = {
        "etc/credstore.encrypted/homeface.key",
        "etc/credstore.encrypted/homeface.attic.key",
        "etc/systemd/system/homeface.service.d/key.conf",
        "etc/systemd/system/homeface@attic.service.d/key.conf",
    }
    for name in theirs | ours:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for step in plan_uninstall(target, purge=False):
        step.do()
    assert files(tmp_path) == theirs | ours, "the key opens the faces that stay"
    assert tmp_path / "etc/credstore.encrypted/homeface.attic.key" in left_behind(target)
    for step in plan_uninstall(target, purge=True):
        step.do()
    assert files(tmp_path) == theirs


def test_what_stands_against_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = tmp_path / "venv" / "bin" / "homeface"
    hidden.parent.mkdir(parents=True)
    hidden.touch()
    (tmp_path / "venv").chmod(0o700)
    monkeypatch.setattr(installation, "_HIDDEN", (str(tmp_path),))
    told = "\n".join(obstacles(hidden, Target(tmp_path / "root")))
    assert f"lies in {tmp_path}, which the service cannot see" in told
    monkeypatch.setattr(installation, "_HIDDEN", ())
    assert "chmod o+x" in "\n".join(obstacles(hidden, Target(tmp_path / "root")))
    monkeypatch.setattr(installation, "_HIDDEN", (str(Path(sys.executable).resolve().parent),))
    assert "Its Python (" in "\n".join(obstacles(hidden, Target()))
    assert "is not there" in "\n".join(obstacles(tmp_path / "none", Target(tmp_path)))


def test_the_template_is_the_service_but_for_its_name() -> None:
    """Every setting of one is in the other; what differs is the node's name in paths and texts."""

    def settings(name: str) -> list[str]:
        lines = (UNITS / name).read_text(encoding="utf-8").splitlines()
        return [line for line in lines if line and not line.startswith("#")]

    one, many = settings("homeface.service"), settings("homeface@.service")
    replaced = [
        line.replace("/%i.yaml", "/config.yaml").replace("homeface/%i", "homeface").replace(" (%i)", "")
        for line in many
    ]
    assert replaced[:-1] == one[:-1]
    assert (one[-1], many[-1]) == ("WantedBy=multi-user.target", "WantedBy=homeface.target")


@pytest.mark.parametrize("name", ["homeface.service", "homeface@.service"])
def test_exposure(name: str, tmp_path: Path) -> None:
    if subprocess.run(["which", "systemd-analyze"], capture_output=True, check=False).returncode:
        pytest.skip("needs systemd-analyze")
    unit = tmp_path / name.replace("@", "@node")
    unit.write_text((UNITS / name).read_text())
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


def test_every_shipped_file_is_found() -> None:
    found = {file.place.name for file in system_files.system_files(PROGRAM)}
    assert found == {"homeface.service", "homeface@.service", "homeface.target", "homeface.conf"}
    assert "rooms:" in system_files.example_config()


def test_the_container_file_copies_all_that_the_package_is_made_of() -> None:
    root = UNITS.parent
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["packages"], *wheel["force-include"], project["project"]["readme"], "pyproject.toml"}
    needed |= set(project["project"]["license-files"])
    lines = (root / "docs" / "container" / "Containerfile").read_text(encoding="utf-8").splitlines()
    copies = [line.split()[1:] for line in lines if line.startswith("COPY ") and "--from" not in line]
    taken = {source for *sources, _ in copies for source in sources}
    assert needed <= taken
    assert all((root / source).exists() for source in taken)
    assert [target for *sources, target in copies if sources == ["systemd"]] == ["/src/systemd"]
    settings = " ".join(lines)
    for path in (system_files.STATE, system_files.CACHE, system_files.CONFIG):
        assert f"={path}" in settings, "the same places as the service's"
