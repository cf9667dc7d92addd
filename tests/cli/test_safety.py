"""Backup, restore, key and acts, as an administrator types them."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from homeface.adapters import sealed_file
from homeface.adapters.store import Store
from tests.adapters.test_store_failures import new
from tests.cli.conftest import Command

PASSWORD = "a long password"


@pytest.fixture(autouse=True)
def _quick_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed_file, "SCRYPT_LOG_N", 12)
    monkeypatch.setenv("SUDO_USER", "ada")


@pytest.fixture
def state(config: Path, tmp_path: Path) -> Path:
    with Store(tmp_path / "state" / "homeface.db") as store:
        store.enrol("Laura", [new(1)])
        store.enrol("Hugo", [new(2)])
    return tmp_path / "state"


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\nnot this\n")
    return file


def people(homeface: Command) -> list[str]:
    return [person["name"] for person in homeface("people", "list", "--json").json]


def test_there_and_back(homeface: Command, state: Path, password: Path) -> None:
    made = homeface("backup", "kept", "--password-file", password)
    assert made.code == 0, made.err
    assert "Hugo, Laura; 2 templates, 0 visits" in made.out
    assert homeface("people", "remove", "Hugo", "--yes").code == 0
    assert homeface("people", "rename", "Laura", "Lara").code == 0
    listed = homeface("restore", "kept", "--list", "--password-file", password, "--json").json
    assert listed["people"] == ["Hugo", "Laura"]
    assert people(homeface) == ["Lara"]
    restored = homeface("restore", "kept", "--password-file", password, "--yes")
    assert restored.out.splitlines() == [
        "Restored: Laura.",
        "1 who had been removed here since were left out.",
    ]
    assert people(homeface) == ["Laura"]
    acts = homeface("acts", "--json").json
    assert [act["what"] for act in acts] == ["restore", "rename", "remove", "backup"]
    assert {act["who"] for act in acts} == {"cli:ada"}
    shown = homeface("acts").out
    assert "Laura (" in shown
    assert "Hugo" not in shown


@pytest.mark.parametrize("loss", ["damaged", "another key", "no key", "everything"])
def test_after_a_loss_the_backup_brings_everybody_back(
    homeface: Command, state: Path, password: Path, loss: str
) -> None:
    homeface("backup", "kept", "--password-file", password)
    database, key = state / "homeface.db", state / "homeface.key"
    if loss == "damaged":
        database.write_bytes(b"\x5a" * 20000)
    elif loss == "another key":
        key.write_text("ab" * 32)
    elif loss == "no key":
        key.unlink()
    else:
        for file in state.iterdir():
            file.unlink()
    failed = homeface("people", "list")
    assert failed.code == (0 if loss == "everything" else 1)
    if "key" in loss:
        assert "Hugo, Laura" in failed.err, "what is lost is told by name"
    restored = homeface("restore", "kept", "--password-file", password, "--yes")
    assert restored.code == 0, restored.err
    assert people(homeface) == ["Hugo", "Laura"]
    aside = [file.name for file in state.iterdir() if "damaged" in file.name]
    assert bool(aside) == (loss != "everything")


def test_a_wrong_password_changes_nothing(homeface: Command, state: Path, password: Path) -> None:
    homeface("backup", "kept", "--password-file", password)
    before = (state / "homeface.db").read_bytes()
    password.write_text("another password")
    answer = homeface("restore", "kept", "--password-file", password, "--yes")
    assert (answer.code, answer.out) == (1, "")
    assert "password is wrong" in answer.err
    assert (state / "homeface.db").read_bytes() == before
    assert homeface("backup", "new", "--password-file", "nowhere").code == 1
    assert not Path("new").exists()


def test_nothing_is_backed_up_from_the_wrong_place(homeface: Command, config: Path, password: Path) -> None:
    answer = homeface("backup", "kept", "--password-file", password)
    assert "There is nothing to back up" in answer.err
    assert not (config.parent / "state").exists()


def test_nobody_to_ask(homeface: Command, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Path(os.devnull).open() as nobody:
        monkeypatch.setattr(sys, "stdin", nobody)
        assert "use --password-file" in homeface("backup", "kept").err


def test_a_person_is_asked_twice_and_the_password_is_not_shown(state: Path, config: Path) -> None:
    ours, theirs = pty.openpty()
    script = (
        "from homeface.adapters import sealed_file; sealed_file.SCRYPT_LOG_N = 12;"
        "from homeface.cli import run_cli; raise SystemExit(run_cli(['backup', 'kept']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=config.parent,
        start_new_session=True,
    ) as running:
        os.close(theirs)
        said = b""
        for question in (b"Password of the backup: ", b"Repeat for confirmation: "):
            while question not in said:
                said += os.read(ours, 1000)
            os.write(ours, PASSWORD.encode() + b"\n")
        while b"templates" not in said:
            said += os.read(ours, 1000)
        assert running.wait(30) == 0
    os.close(ours)
    assert PASSWORD.encode() not in said


def test_acts_of_no_days(homeface: Command, state: Path) -> None:
    assert homeface("acts", "--days", "-1").code == 2
    assert homeface("acts", "--days", "0").out == "Nothing was noted in the last 0 days.\n"


def test_another_key(homeface: Command, state: Path) -> None:
    before = (state / "homeface.key").read_bytes()
    answer = homeface("key", "rotate", "--json")
    assert answer.json == {"sealed": 6, "broken": 0, "key_file": str(state / "homeface.key")}
    assert (state / "homeface.key").read_bytes() != before
    assert people(homeface) == ["Hugo", "Laura"]
    assert len(bytes.fromhex(homeface("key", "new").out)) == 32


def test_a_key_that_systemd_passes_on(
    homeface: Command, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (state / "homeface.key").rename(credentials / "homeface.key")
    assert "is missing" in homeface("people", "list").err
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    assert people(homeface) == ["Hugo", "Laura"]
    assert not (state / "homeface.key").exists()
