"""The short form of the soak: trouble for two minutes, then everything is right and nothing has grown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.data import requires_data
from tests.support.mosquitto import requires_mosquitto
from tests.support.rtsp import require_rtsp
from tests.support.soak import soak

pytestmark = [
    pytest.mark.accuracy,
    pytest.mark.rtsp,
    pytest.mark.mosquitto,
    pytest.mark.slow,
    pytest.mark.timeout(500),
    requires_data,
    requires_mosquitto,
]


def test_a_short_soak(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    require_rtsp()
    report = soak(tmp_path, 120.0, seed=3)
    with capsys.disabled():
        print(f"\n{report}")
    assert len(report.faults) == 6, "every kind of trouble"
    assert report.wrong == []
