"""The device thread: one thread, batches across callers, errors and hangs kept where they belong."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from homeface.errors import BackendUnavailableError, FacesDroppedError, ModelError, WeightsUnavailableError
from homeface.inference import engine as engine_module
from homeface.inference.device_thread import DeviceThread, Limits
from homeface.inference.engine import Engine, EngineSettings
from tests.fakes.engine import CROP_PX, GREEN, RED, frame_with
from tests.inference.stub_models import StubModels
from tests.support.waiting import until

FRAME = frame_with((3, (20, 30, 120, 150)))


def crop_of(person: int, green: int = GREEN) -> np.ndarray:
    return np.full((CROP_PX, CROP_PX, 3), (RED, green, person), np.uint8)


@pytest.fixture
def models() -> StubModels:
    return StubModels()


@pytest.fixture
async def engine(models: StubModels) -> AsyncIterator[Engine]:
    engine = Engine(EngineSettings(max_crops=4, max_queue=6), models.load)
    await engine.start()
    yield engine
    models.gate.set()
    await engine.aclose()


def device_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "homeface-device"]


async def test_models_live_in_one_thread_from_load_to_close(models: StubModels) -> None:
    engine = Engine(EngineSettings(), models.load)
    await engine.start()
    await asyncio.gather(*(engine.look(FRAME) for _ in range(3)), engine.embed([crop_of(1)]))
    await engine.aclose()
    assert models.threads == {"homeface-device"}
    assert models.closed == 2
    await until(lambda: not device_threads())


async def test_requests_that_wait_share_a_batch_up_to_the_limit(engine: Engine, models: StubModels) -> None:
    models.gate.clear()
    first = asyncio.create_task(engine.look(FRAME))
    await until(models.entered.is_set)
    waiting = [asyncio.create_task(engine.embed([crop_of(p)] * n)) for p, n in ((1, 1), (2, 2), (3, 2))]
    await until(lambda: engine.stats.queued == 3)
    models.gate.set()
    vectors = [[e.vector for e in found] for found in await asyncio.gather(*waiting)]
    await first
    assert models.batches == [3, 2]
    assert [len(found) for found in vectors] == [1, 2, 2]
    assert vectors[1][0] @ vectors[1][1] == pytest.approx(1)
    assert abs(vectors[0][0] @ vectors[1][0]) < 0.4
    assert engine.stats.embed_batches == 2


async def test_one_large_request_is_run_in_parts(engine: Engine, models: StubModels) -> None:
    assert len(await engine.embed([crop_of(p) for p in range(1, 11)])) == 10
    assert models.batches == [4, 4, 2]


async def test_an_error_reaches_only_its_own_caller(engine: Engine, models: StubModels) -> None:
    models.gate.clear()
    blocker = asyncio.create_task(engine.look(FRAME))
    await until(models.entered.is_set)
    good = [asyncio.create_task(engine.embed([crop_of(p)])) for p in (1, 2)]
    bad = asyncio.create_task(engine.embed([crop_of(3, green=0)]))
    await until(lambda: engine.stats.queued == 3)
    models.gate.set()
    results = await asyncio.gather(*good, bad, blocker, return_exceptions=True)
    assert isinstance(results[2], ValueError)
    assert [len(result) for result in results[:2] if not isinstance(result, BaseException)] == [1, 1]
    assert len(await engine.look(FRAME)) == 1
    assert engine.stats.failures > 0


async def test_cancelled_requests_are_not_run(engine: Engine, models: StubModels) -> None:
    models.gate.clear()
    running = asyncio.create_task(engine.look(FRAME))
    await until(models.entered.is_set)
    waiting = [asyncio.create_task(engine.look(FRAME)) for _ in range(3)]
    await until(lambda: engine.stats.queued == 3)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert engine.stats.queued == 0
    models.gate.set()
    await running
    assert models.looked == 1


async def test_cancelling_the_running_request_does_not_break_the_thread(
    engine: Engine, models: StubModels
) -> None:
    models.gate.clear()
    running = asyncio.create_task(engine.look(FRAME))
    await until(models.entered.is_set)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    models.gate.set()
    assert len(await engine.look(FRAME)) == 1


async def test_the_queue_is_bounded_and_nobody_is_refused(engine: Engine, models: StubModels) -> None:
    models.gate.clear()
    tasks = [asyncio.create_task(engine.look(FRAME)) for _ in range(20)]
    await until(lambda: engine.stats.queued == 5)  # six are admitted, one of them runs
    await asyncio.sleep(0)
    assert engine.stats.queued == 5
    models.gate.set()
    assert [len(faces) for faces in await asyncio.gather(*tasks)] == [1] * 20


async def test_faces_that_wait_give_way_to_newer_ones(models: StubModels) -> None:
    engine = Engine(EngineSettings(max_crops=8, max_faces=4), models.load)
    await engine.start()
    models.gate.clear()
    models.entered.clear()
    running = asyncio.create_task(engine.look(FRAME))
    await until(models.entered.is_set)
    waiting = [asyncio.create_task(engine.embed([crop_of(p)] * n)) for p, n in ((1, 2), (2, 2), (3, 1))]
    await until(lambda: engine.stats.dropped == 2)
    with pytest.raises(FacesDroppedError):
        await waiting[0]
    beat = engine.heartbeat()
    models.gate.set()
    assert [len(await task) for task in waiting[1:]] == [2, 1]
    await running
    assert engine.stats.dropped == 2
    assert engine.heartbeat() > beat
    assert len(await engine.embed([crop_of(1)] * 9)) == 9  # a large request alone is no reason to drop it
    await engine.aclose()


async def test_work_may_wait_for_company_while_other_work_is_done() -> None:
    thread = DeviceThread("homeface-device", max_queue=4)
    batches: list[list[int]] = []

    def run(items: list[int]) -> list[int]:
        batches.append(items)
        return items

    patient = Limits(max_weight=2, max_waiting=8, wait_seconds=60)
    first = asyncio.create_task(thread.ask_newest(run, 1, patient, batch="embed"))
    await until(lambda: thread.queued == 1)
    assert await thread.ask(run, 10, batch="look") == 10
    assert not first.done()
    assert await thread.ask_newest(run, 2, patient, batch="embed") == 2
    assert await first == 1
    short = Limits(max_weight=2, max_waiting=8, wait_seconds=0.01)
    assert await thread.ask_newest(run, 3, short, batch="embed") == 3
    assert batches == [[10], [1, 2], [3]]
    assert await thread.stop(lambda: None, 5)


async def test_a_hang_is_seen_by_the_heartbeat(engine: Engine, models: StubModels) -> None:
    models.gate.clear()
    models.entered.clear()
    task = asyncio.create_task(engine.look(FRAME))
    await until(models.entered.is_set)
    stuck_since = engine.heartbeat()
    await until(lambda: time.monotonic() > stuck_since + 1.5)  # an idle thread would have ticked
    assert engine.heartbeat() == stuck_since
    models.gate.set()
    await task
    await until(lambda: engine.heartbeat() > stuck_since)


async def test_closing_fails_what_waits_and_does_not_wait_for_a_hang(
    models: StubModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "_CLOSE_SECONDS", 0.2)
    engine = Engine(EngineSettings(), models.load)
    await engine.start()
    models.gate.clear()
    models.entered.clear()
    running = asyncio.create_task(engine.look(FRAME))
    await until(models.entered.is_set)
    waiting = asyncio.create_task(engine.embed([crop_of(1)]))
    await until(lambda: engine.stats.queued == 1)
    await engine.aclose()
    with pytest.raises(ModelError, match="closed"):
        await waiting
    assert device_threads()
    models.gate.set()
    assert len(await running) == 1
    await until(lambda: not device_threads())
    assert models.closed == 2


async def test_a_failing_start_tells_why_and_leaves_no_thread(models: StubModels) -> None:
    models.load_error = WeightsUnavailableError("nowhere")
    engine = Engine(EngineSettings(), models.load)
    with pytest.raises(WeightsUnavailableError, match="nowhere"):
        await engine.start()
    await until(lambda: not device_threads())
    await engine.aclose()


async def test_a_cancelled_start_leaves_no_thread(models: StubModels) -> None:
    models.gate.clear()
    engine = Engine(EngineSettings(), models.load)
    task = asyncio.create_task(engine.start())
    await until(models.entered.is_set)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    models.gate.set()
    await until(lambda: not device_threads())


async def test_before_the_start_there_is_nothing_to_ask(models: StubModels) -> None:
    engine = Engine(EngineSettings(), models.load)
    with pytest.raises(ModelError, match="started"):
        await engine.look(FRAME)
    await engine.aclose()


@pytest.mark.parametrize(
    ("settings", "error", "told"),
    [
        (EngineSettings(detector="retina"), ModelError, "retina"),
        (EngineSettings(embedder="arcface"), ModelError, "arcface"),
        (
            EngineSettings(folders=(Path("/nonexistent"),)),
            WeightsUnavailableError,
            "MobileFaceNet_foamliu.onnx",
        ),
        (EngineSettings(device="tpu"), BackendUnavailableError, "tpu"),
        (EngineSettings(device="cuda:77"), BackendUnavailableError, "cuda:77"),
        (
            EngineSettings(detector="yunet_n", embedder="mobilefacenet", device="cuda:x"),
            BackendUnavailableError,
            "cuda:x",
        ),
    ],
)
async def test_what_cannot_be_loaded_is_told(
    settings: EngineSettings, error: type[Exception], told: str
) -> None:
    engine = Engine(settings)
    with pytest.raises(error, match=told):
        await engine.start()
    await until(lambda: not device_threads())
