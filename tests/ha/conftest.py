"""A broker and a Home Assistant for each test; both are real and on loopback."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.hass import HomeAssistant, has_hass, hass_python
from tests.support.mosquitto import Mosquitto


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A running mosquitto."""
    with Mosquitto(tmp_path / "mosquitto") as running:
        yield running


@pytest_asyncio.fixture
async def hass(broker: Mosquitto, tmp_path: Path) -> AsyncIterator[HomeAssistant]:
    """A running Home Assistant that knows the broker."""
    if not has_hass():
        message = f"needs Home Assistant beside {hass_python()}; bash tests/run installs it"
        if os.environ.get("HOMEFACE_TEST_REQUIRE") == "all":
            pytest.fail(message)
        pytest.skip(message)
    async with HomeAssistant(tmp_path / "hass", broker.port) as running:
        yield running
