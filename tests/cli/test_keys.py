"""Whose key is sealed where: each node has its own, none is lost to another. Real sealing: tests/linux."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from homeface.adapters import credentials, system_files
from homeface.adapters.store import Store
from homeface.adapters.store.keys import Keys
from homeface.cli import keys, run_cli
from homeface.config import service_node
from homeface.errors import HomefaceError
from tests.cli.conftest import Command

ATTIC = Path("/etc/homeface/attic.yaml")
MAIN = Path("/etc/homeface/config.yaml")


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HOMEFACE_CONFIG", raising=False)


@pytest.mark.parametrize(
    ("config", "unit", "meant"),
    [
        (MAIN, None, ("homeface.service", "homeface.key")),
        (ATTIC, None, ("homeface@attic.service", "homeface.attic.key")),
        (ATTIC, "homeface@attic", ("homeface@attic.service", "homeface.attic.key")),
        (Path("/srv/faces.yaml"), "faces", ("faces.service", "homeface.key")),
        (Path("/srv/faces.yaml"), "homeface", ("homeface.service", "homeface.key")),
        (ATTIC, "faces.service", ("faces.service", "homeface.attic.key")),
    ],
)
def test_each_node_has_a_unit_and_a_sealed_key_of_its_own(
    config: Path, unit: str | None, meant: tuple[str, str]
) -> None:
    found, place = keys._meant(config, unit)
    assert (found, place) == (meant[0], credentials.SEALED_FOLDER / meant[1])


@pytest.mark.parametrize(
    ("config", "unit", "said"),
    [
        (MAIN, "homeface@attic.service", "say -c /etc/homeface/attic.yaml"),
        (ATTIC, "homeface.service", "say -c /etc/homeface/config.yaml"),
        (ATTIC, "homeface", "say -c /etc/homeface/config.yaml"),
        (ATTIC, "homeface@cellar", "say -c /etc/homeface/cellar.yaml"),
        (Path("/srv/faces.yaml"), None, "--unit"),
        (Path("/etc/homeface/old/attic.yaml"), None, "--unit"),
    ],
)
def test_the_key_of_one_node_is_not_handed_to_another(config: Path, unit: str | None, said: str) -> None:
    with pytest.raises(click.UsageError, match=re.escape(said)):
        keys._meant(config, unit)


def test_a_command_that_is_run_with_the_key_says_which() -> None:
    assert keys._config_in(("people", "list", "-c", str(ATTIC))) == ATTIC
    assert keys._config_in((f"--config={ATTIC}", "people")) == ATTIC
    assert keys._config_in(("people", "list", f"-c{ATTIC}")) == ATTIC
    assert keys._config_in(("people", "list", "-c", str(MAIN), "-c", str(ATTIC))) == ATTIC
    assert keys._config_in(("people", "remove", "--", f"-c{ATTIC}")) is None
    assert keys._config_in(("people", "list")) is None
    assert service_node(ATTIC) == "attic"
    assert service_node(MAIN) is None


def test_a_command_that_is_run_with_the_key_keeps_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr("shutil.which", lambda _: "/bin/systemd-run")
    monkeypatch.setattr("pathlib.Path.is_file", lambda _: True)
    monkeypatch.setattr("os.execv", lambda _program, words: told.extend(words))
    assert run_cli(["key", "run", "people", "list", f"-c{ATTIC}", "--json"]) == 0
    assert told[-4:] == ["people", "list", f"-c{ATTIC}", "--json"]
    assert "LoadCredentialEncrypted=homeface.key:/etc/credstore.encrypted/homeface.attic.key" in told


class TestSealed:
    """What the commands do, with the system's folders and systemd-creds played."""

    @pytest.fixture(autouse=True)
    def _system(
        self, homeface: Command, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(credentials, "SEALED_FOLDER", tmp_path / "sealed")
        monkeypatch.setattr(system_files, "UNITS", tmp_path / "units")
        monkeypatch.setattr(credentials, "unseal", lambda _name, sealed: sealed.read_bytes())
        (tmp_path / "sealed").mkdir()

        def seal(_name: str, plain: bytes, target: Path, _by: str) -> None:
            target.write_bytes(plain)

        monkeypatch.setattr(credentials, "seal", seal)
        Store(tmp_path / "state" / "homeface.db").close()

    def test_it_is_not_changed_while_the_plain_file_is_kept(
        self, homeface: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(click, "confirm", lambda _: False)
        assert homeface("key", "seal", "--unit", "faces").code == 0
        plain = (tmp_path / "state" / "homeface.key").read_bytes()
        refused = homeface("key", "rotate")
        assert refused.code == 1
        assert "First: homeface key unseal" in refused.err
        assert (tmp_path / "state" / "homeface.key").read_bytes() == plain
        assert homeface("key", "unseal", "--unit", "faces").code == 0
        assert homeface("key", "rotate").code == 0

    def test_a_service_of_ours_is_known_by_its_drop_in(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keys._refuse_sealed(ATTIC)
        keys._write_drop_in("homeface@attic.service", "")
        keys._refuse_sealed(MAIN)
        with pytest.raises(HomefaceError, match="is sealed"):
            keys._refuse_sealed(ATTIC)

    def test_a_key_that_is_changed_before_the_answer_stays(
        self, homeface: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        database, file = tmp_path / "state" / "homeface.db", tmp_path / "state" / "homeface.key"

        def meanwhile(_: str) -> bool:
            with Store(database) as shell:
                shell.rotate_key()
            return True

        monkeypatch.setattr(click, "confirm", meanwhile)
        refused = homeface("key", "seal", "--unit", "faces")
        assert refused.code == 1
        assert "was changed meanwhile" in refused.err
        with Store(database) as store:
            assert file.read_text().strip() == store.key().hex()

    def test_nothing_is_left_in_plain(
        self, homeface: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = tmp_path / "state" / "homeface.key"
        following = file.with_name("homeface.key.next")
        file.rename(following)  # as after a change whose last step was cut off
        file.write_text("ab" * 32)
        with monkeypatch.context() as cut_off:
            cut_off.setattr(Keys, "_promote", lambda *_: None)
            assert homeface("key", "seal", "--unit", "faces", "--yes").code == 0
        assert not file.exists()
        assert not following.exists()
        (tmp_path / "credentials").mkdir()
        (tmp_path / "sealed" / "homeface.key").rename(tmp_path / "credentials" / "homeface.key")
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
        assert homeface("people", "list").code == 0


def test_a_sealed_key_is_never_written_over_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed = tmp_path / "homeface.key"
    credentials.check_place(sealed, b"one")
    sealed.touch()
    monkeypatch.setattr(credentials, "unseal", lambda *_: b"one")
    credentials.check_place(sealed, b"one")
    with pytest.raises(HomefaceError, match="holds another key already"):
        credentials.check_place(sealed, b"two")

    def of_another_machine(*_: object) -> bytes:
        raise HomefaceError("systemd-creds decrypt failed.")

    monkeypatch.setattr(credentials, "unseal", of_another_machine)
    with pytest.raises(HomefaceError, match="does not open here; move it away"):
        credentials.check_place(sealed, b"one")
