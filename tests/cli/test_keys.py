"""Whose key is sealed where: each node has its own, none is lost to another. Real sealing: tests/linux."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from homeface.adapters import credentials
from homeface.cli import keys
from homeface.config import service_node
from homeface.errors import HomefaceError

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
        (Path("/srv/faces.yaml"), None, ("homeface.service", "homeface.key")),
        (Path("/srv/faces.yaml"), "faces", ("faces.service", "homeface.key")),
    ],
)
def test_each_node_has_a_unit_and_a_sealed_key_of_its_own(
    config: Path, unit: str | None, meant: tuple[str, str]
) -> None:
    found, place = keys._meant(config, unit)
    assert (found, place) == (meant[0], credentials.SEALED_FOLDER / meant[1])


def test_the_key_of_one_node_is_not_handed_to_another() -> None:
    with pytest.raises(click.UsageError, match=r"say -c /etc/homeface/attic\.yaml"):
        keys._meant(MAIN, "homeface@attic.service")


def test_a_command_that_is_run_with_the_key_says_which() -> None:
    assert keys._config_in(("people", "list", "-c", str(ATTIC))) == ATTIC
    assert keys._config_in((f"--config={ATTIC}", "people")) == ATTIC
    assert keys._config_in(("people", "list")) is None
    assert service_node(ATTIC) == "attic"
    assert service_node(MAIN) is None


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
