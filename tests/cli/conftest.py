"""Commands in this process, as a person would type them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from homeface.cli import run_cli
from tests.support.daemon import write_config
from tests.support.data import weights_dir
from tests.support.mosquitto import free_port

LIGHT = {"detector": "yunet_n", "embedder": "mobilefacenet", "device": "cpu", "threads": 1}
"""The smallest models: what is tested here are the commands."""


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its standard output, which must be one JSON document."""
        return json.loads(self.out)


Command = Callable[..., Answer]


@pytest.fixture(autouse=True)
def blockbuster() -> None:
    """A command does one thing and ends: nobody waits while it imports or reads a file in its event loop."""


@pytest.fixture
def homeface(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """``homeface("people", "list")`` in an empty folder, with the test weights and nothing of this user's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOMEFACE_MODELS", str(weights_dir()))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("HOMEFACE_CONFIG", raising=False)

    def run(*arguments: str | Path) -> Answer:
        capsys.readouterr()
        code = run_cli([str(argument) for argument in arguments])
        told = capsys.readouterr()
        return Answer(code, told.out, told.err)

    return run


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """``config.yaml`` in the current folder, where every command looks for it: one room, one camera."""
    return write_config(
        tmp_path / "config.yaml",
        rooms={"hall": {"name": "Hall"}},
        cameras={"hall": {"room": "hall", "url": "rtsp://127.0.0.1:9/hall"}},
        mqtt_port=free_port(),
        storage=tmp_path / "state",
        recognition=LIGHT,
    )
