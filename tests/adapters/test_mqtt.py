"""The MQTT link against a real mosquitto, which is killed, frozen and restarted."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from homeface.adapters import mqtt_connection
from homeface.adapters.mqtt import MqttLink, MqttSettings, MqttTls
from homeface.errors import BrokerError
from tests.support.mosquitto import (
    Listener,
    Mosquitto,
    free_port,
    make_certificates,
    requires_mosquitto,
    retained,
)
from tests.support.waiting import until, wait_until

pytestmark = [pytest.mark.mosquitto, requires_mosquitto]

BASE = "homeface/home"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "mosquitto") as running:
        yield running


def settings_for(broker: Mosquitto, **changes: Any) -> MqttSettings:
    fast: dict[str, Any] = {"retry_seconds": 0.1, "max_retry_seconds": 0.5, "ack_timeout_seconds": 2.0}
    return MqttSettings(host=broker.host, port=broker.port, **(fast | changes))


@asynccontextmanager
async def running(link: MqttLink, *, connected: bool = True) -> AsyncIterator[MqttLink]:
    async with asyncio.TaskGroup() as group:
        group.create_task(link.run(), name="mqtt")
        if connected:
            await until(lambda: link.connected, what="the link is connected")
        try:
            yield link
        finally:
            await link.aclose()


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_states_are_retained_and_events_are_not(
    broker: Mosquitto, version: Literal["5", "3.1.1"]
) -> None:
    async with running(MqttLink(settings_for(broker, version=version), "home")) as link:
        with Listener(broker, f"{BASE}/#") as listener:
            link.set_state(f"{BASE}/room/kitchen/occupancy", "ON")
            assert link.publish_event(f"{BASE}/room/kitchen/event", '{"event_type": "arrived"}', time.time())
            await until(lambda: listener.on(f"{BASE}/room/kitchen/event"))
            live = [
                (heard.topic, heard.retain) for heard in listener.heard if heard.topic != link.status_topic
            ]
            assert live == [(f"{BASE}/room/kitchen/occupancy", False), (f"{BASE}/room/kitchen/event", False)]
        kept = await asyncio.to_thread(retained, broker, f"{BASE}/#")
        assert kept == {f"{BASE}/status": b"online", f"{BASE}/room/kitchen/occupancy": b"ON"}
        assert link.stats.events_sent == 1
    assert (await asyncio.to_thread(retained, broker, f"{BASE}/#"))[f"{BASE}/status"] == b"offline"


async def test_the_status_says_online_only_after_the_states_are_right(broker: Mosquitto) -> None:
    link = MqttLink(settings_for(broker), "home")
    link.set_state(f"{BASE}/a", "1")

    async def on_connected() -> None:
        link.set_state(f"{BASE}/b", "2")

    link.on_connected = on_connected
    with Listener(broker, f"{BASE}/#") as listener:
        async with running(link):
            await until(lambda: listener.last(f"{BASE}/status") == b"online")
        assert [heard.topic for heard in listener.heard][:3] == [f"{BASE}/a", f"{BASE}/b", f"{BASE}/status"]


async def test_unchanged_states_are_sent_once_and_again_only_on_request(broker: Mosquitto) -> None:
    with Listener(broker, f"{BASE}/#") as listener:
        async with running(MqttLink(settings_for(broker), "home")) as link:
            for _ in range(5):
                link.set_state(f"{BASE}/a", "1")
            await until(lambda: listener.on(f"{BASE}/a") == [b"1"])
            link.set_state(f"{BASE}/b", "2")
            link.republish([f"{BASE}/a", f"{BASE}/never-set"])
            await until(lambda: listener.on(f"{BASE}/a") == [b"1", b"1"])
            assert listener.on(f"{BASE}/b") == [b"2"]
            link.republish()
            await until(lambda: listener.on(f"{BASE}/b") == [b"2", b"2"])


async def test_cleared_states_vanish_also_when_cleared_while_the_broker_is_away(broker: Mosquitto) -> None:
    async with running(MqttLink(settings_for(broker), "home")) as link:
        with Listener(broker, f"{BASE}/#") as listener:
            listener.publish(f"{BASE}/orphan", "left by an earlier run", retain=True)
            link.set_state(f"{BASE}/a", "1")
            link.set_state(f"{BASE}/b", "1")
            link.clear_state(f"{BASE}/orphan")
            await until(lambda: listener.last(f"{BASE}/orphan") == b"" and listener.last(f"{BASE}/b"))
            link.clear_state(f"{BASE}/a")
            await until(lambda: listener.last(f"{BASE}/a") == b"")
        await asyncio.to_thread(broker.kill)
        await until(lambda: not link.connected)
        link.clear_state(f"{BASE}/b")
        await asyncio.to_thread(broker.start)
        with Listener(broker, "#") as other:
            other.publish(f"{BASE}/b", "as if the broker had kept it", retain=True)
        await until(lambda: link.connected)
        # the clearing may have come before the other one's message: what counts is that it is sent
        assert b"1" not in (await asyncio.to_thread(retained, broker, f"{BASE}/#")).values()
        assert f"{BASE}/a" not in link._desired
        await until(lambda: f"{BASE}/b" not in link._desired)


_CHILD = """
import asyncio, sys
from homeface.adapters import mqtt_connection
from homeface.adapters.mqtt import MqttLink, MqttSettings
asyncio.run(MqttLink(MqttSettings(port=int(sys.argv[1])), "home").run())
"""


async def test_a_killed_process_is_told_offline_by_the_broker(broker: Mosquitto) -> None:
    with Listener(broker, f"{BASE}/status") as listener:
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", _CHILD, str(broker.port))
        await until(lambda: listener.on(f"{BASE}/status") == [b"online"], timeout=20)
        child.kill()
        await until(lambda: listener.on(f"{BASE}/status") == [b"online", b"offline"], timeout=5)
        await child.wait()


async def test_broker_killed_and_restarted(broker: Mosquitto, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="homeface")
    async with running(MqttLink(settings_for(broker), "home")) as link:
        link.set_state(f"{BASE}/room/kitchen/people", "1")
        link.set_state(f"{BASE}/room/kitchen/unknown", "0")
        await until(lambda: not link._dirty)
        await asyncio.to_thread(broker.kill)
        await until(lambda: not link.connected)
        assert not link.publish_event(f"{BASE}/event", "during the outage", time.time())
        link.set_state(f"{BASE}/room/kitchen/people", "2")
        link.set_state(f"{BASE}/room/kitchen/people", "3")
        await until(lambda: isinstance(link.error, BrokerError))
        await until(lambda: sum("still unavailable" in text for text in caplog.messages) >= 3)
        await asyncio.to_thread(broker.start)
        back_at = time.monotonic()
        with Listener(broker, f"{BASE}/#") as listener:
            await until(lambda: link.connected)
            await until(lambda: listener.last(f"{BASE}/room/kitchen/people") == b"3")
            assert time.monotonic() - back_at < 5.0
            assert link.publish_event(f"{BASE}/event", "after the outage", time.time())
            await until(lambda: listener.on(f"{BASE}/event") == [b"after the outage"])
        kept = await asyncio.to_thread(retained, broker, f"{BASE}/#")
        assert kept == {
            f"{BASE}/status": b"online",
            f"{BASE}/room/kitchen/people": b"3",
            f"{BASE}/room/kitchen/unknown": b"0",
        }
        assert link.error is None
        assert link.stats.events_offline == 1
        warnings = [r for r in caplog.records if r.levelno == logging.WARNING]
        assert len(warnings) == 1, [r.getMessage() for r in warnings]
        assert any("is back after" in text for text in caplog.messages)


async def test_a_frozen_broker_is_noticed_and_hands_out_at_most_one_late_event(broker: Mosquitto) -> None:
    settings = settings_for(broker, ack_timeout_seconds=0.7, connect_timeout_seconds=1.0)
    with Listener(broker, f"{BASE}/event") as listener:
        async with running(MqttLink(settings, "home")) as link:
            broker.freeze()
            for number in range(20):
                link.publish_event(f"{BASE}/event", str(number), time.time())
            await until(lambda: not link.connected and link.error, timeout=8)
            broker.thaw()
            await until(lambda: link.connected, timeout=8)
            link.publish_event(f"{BASE}/event", "thawed", time.time())
            await until(lambda: b"thawed" in listener.on(f"{BASE}/event"))
            assert listener.on(f"{BASE}/event") in ([b"0", b"thawed"], [b"thawed"])
            assert link.stats.events_offline >= 19


async def test_memory_stays_bounded_while_the_broker_is_away(tmp_path: Path) -> None:
    gone = Mosquitto(tmp_path)  # never started
    async with running(MqttLink(settings_for(gone), "home"), connected=False) as link:
        await until(lambda: link.error is not None)
        assert "cannot be reached" in str(link.error)
        for number in range(10_000):
            link.set_state(f"{BASE}/room/kitchen/people", str(number))
            link.publish_event(f"{BASE}/event", str(number), time.time())
        assert len(link._desired) == len(link._dirty) == 1
        assert len(link._events) == 0
        assert link.stats.events_offline == 10_000


async def test_events_that_are_too_old_are_dropped(broker: Mosquitto) -> None:
    now = 1_000_000.0

    def clock() -> float:
        return now

    link = MqttLink(settings_for(broker, max_event_age_seconds=10), "home", clock=clock)
    with Listener(broker, f"{BASE}/event") as listener:
        async with running(link):
            assert not link.publish_event(f"{BASE}/event", "stale", now - 10.1)
            assert link.publish_event(f"{BASE}/event", "waits", now - 9.0)
            now += 5.0  # the loop had no time to send it before it became stale
            assert link.publish_event(f"{BASE}/event", lambda at: f"age {at - (now - 2.0):.1f}", now - 2.0)
            await until(lambda: listener.on(f"{BASE}/event"))
            assert listener.on(f"{BASE}/event") == [b"age 2.0"]
            assert link.stats.events_stale == 2


async def test_a_flood_of_events_is_bounded_and_keeps_the_newest(broker: Mosquitto) -> None:
    with Listener(broker, f"{BASE}/event") as listener:
        async with running(MqttLink(settings_for(broker), "home")) as link:
            for number in range(1000):
                link.publish_event(f"{BASE}/event", str(number), time.time())
            await until(lambda: listener.last(f"{BASE}/event") == b"999")
            assert link.stats.events_overflowed == 900
            assert [int(p) for p in listener.on(f"{BASE}/event")] == list(range(900, 1000))


async def test_tls_with_a_private_authority(tmp_path: Path) -> None:
    files = make_certificates(tmp_path / "tls")
    with Mosquitto(tmp_path / "mosquitto", certificates=files) as broker:
        trusted = MqttTls(ca=str(files.ca))
        async with running(MqttLink(settings_for(broker, tls=trusted), "home")) as link:
            link.set_state(f"{BASE}/a", "x" * 100_000)
            await until(lambda: not link._dirty)
        async with running(MqttLink(settings_for(broker, tls=MqttTls(insecure=True)), "home")):
            pass


async def test_tls_mistakes_are_told(tmp_path: Path) -> None:
    files = make_certificates(tmp_path / "tls")
    stranger = make_certificates(tmp_path / "stranger")
    with (
        Mosquitto(tmp_path / "mosquitto", certificates=files) as broker,
        Mosquitto(tmp_path / "plain") as plain,
    ):
        for settings, sentence in [
            (settings_for(broker, tls=MqttTls(ca=str(stranger.ca))), "is not trusted"),
            (settings_for(broker, tls=MqttTls(ca=str(tmp_path / "missing.pem"))), "cannot be read"),
            (settings_for(plain, tls=MqttTls(ca=str(files.ca)), connect_timeout_seconds=1.0), "MQTT broker"),
            (settings_for(broker), "MQTT broker"),  # plain text to a TLS port
        ]:
            async with running(MqttLink(settings, "home"), connected=False) as link:
                await until(lambda: link.error is not None)
                assert sentence in str(link.error)


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_wrong_password_is_told_and_retried_slowly(
    tmp_path: Path, version: Literal["5", "3.1.1"]
) -> None:
    with Mosquitto(tmp_path, users={"homeface": "right"}) as broker:
        wrong = settings_for(broker, username="homeface", password="wrong", version=version)
        async with running(MqttLink(wrong, "home"), connected=False) as link:
            await until(lambda: link.error is not None)
            assert "user name or password" in str(link.error)
            assert "wrong" not in str(link.error)
            assert "wrong" not in repr(wrong)
            assert broker.log().count("Sending CONNACK") == 1
        right = settings_for(broker, username="homeface", password="right", version=version)
        async with running(MqttLink(right, "home")) as link:
            assert link.error is None


async def test_two_links_of_one_name_are_told(broker: Mosquitto) -> None:
    """Newer brokers name the reason (MQTT 5, code 142); of older ones we see only short sessions."""
    settings = settings_for(broker)
    first, second = MqttLink(settings, "home"), MqttLink(settings, "home")
    async with running(first), running(second, connected=False):
        await until(
            lambda: any(
                "nother client" in str(link.error) and "'homeface-home'" in str(link.error)
                for link in (first, second)
            )
        )


async def test_handlers_get_commands_and_survive_nonsense(
    broker: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    got: list[tuple[str, object, bool]] = []

    def handler(topic: str, payload: bytes, retained: bool) -> None:
        got.append((topic, json.loads(payload), retained))

    nonsense = [b"not json", b"\xff\xfe", b"", b"[" * 60_000, b"x" * 100_000, b'{"a": ']
    link = MqttLink(settings_for(broker), "home")
    with Listener(broker, "nothing") as listener:
        listener.publish("sensors/kitchen", "0", retain=True)
        link.subscribe("sensors/#", handler)
        async with running(link):
            await until(lambda: got == [("sensors/kitchen", 0, True)])
            for _ in range(2):
                for payload in nonsense:
                    listener.publish("sensors/kitchen", payload)
            listener.publish("sensors/kitchen", "1")
            await until(lambda: ("sensors/kitchen", 1, False) in got)
            assert link.stats.payloads_refused == 2 * len(nonsense)
            assert sum(r.levelno == logging.WARNING for r in caplog.records) == 1
            link.subscribe("later/+/set", handler)
            await until(lambda: not link._unsynced_filters)
            listener.publish("later/x/set", "2")
            await until(lambda: ("later/x/set", 2, False) in got)
            link.unsubscribe("later/+/set", handler)
            link.unsubscribe("later/+/set", handler)
            await until(lambda: not link._unsynced_filters)
            await asyncio.to_thread(broker.restart)
            await until(lambda: not link.connected)
            await until(lambda: link.connected)
            wait_until(lambda: listener.connections == 2)
            listener.publish("later/x/set", "3")
            listener.publish("sensors/porch", "4")
            await until(lambda: ("sensors/porch", 4, False) in got)
            assert ("later/x/set", 3, False) not in got


async def test_cancellation_leaves_offline_behind(broker: Mosquitto) -> None:
    link = MqttLink(settings_for(broker), "home")
    task = asyncio.ensure_future(link.run())
    await until(lambda: link.connected)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await asyncio.to_thread(retained, broker, f"{BASE}/#"))[f"{BASE}/status"] == b"offline"


@pytest.mark.parametrize("trouble", ["none", "frozen", "killed", "never there", "pending"])
async def test_closing_takes_less_than_two_seconds(broker: Mosquitto, trouble: str) -> None:
    settings = settings_for(broker, ack_timeout_seconds=5.0, connect_timeout_seconds=5.0)
    if trouble == "never there":
        broker.kill()
    link = MqttLink(settings, "home")
    async with asyncio.TaskGroup() as group:
        group.create_task(link.run())
        ready: Callable[[], object] = lambda: link.error if trouble == "never there" else link.connected  # noqa: E731
        await until(ready)
        actions: dict[str, Callable[[], None]] = {"frozen": broker.freeze, "killed": broker.kill}
        actions.get(trouble, lambda: None)()
        for number in range(50):
            link.set_state(f"{BASE}/{number}", "x")
        started = time.monotonic()
        await link.aclose()
        await link.aclose()
        assert time.monotonic() - started < 2.0
    assert time.monotonic() - started < 2.5  # run() has ended, too
    if trouble in {"none", "pending"}:
        kept = await asyncio.to_thread(retained, broker, f"{BASE}/#")
        assert kept[f"{BASE}/status"] == b"offline"
        assert len(kept) == 51


async def test_closing_a_link_that_never_ran() -> None:
    await MqttLink(MqttSettings(port=free_port()), "home").aclose()


async def test_a_bug_in_a_handler_is_not_hidden(broker: Mosquitto) -> None:
    def buggy(topic: str, payload: bytes, retained: bool) -> None:
        raise KeyError("a bug")

    link = MqttLink(settings_for(broker), "home")
    link.subscribe("x", buggy)
    with Listener(broker, "nothing") as listener:
        listener.publish("x", "1", retain=True)
        with pytest.RaisesGroup(pytest.RaisesExc(KeyError)):
            async with asyncio.timeout(10):
                await link.run()


async def test_a_socket_that_is_closed_before_it_is_registered_for_writing_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The broker dies while something is being sent: asyncio must not be given a dead descriptor."""
    client = mqtt_connection.BrokerClient("127.0.0.1", 1)
    monkeypatch.setattr(client._client, "want_write", lambda: True)
    told: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: told.append(context))
    ours, theirs = socket.socketpair()
    client._on_socket_register_write(client._client, None, ours)
    ours.close()
    theirs.close()
    for _ in range(3):
        await asyncio.sleep(0)
    assert told == []
