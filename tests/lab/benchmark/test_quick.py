"""``homeface bench --quick`` as its user runs it: real peers, frames and daemon. Nothing is timed here."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from homeface.lab.benchmark.rendering import TARGETS
from tests.support.data import requires_data, weights_dir
from tests.support.mosquitto import requires_mosquitto

pytestmark = [pytest.mark.accuracy, pytest.mark.slow, requires_data, requires_mosquitto]


@pytest.mark.timeout(600)
def test_its_json_holds_every_ratio_with_pairs_and_the_recall_of_both_sides() -> None:
    pytest.importorskip("dlib", reason="needs the peers: uv sync --group peers")
    done = subprocess.run(
        [sys.executable, "-m", "homeface", "bench", "--quick", "--json"],
        env={**os.environ, "HOMEFACE_MODELS": str(weights_dir())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    ratios = report["ratios"]
    assert set(ratios) >= set(TARGETS)
    for key, row in ratios.items():
        assert "missing" not in row, (key, row)
        assert row["ratio"] > 0, key
        assert row["pairs"], key
        assert all(len(pair) == 2 and min(pair) > 0 for pair in row["pairs"]), key
        if key.startswith(("detect", "whole")):
            ours, theirs = row["recall"]["ours"], row["recall"]["theirs"]
            assert 0.5 < ours <= 1, key
            assert 0 <= theirs <= 1, key
    assert report["daemon"]["ready_seconds"]
    assert not report["daemon"]["missing"]
