"""From the configuration's wishes to a policy."""

from __future__ import annotations

import math
from asyncio import to_thread
from pathlib import Path

import pytest

from homeface import config as configuration
from homeface.core.identification import Policy
from homeface.service import recognition
from tests.support.daemon import write_config
from tests.support.people import FAKE_CALIBRATION, gallery_of


@pytest.fixture(autouse=True)
def figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognition, "calibration_for", lambda _model_id, _folder=None: FAKE_CALIBRATION)


async def policy(folder: Path, **wishes: object) -> Policy:
    path = write_config(
        folder / "config.yaml",
        mqtt_port=1,
        storage=folder,
        rooms={"hall": {}},
        cameras={"hall": {"room": "hall", "url": "rtsp://127.0.0.1:9/hall"}},
        recognition=wishes,
    )
    return recognition.recognition_of(gallery_of(10), await to_thread(configuration.load, path, {})).policy


async def test_asking_for_one_face_does_not_lower_the_threshold_of_short_visits(tmp_path: Path) -> None:
    assert await policy(tmp_path, min_faces=1) == await policy(tmp_path)


@pytest.mark.parametrize(("asked", "votes", "unknown"), [(2, 3, 5), (3, 3, 5), (8, 8, 8), (50, 24, 24)])
async def test_nobody_is_named_or_called_unknown_by_fewer_faces_than_asked(
    tmp_path: Path, asked: int, votes: int, unknown: int
) -> None:
    made = await policy(tmp_path, min_faces=asked)
    assert (made.min_votes, made.early_extra, made.unknown_votes) == (votes, math.inf, unknown)
    assert made.single_threshold == (await policy(tmp_path)).single_threshold
    assert made.threshold == (await policy(tmp_path)).threshold
