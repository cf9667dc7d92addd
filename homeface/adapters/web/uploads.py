"""Files from browsers: received within limits, a few at a time, and decoded away from the event loop."""

from __future__ import annotations

import asyncio
import math
import os
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from weakref import WeakValueDictionary

from aiohttp import BodyPartReader, ClientPayloadError, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from homeface.adapters.photos import PHOTO_MAX_BYTES, load_photo
from homeface.core.types import ImageBGR
from homeface.errors import BusyError, InvalidRequestError, StoreError

_CHUNK_BYTES = 64 * 1024
_PIECE_BYTES = 256 * 1024
_LABEL_CHARACTERS = 120
_T = TypeVar("_T")
_BROKEN = (
    ValueError,
    LookupError,
    AssertionError,
    RuntimeError,
    ClientPayloadError,
    HttpProcessingError,
    zlib.error,
)
"""What aiohttp raises for forms that are damaged or meant to do damage."""


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """Per request: bytes of one file and of all, number of files, bytes of a text field.

    ``idle_seconds``: longest silence; ``receive_seconds``: longest wait for all of a form (processing not
    counted), ``read_seconds``: for a small body without files. ``at_once``: forms received at the same
    time; others wait ``wait_seconds``.
    """

    file_bytes: int = PHOTO_MAX_BYTES
    total_bytes: int = 300 * 1024 * 1024
    files: int = 40
    text_bytes: int = 2000
    idle_seconds: float = 15.0
    receive_seconds: float = 180.0
    read_seconds: float = 15.0
    at_once: int = 3
    wait_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Upload:
    """One part of a form. ``label``: what the sender calls it, for people only; never a path."""

    field: str
    label: str
    data: bytes
    is_file: bool


class Uploads:
    """Bounds what browsers may send at once, so that recognition keeps its memory and its processor."""

    def __init__(self, limits: UploadLimits | None = None) -> None:
        self.limits = limits or UploadLimits()
        self._slots = asyncio.Semaphore(self.limits.at_once)
        self._of_one: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._downloads = asyncio.Semaphore(self.limits.at_once)
        self._receiving = 0
        self.most_at_once = 0
        """The largest number of forms that were received at the same time."""
        self._decoder = ThreadPoolExecutor(1, thread_name_prefix="web-decode")

    def close(self) -> None:
        """No more pictures; the thread ends by itself."""
        self._decoder.shutdown(wait=False, cancel_futures=True)

    async def decode(self, data: bytes, label: str) -> ImageBGR:
        """The picture, one after the other in a thread of its own. Raises ImageError."""
        return await asyncio.get_running_loop().run_in_executor(self._decoder, load_photo, data, label)

    async def read(self, request: web.Request, max_bytes: int) -> bytes:
        """A whole small body within the limits. Raises InvalidRequestError."""
        _refuse_announced(request, max_bytes)
        data = bytearray()
        clock = _Clock(self.limits.idle_seconds, self.limits.read_seconds)
        while chunk := await clock.wait(request.content.read(_CHUNK_BYTES)):
            data += chunk
            if len(data) > max_bytes:
                raise _too_large(max_bytes)
        return bytes(data)

    async def files(self, request: web.Request, who: str) -> AsyncIterator[Upload]:
        """The parts of a multipart form of ``who``, one after the other; only one is in memory. Raises
        InvalidRequestError and BusyError.
        """
        limits = self.limits
        _refuse_announced(request, limits.total_bytes)
        async with self._slot(who):
            clock, total, count = _Clock(limits.idle_seconds, limits.receive_seconds), 0, 0
            reader = await _form(request)
            while (part := await _next(clock, reader)) is not None:
                count += 1
                if count > limits.files:
                    raise InvalidRequestError(
                        f"At most {limits.files} files are taken at once; send the others afterwards.",
                        key="too_many",
                    )
                upload = await self._receive(clock, part, limits.total_bytes - total)
                total += len(upload.data)
                yield upload

    async def save(self, request: web.Request, who: str, target: Path, max_bytes: int) -> dict[str, str]:
        """A form with one file, written to ``target`` (new, mode 0600), and its text fields.

        Raises InvalidRequestError and BusyError; whoever asks removes the file.
        """
        _refuse_announced(request, max_bytes)
        fields: dict[str, str] = {}
        saved = False
        async with self._slot(who):
            clock = _Clock(self.limits.idle_seconds, math.inf)
            reader = await _form(request)
            while (part := await _next(clock, reader)) is not None:
                if part.filename is None:
                    upload = await self._receive(clock, part, self.limits.text_bytes)
                    fields[upload.field] = upload.data.decode("utf-8", "replace")
                elif saved:
                    raise InvalidRequestError("Send one file.", key="too_many")
                else:
                    await _write(clock, part, target, max_bytes)
                    saved = True
        if not saved:
            raise InvalidRequestError("Send a file.", field="file")
        return fields

    async def send(
        self, request: web.Request, response: web.StreamResponse, content: Callable[[], Awaitable[bytes]]
    ) -> None:
        """Make a large answer and send it, a few at a time: each is in memory until it is sent. Raises
        BusyError before anything was sent; whoever takes nothing is let go.
        """
        async with self._held(self._downloads):
            data = await content()
            response.content_length = len(data)
            await response.prepare(request)
            for start in range(0, len(data), _PIECE_BYTES):
                async with asyncio.timeout(self.limits.idle_seconds):
                    await response.write(data[start : start + _PIECE_BYTES])
            await response.write_eof()

    async def _receive(self, clock: _Clock, part: BodyPartReader, left: int) -> Upload:
        is_file = part.filename is not None
        limit = self.limits.file_bytes if is_file else self.limits.text_bytes
        data = bytearray()
        while chunk := await clock.wait(_chunk(part)):
            data += chunk
            if len(data) > min(limit, left):
                raise _too_large(min(limit, left))
        label = _label(part.filename or part.name or "")
        return Upload(part.name or "", label, bytes(data), is_file)

    @asynccontextmanager
    async def _slot(self, who: str) -> AsyncIterator[None]:
        """One of the few places, of which nobody holds all."""
        own = self._of_one.get(who)
        if own is None:
            own = self._of_one[who] = asyncio.Semaphore(max(1, self.limits.at_once - 1))
        async with self._held(own), self._held(self._slots):
            self._receiving += 1
            self.most_at_once = max(self.most_at_once, self._receiving)
            try:
                yield
            finally:
                self._receiving -= 1

    @asynccontextmanager
    async def _held(self, slots: asyncio.Semaphore) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self.limits.wait_seconds):
                await slots.acquire()
        except TimeoutError as error:
            raise BusyError("Too much is sent at once; try again in a moment.", retry_seconds=5) from error
        try:
            yield
        finally:
            slots.release()


class _Clock:
    """Waits for a sender, not for ever."""

    def __init__(self, idle_seconds: float, most_seconds: float) -> None:
        self._idle = idle_seconds
        self._left = most_seconds

    async def wait(self, coming: Awaitable[_T]) -> _T:
        """What comes. Raises InvalidRequestError when it takes too long, or the form is broken."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(min(self._idle, max(0.0, self._left))):
                return await coming
        except TimeoutError as error:
            raise InvalidRequestError("The upload is too slow, or it never ends.", key="too_slow") from error
        except _BROKEN as error:
            raise _broken_form() from error
        finally:
            self._left -= loop.time() - began


async def _form(request: web.Request) -> MultipartReader:
    if not request.content_type.startswith("multipart/"):
        raise InvalidRequestError("Send the files as a form (multipart/form-data).", key="not_a_form")
    try:
        return await request.multipart()
    except _BROKEN as error:
        raise _broken_form() from error


async def _write(clock: _Clock, part: BodyPartReader, target: Path, max_bytes: int) -> None:
    handle = await asyncio.to_thread(os.open, target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    size = 0
    try:
        while chunk := await clock.wait(_chunk(part)):
            size += len(chunk)
            if size > max_bytes:
                raise _too_large(max_bytes)
            await asyncio.to_thread(os.write, handle, chunk)
    except OSError as error:
        raise StoreError(f"The file cannot be kept: {error.strerror or error}.") from error
    finally:
        await asyncio.to_thread(os.close, handle)


async def _next(clock: _Clock, reader: MultipartReader) -> BodyPartReader | None:
    part = await clock.wait(reader.next())
    if part is not None and not isinstance(part, BodyPartReader):
        raise _broken_form()  # a form within a form
    return part


async def _chunk(part: BodyPartReader) -> bytes:
    """A piece, decoded (some senders use base64)."""
    return bytes(await part.read_chunk(_CHUNK_BYTES))


def _label(text: str) -> str:
    """One printable line, without folders."""
    name = text.replace("\\", "/").rpartition("/")[2]
    return "".join(c if c.isprintable() else " " for c in name)[:_LABEL_CHARACTERS].strip() or "picture"


def _refuse_announced(request: web.Request, max_bytes: int) -> None:
    if request.content_length is not None and request.content_length > max_bytes:
        raise _too_large(max_bytes)


def _too_large(max_bytes: int) -> InvalidRequestError:
    size = f"{max_bytes // 1024**2} MB" if max_bytes >= 1024**2 else f"{max_bytes // 1024} KB"
    return InvalidRequestError(f"This is too large: at most {size} are taken.", key="too_large")


def _broken_form() -> InvalidRequestError:
    return InvalidRequestError("The form cannot be read: it is damaged or incomplete.", key="not_a_form")
