"""One camera's walk, with painted people: what it says of whom, and when it spares the device."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from unittest.mock import AsyncMock

import pytest

from homeface.core.types import Identified, Reason, Undecided, Unknown
from homeface.core.unknown_visits import FACES_PER_VISIT
from homeface.errors import FacesDroppedError
from tests.fakes.engine import GOOD_QUALITY, FakeEngine, person_vector, persons_in
from tests.support.people import (
    BOX,
    DAD,
    ELSEWHERE,
    MUM,
    STRANGER,
    decisions,
    frame_with,
    pipeline_of,
    recognition_of_people,
    show,
)

EMPTY = frame_with()
WITH_MUM = frame_with((MUM, BOX))
WITH_STRANGER = frame_with((STRANGER, BOX))


@pytest.fixture
async def engine() -> AsyncIterator[FakeEngine]:
    fake = FakeEngine()
    await fake.start()
    yield fake
    await fake.aclose()


class TestWho:
    async def test_an_enrolled_person_is_undecided_then_named_and_the_visit_ends(
        self, engine: FakeEngine
    ) -> None:
        pipeline = pipeline_of(engine, MUM, DAD)
        await show(pipeline, EMPTY, 100.0, 1)
        seen = await show(pipeline, WITH_MUM, 101.0, 3)
        assert decisions(seen) == ["undecided", "p10"]
        assert len({sighting.visit_id for answer in seen for sighting in answer}) == 1
        gone = await show(pipeline, EMPTY, 104.0, 4)
        (last,) = [sighting for answer in gone for sighting in answer if sighting.ended]
        assert isinstance(last.decision, Identified)
        assert last.decision.subject_id == "p10"
        assert last.first_seen == pytest.approx(101.0)
        assert last.captured_at == pytest.approx(103.8)  # the last frame with a face, not the end of the wait
        assert pipeline.stats.visits == 1

    async def test_a_stranger_becomes_unknown_and_never_gets_a_name(self, engine: FakeEngine) -> None:
        pipeline = pipeline_of(engine, MUM, DAD)
        seen = await show(pipeline, WITH_STRANGER, 100.0, 5)
        assert decisions(seen) == ["undecided", "unknown"]
        (last,) = pipeline.flush()
        assert isinstance(last.decision, Unknown)
        assert Reason.BELOW_THRESHOLD in last.decision.reasons
        assert last.decision.candidates  # why not is told

    async def test_a_glance_ends_as_unknown_with_its_reason(self, engine: FakeEngine) -> None:
        engine.quality_of = lambda person: replace(
            GOOD_QUALITY, interocular_px=5.0, reasons=(Reason.TOO_SMALL,)
        )
        pipeline = pipeline_of(engine, MUM)
        seen = await show(pipeline, WITH_MUM, 100.0, 2)
        assert decisions(seen) == ["undecided"]
        (last,) = pipeline.flush()
        assert isinstance(last.decision, Unknown)
        assert last.decision.reasons == (Reason.NO_USABLE_FACE, Reason.TOO_SMALL)
        assert engine.embedded == 0

    async def test_two_people_at_once_are_two_visits(self, engine: FakeEngine) -> None:
        pipeline = pipeline_of(engine, MUM, DAD)
        seen = await show(pipeline, frame_with((MUM, BOX), (STRANGER, ELSEWHERE)), 100.0, 3)
        answers = {type(sighting.decision): sighting for sighting in seen[-1]}
        assert set(answers) == {Identified, Unknown}
        assert len({sighting.visit_id for sighting in seen[-1]}) == 2

    async def test_another_person_on_the_same_spot_begins_another_visit(self, engine: FakeEngine) -> None:
        """The frame between was lost: the box alone would hand Mum's name to the stranger."""
        pipeline = pipeline_of(engine, MUM, DAD)
        first = await show(pipeline, WITH_MUM, 100.0, 3)
        after = await show(pipeline, WITH_STRANGER, 103.0, 8)
        visit = first[-1][0].visit_id
        assert {s.visit_id for s in after[-1]} != {visit}
        assert isinstance(after[-1][0].decision, Unknown)
        ended = [s for answer in after for s in answer if s.ended]
        assert [(s.visit_id, getattr(s.decision, "subject_id", None)) for s in ended] == [(visit, "p10")]

    @pytest.mark.parametrize("gone", [0.0, 0.2, 0.4])
    async def test_a_swap_on_the_same_spot_is_noticed_before_the_next_re_check(
        self, engine: FakeEngine, gone: float
    ) -> None:
        """Within half a second another stands where Mum stood: she is not seen for longer than she was."""
        engine.textured = True
        pipeline = pipeline_of(engine, MUM, DAD)
        await show(pipeline, WITH_MUM, 100.0, 4)
        await show(pipeline, EMPTY, 104.0, gone)
        seen = await show(pipeline, WITH_STRANGER, 104.0 + gone, 2)
        told = [s for answer in seen for s in answer if getattr(s.decision, "subject_id", None) == "p10"]
        assert all(sighting.captured_at < 104.0 for sighting in told)
        assert isinstance(seen[-1][0].decision, Unknown)


class TestLearning:
    async def test_a_gallery_learned_during_the_visit_names_the_living_track(
        self, engine: FakeEngine
    ) -> None:
        pipeline = pipeline_of(engine, DAD)
        before = await show(pipeline, WITH_MUM, 100.0, 3)
        assert isinstance(before[-1][0].decision, Unknown)
        pipeline.learn(recognition_of_people(DAD, MUM))
        ((now,),) = await show(pipeline, WITH_MUM, 103.0, 0.2)
        assert isinstance(now.decision, Identified)
        assert now.visit_id == before[0][0].visit_id

    async def test_a_person_who_is_forgotten_loses_the_name_at_once(self, engine: FakeEngine) -> None:
        pipeline = pipeline_of(engine, DAD, MUM)
        await show(pipeline, WITH_MUM, 100.0, 3)
        pipeline.learn(recognition_of_people(DAD))
        ((now,),) = await show(pipeline, WITH_MUM, 103.0, 0.2)
        assert not isinstance(now.decision, Identified)


class TestEnd:
    async def test_flush_ends_every_visit_once(self, engine: FakeEngine) -> None:
        pipeline = pipeline_of(engine, MUM, DAD)
        await show(pipeline, frame_with((MUM, BOX), (DAD, ELSEWHERE)), 100.0, 3)
        ended = pipeline.flush()
        assert sorted(s.decision.subject_id for s in ended if isinstance(s.decision, Identified)) == [
            "p10",
            "p90",
        ]
        assert all(sighting.ended for sighting in ended)
        assert pipeline.flush() == []

    async def test_what_comes_back_after_a_flush_is_a_new_visit(self, engine: FakeEngine) -> None:
        pipeline = pipeline_of(engine, MUM)
        await show(pipeline, WITH_MUM, 100.0, 2)
        (ended,) = pipeline.flush()
        (again,) = (await show(pipeline, WITH_MUM, 102.0, 1))[-1]
        assert again.visit_id != ended.visit_id
        assert again.first_seen == pytest.approx(102.0)

    async def test_nobody_is_never_a_sighting(self, engine: FakeEngine) -> None:
        pipeline = pipeline_of(engine, MUM)
        assert [s for answer in await show(pipeline, EMPTY, 100.0, 8) for s in answer] == []
        assert pipeline.flush() == []


class TestSparing:
    async def test_a_still_empty_picture_is_not_looked_at(self, engine: FakeEngine) -> None:
        pipeline = pipeline_of(engine, MUM)
        await show(pipeline, EMPTY, 100.0, 4.8)
        assert pipeline.stats.frames == 24
        assert engine.looked == 1  # the first picture, whatever it shows
        await show(pipeline, EMPTY, 105.0, 1)
        assert engine.looked == 2  # and one now and then: somebody may sit still

    async def test_somebody_who_stands_still_is_looked_at_now_and_then(self, engine: FakeEngine) -> None:
        pipeline = pipeline_of(engine, MUM)
        await show(pipeline, EMPTY, 100.0, 1)
        seen = await show(pipeline, WITH_MUM, 101.0, 20)
        assert 20 / 0.6 <= engine.looked <= 1 + 5 + 20 / 0.6 + 20 / 2
        assert len({sighting.visit_id for answer in seen for sighting in answer}) == 1
        newest = [answer[0].captured_at for answer in seen if answer]
        assert all(101.0 + n / 5 - at < 0.61 for n, at in enumerate(newest))
        assert all(not sighting.ended for answer in seen for sighting in answer)

    async def test_only_what_may_tell_something_is_looked_at(self, engine: FakeEngine) -> None:
        pipeline = pipeline_of(engine, MUM)
        await show(pipeline, EMPTY, 100.0, 1)
        await show(pipeline, frame_with((MUM, (200, 80, 250, 130))), 101.0, 10)
        stats = pipeline.stats
        assert stats.looked == engine.looked
        assert stats.full == engine.regions.count(None) <= 2 + 10 / 2
        assert 0 < stats.area - stats.full < 0.2 * (stats.looked - stats.full)

    async def test_somebody_who_comes_while_another_is_settled_is_seen_at_once(
        self, engine: FakeEngine
    ) -> None:
        pipeline = pipeline_of(engine, MUM, DAD)
        await show(pipeline, WITH_MUM, 100.0, 5.4)
        ((*_, other),) = await show(pipeline, frame_with((MUM, BOX), (DAD, ELSEWHERE)), 105.4, 0.2)
        assert other.first_seen == pytest.approx(105.4)

    async def test_embeddings_are_made_only_while_they_can_tell_something(self, engine: FakeEngine) -> None:
        pipeline = pipeline_of(engine, MUM)
        await show(pipeline, WITH_MUM, 100.0, 20)
        named_after = pipeline.tracker.settings.recheck_identified_seconds
        assert 3 <= engine.embedded <= 5 + 20 / named_after
        assert pipeline.stats.embedded == engine.embedded

    async def test_a_better_view_is_embedded_at_once(self, engine: FakeEngine) -> None:
        engine.quality_of = lambda person: replace(GOOD_QUALITY, score=0.4)
        pipeline = pipeline_of(engine, MUM)
        await show(pipeline, WITH_MUM, 100.0, 2)
        before = engine.embedded
        engine.quality_of = lambda person: replace(GOOD_QUALITY, score=0.9)
        await show(pipeline, WITH_MUM, 102.0, 0.2)
        assert engine.embedded == before + 1

    async def test_a_face_too_poor_to_use_is_not_embedded(self, engine: FakeEngine) -> None:
        engine.quality_of = lambda person: replace(GOOD_QUALITY, reasons=(Reason.BLURRED,))
        pipeline = pipeline_of(engine, MUM)
        seen = await show(pipeline, WITH_MUM, 100.0, 2)
        assert engine.embedded == 0
        assert isinstance(seen[-1][0].decision, Undecided)
        assert Reason.BLURRED in seen[-1][0].decision.reasons


async def test_faces_the_device_drops_are_embedded_with_a_later_frame(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = pipeline_of(engine, MUM)
    with monkeypatch.context() as patch:
        patch.setattr(engine, "embed", AsyncMock(side_effect=FacesDroppedError("newer faces came")))
        seen = await show(pipeline, WITH_MUM, 100.0, 1)
    assert decisions(seen) == ["undecided"]
    assert (pipeline.stats.embedded, pipeline.stats.dropped) == (0, 5)
    assert decisions(await show(pipeline, WITH_MUM, 101.0, 1)) == ["undecided", "p10"]


async def test_a_failing_look_leaves_the_pipeline_usable(engine: FakeEngine) -> None:
    pipeline = pipeline_of(engine, MUM)
    engine.fail_next = RuntimeError("the device hiccuped")
    with pytest.raises(RuntimeError, match="hiccuped"):
        await show(pipeline, WITH_MUM, 100.0, 0.2)
    seen = await show(pipeline, WITH_MUM, 106.0, 3)
    assert decisions(seen) == ["undecided", "p10"]


async def test_a_visit_without_a_name_shows_its_best_faces_at_the_end(engine: FakeEngine) -> None:
    pipeline = pipeline_of(engine, MUM)
    pipeline.keeps_faces = True
    await show(pipeline, frame_with((MUM, BOX), (STRANGER, ELSEWHERE)), 1000.0, 3.0)
    ended = {type(sighting.decision): sighting for sighting in pipeline.flush()}
    assert ended[Identified].faces == ()
    faces = ended[Unknown].faces
    assert 1 <= len(faces) <= FACES_PER_VISIT
    for face in faces:
        assert persons_in(face.picture) == [STRANGER]
        assert face.picture.base is None
        assert face.box.width == ELSEWHERE[2] - ELSEWHERE[0]
        assert 1000.0 <= face.seen_at <= 1003.0
        assert float(face.embedding.vector @ person_vector(STRANGER)) > 0.9


async def test_a_poor_face_of_somebody_else_is_not_kept_of_the_visit(engine: FakeEngine) -> None:
    poor = replace(GOOD_QUALITY, score=0.2)
    engine.quality_of = lambda person: poor if person == MUM else GOOD_QUALITY
    pipeline = pipeline_of(engine, MUM)
    pipeline.keeps_faces = True
    await show(pipeline, frame_with((STRANGER, BOX)), 1000.0, 0.6)
    await show(pipeline, WITH_MUM, 1000.6, 1.0)  # in the same place, too poor to tell the track apart
    faces = [face for sighting in pipeline.flush() for face in sighting.faces]
    assert faces
    assert {tuple(persons_in(face.picture)) for face in faces} == {(STRANGER,)}


async def test_faces_are_kept_only_where_that_is_wanted(engine: FakeEngine) -> None:
    pipeline = pipeline_of(engine, MUM)
    await show(pipeline, frame_with((STRANGER, BOX)), 1000.0, 2.0)
    assert [track.kept for track in pipeline.tracker.living] == [()]
    assert [sighting.faces for sighting in pipeline.flush()] == [()]


async def test_a_visit_without_a_usable_face_has_reasons_and_no_faces(engine: FakeEngine) -> None:
    engine.quality_of = lambda person: replace(GOOD_QUALITY, reasons=(Reason.TOO_SMALL,))
    pipeline = pipeline_of(engine, MUM)
    pipeline.keeps_faces = True
    await show(pipeline, frame_with((STRANGER, BOX)), 1000.0, 2.0)
    (sighting,) = pipeline.flush()
    assert sighting.faces == ()
    assert Reason.TOO_SMALL in sighting.decision.reasons
