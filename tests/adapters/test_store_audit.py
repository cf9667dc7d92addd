"""The log of administrative acts."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from homeface.adapters.store import Act, Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    with Store(tmp_path / "homeface.db") as store:
        yield store


def test_acts_come_newest_first_and_survive_a_restart(store: Store) -> None:
    store.note_act("cli:ada", "enrol", "a1", at=1.0)
    store.note_act("web:bob", "remove", "b2", at=2.0)
    store.close()
    with Store(store.path) as again:
        assert again.acts() == [Act(2.0, "web:bob", "remove", "b2"), Act(1.0, "cli:ada", "enrol", "a1")]
        assert [act.subject for act in again.acts(subject="a1")] == ["a1"]
        assert [act.at for act in again.acts(since=1.5)] == [2.0]
        assert [act.at for act in again.acts(before=2.0)] == [1.0]
        assert len(again.acts(limit=1)) == 1


def test_an_act_is_one_short_line_whatever_was_typed(store: Store) -> None:
    store.note_act("web:eve\nroot", "x" * 5000, "\x1b[31mred")
    act = store.acts()[0]
    assert act.who == "web:eve root"
    assert len(act.what) == 200
    assert act.subject == "[31mred"


def test_old_acts_are_forgotten_and_new_ones_stay(store: Store) -> None:
    for at in (1.0, 2.0, 3.0):
        store.note_act("daemon", "purge", at=at)
    assert store.forget_acts(older_than=3.0) == 2
    assert [act.at for act in store.acts()] == [3.0]


def test_an_act_is_never_rewritten(store: Store) -> None:
    store.note_act("cli:ada", "remove", "a1")
    with (
        closing(sqlite3.connect(store.path)) as other,
        pytest.raises(sqlite3.IntegrityError, match="never rewritten"),
    ):
        other.execute("UPDATE audit SET who = 'nobody'")
