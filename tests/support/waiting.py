"""Wait for a condition with a deadline; tests never sleep for luck."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

_STEP_SECONDS = 0.02


async def until(condition: Callable[[], object], timeout: float = 10.0, what: str = "") -> None:
    """Return as soon as ``condition()`` is true; fail after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"still not true after {timeout} s: {what or condition}")
        await asyncio.sleep(_STEP_SECONDS)


def wait_until(condition: Callable[[], object], timeout: float = 10.0, what: str = "") -> None:
    """The same for code without an event loop."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"still not true after {timeout} s: {what or condition}")
        time.sleep(_STEP_SECONDS)
