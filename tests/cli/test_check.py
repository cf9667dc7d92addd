"""``homeface check`` and ``homeface watch`` against a real broker."""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Command
from tests.support.data import requires_data
from tests.support.mosquitto import Listener, Mosquitto, requires_mosquitto
from tests.support.waiting import wait_until


def point_at(config: Path, broker: Mosquitto) -> None:
    document = yaml.safe_load(config.read_text())
    document["mqtt"]["port"] = broker.port
    config.write_text(yaml.safe_dump(document))


@requires_data
def test_everything_is_looked_at_and_nothing_is_changed(
    homeface: Command, config: Path, tmp_path: Path
) -> None:
    answer = homeface("check", "--json")
    assert answer.code == 1
    rows = {row["what"]: row for row in answer.json}
    assert list(rows) == [
        "config", "storage", "people", "model yunet_n", "model mobilefacenet", "device", "broker",
        "camera hall",
    ]  # fmt: skip
    assert [what for what, row in rows.items() if not row["ok"]] == ["broker", "camera hall"]
    assert "refuses connections" in rows["camera hall"]["text"]
    assert "will be made at the first start" in rows["storage"]["text"]
    assert not (tmp_path / "state").exists()
    table = homeface("check")
    assert table.code == 1
    assert table.out.count("FAIL") == 2


@requires_data
def test_the_page_is_looked_at_when_there_is_one(homeface: Command, config: Path, tmp_path: Path) -> None:
    document = yaml.safe_load(config.read_text())
    texts = []
    for web in (
        {"enabled": True, "host": "0.0.0.0"},
        {"enabled": True, "tls": "files", "certificate": "a.pem", "certificate_key": "b.pem"},
    ):
        config.write_text(yaml.safe_dump({**document, "web": web}))
        rows = {row["what"]: row for row in homeface("check", "--json").json}
        texts.append((rows["page"]["ok"], rows["page"]["text"]))
    assert texts[0][0]
    assert "without encryption" in texts[0][1]
    assert not texts[1][0]
    assert "There is no file" in texts[1][1]


@requires_data
@requires_mosquitto
@pytest.mark.mosquitto
def test_a_broker_that_is_there(homeface: Command, config: Path, tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker") as broker:
        point_at(config, broker)
        with Listener(broker, "#") as listener:
            rows = {row["what"]: row for row in homeface("check", "--json").json}
            assert rows["broker"]["ok"]
            assert f"127.0.0.1:{broker.port}" in rows["broker"]["text"]
            assert listener.heard == []


@requires_mosquitto
@pytest.mark.mosquitto
def test_watch_measures_what_a_subscriber_hears(homeface: Command, config: Path, tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker") as broker:
        point_at(config, broker)
        with Listener(broker, "nothing") as speaker:

            def speak() -> None:
                wait_until(lambda: "homeface-watch-" in broker.log(), 20)
                wait_until(lambda: "homeface/homeface/room/+/event" in broker.log(), 20)
                taken = dt.datetime.fromtimestamp(time.time() - 0.5, dt.UTC).isoformat()
                event = {"event_type": "arrived", "room": "hall", "person": "Ada", "captured_at": taken}
                for payload in (json.dumps(event), "{", "[]", json.dumps({**event, "event_type": "left"})):
                    speaker.publish("homeface/homeface/room/hall/event", payload)

            thread = threading.Thread(target=speak)
            thread.start()
            answer = homeface("watch", "--json", "--seconds", "6")
            thread.join(30)
        lines = [json.loads(line) for line in answer.out.splitlines()]
    assert answer.code == 0
    assert [line["kind"] for line in lines] == ["event", "event", "summary"]
    assert (lines[-1]["events"], lines[-1]["timed"]) == (2, 1)
    assert 500 <= lines[-1]["latency_ms"]["p50"] < 5000


def test_watch_without_a_broker(homeface: Command, config: Path) -> None:
    answer = homeface("watch", "--seconds", "1")
    assert answer.code == 1
    assert "127.0.0.1" in answer.err
    assert "Traceback" not in answer.err
