"""Backup and restore: one file under a password; all or nothing; who was removed stays removed."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from homeface.adapters import sealed_file
from homeface.adapters.store import Store, copies, read_backup, recover, schema
from homeface.adapters.store.database import Database
from homeface.errors import BackupError, StoreDamagedError, StoreError
from tests.adapters.test_store_failures import filled, new
from tests.adapters.test_store_keys import everything
from tests.adapters.test_store_unknown import visit

PASSWORD = "correct horse"


@pytest.fixture(autouse=True)
def _quick_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed_file, "SCRYPT_LOG_N", 12)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "state" / "homeface.db"
    filled(path, people=6)
    return path


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(path) as store:
        yield store


@pytest.fixture
def backup(store: Store, tmp_path: Path) -> Path:
    store.save_state({"house": "of then"})
    info = store.back_up(tmp_path / "kept.homeface", PASSWORD)
    assert info.people == tuple(f"Person {number}" for number in range(6))
    assert info.templates == 6
    return tmp_path / "kept.homeface"


def names(store: Store) -> list[str]:
    return [subject.name for subject in store.subjects()]


class TestTheFile:
    def test_it_is_private_and_shows_nothing(self, backup: Path, path: Path) -> None:
        content = backup.read_bytes()
        assert backup.stat().st_mode & 0o777 == 0o600
        assert b"Person" not in content
        assert b"SQLite" not in content
        assert path.with_suffix(".key").read_bytes().strip() not in content
        assert sorted(f.name for f in path.parent.iterdir() if not f.name.startswith("homeface.")) == []

    def test_it_tells_who_is_in_it(self, backup: Path) -> None:
        assert read_backup(backup, PASSWORD).people[0] == "Person 0"

    def test_it_never_writes_over_a_file(self, store: Store, backup: Path) -> None:
        before = backup.read_bytes()
        with pytest.raises(BackupError, match="there already"):
            store.back_up(backup, PASSWORD)
        assert backup.read_bytes() == before

    def test_a_short_password_and_a_place_that_is_not_there(self, store: Store, tmp_path: Path) -> None:
        with pytest.raises(BackupError, match="at least 8 characters"):
            store.back_up(tmp_path / "new", "short")
        with pytest.raises(BackupError, match="cannot be written"):
            store.back_up(tmp_path / "nowhere" / "new", PASSWORD)
        assert sorted(f.name for f in tmp_path.iterdir()) == ["state"]

    def test_another_password(self, store: Store, backup: Path) -> None:
        with pytest.raises(BackupError, match="password is wrong"):
            store.restore(backup, "wrong horse")

    @pytest.mark.parametrize("piece_bytes", [4096])
    @pytest.mark.parametrize(
        "damage", ["cut", "cut at a piece", "flipped", "swapped", "added", "no backup", "empty"]
    )
    def test_damage_is_found_and_nothing_changes(
        self, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str, piece_bytes: int
    ) -> None:
        monkeypatch.setattr(sealed_file, "PIECE_BYTES", piece_bytes)
        backup = tmp_path / "kept"
        store.back_up(backup, PASSWORD)
        store.enrol("Later", [new(50)])
        whole, head, piece = backup.read_bytes(), 18 + 26, 4 + piece_bytes + 16
        first, second = whole[head : head + piece], whole[head + piece : head + 2 * piece]
        harmed = {
            "cut": whole[:-100],
            "cut at a piece": whole[: head + 3 * piece],
            "flipped": whole[: head + 2 * piece + 50] + b"\0" + whole[head + 2 * piece + 51 :],
            "swapped": whole[:head] + second + first + whole[head + 2 * piece :],
            "added": whole + first,
            "no backup": b"rubbish" * 100,
            "empty": b"",
        }[damage]
        backup.write_bytes(harmed)
        with pytest.raises(BackupError):
            store.restore(backup, PASSWORD)
        assert "Later" in names(store)
        assert [f.name for f in store.path.parent.iterdir() if f.name.endswith("backup")] == []

    def test_a_head_that_asks_for_all_memory_is_refused(self, backup: Path, store: Store) -> None:
        content = bytearray(backup.read_bytes())
        content[18] = 40
        backup.write_bytes(bytes(content))
        with pytest.raises(BackupError, match="makes no sense"):
            store.restore(backup, PASSWORD)


class TestRestoring:
    def test_everything_is_as_it_was_and_under_our_own_key(
        self, store: Store, path: Path, backup: Path
    ) -> None:
        before, key = everything(path), path.with_suffix(".key").read_bytes()
        version = store.gallery_version()
        store.enrol("Later", [new(50)])
        store.rename(store.require_subject("Person 1").subject_id, "Renamed")
        store.save_state({"house": "of now"})
        report = store.restore(backup, PASSWORD)
        assert report.people == tuple(f"Person {number}" for number in range(6))
        assert names(store) == list(report.people)
        assert store.gallery_version() > version + 2, "a running daemon notices"
        assert store.load_state() == {"house": "of now"}, "an old presence would be a lie"
        store.close()
        assert everything(path) == before
        assert path.with_suffix(".key").read_bytes() == key

    def test_on_another_machine_with_another_key(self, backup: Path, path: Path, tmp_path: Path) -> None:
        before = everything(path)
        elsewhere = tmp_path / "new" / "homeface.db"
        with Store(elsewhere) as there:
            report = there.restore(backup, PASSWORD)
            assert len(report.people) == 6
            assert there.load_state() is None
        assert everything(elsewhere) == before
        assert path.with_suffix(".key").read_bytes() != elsewhere.with_suffix(".key").read_bytes()

    def test_who_was_removed_since_stays_removed(self, store: Store, path: Path, backup: Path) -> None:
        gone = store.require_subject("Person 3")
        store.remove_subject(gone.subject_id)
        report = store.restore(backup, PASSWORD)
        assert report.left_out == 1
        assert "Person 3" not in names(store)
        store.close()
        copies.before_restore(path).unlink()
        assert gone.subject_id.encode() not in b"".join(f.read_bytes() for f in path.parent.iterdir())

    def test_a_photo_that_was_removed_since_stays_away_with_its_picture(
        self, store: Store, backup: Path
    ) -> None:
        gone, kept = store.templates()[:2]
        store.remove_template(gone.template_id)
        store.restore(backup, PASSWORD)
        left = {template.template_id for template in store.templates()}
        assert gone.template_id not in left
        assert kept.template_id in left
        assert store.crop(gone.template_id) is None
        assert store.crop(kept.template_id) is not None
        assert len(names(store)) == 6, "the person stays"

    def test_who_was_paused_since_stays_paused(self, store: Store, backup: Path) -> None:
        store.change_subject(store.require_subject("Person 2").subject_id, paused=True)
        store.restore(backup, PASSWORD)
        assert [one.name for one in store.subjects() if one.paused] == ["Person 2"]

    def test_faces_that_left_the_inbox_since_do_not_come_back(self, store: Store, tmp_path: Path) -> None:
        for name in ("kept", "forgotten"):
            store.add_unknown_visit(visit(name))
        store.back_up(tmp_path / "backup", PASSWORD)
        store.remove_unknown_visits(["forgotten"])
        store.restore(tmp_path / "backup", PASSWORD)
        assert [one.visit_id for one in store.unknown_visits()] == ["kept"]
        with Store(tmp_path / "new" / "homeface.db") as machine:
            machine.restore(tmp_path / "backup", PASSWORD)
            assert len(machine.unknown_visits()) == 2  # nobody has settled anything here

    def test_the_acts_of_both_are_kept(self, store: Store, tmp_path: Path) -> None:
        store.note_act("cli:ada", "enrol", at=1.0)
        store.back_up(tmp_path / "kept", PASSWORD)
        store.note_act("cli:ada", "rename", at=2.0)
        store.restore(tmp_path / "kept", PASSWORD)
        assert [act.what for act in store.acts()] == ["rename", "enrol"]

    def test_what_was_there_lies_beside_it(self, store: Store, path: Path, backup: Path) -> None:
        store.enrol("Later", [new(50)])
        store.restore(backup, PASSWORD)
        with closing(sqlite3.connect(copies.before_restore(path))) as connection:
            found = connection.execute("SELECT count(*) FROM subject_name WHERE name = 'Later'").fetchone()
        assert found == (1,)

    def test_a_process_that_has_it_open_goes_on_with_it(self, store: Store, path: Path, backup: Path) -> None:
        with Store(path) as daemon:
            seen = daemon.gallery_version()
            store.enrol("Later", [new(50)])
            store.restore(backup, PASSWORD)
            assert daemon.gallery_version() > seen
            assert len(daemon.templates()) == 6
            daemon.enrol("After", [new(51)])
        assert "After" in names(store)

    def test_an_older_schema_is_brought_up_to_date(
        self, tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, ("ALTER TABLE sighting ADD x TEXT",)))
        with pytest.raises(StoreError):
            store.restore(tmp_path / "none", PASSWORD)
        monkeypatch.undo()
        monkeypatch.setattr(sealed_file, "SCRYPT_LOG_N", 12)
        store.back_up(tmp_path / "old", PASSWORD)
        monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, ("ALTER TABLE sighting ADD x TEXT",)))
        with Store(tmp_path / "updated" / "homeface.db") as updated:
            assert len(updated.restore(tmp_path / "old", PASSWORD).people) == 6

    def test_a_newer_schema_is_refused(
        self, tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as newer:
            newer.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, ("ALTER TABLE sighting ADD x TEXT",)))
            with Store(tmp_path / "newer" / "homeface.db") as there:
                there.back_up(tmp_path / "kept", PASSWORD)
        with pytest.raises(BackupError, match="newer homeface"):
            store.restore(tmp_path / "kept", PASSWORD)

    def test_a_backup_while_others_write(self, store: Store, path: Path, tmp_path: Path) -> None:
        def write() -> None:
            with Store(path) as other:
                for number in range(40):
                    other.enrol(f"Busy {number}", [new(100 + number)])

        thread = threading.Thread(target=write)
        thread.start()
        infos = [store.back_up(tmp_path / f"b{number}", PASSWORD) for number in range(3)]
        thread.join()
        for number, info in enumerate(infos):
            assert read_backup(tmp_path / f"b{number}", PASSWORD) == info
            assert len(info.people) == info.templates


class TestWhileTheHouseGoesOn:
    """What is written while a backup is restored, here by another process, counts."""

    @pytest.mark.parametrize("moment", ["copy_to", "take_over"])
    def test_who_is_removed_or_paused_meanwhile_stays_so(
        self, store: Store, path: Path, backup: Path, monkeypatch: pytest.MonkeyPatch, moment: str
    ) -> None:
        gone, paused = (store.require_subject(f"Person {number}").subject_id for number in (3, 4))
        step, calls = getattr(Database, moment), []

        def meanwhile(database: Database, *given: Any) -> object:
            answer = step(database, *given) if moment == "copy_to" else None
            if not calls:
                calls.append(moment)
                with Store(path) as phone:
                    phone.remove_subject(gone)
                    phone.change_subject(paused, paused=True)
                    phone.save_state({"house": "of now"})
                    phone.note_act("web:ada", "remove")
            return answer if moment == "copy_to" else step(database, *given)

        monkeypatch.setattr(Database, moment, meanwhile)
        report = store.restore(backup, PASSWORD)
        assert calls
        assert report.left_out == 1
        assert "Person 3" not in (*names(store), *report.people)
        assert [one.name for one in store.subjects() if one.paused] == ["Person 4"]
        assert store.load_state() == {"house": "of now"}
        assert [act.what for act in store.acts()] == ["remove"]
        with closing(sqlite3.connect(copies.before_restore(path))) as copy:
            assert copy.execute("SELECT count(*) FROM subject WHERE id = ?", (gone,)).fetchone() == (0,)

    def test_a_house_that_never_rests_is_left_as_it_is(
        self, store: Store, path: Path, backup: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        take_over = Database.take_over

        def meanwhile(database: Database, *given: Any) -> bool:
            with Store(path) as phone:
                phone.note_act("web:ada", "enrol")
            return take_over(database, *given)

        store.enrol("Later", [new(50)])
        before = everything(path)
        monkeypatch.setattr(Database, "take_over", meanwhile)
        with pytest.raises(BackupError, match="nothing has changed"):
            store.restore(backup, PASSWORD)
        assert everything(path) == before
        assert not copies.before_restore(path).exists()
        monkeypatch.undo()
        store.enrol("After", [new(51)])
        assert names(store)[:2] == ["After", "Later"]


class TestKilledOnTheWay:
    """Power goes while the database is copied: what lies around holds people, too."""

    @pytest.fixture
    def left(self, path: Path) -> list[Path]:
        folder = path.parent / ".homeface-abcd1234"
        folder.mkdir(mode=0o700)
        places = [
            folder / path.name,
            folder / f"{path.name}-wal",
            path.with_name(f".{path.name}.daily.backup.part"),
            path.with_name(f".{path.name}.v3.backup.part-journal"),
            path.with_name(f".{path.name}.recovering"),
        ]
        for place in places:
            shutil.copyfile(path, place)
            os.utime(place, (1.0, 1.0))
        os.utime(folder, (1.0, 1.0))
        return places

    def test_a_removal_reaches_it(self, store: Store, left: list[Path]) -> None:
        store.remove_subject(store.require_subject("Person 1").subject_id)
        assert [place.name for place in left if place.exists()] == []
        assert not left[0].parent.exists()

    def test_it_goes_by_itself_within_hours(self, store: Store, left: list[Path]) -> None:
        store.forget_old_copies(0.0)
        assert [place.name for place in left if place.exists()] == []

    def test_a_copy_that_is_being_made_is_left_alone(self, store: Store, left: list[Path]) -> None:
        os.utime(left[0])
        store.forget_old_copies(0.0)
        assert [place for place in left if place.exists()] == left[:2]


class TestDamagedDatabase:
    def hurt(self, path: Path) -> bytes:
        data = bytearray(path.read_bytes())
        data[8192 : 8192 + 4096 * 6] = b"\x5a" * 4096 * 6
        path.write_bytes(data)
        return bytes(data)

    def test_it_is_set_aside_and_the_daily_copy_takes_its_place(self, path: Path) -> None:
        before = everything(path)
        with Store(path) as store:
            store.save_state({"house": "of yesterday"})
            assert store.make_daily_copy(now=1e12)
            assert store.make_daily_copy(now=2e12)
            assert not store.make_daily_copy(now=copies.daily(path).stat().st_mtime + 5)
        harmed = self.hurt(path)
        with pytest.raises(StoreDamagedError, match="homeface restore"):
            Store(path)
        report = recover(path)
        assert report is not None
        assert report.aside.read_bytes() == harmed
        assert everything(path) == before
        with Store(path) as store:
            assert store.load_state() is None
            store.remove_subject(store.require_subject("Person 0").subject_id)
        kept = sorted(f.name for f in path.parent.iterdir())
        assert kept == ["homeface.db", "homeface.db.daily.backup", "homeface.key"], "nor what was set aside"
        assert b"Person 0" not in b"".join(f.read_bytes() for f in path.parent.iterdir())

    def test_a_damaged_copy_is_passed_over_and_without_any_nothing_changes(self, path: Path) -> None:
        with Store(path) as store:
            store.make_daily_copy(now=1e12)
            old = path.with_name("homeface.db.v1.backup")
            shutil.copy(copies.daily(path), old)
        self.hurt(copies.daily(path))
        self.hurt(path)
        report = recover(path)
        assert report is not None
        assert report.copy == old
        old.unlink()
        harmed = self.hurt(path)
        assert recover(path) is None
        assert path.read_bytes() == harmed

    def test_old_copies_are_forgotten_as_sightings_are(self, store: Store, path: Path) -> None:
        store.make_daily_copy(now=1e12)
        made = copies.daily(path).stat().st_mtime
        assert store.forget_old_copies(older_than=made - 1) == 0
        assert store.forget_old_copies(older_than=made + 1) == 1
        assert not copies.daily(path).exists()
