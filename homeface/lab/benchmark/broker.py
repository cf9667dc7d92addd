"""A broker on loopback for the time of a measurement: mosquitto when it is there, amqtt otherwise."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from homeface.errors import BackendUnavailableError

_START_SECONDS = 10.0

Heard = Callable[[str, bytes, float], None]
"""Called in the listener's thread with topic, payload and ``time.time()``."""


@contextmanager
def broker() -> Iterator[int]:
    """Yields the port. Raises ``BackendUnavailableError`` when there is neither mosquitto nor amqtt."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    port = _free_port()
    with _mosquitto(program, port) if program else _amqtt(port):
        yield port


@contextmanager
def _mosquitto(program: str, port: int) -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="homeface-bench-") as folder:
        lines = [f"listener {port} 127.0.0.1", "allow_anonymous true", "persistence false"]
        lines += ["user root"] if os.geteuid() == 0 else []
        config = Path(folder) / "mosquitto.conf"
        config.write_text("\n".join(lines) + "\n", encoding="ascii")
        process = subprocess.Popen(  # noqa: S603 - the broker found on this machine
            [program, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            _wait_for(port)
            yield
        finally:
            process.terminate()
            process.wait()


@contextmanager
def _amqtt(port: int) -> Iterator[None]:
    """In a thread with an event loop of its own."""
    try:
        from amqtt.broker import Broker
    except ImportError as error:
        raise BackendUnavailableError(
            "There is no broker to measure with: install mosquitto (apt install mosquitto), or amqtt "
            "(uv sync --extra demo)."
        ) from error
    logging.getLogger("amqtt").setLevel(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="bench-broker", daemon=True)
    thread.start()
    config = {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }

    async def start() -> Broker:
        made = Broker(config)
        await made.start()
        return made

    running = asyncio.run_coroutine_threadsafe(start(), loop).result(_START_SECONDS)
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(running.shutdown(), loop).result(_START_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_START_SECONDS)
        loop.close()


class Listener:
    """A subscriber in a thread of its own; ``with`` connects and disconnects it."""

    def __init__(self, port: int, topics: str, heard: Heard) -> None:
        self._subscribed = threading.Event()
        self._topics = topics
        self._heard = heard
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)

    def publish(self, topic: str, payload: str) -> None:
        """Say something with QoS 1."""
        self._client.publish(topic, payload, qos=1)

    def __enter__(self) -> Listener:
        self._client.loop_start()
        if not self._subscribed.wait(_START_SECONDS):
            raise BackendUnavailableError("The broker on loopback does not answer.")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: paho.Client, *_: object) -> None:
        client.subscribe(self._topics, qos=1)

    def _on_subscribe(self, *_: object) -> None:
        self._subscribed.set()

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        self._heard(message.topic, bytes(message.payload), time.time())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    """Until the port answers."""
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise BackendUnavailableError("The broker on loopback did not start.")
