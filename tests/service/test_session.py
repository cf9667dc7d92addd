"""The store as commands and daemon open it: with the aliases of the configuration."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from homeface import config as configuration
from homeface.errors import StoreError
from homeface.service.session import only_daemon, open_store
from tests.support.daemon import write_config


def _config(folder: Path, people: dict[str, dict[str, list[str]]]) -> configuration.Config:
    path = write_config(
        folder / "config.yaml",
        rooms={"hall": {}},
        cameras={"hall": {"room": "hall", "url": "rtsp://127.0.0.1/none"}},
        mqtt_port=1883,
        storage=folder / "state",
        people=people,
    )
    return configuration.load(path, {})


def test_configured_aliases_find_the_person(tmp_path: Path) -> None:
    with open_store(_config(tmp_path, {})) as store:
        anna = store.add_subject("Anna")
    with open_store(_config(tmp_path, {"Anna": {"aliases": ["Mum"]}})) as store:
        assert store.require_subject("mum").subject_id == anna.subject_id
    with open_store(_config(tmp_path, {"Anna": {"aliases": []}})) as store:
        assert store.find_subject("mum") is None


def test_an_alias_somebody_else_has_is_told_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_store(_config(tmp_path, {})) as store:
        store.add_subject("Anna")
        ben = store.add_subject("Ben")
    with (
        caplog.at_level(logging.WARNING),
        open_store(_config(tmp_path, {"Anna": {"aliases": ["Ben"]}})) as store,
    ):
        assert store.require_subject("ben").subject_id == ben.subject_id
    assert "aliases of Anna" in caplog.text


def test_one_daemon_a_database(tmp_path: Path) -> None:
    config = _config(tmp_path, {})
    with (
        only_daemon(config),
        pytest.raises(StoreError, match="Another homeface daemon"),
        only_daemon(config),
    ):
        pytest.fail("two daemons on one database")
    with only_daemon(config):
        assert (tmp_path / "state" / "homeface.lock").exists()
