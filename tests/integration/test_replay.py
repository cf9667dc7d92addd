"""Acceptance: replaying the same recordings gives the same events, and the right ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from homeface.cli import run_cli
from tests.integration.household import enrol_family, scene_config
from tests.support.data import requires_data, weights_dir
from tests.support.scene import Record, household_scene, judge, write_scene

pytestmark = [pytest.mark.accuracy, pytest.mark.slow, requires_data]


def _replayed(
    config: Path, clips: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> list[dict[str, Any]]:
    clip_arguments = [f"{room}={clip}" for room, clip in clips.items()]
    capsys.readouterr()
    assert run_cli(["replay", *clip_arguments, "-c", str(config), "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.timeout(300)
def test_the_same_recordings_give_the_same_events(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMEFACE_MODELS", str(weights_dir()))
    plan = household_scene(seed=3, enrolled=2, strangers=1, seconds=24)
    clips = write_scene(plan, tmp_path / "scene", size=(1280, 720), fps=10)
    config = scene_config(tmp_path, plan, dict.fromkeys(plan.rooms, "rtsp://127.0.0.1/none"), 1883)
    enrol_family(config, plan)

    first, second = (_replayed(config, clips, capsys) for _ in range(2))

    events = [line for line in first if line["kind"] == "event"]
    assert events
    assert [line for line in second if line["kind"] == "event"] == events
    assert [line for line in second if line["kind"] == "visit"] == [
        line for line in first if line["kind"] == "visit"
    ]
    assert first[-1]["kind"] == "summary"
    records = [Record(e["room"], e["person"], e["at"], e["visit"]) for e in events if e["event"] != "left"]
    verdict = judge(plan, records)
    assert verdict.perfect, str(verdict)
