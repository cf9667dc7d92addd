"""Twenty rounds of freezing and killing the server leave no thread, no file and no memory behind."""

from __future__ import annotations

import asyncio
import gc

import psutil
import pytest

from homeface.adapters.camera import Camera, CameraSettings
from tests.support.rtsp import Mount, RtspServer, require_rtsp
from tests.support.waiting import until

pytestmark = [pytest.mark.rtsp, pytest.mark.slow, pytest.mark.timeout(180)]

ROUNDS = 20
WARM_UP = 4


def footprint() -> tuple[int, int, float]:
    """Threads, open files and sockets, resident MiB of this process."""
    gc.collect()
    process = psutil.Process()
    return process.num_threads(), process.num_fds(), process.memory_info().rss / 2**20


async def test_twenty_rounds_leave_nothing_behind() -> None:
    require_rtsp()
    with RtspServer({"/live": Mount(size=(1280, 720))}) as server:
        camera = Camera(
            CameraSettings(
                "porch",
                url=server.url("/live"),
                open_timeout_seconds=0.6,
                read_timeout_seconds=0.6,
                backoff_max_seconds=0.2,
            )
        )
        camera.start()
        prints = []
        for round_ in range(WARM_UP + ROUNDS):
            await until(lambda: camera.status.available, 15, "available")
            assert await asyncio.wait_for(camera.ready(), 5)
            assert await asyncio.to_thread(camera.take) is not None
            prints.append(footprint())
            if round_ % 2:
                server.kill()
                await until(lambda: not camera.status.available, 15, "unavailable after a kill")
                server.start()
            else:
                server.freeze()
                await until(lambda: not camera.status.available, 15, "unavailable after a freeze")
                server.thaw()
        assert await camera.stop(5)
    threads, files, memory = zip(*prints[WARM_UP:], strict=True)
    assert camera.stats.reconnects >= ROUNDS
    assert max(threads) <= threads[0] + 1
    assert max(files) <= files[0] + 2
    early, late = sum(memory[:5]) / 5, sum(memory[-5:]) / 5
    assert late - early < 12, f"{early:.0f} -> {late:.0f} MiB"
