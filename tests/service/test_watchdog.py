"""systemd's watchdog is fed by real progress alone."""

from __future__ import annotations

import asyncio
from asyncio import to_thread
from pathlib import Path
from typing import cast

from homeface.inference.engine import Engine
from homeface.service.daemon import Daemon
from homeface.service.life import Life
from tests.fakes.engine import FakeEngine
from tests.support.daemon import Supervisor
from tests.support.life import house_config
from tests.support.mosquitto import Mosquitto, requires_mosquitto
from tests.support.waiting import until

WATCHDOG_SECONDS = 0.3


class Quiet:
    """A life that says one line."""

    def one_line(self) -> str:
        return "0 of 2 cameras"


@requires_mosquitto
async def test_a_hung_device_is_not_fed_and_one_that_works_again_is(
    tmp_path: Path, broker: Mosquitto, engine: FakeEngine
) -> None:
    supervisor = await to_thread(Supervisor)
    environ = {
        "NOTIFY_SOCKET": supervisor.address,
        "WATCHDOG_USEC": str(int(WATCHDOG_SECONDS * 1e6)),
    }
    daemon = Daemon(await house_config(tmp_path, broker), tmp_path / "config.yaml", environ)

    def fed() -> int:
        return supervisor.told.count("WATCHDOG=1")

    feeding = asyncio.create_task(daemon._feed_watchdog(cast("Engine", engine), cast("Life", Quiet())))
    try:
        await until(lambda: fed() >= 3, what="it is fed")
        assert "STATUS=0 of 2 cameras" in supervisor.told
        engine.hang()
        loops = asyncio.get_running_loop()
        hung = loops.time()
        await until(lambda: loops.time() - hung > 2 * WATCHDOG_SECONDS, what="longer than the limit")
        starved = fed()
        lines = len(supervisor.told)
        await until(lambda: len(supervisor.told) >= lines + 5, what="the loop turns all the time")
        assert fed() == starved
        engine.recover()
        await until(lambda: fed() > starved, what="it is fed again")
    finally:
        feeding.cancel()
        await asyncio.wait([feeding])
        await to_thread(supervisor.close)
