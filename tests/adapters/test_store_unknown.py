"""Visits that got no name, in the store: sealed, bounded, and gone when they are to be gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from homeface.adapters.store import Store, UnknownFace, UnknownVisit, schema, unknown
from homeface.core.types import Embedding
from homeface.errors import GalleryError
from tests.adapters.test_store import MODEL, QUALITY, crop, everything_on_disk, new, vector

MARK = b"a face that must not be read on the disk"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "homeface.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(path) as opened:
        yield opened


def visit(visit_id: str = "v1", at: float = 100.0, faces: int = 2) -> UnknownVisit:
    return UnknownVisit(
        visit_id,
        "hall",
        "porch",
        at - 5,
        at,
        3,
        ("below_threshold",),
        tuple(UnknownFace(Embedding(vector(n), MODEL), QUALITY, at - n, crop(MARK)) for n in range(faces)),
    )


def test_a_visit_comes_back_as_it_was(store: Store) -> None:
    store.add_unknown_visit(visit())
    found = store.unknown_visit("v1")
    assert found is not None
    assert (found.room, found.camera, found.first_seen, found.last_seen) == ("hall", "porch", 95.0, 100.0)
    assert (found.votes, found.reasons) == (3, ("below_threshold",))
    best = found.faces[0]
    assert np.allclose(best.embedding.vector, vector(0))
    assert (best.embedding.model_id, best.quality, best.seen_at) == (MODEL, QUALITY, 100.0)
    assert best.crop is not None
    assert best.crop.jpeg == MARK
    assert store.unknown_visit("other") is None


def test_the_list_is_newest_first_and_holds_no_pictures(store: Store) -> None:
    for number in range(3):
        store.add_unknown_visit(visit(f"v{number}", at=100.0 + number, faces=number))
    found = store.unknown_visits()
    assert [one.visit_id for one in found] == ["v2", "v1", "v0"]
    assert [len(one.faces) for one in found] == [2, 1, 0]
    assert {face.crop for one in found for face in one.faces} == {None}


def test_a_visit_told_again_is_replaced(store: Store, path: Path) -> None:
    store.add_unknown_visit(visit(faces=3))
    store.add_unknown_visit(visit(faces=1))
    (found,) = store.unknown_visits()
    assert len(found.faces) == 1


def test_faces_are_sealed_and_leave_the_disk_with_their_visit(store: Store, path: Path) -> None:
    for name in ("v1", "v2", "v3"):
        store.add_unknown_visit(visit(name, faces=1))
    assert MARK not in everything_on_disk(path.parent)
    with store._database.read() as connection:
        blobs = connection.execute("SELECT visit_id, vector, picture FROM unknown_face").fetchall()
    sealed = {row[0]: row[1:] for row in blobs}
    assert all(blob in everything_on_disk(path.parent) for blobs in sealed.values() for blob in blobs)
    assert store.remove_unknown_visits(["v1", "v1", "gone before"]) == 1
    assert store.unknown_visit("v1") is None
    assert not any(blob in everything_on_disk(path.parent) for blob in sealed["v1"])
    assert all(blob in everything_on_disk(path.parent) for blob in sealed["v2"])
    assert store.remove_unknown_visits() == 2
    assert not any(blob in everything_on_disk(path.parent) for blobs in sealed.values() for blob in blobs)


def test_the_retention_takes_old_ones(store: Store, path: Path) -> None:
    for number in range(3):
        store.add_unknown_visit(visit(f"v{number}", at=100.0 + number))
    assert store.purge_unknown_visits(101.5) == 2
    assert [one.visit_id for one in store.unknown_visits()] == ["v2"]
    assert store.purge_unknown_visits(101.5) == 0


def test_a_busy_street_does_not_fill_the_disk(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unknown, "MOST_UNKNOWN_VISITS", 3)
    for number in range(6):
        store.add_unknown_visit(visit(f"v{number}", at=100.0 + number, faces=0))
    assert [one.visit_id for one in store.unknown_visits()] == ["v5", "v4", "v3"]
    store.add_unknown_visit(visit("face", at=50.0, faces=1))
    assert [one.visit_id for one in store.unknown_visits()] == ["v5", "v4", "face"]


def test_a_face_moved_to_another_visit_does_not_open(store: Store) -> None:
    store.add_unknown_visit(visit("v1", faces=1))
    store.add_unknown_visit(visit("v2", faces=0))
    with store._database.write() as connection:
        connection.execute("UPDATE unknown_face SET visit_id = 'v2'")
    found = store.unknown_visit("v2")
    assert found is not None
    assert found.faces == ()


def test_copies_made_before_an_update_go_too(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:4])
        with Store(path) as store:
            store.add_unknown_visit(visit())
    with Store(path) as store:
        assert list(path.parent.glob("*.backup"))
        store.remove_unknown_visits(["v1"])
    assert not list(path.parent.glob("*.backup"))


def test_a_paused_person_stays_and_is_said_to_be_paused(store: Store) -> None:
    anna, _ = store.enrol("Anna", [new(1)])
    bert, _ = store.enrol("Bert", [new(2)])
    version = store.gallery_version()
    assert store.change_subject(anna.subject_id, paused=True).paused
    assert store.gallery_version() > version
    assert {one.name: one.paused for one in store.subjects()} == {"Anna": True, "Bert": False}
    assert store.rename(anna.subject_id, "Anne").paused
    gallery = store.gallery(MODEL)
    assert gallery.paused == {anna.subject_id}
    assert set(gallery.candidate_ids) == {anna.subject_id, bert.subject_id}
    assert not store.change_subject(anna.subject_id, paused=False).paused
    assert not store.gallery(MODEL).paused


def test_a_person_is_changed_in_all_or_in_nothing(store: Store) -> None:
    anna = store.add_subject("Anna", ["Mum"])
    store.add_subject("Bert")
    with pytest.raises(GalleryError, match="taken"):
        store.change_subject(anna.subject_id, name="Anne", aliases=["bert"], paused=True)
    assert store.require_subject("Anna") == anna
    changed = store.change_subject(anna.subject_id, name="Mum", paused=True)
    assert (changed.name, changed.aliases, changed.paused) == ("Mum", (), True)
    assert store.change_subject(anna.subject_id) == changed
    with pytest.raises(GalleryError):
        store.change_subject("nobody", paused=True)
