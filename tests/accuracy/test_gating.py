"""What the gate loses on a rendered scene, with the real detector and embedder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from homeface.core.gallery import Gallery
from homeface.core.identification import Policy
from homeface.inference.engine import Engine, EngineSettings
from homeface.lab.benchmark.gating import measure_gating
from homeface.service.pipeline import Recognition
from tests.support.data import requires_data, weights_dir
from tests.support.scene import household_scene, render

pytestmark = [pytest.mark.accuracy, requires_data]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Sixteen seconds of a kitchen with somebody in it most of the time."""
    plan = household_scene(seed=11, enrolled=1, strangers=1, rooms=("kitchen",), seconds=40)
    return render(replace(plan, duration=16), "kitchen", tmp_path / "kitchen.mp4", (1280, 720), 5)


async def test_no_visit_is_lost_and_most_of_the_frame_is_spared(clip: Path) -> None:
    engine = Engine(EngineSettings(folders=(weights_dir(),)))
    await engine.start()
    try:
        nobody = Recognition(Gallery([], [], engine.model_id), Policy(0.5))
        report = await measure_gating([clip], engine, nobody)
    finally:
        await engine.aclose()
    figures = report.as_dict()
    assert report.visits
    assert report.lost_visits == [], figures
    assert figures["usable_recall_held"] >= 0.98, figures
    assert figures["delay_max_seconds"] <= 0.4, figures
    assert figures["looked"] < 0.9, figures
    assert figures["area"] < 0.4, figures
