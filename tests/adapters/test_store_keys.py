"""Changing the key: whatever interrupts it, everything opens afterwards, with one key or the other."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import pytest

from homeface.adapters.store import Store, copies, keys
from homeface.adapters.store.schema import MIGRATIONS
from homeface.adapters.store.sealing import SEALED
from homeface.adapters.vault import read_key
from homeface.errors import StoreError, StoreKeyError
from tests.adapters.test_store_failures import filled, new
from tests.adapters.test_store_learned import lesson


def everything(path: Path) -> list[object]:
    """All that is sealed, opened."""
    with Store(path) as store:
        templates = store.templates()
        crops = [store.crop(template.template_id) for template in templates]
        return [
            *((t.template_id, t.vector.tobytes()) for t in templates),
            *(crop and (crop.jpeg, crop.box, crop.landmarks.tobytes()) for crop in crops),
        ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "state" / "homeface.db"
    filled(path, people=8)
    return path


def test_all_is_sealed_with_the_new_key_and_the_old_one_opens_nothing(path: Path) -> None:
    before, old = everything(path), read_key(path.with_suffix(".key"))
    with Store(path) as store:
        store.make_daily_copy(1e12)
        assert store.rotate_key() == (8 * 3, 0)
        store.enrol("After", [new(99)])
    assert read_key(path.with_suffix(".key")) != old
    assert everything(path)[: len(before) // 2] == before[: len(before) // 2]
    assert len(everything(path)) == len(before) + 2
    kept = [file.name for file in path.parent.iterdir()]
    assert sorted(kept) == ["homeface.db", "homeface.db.daily.backup", "homeface.key"]
    with closing(sqlite3.connect(copies.daily(path))) as copy:
        assert not keys.opens_with(copy, old), "the copy that the old key opens is gone"
    new_key = path.with_suffix(".key").read_bytes()
    path.with_suffix(".key").write_text(old.hex())
    with pytest.raises(StoreError, match="is not the key"):
        Store(path)
    path.with_suffix(".key").write_bytes(new_key)


@pytest.mark.parametrize(
    "moment",
    ["before anything is sealed", "half-way", "before it counts", "before the key is in place"],
)
def test_interrupted_by_a_power_loss(path: Path, moment: str) -> None:
    before, old = everything(path), read_key(path.with_suffix(".key"))
    script = f"""
        import os, pathlib, signal
        from pathlib import Path
        from homeface.adapters.store import Store, copies, keys, sealing
        from homeface.adapters.vault import Vault
        def die(*_a, **_k):
            os.kill(os.getpid(), signal.SIGKILL)
        store = Store(Path({str(path)!r}))
        moment, seal, count = {moment!r}, Vault.seal, [0]
        def counted(self, plain, context):
            count[0] += 1
            fatal = {{"before anything is sealed": 1, "half-way": 12, "before it counts": 25}}
            if count[0] == fatal.get(moment):
                die()
            return seal(self, plain, context)
        Vault.seal = counted
        if moment == "before the key is in place":
            pathlib.Path.replace = die
        store.rotate_key()
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    counted = moment == "before the key is in place"
    assert path.with_name("homeface.key.next").exists()
    assert everything(path) == before
    assert (read_key(path.with_suffix(".key")) != old) is counted
    with Store(path) as store:  # and it can be done again
        assert store.rotate_key() == (8 * 3, 0)
    assert everything(path) == before
    assert not path.with_name("homeface.key.next").exists()


def test_another_process_that_has_it_open_follows(path: Path) -> None:
    with Store(path) as daemon, Store(path) as command:
        before = [t.vector.tobytes() for t in daemon.templates()]
        command.rotate_key()
        assert [t.vector.tobytes() for t in daemon.templates()] == before
        anna, [template] = daemon.enrol("Anna", [new(77)])
        crop = command.crop(template.template_id)
        assert crop is not None
        command.rotate_key()
        assert daemon.learn(lesson(anna.subject_id, 5))
    assert len(everything(path)) == 2 * 10


def test_a_change_that_was_cut_short_elsewhere_is_settled_before_the_next_one(path: Path) -> None:
    before = everything(path)
    with Store(path) as store:
        script = (
            "import os, pathlib; from homeface.adapters.store import Store;"
            f"s = Store(pathlib.Path({str(path)!r}));"
            "pathlib.Path.replace = lambda *_: os._exit(9); s.rotate_key()"
        )
        assert subprocess.run([sys.executable, "-c", script], check=False, timeout=60).returncode == 9
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(keys, "reseal", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                store.rotate_key()
    assert everything(path) == before


def test_two_at_once(path: Path) -> None:
    before = everything(path)
    script = (
        "from pathlib import Path; from homeface.adapters.store import Store;"
        f"s = Store(Path({str(path)!r})); [s.rotate_key() for _ in range(5)]"
    )
    running = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(2)]
    assert [process.wait(60) for process in running] == [0, 0]
    assert everything(path) == before


@pytest.mark.parametrize("looks_before", [0, 1])
@pytest.mark.parametrize("again", [True, False], ids=["changed again", "put into its place"])
def test_a_change_while_another_process_looks_for_the_key(
    path: Path, monkeypatch: pytest.MonkeyPatch, looks_before: int, again: bool
) -> None:
    """The key that it looks for moves to its place meanwhile, or is gone: then there is a newer state."""
    before, read, looks = everything(path), keys._read, []
    with Store(path) as daemon, Store(path) as command:
        with monkeypatch.context() as patch:
            patch.setattr(keys.Keys, "_promote", lambda *_: None)
            command.rotate_key()
        assert path.with_name("homeface.key.next").exists()

        def looked(file: Path) -> bytes | None:
            looks.append(file)
            if len(looks) == looks_before + 1:
                with monkeypatch.context() as plain:
                    plain.setattr(keys, "_read", read)
                    command.rotate_key() if again else Store(path).close()
            return read(file)

        monkeypatch.setattr(keys, "_read", looked)
        assert len(daemon.templates()) == 8
        assert len(looks) > looks_before
        monkeypatch.undo()
        assert daemon.key() == command.key() == read_key(path.with_suffix(".key"))
    assert everything(path) == before


def test_a_key_that_is_put_back_opens_again(path: Path) -> None:
    file = path.with_suffix(".key")
    with Store(path) as daemon:
        with Store(path) as command:
            command.rotate_key()
        right = file.read_bytes()
        file.unlink()
        for _ in range(2):
            with pytest.raises(StoreKeyError, match=r"homeface\.key is missing.*Person 0"):
                daemon.templates()
        file.write_bytes(right)
        assert len(daemon.templates()) == 8


def test_a_value_that_is_damaged_stays_and_is_counted(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE template SET vector = x'0102' WHERE rowid = 1")
    with Store(path) as store:
        assert store.rotate_key() == (8 * 3 - 1, 1)
        assert len(store.templates()) == 7


def test_a_key_that_cannot_be_written_stays(path: Path, tmp_path: Path) -> None:
    """As with a credential of systemd: the folder is read-only (for root, too: the file system says so)."""
    before = everything(path)
    with Store(path) as store:
        store.key_file = store._keys.key_file = Path("/proc/self/homeface.key")
        with pytest.raises(StoreError, match="cannot be changed here"):
            store.rotate_key()
    assert everything(path) == before


def test_no_sealed_column_is_forgotten() -> None:
    """A column of bytes is either sealed, and then known to the change of the key, or named here."""
    hashes = {("link", "key"), ("web_session", "key"), ("web_token", "key")}
    plain = {("meta", "value"), *hashes}
    with closing(sqlite3.connect(":memory:")) as connection:
        for migration in MIGRATIONS:
            for statement in migration:
                connection.execute(statement)
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        blobs = {
            (table, column[1])
            for table in tables
            for column in connection.execute(f"PRAGMA table_info({table})")
            if column[2] in {"BLOB", "ANY"}
        }
    assert blobs - plain == {(table, column) for table, column, _, _ in SEALED}
