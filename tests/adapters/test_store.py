"""The store on a real disk: what it keeps, what it forgets, and who may read it."""

from __future__ import annotations

import json
import logging
import re
import sqlite3
import stat
import threading
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from homeface.adapters.store import FaceCrop, NewTemplate, Store
from homeface.core.types import (
    Box,
    Candidate,
    Decision,
    Identified,
    Quality,
    Reason,
    Sighting,
    Undecided,
    Unknown,
    Vector,
)
from homeface.errors import GalleryError, StoreError

MODEL = "facenet/1"
QUALITY = Quality(80.0, 0.05, 1.0, 2.0, 3.0, 120.0, 50.0, False, 0.9, ())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "homeface.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(path, busy_timeout_seconds=0.2) as opened:
        yield opened


def vector(seed: int, dimension: int = 64) -> Vector:
    raw = np.random.default_rng(seed).normal(size=dimension)
    return (raw / np.linalg.norm(raw)).astype(np.float32)


def crop(marker: bytes = b"jpeg bytes") -> FaceCrop:
    return FaceCrop(marker, Box(1.0, 2.0, 30.5, 40.0), np.arange(10, dtype=np.float32).reshape(5, 2))


def new(seed: int = 1, model_id: str = MODEL, **options: object) -> NewTemplate:
    return NewTemplate(vector(seed), model_id, QUALITY, crop(), **options)  # type: ignore[arg-type]


def sighting(visit: str, decision: Decision, first: float = 100.0, at: float = 110.0) -> Sighting:
    return Sighting("kitchen", "cam1", visit, first, at, decision, Box(0, 0, 1, 1))


def everything_on_disk(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())


class TestPeople:
    def test_a_new_person(self, store: Store) -> None:
        added = store.add_subject("  Anna   Berg ", ["Mum", "mum"])
        assert added.name == "Anna Berg"
        assert added.aliases == ("Mum",)
        assert len(added.subject_id) == 12
        assert store.subjects() == [added]

    @pytest.mark.parametrize("text", ["anna", "ANNA", "Mum", "mUM "])
    def test_found_by_name_or_alias(self, store: Store, text: str) -> None:
        added = store.add_subject("Anna", ["Mum"])
        assert store.find_subject(text) == added
        assert store.find_subject(added.subject_id) == added

    def test_found_in_either_unicode_form(self, store: Store) -> None:
        added = store.add_subject(unicodedata.normalize("NFD", "Zoë Müller"))
        assert added.name == unicodedata.normalize("NFC", "Zoë Müller")
        assert store.find_subject(unicodedata.normalize("NFD", "ZOË MÜLLER")) == added

    def test_nobody(self, store: Store) -> None:
        assert store.find_subject("nobody") is None
        with pytest.raises(GalleryError, match="Nobody is enrolled as 'nobody'"):
            store.require_subject("nobody")

    @pytest.mark.parametrize("name", ["anna", "mum", "ANNA "])
    def test_a_taken_name(self, store: Store, name: str) -> None:
        store.add_subject("Anna", ["Mum"])
        with pytest.raises(GalleryError, match="is taken: Anna is already enrolled"):
            store.add_subject(name)
        with pytest.raises(GalleryError, match="is taken"):
            store.add_subject("Bert", [name])
        bert = store.add_subject("Bert")
        with pytest.raises(GalleryError, match="is taken"):
            store.rename(bert.subject_id, name)
        with pytest.raises(GalleryError, match="is taken"):
            store.set_aliases(bert.subject_id, [name])
        assert [subject.name for subject in store.subjects()] == ["Anna", "Bert"]

    @pytest.mark.parametrize("name", ["", "  ", "x" * 81, "a\0b", "a\x1b[31m"])
    def test_names_nobody_can_have(self, store: Store, name: str) -> None:
        with pytest.raises(GalleryError):
            store.add_subject(name)
        assert store.subjects() == []

    def test_rename_keeps_templates_and_aliases(self, store: Store) -> None:
        anna = store.add_subject("Anna", ["Mum", "Annie"])
        store.add_template(anna.subject_id, new())
        renamed = store.rename(anna.subject_id, "ANNIE")
        assert (renamed.subject_id, renamed.name, renamed.aliases) == (anna.subject_id, "ANNIE", ("Mum",))
        assert store.counts().templates == 1
        assert store.find_subject("Anna") is None
        assert store.rename(anna.subject_id, "Annie").name == "Annie"  # only the case changes

    def test_the_version_changes_with_every_change(self, store: Store) -> None:
        versions = [store.gallery_version()]
        anna = store.add_subject("Anna")
        versions.append(store.gallery_version())
        template = store.add_template(anna.subject_id, new())
        versions.append(store.gallery_version())
        store.replace_template(template.template_id, vector(2), "other/1", QUALITY)
        versions.append(store.gallery_version())
        store.remove_template(template.template_id)
        versions.append(store.gallery_version())
        store.rename(anna.subject_id, "Anne")
        versions.append(store.gallery_version())
        store.remove_subject(anna.subject_id)
        versions.append(store.gallery_version())
        assert len(set(versions)) == len(versions)
        store.add_sighting(sighting("v", Unknown(())))
        assert store.gallery_version() == versions[-1]

    def test_a_subject_who_is_not_there(self, store: Store) -> None:
        for action in (
            lambda: store.rename("0" * 12, "X"),
            lambda: store.remove_subject("0" * 12),
            lambda: store.add_template("0" * 12, new()),
            lambda: store.export("0" * 12, Path("nowhere")),
        ):
            with pytest.raises(GalleryError):
                action()


class TestTemplates:
    def test_round_trip(self, store: Store, path: Path) -> None:
        anna = store.add_subject("Anna")
        added = store.add_template(anna.subject_id, new(5))
        store.close()
        with Store(path) as again:
            (template,) = again.templates(MODEL)
            assert template.template_id == added.template_id
            assert template.subject_id == anna.subject_id
            assert template.quality == pytest.approx(QUALITY.score)
            np.testing.assert_array_equal(template.vector, vector(5))
            assert template.vector.dtype == np.float32
            kept = again.crop(template.template_id)
            assert kept is not None
            assert kept.jpeg == b"jpeg bytes"
            assert kept.box == crop().box
            np.testing.assert_array_equal(kept.landmarks, crop().landmarks)
            assert again.quality(template.template_id) == QUALITY

    def test_enrolling_is_all_or_nothing(self, store: Store) -> None:
        spoilt = NewTemplate(vector(1) * 2, MODEL, QUALITY, crop())
        with pytest.raises(ValueError, match="unit length"):
            store.enrol("Anna", [new(1), new(2), spoilt])
        counts = store.counts()
        assert (counts.subjects, counts.templates, counts.crops) == (0, 0, 0)
        anna, stored = store.enrol("Anna", [new(1), new(2)])
        assert [template.subject_id for template in stored] == [anna.subject_id] * 2
        store.enrol(anna, [new(3)])
        assert store.counts().templates == 3
        with pytest.raises(GalleryError, match="is taken"):
            store.enrol("anna", [new(4)])
        with pytest.raises(GalleryError, match="nothing to enrol"):
            store.enrol("Bert", [])
        assert store.counts().subjects == 1

    def test_the_gallery_leaves_other_models_out(self, store: Store) -> None:
        anna, _ = store.enrol("Anna", [new(1), new(2, "old/1")])
        gallery = store.gallery(MODEL)
        assert len(gallery.templates) == 1
        assert [template.model_id for template in gallery.mismatched] == ["old/1"]
        assert gallery.name(anna.subject_id) == "Anna"
        assert gallery.scores(vector(1))[0].score == pytest.approx(1.0, abs=1e-5)

    def test_templates_made_anew(self, store: Store) -> None:
        _, (template,) = store.enrol("Anna", [new(1, "old/1")])
        (stale,) = store.stale_templates(MODEL)
        assert stale.template_id == template.template_id
        store.replace_template(stale.template_id, vector(9, 32), MODEL, QUALITY)
        assert store.stale_templates(MODEL) == []
        (fresh,) = store.templates(MODEL)
        np.testing.assert_array_equal(fresh.vector, vector(9, 32))
        assert store.crop(fresh.template_id) is not None
        with pytest.raises(GalleryError, match="any more"):
            store.replace_template("0" * 12, vector(9), MODEL, QUALITY)

    def test_removing_one_photo_takes_its_crop(self, store: Store) -> None:
        _, (first, second) = store.enrol("Anna", [new(1), new(2)])
        store.remove_template(first.template_id)
        assert [template.template_id for template in store.templates()] == [second.template_id]
        assert store.counts().crops == 1

    def test_a_swapped_row_names_nobody(
        self, store: Store, path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Somebody who can write the file, but has no key, moves a template to another person."""
        anna, _ = store.enrol("Anna", [new(1)])
        bert, _ = store.enrol("Bert", [new(2)])
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE template SET subject_id = ? WHERE subject_id = ?", ("tmp", "tmp"))
            connection.execute("PRAGMA foreign_keys = OFF")
            connection.execute("UPDATE template SET subject_id = ?", (anna.subject_id,))
        connection.close()
        with caplog.at_level(logging.ERROR):
            owners = [template.subject_id for template in store.gallery(MODEL).templates]
        assert owners == [anna.subject_id]
        assert bert.subject_id in store.gallery(MODEL).subjects
        assert "is left out" in caplog.text

    def test_many_threads(self, store: Store) -> None:
        failures: list[BaseException] = []

        def work(number: int) -> None:
            try:
                for step in range(5):
                    subject, _ = store.enrol(f"P{number}-{step}", [new(number * 10 + step)])
                    store.gallery(MODEL)
                    store.add_sighting(
                        sighting(f"v{number}-{step}", Identified(subject.subject_id, 0.8, 0.3, 3))
                    )
                    store.save_state({"n": number})
            except BaseException as error:  # noqa: BLE001 (told below)
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        counts = store.counts()
        assert (counts.subjects, counts.templates, counts.sightings) == (30, 30, 30)


class TestSightings:
    def test_a_visit_is_one_row_and_the_newest_word_counts(self, store: Store) -> None:
        anna = store.add_subject("Anna")
        store.add_sighting(sighting("v1", Undecided((Reason.TOO_FEW_FACES,))))
        named = Identified(anna.subject_id, 0.71, 0.3, 4)
        store.add_sighting(sighting("v1", named, at=115.0))
        store.add_sighting(sighting("v1", Unknown(()), at=112.0))  # late, and older
        (record,) = store.sightings()
        assert record.subject_id == anna.subject_id
        assert (record.first_seen, record.last_seen) == (100.0, 115.0)
        assert (record.score, record.margin, record.votes, record.reasons) == (0.71, 0.3, 4, ())

    def test_unknown_says_why(self, store: Store) -> None:
        decision = Unknown((Reason.BELOW_THRESHOLD,), 3, (Candidate("somebody", 0.31),))
        store.add_sighting(sighting("v1", decision))
        (record,) = store.sightings()
        assert record.subject_id is None
        assert record.reasons == ("below_threshold",)
        assert record.score == pytest.approx(0.31)

    def test_filters_and_order(self, store: Store) -> None:
        anna = store.add_subject("Anna")
        known = Identified(anna.subject_id, 0.7, 0.3, 3)
        store.add_sightings(
            sighting(f"v{n}", known if n % 2 else Unknown(()), at=100.0 + n) for n in range(6)
        )
        assert [record.visit_id for record in store.sightings(since=103)] == ["v5", "v4", "v3"]
        assert [r.visit_id for r in store.sightings(subject_id=anna.subject_id, limit=2)] == ["v5", "v3"]
        assert store.sightings(room="attic") == []
        assert store.visit_scores(["v1", "v2", "of yesterday"]) == {"v1": 0.7, "v2": None}
        assert store.visit_scores([]) == {}

    def test_a_sighting_of_somebody_removed_is_dropped(self, store: Store) -> None:
        anna = store.add_subject("Anna")
        store.remove_subject(anna.subject_id)
        late = sighting("v1", Identified(anna.subject_id, 0.7, 0.3, 3))
        store.add_sightings([late, sighting("v2", Unknown(()))])
        assert [record.visit_id for record in store.sightings()] == ["v2"]

    def test_purge(self, store: Store) -> None:
        store.add_sightings(sighting(f"v{n}", Unknown(()), at=100.0 + n) for n in range(6))
        assert store.purge(103.0) == 3
        assert store.purge(103.0) == 0
        assert [record.visit_id for record in store.sightings()] == ["v5", "v4", "v3"]


class TestState:
    def test_round_trip(self, store: Store, path: Path) -> None:
        assert store.load_state() is None
        store.save_state({"rooms": {"kitchen": {"since": 1.5, "names": ["a"]}}})
        store.save_state({"rooms": {}})
        store.close()
        with Store(path) as again:
            assert again.load_state() == {"rooms": {}}

    @pytest.mark.parametrize("text", ["", "{", "[]", "null"])
    def test_a_malformed_one_is_ignored_and_told(
        self, store: Store, path: Path, text: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        store.save_state({"rooms": {}})
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE presence_state SET state = ?", (text,))
        connection.close()
        assert store.load_state() is None
        assert "stored presence" in caplog.text


class TestGoneMeansGone:
    def test_nothing_of_a_removed_person_is_left_on_the_disk(self, store: Store, path: Path) -> None:
        anna, templates = store.enrol("Annabella Visible", [new(n) for n in range(12)])
        bert, _ = store.enrol("Bert", [new(40)])
        for number in range(50):
            store.add_sighting(sighting(f"visit{number}", Identified(anna.subject_id, 0.7, 0.3, 3)))
        store.save_state(
            {
                "people": {anna.subject_id: {"room": "x"}, bert.subject_id: {"room": "y"}},
                "rooms": {"x": {"names": [anna.subject_id, bert.subject_id]}},
                "tracks": [{"subject_id": anna.subject_id}, {"subject_id": bert.subject_id}],
            }
        )
        with sqlite3.connect(path) as raw:
            sealed = [row[0] for row in raw.execute("SELECT vector FROM template")]
            sealed += [row[0] for row in raw.execute("SELECT picture FROM crop")]
            berts = raw.execute("SELECT vector FROM template ORDER BY rowid DESC LIMIT 1").fetchone()[0]
        raw.close()
        traces = [blob[-24:] for blob in sealed if blob[-24:] != berts[-24:]]
        before = everything_on_disk(path.parent)
        assert b"Annabella" in before
        assert sum(trace in before for trace in traces) == len(traces)
        store.remove_subject(anna.subject_id)
        words = [b"Annabella", b"annabella", anna.subject_id.encode()]
        words += [template.template_id.encode() for template in templates]
        after = everything_on_disk(path.parent)
        assert [word for word in words if word in after] == []
        crop_of_bert = 1  # his crop is among the traces and must stay
        assert sum(trace in after for trace in traces) == crop_of_bert
        assert store.load_state() == {
            "people": {bert.subject_id: {"room": "y"}},
            "rooms": {"x": {"names": [bert.subject_id]}},
            "tracks": [{"subject_id": bert.subject_id}],
        }
        counts = store.counts()
        assert (counts.subjects, counts.templates, counts.crops, counts.sightings) == (1, 1, 1, 0)

    def test_copies_made_before_an_update_go_too(self, store: Store, path: Path) -> None:
        anna, _ = store.enrol("Anna", [new(1)])
        backup = path.with_name("homeface.db.v1.backup")
        backup.write_bytes(path.read_bytes())
        store.remove_subject(anna.subject_id)
        assert not backup.exists()

    def test_a_reader_elsewhere_delays_it_and_it_is_told(
        self, store: Store, path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        anna, _ = store.enrol("Annabella", [new(1)])
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM subject_name").fetchone()
        store.remove_subject(anna.subject_id)
        assert "until the other program" in caplog.text
        reader.close()
        store.close()
        assert b"Annabella" not in everything_on_disk(path.parent)


class TestPrivacy:
    def test_modes(self, store: Store, path: Path) -> None:
        store.enrol("Anna", [new(1)])
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        files = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        assert set(files) >= {"homeface.db", "homeface.db-wal", "homeface.key"}
        assert set(files.values()) == {0o600}

    def test_a_file_open_to_others_is_closed(self, store: Store, path: Path) -> None:
        store.close()
        path.chmod(0o644)
        store.key_file.chmod(0o640)
        with Store(path):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(store.key_file.stat().st_mode) == 0o600

    def test_neither_vector_nor_crop_lies_open(self, store: Store, path: Path) -> None:
        secret = b"the pixels of a face" * 10
        store.enrol("Anna", [NewTemplate(vector(1), MODEL, QUALITY, crop(secret))])
        disk = everything_on_disk(path.parent)
        assert secret[:20] not in disk
        assert vector(1).tobytes()[:16] not in disk
        assert crop().landmarks.astype(np.float64).tobytes()[8:40] not in disk

    def test_equal_vectors_look_different(self, store: Store, path: Path) -> None:
        store.enrol("Anna", [new(1), new(1)])
        with sqlite3.connect(path) as connection:
            blobs = {row[0] for row in connection.execute("SELECT vector FROM template")}
        connection.close()
        assert len(blobs) == 2


class TestExport:
    def test_everything_about_a_person(self, store: Store, tmp_path: Path) -> None:
        anna, templates = store.enrol("Anna", [new(1), NewTemplate(vector(2), MODEL, QUALITY)])
        store.enrol("Bert", [new(3)])
        store.add_sighting(sighting("v1", Identified(anna.subject_id, 0.7, 0.3, 3)))
        folder = tmp_path / "out" / "anna"
        files = store.export(anna.subject_id, folder)
        assert sorted(file.name for file in files) == ["001.jpg", "subject.json"]
        assert sorted(folder.iterdir()) == sorted(files)
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert (folder / "001.jpg").read_bytes() == b"jpeg bytes"
        data = json.loads((folder / "subject.json").read_text())
        assert data["name"] == "Anna"
        assert [item["template_id"] for item in data["templates"]] == [t.template_id for t in templates]
        assert data["templates"][0]["crop"]["file"] == "001.jpg"
        assert data["templates"][0]["quality"]["interocular_px"] == 80.0
        assert len(data["sightings"]) == 1

    def test_a_folder_that_is_not_empty(self, store: Store, tmp_path: Path) -> None:
        anna = store.add_subject("Anna")
        (tmp_path / "mine.txt").touch()
        with pytest.raises(StoreError, match="is not empty"):
            store.export(anna.subject_id, tmp_path)

    def test_a_folder_that_cannot_be_written(self, store: Store, tmp_path: Path) -> None:
        anna = store.add_subject("Anna")
        (tmp_path / "file").touch()
        with pytest.raises(StoreError, match=r"The export into .* failed"):
            store.export(anna.subject_id, tmp_path / "file" / "below")


def test_an_installation_has_one_id_for_ever(tmp_path: Path) -> None:
    with Store(tmp_path / "one.db") as store:
        known = store.instance_id()
        assert re.fullmatch(r"[0-9a-f]{32}", known)
        assert store.instance_id() == known
    with Store(tmp_path / "one.db") as again, Store(tmp_path / "two.db") as other:
        assert again.instance_id() == known
        assert other.instance_id() != known
