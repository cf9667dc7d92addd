"""What the daemon tells of itself: true, complete, and in metrics nobody's name."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import re
import signal
import stat
import sys
import time
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from homeface.adapters.metrics import render
from homeface.adapters.status_socket import NAME, ask_status
from homeface.adapters.store import Store
from homeface.errors import HomefaceError, StoreError
from homeface.service import life as lives
from homeface.service.readings import readings
from tests.fakes.engine import FakeEngine
from tests.support.life import camera_of, enrol, house_config, living, show
from tests.support.mosquitto import Mosquitto, requires_mosquitto
from tests.support.people import BOX, MUM, frame_with
from tests.support.waiting import until

pytestmark = [pytest.mark.mosquitto, requires_mosquitto]
DASHBOARD = Path(__file__).resolve().parents[2] / "docs" / "monitoring" / "grafana-dashboard.json"


def values(text: str) -> dict[str, float]:
    """Each sample as ``name{label=value,...}``."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


async def test_everything_is_told_and_nobody_named(
    broker: Mosquitto, tmp_path: Path, store: Store, engine: FakeEngine
) -> None:
    await enrol(store, MUM)
    async with living(await house_config(tmp_path, broker), engine, store) as life:
        for name in ("hall", "yard"):
            camera_of(life, name).set_status(True)
        await show(life, "hall", frame_with((MUM, BOX)))
        await until(lambda: life.tally.events["arrived"] == 1, what="the arrival")
        camera_of(life, "hall").set_status(False)
        await until(lambda: life.tally.visits["named"] == 1, what="the visit ended")
        text = (await asyncio.to_thread(render, readings(life))).decode()
        found = values(text)
        status = await asyncio.to_thread(ask_status, tmp_path / "state")
        mode = (await asyncio.to_thread((tmp_path / "state" / NAME).stat)).st_mode
    assert "Person" not in text
    assert found["homeface_visits_total{result=named}"] == 1
    assert found["homeface_events_total{kind=arrived}"] == 1
    assert found["homeface_event_latency_seconds_count"] >= 1
    assert found["homeface_people"] == 1
    assert found["homeface_camera_up{camera=yard,room=yard}"] == 1
    assert found["homeface_camera_up{camera=hall,room=hall}"] == 0
    assert found["homeface_ready"] == 0
    assert found["homeface_healthy"] == 1
    assert found["homeface_broker_connected"] == 1
    assert found["process_resident_memory_bytes"] > 0
    assert stat.S_IMODE(mode) == 0o600
    hall = next(room for room in status["rooms"] if room["room"] == "hall")  # type: ignore[attr-defined]
    assert hall["people"] == [f"Person {MUM}"]
    used = {name for name in _metrics_that_are_watched() if name.startswith("homeface_")}
    assert len(used) > 15
    assert used - {name.partition("{")[0] for name in found} == set()


def _metrics_that_are_watched() -> set[str]:
    document = json.loads(DASHBOARD.read_text())
    expressions = [t["expr"] for panel in document["panels"] for t in panel.get("targets", [])]
    groups = yaml.safe_load(DASHBOARD.with_name("alerts.yaml").read_text())["groups"]
    expressions += [rule["expr"] for group in groups for rule in group["rules"]]
    return {name for text in expressions for name in re.findall(r"[a-z]\w*_\w+", text)}


async def test_healthz_tells_of_a_device_that_hangs_and_readyz_of_a_full_disk(
    broker: Mosquitto, tmp_path: Path, store: Store, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lives, "_HUNG_SECONDS", 0.2)
    async with living(await house_config(tmp_path, broker), engine, store) as life:
        for name in ("hall", "yard"):
            camera_of(life, name).set_status(True)
        await until(lambda: life.health().ready, what="ready")

        def full(_state: object) -> None:
            raise StoreError("The disk is full.")

        with monkeypatch.context() as disk:
            disk.setattr(store, "save_state", full)
            await life.hub.save()
            assert (life.health().ready, life.health().healthy) == (False, True)
            assert life.health().details["storage"] == "cannot be written"
        await life.hub.save()
        assert life.health().ready
        engine.hang()
        await until(lambda: not life.health().healthy, what="the hanging is seen")
        assert not life.health().ready
        assert life.health().details["device"].startswith("no progress")
        engine.recover()
        await until(lambda: life.health().ready, what="it works again")


async def test_the_live_table_follows_and_says_what_cannot_be_known(
    broker: Mosquitto, tmp_path: Path, store: Store, engine: FakeEngine
) -> None:
    await enrol(store, MUM)
    config = await house_config(tmp_path, broker)
    async with living(config, engine, store) as life:
        for name in ("hall", "yard"):
            camera_of(life, name).set_status(True)
        await show(life, "hall", frame_with((MUM, BOX)))
        await until(lambda: life.tally.events["arrived"] == 1, what="the arrival")
        ours, theirs = pty.openpty()
        os.set_blocking(ours, False)
        command = [sys.executable, "-m", "homeface", "status", "-c", str(tmp_path / "config.yaml")]
        environ = {**os.environ, "COLUMNS": "150", "TERM": "xterm"}
        running = await asyncio.create_subprocess_exec(
            *command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ
        )
        os.close(theirs)
        told = Screen(ours)
        await until(lambda: told.last(f"Person {MUM}", "hall", "ago"), 30, "the table")
        assert "does its whole job" in told.text
        for name in ("hall", "yard"):
            camera_of(life, name).set_status(False, "gone")
        await until(lambda: told.last(f"Person {MUM}", "cannot be known"), 15, "the table follows")
        running.send_signal(signal.SIGINT)
        assert await running.wait() == 0
        os.close(ours)


class Screen:
    """What a command has written on a terminal."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self.text = ""

    def last(self, *words: str) -> bool:
        """Whether one line has all these words, in this order, in what has come."""
        with contextlib.suppress(BlockingIOError):
            self.text += os.read(self._handle, 1 << 16).decode(errors="replace")
        return re.search(".*".join(map(re.escape, words)), self.text) is not None


def test_nobody_answers(tmp_path: Path) -> None:
    with pytest.raises(HomefaceError, match="No homeface runs"):
        ask_status(tmp_path)
    with pytest.raises(HomefaceError, match="No homeface runs"):
        ask_status(tmp_path / "nowhere")


async def test_a_long_path_and_a_socket_left_behind(
    broker: Mosquitto, tmp_path: Path, engine: FakeEngine
) -> None:
    deep = tmp_path / ("x" * 120)
    state = deep / "state"
    await asyncio.to_thread(state.mkdir, parents=True)
    await asyncio.to_thread((state / NAME).touch)
    store = await asyncio.to_thread(Store, state / "homeface.db")
    async with living(await house_config(deep, broker), engine, store):
        asked = time.time()
        status = await asyncio.to_thread(ask_status, state)
        assert abs(float(str(status["at"])) - asked) < 60
    assert not await asyncio.to_thread((state / NAME).exists)
    await asyncio.to_thread(store.close)
