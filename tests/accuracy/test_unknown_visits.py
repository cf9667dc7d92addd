"""Real faces: unknown visits grouped by likeness, and what a frontal look measures in the guided round.

Run with -s to see the figures that ``core.unknown_visits`` and ``core.guided_round`` name.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from homeface.adapters.photos import load_photo
from homeface.core.guided_round import RoundLimits
from homeface.core.types import Face, Vector
from homeface.core.unknown_visits import VisitLikeness, grouped, mean_of, scale_for
from homeface.inference.calibration import calibration_for
from homeface.inference.engine import Engine, EngineSettings
from tests.support.data import data_dir, requires_data, weights_dir

pytestmark = [requires_data, pytest.mark.accuracy]

MANY, ONE = 20, 40
"""People of three visits, and people of one; two pictures a visit where there are as many."""


async def test_visits_of_one_person_are_one_group_and_strangers_are_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    people = sorted(path for path in (data_dir() / "lfw" / "images").iterdir() if path.is_dir())
    counts = {person: len(list(person.iterdir())) for person in people}
    many = [person for person in people if counts[person] >= 6][:MANY]
    once = [person for person in people if counts[person] == 1][:ONE]
    engine = Engine(EngineSettings(folders=[weights_dir()], device="cpu"))
    await engine.start()
    try:
        visits, owners, faces = await _seen(engine, [*many, *once])
        scale = scale_for(await asyncio.to_thread(calibration_for, engine.model_id))
    finally:
        await engine.aclose()
    groups = grouped(visits, scale)
    mixed = sum(len({owners[visit] for visit in group}) > 1 for group in groups)
    divided = len(groups) - len(set(owners.values())) + mixed
    frontal = [face for face in faces if abs(face.quality.yaw) < 15]
    pitch = np.array([face.quality.pitch for face in frontal])
    mouths = np.percentile([_mouth(face) for face in frontal], (5, 95))
    low, middle, high = np.percentile(pitch, (5, 50, 95))
    with capsys.disabled():
        print(
            f"\n{len(visits)} visits of {len(set(owners.values()))} people: {len(groups)} groups, "
            f"{mixed} of two people, {divided} people divided; pitch of frontal faces "
            f"{low:.1f} / {middle:.1f} / {high:.1f} (5 / 50 / 95 %), "
            f"mouth {mouths[0]:.2f} to {mouths[1]:.2f} of the distance of the eyes (5 to 95 %)"
        )
    assert mixed <= 1
    assert divided <= 0.05 * len(groups)
    limits = RoundLimits()
    assert abs(middle - limits.usual_pitch) < 2.0
    assert max(middle - low, high - middle) < limits.straight
    assert mouths[1] - mouths[0] < 0.1, "the five points would show who smiles: the round could look for it"


def _mouth(face: Face) -> float:
    """Its width, by the distance of the eyes. On many of these pictures people smile."""
    points = face.detection.landmarks
    return float(np.linalg.norm(points[4] - points[3]) / np.linalg.norm(points[1] - points[0]))


async def _seen(engine: Engine, people: list[Path]) -> tuple[list[VisitLikeness], dict[str, str], list[Face]]:
    """Visits of two pictures each, whose they are, and every face."""
    visits: list[VisitLikeness] = []
    owners: dict[str, str] = {}
    found: list[Face] = []
    for person in people:
        looks: list[tuple[Vector, float]] = []
        for path in sorted(person.iterdir())[:6]:
            faces = await engine.look(await asyncio.to_thread(load_photo, path))
            if faces:
                face = max(faces, key=lambda one: one.detection.box.area)
                (embedding,) = await engine.embed([face.crop])
                looks.append((embedding.vector, face.quality.score))
                found.append(face)
        for start in range(0, len(looks), 2):
            name, at = f"{person.name} {start}", 100.0 * len(visits)
            visits.append(VisitLikeness(name, "camera", at, at + 1.0, mean_of(looks[start : start + 2])))
            owners[name] = person.name
    return visits, owners, found
