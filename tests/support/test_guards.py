"""The guards of ``tests/conftest.py`` do guard."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from blockbuster import BlockingError

from homeface.config import document

_ROOT = Path(__file__).resolve().parents[2]
_SKIPPING = """
import pytest
@pytest.mark.parametrize("what", ["a broker", "the test data", "luck"])
def test_skips(what):
    pytest.skip(what if what == "luck" else f"needs {what}")
"""


async def test_blocking_code_of_homeface_is_caught(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("rooms: {}\n", encoding="utf-8")
    with pytest.raises(BlockingError):
        document.read(path, {})
    await asyncio.to_thread(document.read, path, {})


def test_the_world_beyond_loopback_is_out_of_reach() -> None:
    with socket.socket() as stream, pytest.raises(pytest.fail.Exception, match="loopback"):
        stream.connect(("192.0.2.1", 80))
    with socket.socket(type=socket.SOCK_DGRAM) as datagrams, pytest.raises(pytest.fail.Exception):
        datagrams.sendto(b"", ("192.0.2.1", 53))


async def test_loopback_is_free() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection("localhost", server.sockets[0].getsockname()[1])
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    ("required", "failed", "skipped"),
    [("", 0, 3), ("peers", 1, 2), ("all", 2, 1)],
    ids=["none", "peers", "all"],
)
def test_what_is_required_may_not_be_missing(
    tmp_path: Path, required: str, failed: int, skipped: int
) -> None:
    (tmp_path / "test_it.py").write_text(_SKIPPING, encoding="utf-8")
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    environment = {"PYTHONPATH": str(_ROOT), "HOMEFACE_TEST_REQUIRE": required, "PATH": "/usr/bin:/bin"}
    result = subprocess.run(
        [*command, str(tmp_path)], capture_output=True, text=True, env=environment, check=False, cwd=tmp_path
    )
    closing = result.stdout.strip().splitlines()[-1]
    assert (f"{failed} failed" in closing) is bool(failed), result.stdout
    assert f"{skipped} skipped" in closing, result.stdout
