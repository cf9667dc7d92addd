"""Enrolment with real faces and the default models: right photos in, wrong ones out, every phone format."""

from __future__ import annotations

import io
from asyncio import to_thread
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from homeface.adapters.photos import load_photo
from homeface.adapters.store import Store
from homeface.core.identification import Policy
from homeface.core.types import Identified
from homeface.inference.engine import Engine, EngineSettings
from homeface.service.answers import identify_photo
from homeface.service.enrolment import Enrolment, same_face
from tests.support.data import data_dir, requires_data, weights_dir

pytestmark = [requires_data, pytest.mark.accuracy]

GALLERY = data_dir() / "gallery"
POLICY = Policy(0.5, single_threshold=0.5)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "state" / "homeface.db") as opened:
        yield opened


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    running = Engine(EngineSettings(folders=[weights_dir()], device="cpu"))
    await running.start()
    yield running
    await running.aclose()


def photos_of(person: str) -> list[tuple[str, Path]]:
    return [(f"{person}/{path.name}", path) for path in sorted((GALLERY / person).iterdir())]


def as_phone_would(path: Path) -> bytes:
    """The photo as HEIC, stored lying on its side with the EXIF note that turns it upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    with Image.open(path) as picture:
        turned = picture.convert("RGB").transpose(Image.Transpose.ROTATE_90)
    pillow_heif.from_pillow(turned).save(buffer, quality=90, exif=exif.tobytes())
    return buffer.getvalue()


async def test_two_people_are_taught_and_told_apart(engine: Engine, store: Store) -> None:
    enrolment = Enrolment(engine, store)
    assert (await enrolment.enrol("Barack", photos_of("obama"))).accepted == 2
    phone = [(label, await to_thread(as_phone_would, path)) for label, path in photos_of("biden")]
    assert (await enrolment.enrol("Joe", phone)).accepted == 2
    by_mistake = await enrolment.enrol("Barack", photos_of("biden"))
    assert by_mistake.accepted == 0
    group = await enrolment.enrol("Both", [("both", GALLERY / "obama_and_biden.jpg")])
    assert [photo.key for photo in group.photos] == ["several_faces"]
    gallery = await to_thread(store.gallery, engine.model_id)
    image = await to_thread(load_photo, GALLERY / "obama_and_biden.jpg")
    answers = await identify_photo(engine, image, gallery, POLICY)
    named = {
        gallery.name(answer.decision.subject_id)
        for answer in answers
        if isinstance(answer.decision, Identified)
    }
    assert named == {"Barack", "Joe"}
    stranger = await to_thread(load_photo, GALLERY / "rose_leslie" / "1.jpg")
    assert not any(
        isinstance(answer.decision, Identified)
        for answer in await identify_photo(engine, stranger, gallery, POLICY)
    )


async def test_a_kept_crop_gives_nearly_the_same_vector(engine: Engine, store: Store) -> None:
    await Enrolment(engine, store).enrol("Rose", photos_of("rose_leslie"))
    for template in await to_thread(store.templates):
        crop = await to_thread(store.crop, template.template_id)
        assert crop is not None
        face = same_face(await engine.look(await to_thread(load_photo, crop.jpeg)), crop.box)
        assert face is not None
        (again,) = await engine.embed([face.crop])
        assert float(np.dot(again.vector, template.vector)) > 0.85
