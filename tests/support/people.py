"""Painted people for the tests of the service: galleries, a policy, and one camera's pipeline."""

from __future__ import annotations

from collections.abc import Sequence

from homeface.core.calibration import Calibration
from homeface.core.gallery import Gallery, Subject, Template
from homeface.core.identification import Policy
from homeface.core.motion import MotionGate
from homeface.core.tracking import Tracker
from homeface.core.types import ArrayPicture, Frame, ImageBGR, Sighting
from homeface.service.pipeline import Pipeline, Recognition
from tests.fakes.engine import MODEL_ID, FakeEngine, frame_with, person_vector

MUM, DAD, STRANGER = 10, 90, 170
"""Numbers of painted people."""
BOX = (200, 80, 320, 200)
ELSEWHERE = (420, 80, 540, 200)
POLICY = Policy(0.5)
FAKE_CALIBRATION = Calibration(
    MODEL_ID, visit=((0.01, 0.4), (0.001, 0.5)), single=((0.01, 0.5), (0.001, 0.6)), support=0.35
)
"""Figures for the fake engine's model, whose painted strangers are nearly at right angles."""


def gallery_of(*people: int) -> Gallery:
    """Painted people as subjects ``p10``, ``p90``… with three templates each."""
    subjects = [Subject(f"p{person}", f"Person {person}") for person in people]
    templates = [
        Template(f"t{person}-{number}", f"p{person}", person_vector(person, 1000 + number), MODEL_ID)
        for person in people
        for number in range(3)
    ]
    return Gallery(subjects, templates, MODEL_ID)


def recognition_of_people(*people: int) -> Recognition:
    """Those people, and a policy that fits the fake engine."""
    return Recognition(gallery_of(*people), POLICY)


def pipeline_of(engine: FakeEngine, *people: int, camera: str = "hall", room: str = "hall") -> Pipeline:
    """One camera's walk as the daemon builds it."""
    return Pipeline(
        camera=camera,
        room=room,
        engine=engine,
        tracker=Tracker(camera, room, visit_prefix="test"),
        motion=MotionGate(),
        recognition=recognition_of_people(*people),
    )


async def show(
    pipeline: Pipeline, image: ImageBGR, start: float, seconds: float, fps: float = 5.0
) -> list[list[Sighting]]:
    """Show one picture for a while; what the pipeline said after each frame."""
    answers = []
    for index in range(round(seconds * fps)):
        frame = Frame(pipeline.camera, index, start + index / fps, ArrayPicture(image))
        answers.append(await pipeline.process(frame))
    return answers


def decisions(answers: Sequence[Sequence[Sighting]]) -> list[str]:
    """The answers' words in order, each told once: ``undecided``, ``unknown`` or a subject id."""
    words: list[str] = []
    for sighting in (one for answer in answers for one in answer):
        word = getattr(sighting.decision, "subject_id", type(sighting.decision).__name__.lower())
        if not words or words[-1] != word:
            words.append(word)
    return words


__all__ = [
    "BOX",
    "DAD",
    "ELSEWHERE",
    "FAKE_CALIBRATION",
    "MUM",
    "POLICY",
    "STRANGER",
    "decisions",
    "frame_with",
    "gallery_of",
    "pipeline_of",
    "recognition_of_people",
    "show",
]
