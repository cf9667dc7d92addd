"""The store when the disk, the file, the key or the power fails: nothing is lost, and people are told."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from homeface.adapters.store import FaceCrop, NewTemplate, Store, schema
from homeface.adapters.vault import create_key
from homeface.core.types import Box, Quality
from homeface.errors import StoreError

MODEL = "facenet/1"
CURRENT = len(schema.MIGRATIONS)
QUALITY = Quality(80.0, 0.05, 1.0, 2.0, 3.0, 120.0, 50.0, False, 0.9, ())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "homeface.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(path, busy_timeout_seconds=0.2) as opened:
        yield opened


def new(seed: int, crop_bytes: int = 100) -> NewTemplate:
    raw = np.random.default_rng(seed).normal(size=64)
    picture = np.random.default_rng(seed).bytes(crop_bytes)
    crop = FaceCrop(picture, Box(0, 0, 9, 9), np.zeros((5, 2), np.float32))
    return NewTemplate((raw / np.linalg.norm(raw)).astype(np.float32), MODEL, QUALITY, crop)


def filled(path: Path, people: int = 20) -> None:
    with Store(path) as store:
        for number in range(people):
            store.enrol(f"Person {number}", [new(number, 5000)])


class TestFullDisk:
    def test_an_enrolment_that_does_not_fit(self, store: Store) -> None:
        anna, _ = store.enrol("Anna", [new(1)])
        connection = store._database._connection
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 5}")
        with pytest.raises(StoreError, match=r"is full\. Free some space"):
            store.enrol("Bert", [new(seed, 50_000) for seed in range(10)])
        assert [subject.name for subject in store.subjects()] == ["Anna"]
        assert store.counts().templates == 1
        connection.execute("PRAGMA max_page_count = 100000")
        store.enrol("Bert", [new(seed, 50_000) for seed in range(10)])
        assert store.counts().templates == 11
        store.remove_subject(anna.subject_id)

    def test_the_sentence_for_no_space_from_the_system(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def no_space(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "open", no_space)
        with pytest.raises(StoreError, match="is full"):
            Store(path)

    def test_a_real_limit_on_the_file_size(self, path: Path) -> None:
        """The kernel refuses to let any file grow: SQLite's own error, not a simulated one."""
        filled(path, people=2)
        script = f"""
            import resource, signal
            from pathlib import Path
            from homeface.adapters.store import Store
            from homeface.errors import StoreError
            from tests.adapters.test_store_failures import new
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            store = Store(Path({str(path)!r}))
            resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, resource.RLIM_INFINITY))
            try:
                store.enrol("Big", [new(n, 50_000) for n in range(10)])
            except StoreError as error:
                print("told:", error)
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert "told: The dis" in done.stdout, done.stderr
        with Store(path) as store:
            assert store.counts().subjects == 2


def test_what_was_enrolled_survives_a_power_loss(store: Store) -> None:
    """No test can pull the plug; the settings that SQLite's promise rests on can be looked at."""
    store.enrol("Anna", [new(1)])
    ask = store._database._connection.execute
    assert ask("PRAGMA synchronous").fetchone() == (2,)  # FULL: synced at the end of each transaction
    assert ask("PRAGMA journal_mode").fetchone() == ("wal",)
    assert ask("PRAGMA foreign_keys").fetchone() == (1,)
    assert ask("PRAGMA secure_delete").fetchone() == (1,)
    store.save_state({})
    assert ask("PRAGMA synchronous").fetchone() == (1,)


class TestLocked:
    def test_another_program_holds_it(self, store: Store, path: Path) -> None:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="is locked by another program"):
            store.add_subject("Anna")
        assert store.subjects() == []  # reading goes on
        other.execute("ROLLBACK")
        other.close()
        store.add_subject("Anna")

    def test_opening_while_another_holds_it_exclusively(self, path: Path) -> None:
        Store(path).close()
        script = f"""
            import sqlite3, sys
            connection = sqlite3.connect({str(path)!r}, isolation_level=None)
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            print("held", flush=True)
            sys.stdin.read()
        """
        with subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            with pytest.raises(StoreError, match="is locked by another program"):
                Store(path, busy_timeout_seconds=0.2)
            holder.communicate(b"")
        Store(path).close()

    def test_a_second_process_may_read_and_enrol(self, store: Store, path: Path) -> None:
        store.enrol("Anna", [new(1)])
        before = store.gallery_version()
        with Store(path) as second:
            second.enrol("Bert", [new(2)])
        assert store.gallery_version() != before
        assert [subject.name for subject in store.subjects()] == ["Anna", "Bert"]


class TestDamaged:
    def test_random_bytes_are_left_as_they_are(self, path: Path) -> None:
        path.parent.mkdir()
        rubbish = np.random.default_rng(1).bytes(9000)
        path.write_bytes(rubbish)
        with pytest.raises(StoreError, match=r"is damaged .* has not changed it\. Restore it from a backup"):
            Store(path)
        assert path.read_bytes() == rubbish
        assert [file.name for file in path.parent.iterdir()] == ["homeface.db"]

    @pytest.mark.parametrize("share", [0.3, 0.6])
    def test_a_hole_in_the_middle(self, path: Path, share: float) -> None:
        filled(path)
        data = bytearray(path.read_bytes())
        start = int(len(data) * share) // 4096 * 4096
        data[start : start + 4096 * 8] = bytes([0x5A]) * 4096 * 8
        path.write_bytes(data)
        with pytest.raises(StoreError, match="is damaged"):
            Store(path)
        assert path.read_bytes() == bytes(data)

    def test_a_file_that_was_cut_off(self, path: Path) -> None:
        filled(path)
        data = path.read_bytes()[:-20_000]
        path.write_bytes(data)
        with pytest.raises(StoreError, match="is damaged"):
            Store(path)
        assert path.read_bytes() == data

    def test_damage_while_it_is_open(self, store: Store, path: Path) -> None:
        for number in range(20):
            store.enrol(f"Person {number}", [new(number, 5000)])
        store._database.forget_deleted()
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(os.urandom(path.stat().st_size - 4096))
        store._database._connection.execute("PRAGMA shrink_memory")  # drops the cached pages
        with pytest.raises(StoreError, match="is damaged"):
            store.gallery(MODEL)

    def test_another_programs_database(self, path: Path) -> None:
        path.parent.mkdir()
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE states (id)")
        connection.close()
        before = path.read_bytes()
        with pytest.raises(StoreError, match="database of another program"):
            Store(path)
        assert path.read_bytes() == before

    def test_a_folder_in_its_place(self, path: Path) -> None:
        path.mkdir(parents=True)
        with pytest.raises(StoreError, match="is a folder"):
            Store(path)

    def test_a_file_where_the_folder_should_be(self, tmp_path: Path) -> None:
        (tmp_path / "state").touch()
        with pytest.raises(StoreError, match="cannot be used"):
            Store(tmp_path / "state" / "homeface.db")

    def test_after_closing(self, store: Store) -> None:
        store.close()
        store.close()
        with pytest.raises(StoreError, match="is closed"):
            store.subjects()


class TestKey:
    def test_a_lost_key(self, path: Path) -> None:
        filled(path, people=2)
        key = path.with_name("homeface.key")
        kept = key.rename(path.with_name("elsewhere"))
        with pytest.raises(StoreError, match=r"key file .* is missing.*Person 0, Person 1.*enrol everybody"):
            Store(path)
        assert not key.exists()
        with Store(path, key_file=kept) as store:
            assert len(store.templates()) == 2

    def test_a_wrong_key(self, path: Path) -> None:
        filled(path, people=1)
        key = path.with_name("homeface.key")
        key.unlink()
        create_key(key)
        with pytest.raises(StoreError, match=r"is not the key this database was written with"):
            Store(path)

    @pytest.mark.parametrize("content", [b"", b"abc", b"\xff\xfe" * 40, b"00" * 31])
    def test_not_a_key(self, path: Path, content: bytes) -> None:
        filled(path, people=1)
        path.with_name("homeface.key").write_bytes(content)
        with pytest.raises(StoreError, match="is not a homeface key file"):
            Store(path)
        assert path.with_name("homeface.key").read_bytes() == content

    def test_a_key_given_from_outside(self, path: Path, tmp_path: Path) -> None:
        key = tmp_path / "credentials" / "homeface.key"
        with Store(path, key_file=key) as store:
            store.enrol("Anna", [new(1)])
        assert key.stat().st_mode & 0o777 == 0o600
        assert not path.with_name("homeface.key").exists()
        with Store(path, key_file=key) as store:
            assert len(store.templates()) == 1


class TestMigrations:
    second: schema.Migration = ("ALTER TABLE sighting ADD COLUMN remark TEXT",)
    broken: schema.Migration = ("CREATE TABLE half (id)", "INSERT INTO nowhere VALUES (1)")

    def test_a_copy_is_made_first(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        filled(path, people=3)
        monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, self.second))
        with Store(path) as store:
            assert store.counts().templates == 3
            version = store._database._connection.execute("PRAGMA user_version").fetchone()[0]
        assert version == CURRENT + 1
        copy = path.with_name(f"homeface.db.v{CURRENT}.backup")
        assert copy.stat().st_mode & 0o777 == 0o600
        monkeypatch.undo()
        with pytest.raises(StoreError, match="written by a newer homeface"):
            Store(path)
        shutil.copy(copy, path)
        with Store(path) as restored:
            assert restored.counts().templates == 3

    def test_one_that_fails_changes_nothing(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        filled(path, people=3)
        monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, self.second, self.broken))
        with pytest.raises(StoreError, match="nowhere"):
            Store(path)
        with pytest.raises(StoreError, match="nowhere"):  # and again, over the same copy
            Store(path)
        monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS[:CURRENT], self.second))
        with Store(path) as store:
            assert store.counts().templates == 3
            tables = store._database._connection.execute("SELECT name FROM sqlite_schema").fetchall()
        assert ("half",) not in tables

    def test_no_copy_no_migration(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        filled(path, people=1)
        monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, self.second))
        path.with_name(f"homeface.db.v{CURRENT}.backup").mkdir()
        with pytest.raises(StoreError):
            Store(path)
        monkeypatch.undo()
        with Store(path) as store:
            assert store.counts().templates == 1

    def test_a_new_database_needs_no_copy(self, path: Path, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.WARNING):
            Store(path).close()
        assert not caplog.records
        assert not list(path.parent.glob("*.backup"))


_ENROL_FOR_EVER = """
    import sys
    from pathlib import Path
    from homeface.adapters.store import Store
    from tests.adapters.test_store_failures import new
    store = Store(Path(sys.argv[1]))
    for number in range(10_000):
        store.enrol(f"Person {sys.argv[2]}-{number}", [new(number * 10 + k, 20_000) for k in range(4)])
        print(number, flush=True)
"""


def test_killed_while_enrolling(path: Path) -> None:
    """kill -9 at odd moments: what was reported as stored is there, and no enrolment is there by half."""
    reported: set[str] = set()
    for round_number in range(4):
        with subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(_ENROL_FOR_EVER), str(path), str(round_number)],
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            for _ in range(3 + round_number):
                line = process.stdout.readline()
                assert line
                reported.add(f"Person {round_number}-{line.strip()}")
            process.send_signal(signal.SIGKILL)
            process.wait()
        with Store(path) as store:
            people = store.subjects()
            assert reported <= {subject.name for subject in people}
            for subject in people:
                templates = store.templates(subject_id=subject.subject_id)
                assert len(templates) == 4
                assert all(store.crop(template.template_id) for template in templates)
            assert store.counts().crops == 4 * len(people)
