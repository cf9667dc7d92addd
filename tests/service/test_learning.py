"""From a very sure visit to a template in the store, one way, and only where that is wanted."""

from __future__ import annotations

from asyncio import to_thread
from dataclasses import replace
from pathlib import Path

import pytest

from homeface import config as configuration
from homeface.adapters.store import NewTemplate, Store
from homeface.core.gallery import Gallery, Subject, Template
from homeface.core.presence import House, PresencePolicy, RoomPolicy
from homeface.core.types import Identified, Sighting
from homeface.service import recognition
from homeface.service.hub import Hub
from homeface.service.pipeline import Recognition
from tests.fakes.engine import GOOD_QUALITY, MODEL_ID, FakeEngine, person_vector
from tests.service.test_hub import Clock, Outlet
from tests.support.daemon import write_config
from tests.support.people import BOX, DAD, FAKE_CALIBRATION, MUM, STRANGER, frame_with, pipeline_of, show

UNLIKE = 0.9
"""Noise of the enrolled photos: like enough for a name, and different enough to learn from."""


def photos(person: int) -> list[NewTemplate]:
    return [NewTemplate(person_vector(person, 3000 + n, UNLIKE), MODEL_ID, GOOD_QUALITY) for n in range(4)]


async def recognition_for(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch, **wishes: object
) -> Recognition:
    monkeypatch.setattr(recognition, "calibration_for", lambda _model, _folder: FAKE_CALIBRATION)
    path = write_config(
        folder / "config.yaml",
        mqtt_port=1,
        storage=folder,
        rooms={"hall": {}},
        cameras={"hall": {"room": "hall", "url": "rtsp://127.0.0.1:9/hall"}},
        recognition=wishes,
    )
    config = await to_thread(configuration.load, path, {})
    gallery = await to_thread(store.gallery, MODEL_ID)
    return recognition.recognition_of(gallery, config)


async def visit(engine: FakeEngine, known: Recognition, person: int) -> list[Sighting]:
    """The visits that end after somebody has been in the picture for a while."""
    engine.quality_of = lambda _person: GOOD_QUALITY
    pipeline = pipeline_of(engine, camera="hall")
    pipeline.learn(known)
    await show(pipeline, frame_with((person, BOX)), 1000.0, 50, fps=2.0)
    return pipeline.flush()


@pytest.fixture
def family(store: Store) -> Store:
    store.enrol("Mum", photos(MUM))
    store.enrol("Dad", photos(DAD))
    return store


async def test_a_sure_visit_is_learned_and_noticed(
    engine: FakeEngine, family: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = await recognition_for(family, tmp_path, monkeypatch, adapt=True)
    (ended,) = await visit(engine, known, MUM)
    assert isinstance(ended.decision, Identified)
    assert ended.lesson is not None
    assert "lesson" not in repr(ended)
    before = await to_thread(family.gallery_version)
    hub = Hub(House({"hall": RoomPolicy("hall", 30.0)}, PresencePolicy()), family, Outlet(family), Clock())
    await hub.observe([ended])
    (learned,) = await to_thread(family.learned)
    assert learned.visit_id == ended.visit_id
    assert learned.seen_at == ended.captured_at
    assert await to_thread(family.gallery_version) != before
    again = await recognition_for(family, tmp_path, monkeypatch, adapt=True)
    assert sum(template.adapted for template in again.gallery.templates) == 1
    await hub.observe([replace(ended, visit_id="later")])  # the same day
    assert len(await to_thread(family.learned)) == 1


async def test_nothing_is_learned_unless_that_is_wanted(
    engine: FakeEngine, family: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = await recognition_for(family, tmp_path, monkeypatch)
    assert known.teaching is None
    (ended,) = await visit(engine, known, MUM)
    assert isinstance(ended.decision, Identified)
    assert ended.lesson is None


async def test_strangers_and_paused_cameras_teach_nothing(
    engine: FakeEngine, family: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = await recognition_for(family, tmp_path, monkeypatch, adapt=True)
    (stranger,) = await visit(engine, known, STRANGER)
    assert stranger.lesson is None
    (ended,) = await visit(engine, known, MUM)
    hub = Hub(House({"hall": RoomPolicy("hall", 30.0)}, PresencePolicy()), family, Outlet(family), Clock())
    hub.paused.add("hall")
    await hub.observe([ended])
    assert await to_thread(family.learned) == []


async def test_wrong_photos_are_left_out_of_what_is_compared_with(
    family: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mum = await to_thread(family.require_subject, "Mum")
    wrong = await to_thread(family.add_template, mum.subject_id, photos(STRANGER)[0])
    known = await recognition_for(family, tmp_path, monkeypatch)
    used = {template.template_id for template in known.gallery.templates}
    assert wrong.template_id not in used
    assert len(used) == 8


def test_a_template_is_a_photo_unless_it_says_so() -> None:
    gallery = Gallery([Subject("p", "P")], [Template("t", "p", person_vector(MUM), MODEL_ID)], MODEL_ID)
    assert not gallery.templates[0].adapted
