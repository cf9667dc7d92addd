"""The page for the tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.web import WebHome, web_home


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[WebHome]:
    async with web_home(tmp_path) as running:
        yield running
