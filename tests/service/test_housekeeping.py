"""The daemon's hourly work on what is stored, and a damaged database at the start."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from homeface import config as configuration
from homeface.adapters.store import copies
from homeface.config import Config
from homeface.core.types import Box, Sighting, Unknown
from homeface.errors import StoreDamagedError, StoreError
from homeface.service import wiring
from homeface.service.housekeeping import keep_house
from homeface.service.session import open_or_recover, open_store
from tests.adapters.test_store_failures import new
from tests.adapters.test_store_unknown import visit as unknown_visit
from tests.support.daemon import write_config

DAY = 86400.0
NOW = 2_000_000_000.0


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = write_config(
        tmp_path / "config.yaml",
        rooms={"hall": {}},
        cameras={"hall": {"room": "hall", "device": 0}},
        mqtt_port=1,
        storage=tmp_path / "state",
    )
    path.write_text(path.read_text().replace("storage:", "storage:\n  retention: 10d\n  keep_acts: 20d"))
    return configuration.load(path, {})


def visit(number: int, at: float) -> Sighting:
    return Sighting("hall", "hall", f"v{number}", at - 1, at, Unknown(()), Box(0, 0, 1, 1), ended=True)


def test_everything_old_is_forgotten_and_a_copy_made(
    config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    with open_store(config) as store:
        for number, days in enumerate((1, 9, 11, 30)):
            store.add_sighting(visit(number, NOW - days * DAY))
            store.note_act("cli:ada", "enrol", at=NOW - 2 * days * DAY)
        keep_house(store, config.storage, NOW)
        assert sorted(s.visit_id for s in store.sightings()) == ["v0", "v1"]
        assert len(store.acts()) == 2
        assert copies.daily(store.path).exists()


def test_one_thing_that_fails_keeps_nothing_else_from_being_done(
    config: Config, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_older_than: float) -> int:
        raise StoreError("The disk is full.")

    with open_store(config) as store:
        monkeypatch.setattr(store, "purge", fail)
        store.note_act("cli:ada", "enrol", at=0.0)
        keep_house(store, config.storage, NOW)
        assert store.acts() == []
        assert copies.daily(store.path).exists()
    assert "The disk is full." in caplog.text


def test_a_damaged_database_gives_way_to_the_copy_and_it_is_told(
    config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    with open_store(config) as store:
        store.enrol("Laura", [new(1)])
        keep_house(store, config.storage, NOW)
        path = store.path
    path.write_bytes(b"\x5a" * 20_000)
    with caplog.at_level(logging.ERROR), open_or_recover(config) as store:
        assert [subject.name for subject in store.subjects()] == ["Laura"]
        assert [(act.who, act.what) for act in store.acts()] == [("daemon", "recover")]
    assert "is damaged" in caplog.text
    assert "takes its place" in caplog.text
    [aside] = path.parent.glob("homeface.db.damaged-*")
    assert aside.read_bytes() == b"\x5a" * 20_000


def test_without_a_copy_nothing_is_begun_anew(config: Config) -> None:
    with open_store(config) as store:
        store.enrol("Laura", [new(1)])
        path = store.path
    path.write_bytes(b"\x5a" * 20_000)
    with pytest.raises(StoreDamagedError, match="homeface restore"):
        open_or_recover(config)
    assert path.read_bytes() == b"\x5a" * 20_000


def test_a_damaged_database_never_replaces_the_copy(config: Config) -> None:
    with open_store(config) as store:
        for number in range(20):
            store.enrol(f"Person {number}", [new(number, 5000)])
        keep_house(store, config.storage, NOW)
        good = copies.daily(store.path).read_bytes()
        store._database.forget_deleted()
        data = bytearray(store.path.read_bytes())
        data[40_960:81_920] = b"\x5a" * 40_960
        store.path.write_bytes(data)
        store._database._connection.execute("PRAGMA shrink_memory")
        with pytest.raises(StoreDamagedError):
            store.make_daily_copy(NOW + 100 * DAY)
        assert copies.daily(store.path).read_bytes() == good


def test_unknown_visits_go_after_their_own_retention_and_all_when_switched_off(
    config: Config,
) -> None:
    with open_store(config) as store:
        for age in (1, 8, 40):
            store.add_unknown_visit(unknown_visit(f"{age} days", at=NOW - age * DAY))
        on = config.model_copy(update={"web": config.web.model_copy(update={"enabled": True})})
        keep_house(store, config.storage, NOW, wiring.oldest_unknown_visit(on, NOW))
        assert [visit.visit_id for visit in store.unknown_visits()] == ["1 days"]
        keep_house(store, config.storage, NOW, wiring.oldest_unknown_visit(config, NOW))
        assert store.unknown_visits() == []
