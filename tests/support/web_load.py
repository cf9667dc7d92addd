"""``python -m tests.support.web_load``: how long faces wait while photos come through the page.

A whole life with the real engine; a frame of 1280 × 720 with one face is looked at ten times a second, first
alone, then while a hundred photos of 3000 × 2250 are sent at once. Prints milliseconds until the answer.
"""

from __future__ import annotations

import asyncio
import io
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
from PIL import Image

from homeface.adapters.store import Store
from homeface.core.types import ImageBGR
from homeface.inference.engine import Engine
from homeface.service import wiring
from tests.support.data import data_dir, weights_dir
from tests.support.mosquitto import Mosquitto
from tests.support.web import API
from tests.support.web_life import form, web_living

PHOTOS = 100
ALONE_SECONDS = 10.0
STEP_SECONDS = 0.1


def scene(face: Path, width: int, height: int) -> Image.Image:
    """A face in a wide picture."""
    canvas = Image.new("RGB", (width, height), (110, 120, 130))
    with Image.open(face) as picture:
        side = min(width, height) // 2
        canvas.paste(picture.convert("RGB").resize((side, side)), (width // 4, height // 4))
    return canvas


async def looks(engine: Engine, frame: ImageBGR, going: Callable[[], bool]) -> list[float]:
    """Milliseconds of each look while ``going``."""
    found = []
    while going():
        began = time.perf_counter()
        async with engine.turn():
            await engine.look(frame)
        found.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(max(0.0, STEP_SECONDS - found[-1] / 1000))
    return found


def told(name: str, figures: list[float]) -> str:
    """One line of the report."""
    median, worst = statistics.median(figures), max(figures)
    p95 = statistics.quantiles(figures, n=20)[-1]
    return f"{name}: {len(figures)} looks, median {median:.0f} ms, 95 % {p95:.0f} ms, most {worst:.0f} ms"


async def main() -> None:
    """Measure and print."""
    faces = sorted(path for path in (data_dir() / "lfw").rglob("*.jpg"))
    frame = np.ascontiguousarray(np.asarray(scene(faces[0], 1280, 720))[..., ::-1])
    buffer = io.BytesIO()
    scene(faces[1], 3000, 2250).save(buffer, "JPEG", quality=90)
    environ = {**os.environ, "HOMEFACE_MODELS": str(weights_dir())}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        engine = Engine(wiring.engine_settings(None, environ))
        await engine.start()
        with Mosquitto(folder / "mosquitto") as broker, Store(folder / "homeface.db") as store:
            async with web_living(folder, broker, engine, store) as web:  # type: ignore[arg-type]
                person = (await web.owner.post(f"{API}/people", {"name": "Somebody"})).json["id"]

                async def send(number: int) -> int:
                    upload = form((f"{number}.jpg", buffer.getvalue()))
                    return (await web.owner.post(f"{API}/people/{person}/photos", data=upload)).status

                begun = time.monotonic()
                alone = await looks(engine, frame, lambda: time.monotonic() - begun < ALONE_SECONDS)
                print(told("alone", alone))
                sending: Awaitable[list[int]] = asyncio.gather(*(send(number) for number in range(PHOTOS)))
                began = time.monotonic()
                future = asyncio.ensure_future(sending)
                busy = await looks(engine, frame, lambda: not future.done())
                statuses = await future
                print(told(f"while {PHOTOS} photos come", busy))
                answered = {status: statuses.count(status) for status in sorted(set(statuses))}
                print(f"answers {answered} after {time.monotonic() - began:.0f} s")
        await engine.aclose()


if __name__ == "__main__":
    asyncio.run(main())
