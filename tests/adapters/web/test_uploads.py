"""Files from browsers: each with its own verdict, within limits, whatever somebody sends."""

from __future__ import annotations

import asyncio
import contextlib
import io
import struct
import zlib
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import aiohttp
import numpy as np
import pytest
from PIL import Image
from pydantic import BaseModel

from homeface.adapters.photos import encode_jpeg
from homeface.adapters.web.access import ENROL, Scope
from homeface.adapters.web.context import Context
from homeface.adapters.web.routes import ROUTES
from homeface.adapters.web.routing import Files, Raw, api
from homeface.adapters.web.uploads import UploadLimits, Uploads
from homeface.errors import ImageError
from tests.support.waiting import until
from tests.support.web import API, Browser, Reply, WebHome, web_home

PHOTOS, RAW = f"{API}/test/photos", f"{API}/test/raw"
LIMITS = UploadLimits(
    file_bytes=200_000,
    total_bytes=500_000,
    files=5,
    idle_seconds=0.5,
    receive_seconds=2.0,
    read_seconds=1.0,
    at_once=3,
    wait_seconds=60.0,
)


class Verdicts(BaseModel):
    """What became of each file: its label, and size or error."""

    verdicts: list[tuple[str, str]]


class Count:
    """How many uploads were handled at the same time."""

    now = most = 0


async def take_photos(context: Context) -> Verdicts:
    """Decode them all."""
    verdicts: list[tuple[str, str]] = []
    Count.now += 1
    Count.most = max(Count.most, Count.now)
    try:
        async for upload in context.files():
            if upload.is_file:
                try:
                    image = await context.services.uploads.decode(upload.data, upload.label)
                    verdicts.append((upload.label, f"{image.shape[1]}x{image.shape[0]}"))
                except ImageError as error:
                    verdicts.append((upload.label, str(error)))
    finally:
        Count.now -= 1
    return Verdicts(verdicts=verdicts)


async def take_raw(context: Context) -> Verdicts:
    """Say how long it was."""
    return Verdicts(verdicts=[("raw", str(len(context.raw)))])


TEST_ROUTES = (
    *ROUTES,
    api("POST", "/test/photos", take_photos, ENROL, "Photos", body=Files("photos"), answer=Verdicts),
    api("POST", "/test/raw", take_raw, ENROL, "A frame", body=Raw("image/jpeg", 50_000), answer=Verdicts),
)


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[WebHome]:
    Count.now = Count.most = 0
    async with web_home(tmp_path, routes=TEST_ROUTES, uploads=Uploads(LIMITS)) as running:
        yield running


@pytest.fixture
async def program(home: WebHome) -> Browser:
    return await home.program(Scope.ENROL)


def photo(width: int = 64, height: int = 48, kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (90, 120, 200)).save(buffer, kind)
    return buffer.getvalue()


def png_bomb(side: int) -> bytes:
    """A tiny file that says it has ``side`` squared pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 1_000_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


async def send(browser: Browser, files: Iterable[tuple[str, bytes]]) -> Reply:
    form = aiohttp.FormData()
    for name, data in files:
        form.add_field("photos", data, filename=name, content_type="application/octet-stream")
    return await browser.post(PHOTOS, data=form)


async def test_each_file_has_its_own_verdict(program: Browser) -> None:
    answer = await send(
        program, [("a.jpg", photo()), ("b.txt", b"hello"), ("c.png", photo(10, 20, "PNG")), ("d.webp", b"")]
    )
    assert answer.status == 200
    verdicts = dict(answer.json["verdicts"])
    assert (verdicts["a.jpg"], verdicts["c.png"]) == ("64x48", "10x20")
    assert "not a picture" in verdicts["b.txt"]
    assert "empty" in verdicts["d.webp"]


@pytest.mark.parametrize("name", ["../../etc/passwd", "..\\..\\boot.ini", "/etc/shadow", "a b", "." * 300])
async def test_names_are_for_people_alone(program: Browser, name: str, tmp_path: Path) -> None:
    before = await asyncio.to_thread(lambda: set(tmp_path.rglob("*")))
    answer = await send(program, [(name, photo())])
    assert answer.status in {200, 415}
    if answer.status == 200:
        ((label, _),) = answer.json["verdicts"]
        assert "/" not in label
        assert "\\" not in label
        assert label.isprintable()
        assert len(label) <= 120
    assert await asyncio.to_thread(lambda: set(tmp_path.rglob("*"))) == before


@pytest.mark.parametrize("side", [9_000, 60_000, 2**31 - 1])
async def test_a_decompression_bomb_is_refused_before_it_is_decoded(program: Browser, side: int) -> None:
    ((_, verdict),) = (await send(program, [("bomb.png", png_bomb(side))])).json["verdicts"]
    assert "megapixels" in verdict or "damaged" in verdict or "not a picture" in verdict


@pytest.mark.parametrize(
    "head", ["GIF89a", "<svg", "%PDF-1.7", "PK\x03\x04", "<?php ", "\xff\xd8\xff\xe0", "RIFF"]
)
async def test_a_file_that_only_begins_like_a_picture_is_none(program: Browser, head: str) -> None:
    data = head.encode("latin-1") + b"<script>alert(1)</script>" * 40
    ((_, verdict),) = (await send(program, [("x.jpg", data)])).json["verdicts"]
    assert "x" not in verdict.split(" ")[0] or "not a picture" in verdict or "damaged" in verdict
    assert not verdict[0].isdigit()


def test_of_a_polyglot_the_pixels_alone_are_kept() -> None:
    """What is kept and shown again is encoded anew: a script behind the picture does not survive."""
    from homeface.adapters.photos import load_photo

    script = b"<script>alert(1)</script>"
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), (90, 120, 200)).save(buffer, "JPEG", comment=script, exif=b"Exif\0\0" + script)
    kept = encode_jpeg(load_photo(buffer.getvalue() + script, "polyglot"))
    assert script in buffer.getvalue()
    assert script not in kept
    assert np.asarray(Image.open(io.BytesIO(kept))).shape == (48, 64, 3)


async def test_too_much_is_refused(program: Browser) -> None:
    big = await send(program, [("big.jpg", bytes(200_001))])
    assert (big.status, big.key) == (413, "too_large")
    assert "195 KB" in big.json["error"]["message"]
    together = await send(program, [(f"{n}.jpg", bytes(150_000)) for n in range(4)])
    assert (together.status, together.key) == (413, "too_large")
    many = await send(program, [(f"{n}.jpg", photo()) for n in range(6)])
    assert (many.status, many.key) == (422, "too_many")
    raw = await program.post(RAW, data=bytes(50_001), headers={"Content-Type": "image/jpeg"})
    assert (raw.status, raw.key) == (413, "too_large")
    text = await program.post(f"{API}/session", data=b'{"password": "' + b"x" * 70_000 + b'"}',
                              headers={"Content-Type": "application/json"})  # fmt: skip
    assert (text.status, text.key) == (413, "too_large")


async def chunked(
    home: WebHome, program: Browser, path: str, kind: str, pieces: AsyncIterator[bytes]
) -> bytes:
    """A body without a length, sent piece by piece by hand; whatever comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", home.server.port)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {program.token}\r\n"
        f"Content-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    writer.write(head.encode())

    async def pour() -> None:
        async for piece in pieces:
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await writer.drain()

    pouring = asyncio.create_task(pour())
    try:
        async with asyncio.timeout(10):
            head_of_answer = await reader.readuntil(b"\r\n\r\n")
            with contextlib.suppress(ConnectionResetError):
                await reader.read()  # until the server hangs up
            return head_of_answer
    finally:
        pouring.cancel()
        await asyncio.wait([pouring])
        writer.close()


async def test_an_endless_upload_is_cut_off(home: WebHome, program: Browser) -> None:
    async def flood() -> AsyncIterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="photos"; filename="a.jpg"\r\n\r\n'
        while True:
            yield bytes(16_384)
            await asyncio.sleep(0)

    answer = await chunked(home, program, PHOTOS, "multipart/form-data; boundary=x", flood())
    assert answer.startswith(b"HTTP/1.1 413")
    assert Count.now == 0


async def test_an_upload_that_falls_silent_is_ended(home: WebHome, program: Browser) -> None:
    async def silence() -> AsyncIterator[bytes]:
        yield bytes(10)
        await asyncio.Event().wait()

    answer = await chunked(home, program, RAW, "image/jpeg", silence())
    assert answer.startswith(b"HTTP/1.1 408")


async def test_an_upload_that_drips_is_ended(home: WebHome, program: Browser) -> None:
    async def drips() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0.1)

    answer = await chunked(home, program, RAW, "image/jpeg", drips())
    assert answer.startswith(b"HTTP/1.1 408")


PART = b"--x\r\n%bContent-Disposition: form-data; name=photos; filename=b\r\n\r\n%b"
NESTED = b"--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n\r\na\r\n--y--\r\n--x--"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=", b"--\r\n"),
        ("multipart/form-data; boundary=" + "b" * 5000, b"x"),
        ("multipart/form-data; boundary=x", b"no boundary here at all"),
        ("multipart/form-data; boundary=x", PART % (b"", b"it ends in the middle")),
        ("multipart/form-data; boundary=x", PART % (b"A: b\r\n" * 20_000, b"\r\n--x--")),
        ("multipart/form-data; boundary=x", PART % (b"A: " + b"b" * 100_000 + b"\r\n", b"\r\n--x--")),
        ("multipart/mixed; boundary=x", NESTED),
        ("multipart/form-data; boundary=x", PART % (b"Content-Transfer-Encoding: base64\r\n", b"!\r\n--x--")),
        ("multipart/form-data; boundary=x", PART % (b"Content-Encoding: gzip\r\n", b"zzz\r\n--x--")),
        ("multipart/form-data; boundary=x", PART % (b"Content-Encoding: odd\r\n", b"zzz\r\n--x--")),
        ("multipart/form-data; boundary=x", PART % (b"Content-Length: 99999999\r\n", b"zzz\r\n--x--")),
        ("multipart/form-data; boundary=x", PART % (b"Content-Length: -5\r\n", b"zzz\r\n--x--")),
        ("multipart/form-data; boundary=x", (PART % (b"", b"z")).replace(b"=b", b'="a\0b"') + b"\r\n--x--"),
        ("application/x-www-form-urlencoded", b"photos=a"),
    ],
)
async def test_broken_forms_are_told(program: Browser, kind: str, body: bytes) -> None:
    answer = await program.post(PHOTOS, data=body, headers={"Content-Type": kind})
    assert answer.status in {200, 400, 413, 415, 422}, answer.text
    if answer.status == 200:  # a part that could be read, but holds no picture
        assert not any(verdict[0].isdigit() for _, verdict in answer.json["verdicts"])
    good = await send(program, [("a.jpg", photo())])
    assert good.status == 200


async def test_a_sender_who_goes_away_leaves_nothing_behind(home: WebHome, program: Browser) -> None:
    for _ in range(LIMITS.at_once + 1):
        _, writer = await asyncio.open_connection("127.0.0.1", home.server.port)
        writer.write(
            f"POST {PHOTOS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {program.token}\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 100000\r\n\r\n--x\r\n".encode()
        )
        await writer.drain()
        await until(lambda: Count.now == 1)
        writer.transport.abort()
        await until(lambda: Count.now == 0)
    assert (await send(program, [("a.jpg", photo())])).status == 200


async def test_somebody_who_is_slow_does_not_keep_the_others_out(home: WebHome, program: Browser) -> None:
    async def slowly() -> AsyncIterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="photos"; filename="a.jpg"\r\n\r\n'
        while True:
            yield b"x"
            await asyncio.sleep(0.1)

    kind = "multipart/form-data; boundary=x"
    uploads, other = home.services.uploads, await home.program(Scope.ENROL)
    slow = [asyncio.create_task(chunked(home, program, PHOTOS, kind, slowly())) for _ in range(5)]
    await until(lambda: Count.now == len(slow) and uploads.most_at_once > 1, what="all of them ask")
    assert uploads.most_at_once == LIMITS.at_once - 1, "a place is left for others"
    assert (await send(other, [("a.jpg", photo())])).status == 200
    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)


async def test_of_a_hundred_uploads_a_few_are_received_at_once(home: WebHome, program: Browser) -> None:
    picture = photo(1200, 900)
    answers = await asyncio.gather(*(send(program, [(f"{n}.jpg", picture)]) for n in range(100)))
    assert {answer.status for answer in answers} == {200}
    assert home.services.uploads.most_at_once <= LIMITS.at_once
