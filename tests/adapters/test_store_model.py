"""The store against a model of plain dicts, over random walks that also close and reopen the file."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from homeface.adapters.store import FaceCrop, NewTemplate, Store
from homeface.core.types import Box, Identified, Quality, Sighting, Unknown
from homeface.errors import GalleryError

QUALITY = Quality(80.0, 0.05, 1.0, 2.0, 3.0, 120.0, 50.0, False, 0.9, ())
NAMES = st.sampled_from(["Anna", "anna", "ANNA ", "Bert", "Zoë", "Zoe\u0308", "Straße", "STRASSE", "Carl"])
MODELS = st.sampled_from(["a/1", "b/1"])


def key(name: str) -> str:
    return {"anna": "anna", "anna ": "anna", "zoe\u0308": "zoë", "straße": "strasse"}.get(
        name.lower(), name.lower()
    )


def new(seed: int, model_id: str, with_crop: bool) -> NewTemplate:
    raw = np.random.default_rng(seed).normal(size=16)
    crop = FaceCrop(b"%d" % seed, Box(0, 0, 1, 1), np.zeros((5, 2), np.float32)) if with_crop else None
    return NewTemplate((raw / np.linalg.norm(raw)).astype(np.float32), model_id, QUALITY, crop)


class StoreMachine(RuleBasedStateMachine):
    people = Bundle("people")
    photos = Bundle("photos")

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.store = Store(self.folder / "homeface.db")
        self.names: dict[str, str] = {}
        self.templates: dict[str, tuple[str, str, bytes, bytes | None]] = {}
        self.visits: dict[str, tuple[str | None, float]] = {}

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    def taken(self, name: str, by_other_than: str = "") -> bool:
        return any(key(name) == taken for owner, taken in self.names.items() if owner != by_other_than)

    @rule(target=people, name=NAMES)
    def add(self, name: str) -> object:
        if self.taken(name):
            with pytest.raises(GalleryError):
                self.store.add_subject(name)
            return multiple()
        subject = self.store.add_subject(name)
        self.names[subject.subject_id] = key(name)
        return subject.subject_id

    @rule(who=people, name=NAMES)
    def rename(self, who: str, name: str) -> None:
        if self.taken(name, who):
            with pytest.raises(GalleryError):
                self.store.rename(who, name)
        else:
            self.store.rename(who, name)
            self.names[who] = key(name)

    @rule(who=consumes(people))
    def remove(self, who: str) -> None:
        self.store.remove_subject(who)
        del self.names[who]
        self.templates = {k: v for k, v in self.templates.items() if v[0] != who}
        self.visits = {k: v for k, v in self.visits.items() if v[0] != who}

    @rule(target=photos, who=people, seed=st.integers(0, 99), model_id=MODELS, with_crop=st.booleans())
    def enrol(self, who: str, seed: int, model_id: str, with_crop: bool) -> str:
        item = new(seed, model_id, with_crop)
        template = self.store.add_template(who, item)
        jpeg = item.crop.jpeg if item.crop else None
        self.templates[template.template_id] = (who, model_id, item.vector.tobytes(), jpeg)
        return template.template_id

    @rule(photo=photos, seed=st.integers(0, 99), model_id=MODELS)
    def replace(self, photo: str, seed: int, model_id: str) -> None:
        vector = new(seed, model_id, False).vector
        if photo not in self.templates:
            with pytest.raises(GalleryError):
                self.store.replace_template(photo, vector, model_id, QUALITY)
            return
        self.store.replace_template(photo, vector, model_id, QUALITY)
        who, _, _, jpeg = self.templates[photo]
        self.templates[photo] = (who, model_id, vector.tobytes(), jpeg)

    @rule(photo=consumes(photos))
    def forget(self, photo: str) -> None:
        if photo in self.templates:
            self.store.remove_template(photo)
            del self.templates[photo]

    @rule(who=people, visit=st.sampled_from("uvw"), at=st.integers(1, 20), known=st.booleans())
    def see(self, who: str, visit: str, at: int, known: bool) -> None:
        decision = Identified(who, 0.7, 0.3, 3) if known else Unknown(())
        self.store.add_sighting(Sighting("r", "c", visit, 0.0, float(at), decision, Box(0, 0, 1, 1)))
        if visit not in self.visits or at >= self.visits[visit][1]:
            self.visits[visit] = (who if known else None, float(at))

    @rule(before=st.integers(1, 20))
    def purge(self, before: int) -> None:
        self.store.purge(float(before))
        self.visits = {k: v for k, v in self.visits.items() if v[1] >= before}

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = Store(self.folder / "homeface.db")

    @invariant()
    def agrees(self) -> None:
        assert {subject.subject_id for subject in self.store.subjects()} == set(self.names)
        for who, name in self.names.items():
            found = self.store.find_subject(name)
            assert found is not None
            assert found.subject_id == who
        stored = {
            template.template_id: (template.subject_id, template.model_id, template.vector.tobytes())
            for template in self.store.templates()
        }
        assert stored == {k: v[:3] for k, v in self.templates.items()}
        for template_id, (_, _, _, jpeg) in self.templates.items():
            crop = self.store.crop(template_id)
            assert (crop.jpeg if crop else None) == jpeg
        assert self.store.counts().crops == sum(v[3] is not None for v in self.templates.values())
        seen = {record.visit_id: (record.subject_id, record.last_seen) for record in self.store.sightings()}
        assert seen == self.visits


StoreMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestStore = StoreMachine.TestCase
