"""Guards around every test: no blocked event loop, no socket beyond loopback, nothing quietly left out."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import HealthCheck, settings

settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))

_REQUIRED = os.environ.get("HOMEFACE_TEST_REQUIRE", "")
"""``all``: a test that misses something fails; ``peers``: only missing test data may skip; else any."""


@pytest.fixture(autouse=True)
def blockbuster() -> Iterator[BlockBuster]:
    """Code of homeface that blocks a running event loop raises BlockingError."""
    with blockbuster_ctx(["homeface"]) as active:
        yield active


@pytest.fixture(autouse=True, scope="session")
def _sockets_to_loopback_only() -> Iterator[None]:
    """Fail a test that connects or sends to another address than loopback (Unix sockets are free)."""
    with pytest.MonkeyPatch.context() as patch:
        for name, place in (("connect", 0), ("connect_ex", 0), ("sendto", -1)):
            patch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name), place))
        yield


def _guarded(original: Callable[..., Any], place: int) -> Callable[..., Any]:
    """The socket method with a look at its address argument first."""

    def method(self: socket.socket, *arguments: Any) -> Any:
        address = arguments[place] if arguments else None
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(address):
            pytest.fail(f"a test wanted to reach {address}; only loopback is allowed")
        return original(self, *arguments)

    return method


def _is_loopback(address: object) -> bool:
    host = address[0] if isinstance(address, tuple) and address else None
    if host in ("localhost", "", None):
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With HOMEFACE_TEST_REQUIRE a test that says "needs ..." and skips has failed."""
    report = yield
    if report.skipped and _REQUIRED and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if _must_run(item, reason):
            report.outcome = "failed"
            report.longrepr = f"{reason}; nothing may be missing (HOMEFACE_TEST_REQUIRE={_REQUIRED})"
    return report


def _must_run(item: pytest.Item, reason: str) -> bool:
    reason = reason.removeprefix("Skipped: ")
    if not reason.startswith("needs ") or reason.startswith("needs root") or item.get_closest_marker("gpu"):
        return False
    return _REQUIRED == "all" or "test data" not in reason
