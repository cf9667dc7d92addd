"""``homeface web``: password and tokens from the command line."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from homeface.adapters.store import Store
from homeface.adapters.web.access import Scope, Who
from homeface.adapters.web.accounts import Accounts
from homeface.cli import run_cli
from homeface.errors import NotLoggedInError
from tests.support.daemon import write_config


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(
        tmp_path / "config.yaml",
        rooms={"hall": {}},
        cameras={"hall": {"room": "hall", "url": "rtsp://127.0.0.1:9/hall"}},
        mqtt_port=9,
        storage=tmp_path / "state",
    )


def set_password(config: Path, password: str) -> int:
    file = config.with_name("password")
    file.write_text(f"{password}\n")
    return run_cli(["web", "password", "-c", str(config), "--password-file", str(file)])


def log_in(config: Path, password: str) -> str:
    with Store(config.parent / "state" / "homeface.db") as store:
        return asyncio.run(Accounts(store).log_in(None, password, "here"))


def who(config: Path, secret: str) -> Who | None:
    with Store(config.parent / "state" / "homeface.db") as store:
        return asyncio.run(Accounts(store).by_token(secret))


def test_a_password_is_set_and_set_again(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert set_password(config, "first password") == 0
    assert log_in(config, "first password")
    assert set_password(config, "second password") == 0
    with pytest.raises(NotLoggedInError):
        log_in(config, "first password")
    assert log_in(config, "second password")
    assert set_password(config, "short") == 1
    assert "at least 10 characters" in capsys.readouterr().err
    with Store(config.parent / "state" / "homeface.db") as store:
        assert [act.what for act in store.acts()] == ["set password", "set password"]


def test_a_token_is_made_listed_and_taken_back(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["-c", str(config), "--json"]
    assert run_cli(["web", "token", "ha", "--scope", "read", "--scope", "control", *common]) == 0
    made = json.loads(capsys.readouterr().out)
    found = who(config, made["secret"])
    assert found is not None
    assert found.scopes == {Scope.READ, Scope.CONTROL}
    assert run_cli(["web", "token", "ha", "--scope", "read", *common]) == 1
    assert "already" in capsys.readouterr().err
    assert run_cli(["web", "tokens", *common]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(token["name"], "secret" in token) for token in listed] == [("ha", False)]
    assert run_cli(["web", "revoke", "ha", "-c", str(config)]) == 0
    assert who(config, made["secret"]) is None
    assert run_cli(["web", "revoke", "ha", "-c", str(config)]) == 1
