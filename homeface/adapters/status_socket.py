"""A socket beside the database on which the daemon says how it is, to its own user and root alone.

Each connection gets one JSON document and is closed. No port, no password: the file's mode decides.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from homeface.errors import HomefaceError

NAME = "status.socket"
_SECONDS = 5.0
_MOST_BYTES = 4 << 20


async def serve_status(folder: Path, report: Callable[[], Mapping[str, object]]) -> None:
    """Answer with what ``report`` says at that moment, for ever. Raises OSError when it cannot listen."""

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_SECONDS):
                writer.write(json.dumps(report()).encode())
                await writer.drain()
        writer.close()

    listening = await asyncio.to_thread(_listen, folder)
    try:
        server = await asyncio.start_unix_server(answer, sock=listening)
        async with server:
            await server.serve_forever()
    finally:
        listening.close()
        await asyncio.to_thread((folder / NAME).unlink, missing_ok=True)


def ask_status(folder: Path) -> dict[str, object]:
    """What the daemon on this database says. Blocks. Raises HomefaceError when none answers."""
    content = b""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking, _short(folder) as path:
            asking.settimeout(_SECONDS)
            asking.connect(path)
            while (piece := asking.recv(1 << 16)) and len(content) < _MOST_BYTES:
                content += piece
        answer = json.loads(content)
    except PermissionError as error:
        raise HomefaceError(
            f"Only the service's user and root may ask ({folder / NAME}): sudo homeface status"
        ) from error
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise HomefaceError(
            f"No homeface runs on {folder}. Start it (systemctl start homeface), or name its configuration "
            "with -c."
        ) from error
    except (OSError, ValueError) as error:
        raise HomefaceError(f"homeface does not answer on {folder / NAME}: {error}.") from error
    return dict(answer)


def _listen(folder: Path) -> socket.socket:
    """Whoever holds the lock of the one daemon may replace what an earlier one left."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        (folder / NAME).unlink(missing_ok=True)
        with _short(folder) as path:
            listening.bind(path)
        (folder / NAME).chmod(0o600)
        listening.setblocking(False)
    except BaseException:
        listening.close()
        raise
    return listening


@contextmanager
def _short(folder: Path) -> Iterator[str]:
    """A name that fits into a socket's address, however long the path is."""
    handle = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{handle}/{NAME}"
    finally:
        os.close(handle)
