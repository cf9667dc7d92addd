from __future__ import annotations

import asyncio
import io
from asyncio import to_thread
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from homeface.adapters.photos import load_photo
from homeface.adapters.store import Store
from homeface.core.enrolment import EnrolmentPolicy
from homeface.core.gallery import Gallery
from homeface.core.identification import Policy
from homeface.core.types import Box, Detection, Face, Identified, ImageBGR, Picture, Reason, Unknown
from homeface.errors import GalleryError, ModelError, ModelMismatchError, StoreError
from homeface.service.answers import identify_photo
from homeface.service.crops import cut_crop
from homeface.service.enrolment import Enrolment, same_face
from tests.fakes.engine import GOOD_QUALITY, GREEN, RED, FakeEngine, frame_with, landmarks_of

BOX = (200, 80, 320, 200)
MUM, DAD, CAT = 10, 90, 170


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "state" / "homeface.db") as opened:
        yield opened


@pytest.fixture
async def engine() -> AsyncIterator[FakeEngine]:
    async with running(ForgivingEngine()) as fake:
        yield fake


@asynccontextmanager
async def running(engine: FakeEngine) -> AsyncIterator[FakeEngine]:
    await engine.start()
    yield engine
    await engine.aclose()


class ForgivingEngine(FakeEngine):
    """Finds painted faces even after a JPEG encoder has moved their colours by a step or two."""

    async def look(self, image: ImageBGR | Picture, regions: Sequence[Box] | None = None) -> list[Face]:
        image = image if isinstance(image, np.ndarray) else image.bgr()
        steady = image.copy()
        painted = np.abs(image[..., 1:].astype(int) - (GREEN, RED)).max(axis=2) <= 8
        steady[painted, 1:] = (GREEN, RED)
        steady[painted, 0] = np.round(steady[painted, 0] / 10).astype(np.uint8) * 10
        steady[~painted] = 0
        return await super().look(steady, regions)


def photo(*faces: tuple[int, tuple[int, int, int, int]]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(frame_with(*faces)[..., ::-1])).save(buffer, "PNG")
    return buffer.getvalue()


def photos_of(person: int, count: int = 3) -> list[tuple[str, bytes]]:
    return [(f"{person}-{number}.png", photo((person, BOX))) for number in range(count)]


def fill_up(store: Store) -> None:
    connection = store._database._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")


def spoil_crops(store: Store, gone: str, damaged: str) -> None:
    of_template = "WHERE id = (SELECT crop_id FROM template WHERE id = ?)"
    with store._database.write() as connection:
        connection.execute(f"DELETE FROM crop {of_template}", (gone,))
        connection.execute(f"UPDATE crop SET picture = x'00' {of_template}", (damaged,))


async def test_a_new_person(engine: FakeEngine, store: Store) -> None:
    steps: list[tuple[int, int, str]] = []
    report = await Enrolment(engine, store).enrol("Mum", photos_of(MUM), lambda *step: steps.append(step))
    assert report.created
    assert report.subject is not None
    assert report.subject.name == "Mum"
    assert [item.key for item in report.photos] == ["accepted"] * 3
    assert report.accepted == 3
    assert steps == [(0, 3, "10-0.png"), (1, 3, "10-1.png"), (2, 3, "10-2.png"), (3, 3, "")]
    gallery = await to_thread(store.gallery, engine.model_id)
    assert {template.template_id for template in gallery.templates} == {p.template_id for p in report.photos}
    assert (await to_thread(store.counts)).crops == 3


async def test_good_photos_are_stored_and_bad_ones_told(
    engine: FakeEngine, store: Store, tmp_path: Path
) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("no picture")
    engine.quality_of = lambda person: replace(GOOD_QUALITY, interocular_px=9.0 if person == CAT else 60.0)
    report = await Enrolment(engine, store).enrol(
        "Mum",
        [
            ("empty room", photo()),
            ("good", photo((MUM, BOX))),
            ("both", photo((MUM, BOX), (DAD, (400, 80, 500, 180)))),
            ("far away", photo((CAT, BOX))),
            ("notes", notes),
            ("cut", photo((MUM, BOX))[:300]),
            ("also good", photo((MUM, BOX))),
            ("somebody else", photo((DAD, BOX))),
        ],
    )
    assert [item.key for item in report.photos] == [
        "no_face",
        "accepted",
        "several_faces",
        "low_quality",
        "unreadable",
        "unreadable",
        "accepted",
        "outlier",
    ]
    assert [item.accepted for item in report.photos].count(True) == report.accepted == 2
    assert all(item.message.endswith(".") for item in report.photos)
    assert (await to_thread(store.counts)).templates == 2


async def test_somebody_in_the_background_is_not_meant(engine: FakeEngine, store: Store) -> None:
    shot = photo((MUM, BOX), (DAD, (500, 20, 530, 50)))
    report = await Enrolment(engine, store).enrol("Mum", [("shot", shot)])
    assert report.accepted == 1
    (answer,) = await identify_photo(
        engine,
        load_photo(photo((MUM, BOX))),
        await to_thread(store.gallery, engine.model_id),
        Policy(0.5, single_threshold=0.5),
    )
    assert isinstance(answer.decision, Identified)


async def test_without_a_good_photo_nobody_is_created(engine: FakeEngine, store: Store) -> None:
    report = await Enrolment(engine, store).enrol("Mum", [("empty", photo())])
    assert report.subject is None
    assert not report.created
    assert await to_thread(store.subjects) == []


async def test_no_picture_is_kept_where_none_is_wanted(engine: FakeEngine, store: Store) -> None:
    await Enrolment(engine, store, keep_crops=False).enrol("Mum", photos_of(MUM))
    counts = await to_thread(store.counts)
    assert (counts.templates, counts.crops) == (3, 0)


async def test_more_photos_of_a_known_person(engine: FakeEngine, store: Store) -> None:
    enrolment = Enrolment(engine, store)
    first = await enrolment.enrol("Mum", photos_of(MUM))
    second = await enrolment.enrol("MUM", [*photos_of(MUM, 1), *photos_of(DAD, 2)])
    assert second.subject == first.subject
    assert not second.created
    assert [item.key for item in second.photos] == ["accepted", "outlier", "outlier"]
    assert (await to_thread(store.counts)).templates == 4


async def test_an_alias_leads_to_the_same_person(engine: FakeEngine, store: Store) -> None:
    mum = await to_thread(store.add_subject, "Anna", ["Mum"])
    report = await Enrolment(engine, store).enrol("mum", photos_of(MUM))
    assert report.subject == mum
    assert not report.created


async def test_a_person_enrolled_under_another_name(engine: FakeEngine, store: Store) -> None:
    enrolment = Enrolment(engine, store)
    await enrolment.enrol("Mum", photos_of(MUM))
    report = await enrolment.enrol("Mother", photos_of(MUM))
    assert [item.key for item in report.photos] == ["looks_like_another"] * 3
    assert "Mum" in report.photos[0].message
    assert [subject.name for subject in await to_thread(store.subjects)] == ["Mum"]
    twins = Enrolment(engine, store, EnrolmentPolicy(allow_lookalikes=True))
    assert (await twins.enrol("Twin", photos_of(MUM))).accepted == 3


async def test_the_same_photo_twice(
    store: Store, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixed = (await engine.embed([np.full((32, 32, 3), (RED, GREEN, MUM), np.uint8)]))[0]

    async def embed(crops: object) -> list[object]:
        return [fixed]

    monkeypatch.setattr(engine, "embed", embed)
    enrolment = Enrolment(engine, store)
    assert [p.key for p in (await enrolment.enrol("Mum", photos_of(MUM, 2))).photos] == [
        "accepted",
        "duplicate",
    ]
    assert [p.key for p in (await enrolment.enrol("Mum", photos_of(MUM, 1))).photos] == ["duplicate"]
    assert (await to_thread(store.counts)).templates == 1


@pytest.mark.parametrize("name", ["", "\0", "x" * 200])
async def test_a_bad_name_is_told_before_any_work(engine: FakeEngine, store: Store, name: str) -> None:
    with pytest.raises(GalleryError):
        await Enrolment(engine, store).enrol(name, photos_of(MUM))
    assert engine.looked == 0


async def test_a_failing_device_stores_nothing(engine: FakeEngine, store: Store) -> None:
    enrolment = Enrolment(engine, store)

    def break_at_the_second(done: int, total: int, label: str) -> None:
        if done == 1:
            engine.fail_next = ModelError("The device is gone.")

    with pytest.raises(ModelError):
        await enrolment.enrol("Mum", photos_of(MUM), break_at_the_second)
    assert await to_thread(store.subjects) == []
    assert (await enrolment.enrol("Mum", photos_of(MUM))).accepted == 3


async def test_a_full_disk_stores_nothing(engine: FakeEngine, store: Store) -> None:
    await to_thread(fill_up, store)
    with pytest.raises(StoreError, match="full"):
        await Enrolment(engine, store).enrol("Mum", photos_of(MUM))
    assert await to_thread(store.subjects) == []


async def test_cancelled_in_the_middle(engine: FakeEngine, store: Store) -> None:
    enrolment = Enrolment(engine, store)
    started = asyncio.Event()
    engine.hang()
    task = asyncio.create_task(enrolment.enrol("Mum", photos_of(MUM), lambda *_: started.set()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    engine.recover()
    assert await to_thread(store.subjects) == []
    assert (await enrolment.enrol("Mum", photos_of(MUM))).accepted == 3


async def test_two_at_once_see_each_others_photos(engine: FakeEngine, store: Store) -> None:
    enrolment = Enrolment(engine, store)
    reports = await asyncio.gather(
        enrolment.enrol("Mum", photos_of(MUM)), enrolment.enrol("Mama", photos_of(MUM))
    )
    assert [report.accepted for report in reports] == [3, 0]


class TestAnotherModel:
    async def test_templates_are_made_anew_from_the_crops(self, engine: FakeEngine, store: Store) -> None:
        await Enrolment(engine, store).enrol("Mum", photos_of(MUM))
        async with running(ForgivingEngine(model_id="fake/2")) as other:
            enrolment = Enrolment(other, store)
            with pytest.raises(ModelMismatchError, match="people reembed"):
                await enrolment.enrol("Mum", photos_of(MUM))
            steps: list[int] = []
            report = await enrolment.reembed(lambda done, total, label: steps.append(done))
            assert (report.done, report.failed) == (3, {})
            assert steps == [0, 1, 2, 3]
            gallery = await to_thread(store.gallery, "fake/2")
            assert len(gallery.templates) == 3
            assert gallery.mismatched == ()
            (answer,) = await identify_photo(
                other, frame_with((MUM, BOX)), gallery, Policy(0.5, single_threshold=0.5)
            )
            assert isinstance(answer.decision, Identified)
            assert (await enrolment.reembed()).done == 0

    async def test_what_cannot_be_made_anew_is_told_and_kept(self, engine: FakeEngine, store: Store) -> None:
        report = await Enrolment(engine, store).enrol("Mum", photos_of(MUM))
        first, second, third = (str(item.template_id) for item in report.photos)
        await to_thread(spoil_crops, store, first, second)
        async with running(ForgivingEngine(model_id="fake/2")) as other:
            told = await Enrolment(other, store).reembed()
        assert told.done == 1
        assert {key: problem[0] for key, problem in told.failed.items()} == {
            first: "no_crop",
            second: "unreadable",
        }
        assert [template.template_id for template in await to_thread(store.templates, "fake/2")] == [third]
        assert len(await to_thread(store.templates, "fake/1")) == 2


class TestIdentify:
    async def test_each_face_gets_an_answer_largest_first(self, engine: FakeEngine, store: Store) -> None:
        await Enrolment(engine, store).enrol("Mum", photos_of(MUM))
        image = frame_with((DAD, (400, 80, 460, 140)), (MUM, BOX))
        answers = await identify_photo(
            engine, image, await to_thread(store.gallery, engine.model_id), Policy(0.5, single_threshold=0.5)
        )
        assert isinstance(answers[0].decision, Identified)
        assert isinstance(answers[1].decision, Unknown)

    async def test_no_face_and_nobody_enrolled(self, engine: FakeEngine) -> None:
        empty = Gallery([], [], engine.model_id)
        assert await identify_photo(engine, frame_with(), empty, Policy(0.5)) == []
        (answer,) = await identify_photo(engine, frame_with((MUM, BOX)), empty, Policy(0.5))
        assert isinstance(answer.decision, Unknown)
        assert Reason.EMPTY_GALLERY in answer.decision.reasons


class TestCrop:
    @pytest.mark.parametrize(
        "box", [Box(200, 80, 320, 200), Box(0, 0, 50, 60), Box(600, 300, 640, 360), Box(10, 10, 620, 350)]
    )
    def test_box_and_landmarks_move_along(self, box: Box) -> None:
        image = frame_with((MUM, tuple(int(value) for value in box)))  # type: ignore[arg-type]
        crop = cut_crop(image, Detection(box, 0.9, landmarks_of(box)))
        part = load_photo(crop.jpeg)
        assert max(part.shape[:2]) <= 512
        np.testing.assert_allclose(crop.landmarks, landmarks_of(crop.box), atol=0.6)
        x1, y1, x2, y2 = (round(value) for value in crop.box)
        inside = part[y1 + 3 : y2 - 3, x1 + 3 : x2 - 3]
        assert np.abs(inside.astype(int) - (MUM, GREEN, RED)).max() <= 8

    def test_the_face_that_lies_where_it_was(self) -> None:
        def face(box: Box) -> Face:
            return Face(Detection(box, 0.9, landmarks_of(box)), GOOD_QUALITY, np.zeros((8, 8, 3), np.uint8))

        left, right = face(Box(0, 0, 50, 50)), face(Box(60, 0, 110, 50))
        assert same_face([left, right], Box(62, 4, 108, 52)) is right
        assert same_face([left], Box(62, 4, 108, 52)) is None
        assert same_face([], Box(0, 0, 9, 9)) is None
