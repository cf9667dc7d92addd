"""Where real weights, faces and clips for tests lie: ``HOMEFACE_TEST_DATA``, by default ``../shared``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]


def data_dir() -> Path:
    """The folder that holds ``weights``, ``lfw``, ``gallery`` and ``clips`` (it may not exist)."""
    base = Path(os.environ.get("HOMEFACE_TEST_DATA", _ROOT.parent / "shared"))
    return base / "data"


def weights_dir() -> Path:
    """Folder of the test weights."""
    return data_dir() / "weights"


def has_data() -> bool:
    """True when the test data is on this machine."""
    return weights_dir().is_dir()


requires_data = pytest.mark.skipif(
    not has_data(), reason=f"needs the test data in {data_dir()} (set HOMEFACE_TEST_DATA)"
)
