"""What visits taught: kept apart from photos, bounded, forgotten on demand; old databases keep everything."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from homeface.adapters.store import FaceCrop, NewTemplate, Store, copies, recover, schema
from homeface.core.templates import ADAPTED_PER_KIND
from homeface.core.types import Box, Embedding, Lesson, Quality, Vector
from homeface.errors import GalleryError, StoreError

MODEL = "facenet/1"
QUALITY = Quality(80.0, 0.05, 1.0, 2.0, 3.0, 120.0, 50.0, False, 0.9, ())
DAY = 86400.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "homeface.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(path) as opened:
        yield opened


def vector(seed: int) -> Vector:
    raw = np.random.default_rng(seed).normal(size=64)
    return (raw / np.linalg.norm(raw)).astype(np.float32)


def photo(seed: int) -> NewTemplate:
    crop = FaceCrop(b"jpeg bytes", Box(0, 0, 9, 9), np.zeros((5, 2), np.float32))
    return NewTemplate(vector(seed), MODEL, QUALITY, crop)


def lesson(subject_id: str, day: float, *, infrared: bool = False, model: str = MODEL) -> Lesson:
    return Lesson(
        subject_id,
        Embedding(vector(1000 + int(day)), model),
        replace(QUALITY, infrared=infrared),
        f"visit-{day:g}",
        day * DAY,
    )


class TestLearning:
    def test_it_is_told_apart_from_photos(self, store: Store) -> None:
        anna, _ = store.enrol("Anna", [photo(1), photo(2)])
        before = store.gallery_version()
        assert store.learn(lesson(anna.subject_id, 5))
        assert store.gallery_version() != before  # a running daemon notices
        assert [template.adapted for template in store.templates()] == [True, False, False]
        (known,) = store.learned(anna.subject_id)
        assert (known.visit_id, known.seen_at, known.infrared) == ("visit-5", 5 * DAY, False)
        learned = next(t for t in store.gallery(MODEL).templates if t.adapted)
        assert np.allclose(learned.vector, vector(1005))
        assert store.crop(learned.template_id) is None

    def test_once_a_day_and_person(self, store: Store) -> None:
        anna, _ = store.enrol("Anna", [photo(1)])
        bert, _ = store.enrol("Bert", [photo(2)])
        assert store.learn(lesson(anna.subject_id, 5.0))
        assert not store.learn(lesson(anna.subject_id, 5.1))
        assert not store.learn(lesson(anna.subject_id, 4.9))  # the clock was set back
        assert store.learn(lesson(bert.subject_id, 5.1))
        assert store.learn(lesson(anna.subject_id, 6.0))
        assert len(store.learned()) == 3

    def test_the_oldest_goes_when_there_are_many(self, store: Store) -> None:
        anna, _ = store.enrol("Anna", [photo(1)])
        for day in range(ADAPTED_PER_KIND + 3):
            assert store.learn(lesson(anna.subject_id, 10.0 + 2 * day))
            assert store.learn(lesson(anna.subject_id, 11.0 + 2 * day, infrared=True))
        for infrared in (False, True):
            days = [item.seen_at / DAY for item in store.learned() if item.infrared is infrared]
            assert len(days) == ADAPTED_PER_KIND
            assert min(days) == 16 + infrared
        assert store.counts().templates == 1 + 2 * ADAPTED_PER_KIND

    def test_who_was_removed_teaches_nothing(self, store: Store) -> None:
        anna, _ = store.enrol("Anna", [photo(1)])
        store.learn(lesson(anna.subject_id, 5))
        store.remove_subject(anna.subject_id)
        assert not store.learn(lesson(anna.subject_id, 6))
        assert store.counts().templates == 0

    def test_forgotten_on_demand(self, store: Store) -> None:
        anna, _ = store.enrol("Anna", [photo(1)])
        bert, _ = store.enrol("Bert", [photo(2)])
        for subject in (anna, bert):
            store.learn(lesson(subject.subject_id, 5))
            store.learn(lesson(subject.subject_id, 7, model="other/1"))
        assert store.forget_learned(but_model=MODEL) == 2
        before = store.gallery_version()
        assert store.forget_learned(anna.subject_id) == 1
        assert store.gallery_version() != before
        assert [item.subject_id for item in store.learned()] == [bert.subject_id]
        assert store.forget_learned() == 1
        assert store.forget_learned() == 0
        assert store.counts().templates == 2

    def test_what_was_forgotten_does_not_come_back_with_a_copy(self, path: Path) -> None:
        """A wrong lesson names wrongly again, should the copy take a damaged database's place."""
        with Store(path) as store:
            anna, _ = store.enrol("Anna", [photo(1)])
            store.learn(lesson(anna.subject_id, 5))
            store.make_daily_copy(1e12)
            shutil.copyfile(copies.daily(path), copies.before_restore(path))
            assert store.forget_learned(anna.subject_id) == 1
            assert not copies.before_restore(path).exists()
            written = copies.daily(path).stat().st_mtime_ns
            assert store.forget_learned() == 0
            assert copies.daily(path).stat().st_mtime_ns == written, "nothing to forget: the copy stays"
        path.write_bytes(b"damaged" * 1000)
        assert recover(path) is not None
        with Store(path) as store:
            assert (store.learned(), store.counts().templates) == ([], 1)

    def test_it_cannot_be_read_on_the_disk(self, store: Store, path: Path) -> None:
        anna, _ = store.enrol("Anna", [photo(1)])
        store.learn(lesson(anna.subject_id, 5))
        plain = vector(1005).astype("<f4").tobytes()
        assert all(plain not in file.read_bytes() for file in path.parent.iterdir())

    def test_it_is_never_made_anew_as_if_it_were_a_photo(self, store: Store) -> None:
        anna, _ = store.enrol("Anna", [photo(1)])
        store.learn(lesson(anna.subject_id, 5))
        (known,) = store.learned()
        with pytest.raises(GalleryError):
            store.replace_template(known.template_id, vector(9), "other/1", QUALITY)


class TestOldDatabase:
    def old(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        with monkeypatch.context() as patch:
            patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
            with Store(path) as store, store._database.write() as connection:
                connection.execute("INSERT INTO subject VALUES ('anna', 0.0)")
                connection.execute("INSERT INTO subject_name VALUES ('anna', 'anna', 'Anna', 0)")
                templates = [store._insert_template(connection, "anna", photo(seed)) for seed in (1, 2)]
        return [template.template_id for template in templates]

    def test_everything_is_kept_and_counts_as_photos(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ids = self.old(path, monkeypatch)
        with Store(path) as store:
            templates = store.templates()
            assert {template.template_id for template in templates} == set(ids)
            assert not any(template.adapted for template in templates)
            assert np.allclose(sorted(t.vector[0] for t in templates), sorted(vector(s)[0] for s in (1, 2)))
            crop = store.crop(ids[0])
            assert crop is not None
            assert crop.jpeg == b"jpeg bytes"
            assert store.learn(lesson(store.require_subject("Anna").subject_id, 5))

    def test_a_photo_that_is_removed_is_in_no_copy(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        ids = self.old(path, monkeypatch)
        with Store(path) as store:
            assert list(path.parent.glob("*.backup"))
            store.remove_template(ids[0])
        assert not list(path.parent.glob("*.backup"))

    def test_the_way_back(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        ids = self.old(path, monkeypatch)
        Store(path).close()
        copy = path.with_name("homeface.db.v1.backup")
        assert copy.stat().st_mode & 0o777 == 0o600
        with monkeypatch.context() as patch:
            patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
            with pytest.raises(StoreError, match="newer homeface"):
                Store(path)
        with closing(sqlite3.connect(copy)) as connection:
            assert connection.execute("PRAGMA user_version").fetchone()[0] == 1
            assert {row[0] for row in connection.execute("SELECT id FROM template")} == set(ids)
