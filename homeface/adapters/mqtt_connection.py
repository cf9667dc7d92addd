"""One connection to an MQTT broker: how it is set, opened and closed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import aiomqtt
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY
from paho.mqtt.client import Client as PahoClient
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

LOGGER = logging.getLogger(__name__)

T = TypeVar("T")

_MAX_INCOMING = 2000


@dataclass(frozen=True, slots=True)
class MqttTls:
    """TLS to the broker. Paths to PEM files; without ``ca`` the system's authorities are trusted.

    ``cert`` and ``key`` are for brokers that ask clients for a certificate. ``insecure`` accepts any
    certificate: encrypted, but anybody may pose as the broker.
    """

    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """Where the broker is and how we speak to it.

    ``client_id`` empty means ``homeface-<node>``; it must be the only client of that name.
    ``max_event_age_seconds``: an event older than this is dropped instead of sent. ``retry_seconds`` and
    ``max_retry_seconds`` bound the wait between attempts; ``slow_retry_seconds`` is the pace when only a
    person can help (wrong password, bad certificate).
    """

    host: str = "localhost"
    port: int = 1883
    username: str | None = None
    password: str | None = None
    tls: MqttTls | None = None
    version: Literal["5", "3.1.1"] = "5"
    client_id: str = ""
    keepalive_seconds: int = 15
    base_topic: str = "homeface"
    max_event_age_seconds: float = 15.0
    max_payload_bytes: int = 65536
    connect_timeout_seconds: float = 5.0
    ack_timeout_seconds: float = 5.0
    retry_seconds: float = 0.5
    max_retry_seconds: float = 4.0
    slow_retry_seconds: float = 60.0

    @property
    def address(self) -> str:
        """``host:port`` for log lines; no credentials in it."""
        return f"{self.host}:{self.port}"

    def __repr__(self) -> str:
        """Never shows the password."""
        user = f", username={self.username!r}" if self.username else ""
        return f"MqttSettings({self.address}{user}, version={self.version!r}, tls={self.tls is not None})"


class BrokerClient(aiomqtt.Client):
    """aiomqtt's client, which also notices messages that the broker refuses to take (v5 reason codes)."""

    refused: str | None = None

    def _on_publish(
        self, client: PahoClient, userdata: Any, mid: int, reason_code: ReasonCode, properties: Properties
    ) -> None:
        """Keep the reason of a refusal, which aiomqtt does not tell."""
        if reason_code.is_failure and self.refused is None:
            self.refused = str(reason_code)
            LOGGER.warning(
                "The MQTT broker refuses messages from us (%s): allow this user to write to our topics",
                reason_code,
            )
        super()._on_publish(client, userdata, mid, reason_code, properties)

    def _on_socket_register_write(
        self,
        client: PahoClient,
        userdata: Any,  # noqa: ARG002 - paho's signature
        sock: Any,
    ) -> None:
        """As aiomqtt does it, later on the loop; by then the socket may be closed, and its number reused."""

        def write() -> None:
            try:
                client.loop_write()
            except Exception as error:  # noqa: BLE001 - whatever it is, the connection is broken
                if not self._disconnected.done():
                    self._disconnected.set_exception(error)

        def register() -> None:
            if sock.fileno() >= 0 and client.want_write():
                self._loop.add_writer(sock.fileno(), write)

        self._loop.call_soon_threadsafe(register)

    def drop(self) -> None:
        """Give the socket back after a connection that was never acknowledged."""
        self._client.disconnect()


async def open_client(settings: MqttSettings, client_id: str, will: aiomqtt.Will) -> BrokerClient:
    """Connect. Raises OSError, TimeoutError or aiomqtt.MqttError; see ``mqtt_trouble.describe``.

    TCP and TLS are tried with asyncio first: paho does them in a thread that cannot be cancelled, and a
    broker's machine that is switched off must not delay the end of the process.
    """
    context = None if settings.tls is None else await asyncio.to_thread(tls_context, settings.tls)
    async with asyncio.timeout(settings.connect_timeout_seconds):
        _, writer = await asyncio.open_connection(settings.host, settings.port, ssl=context)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    modern = settings.version == "5"
    client = BrokerClient(
        settings.host,
        settings.port,
        username=settings.username,
        password=settings.password,
        identifier=client_id,
        protocol=aiomqtt.ProtocolVersion.V5 if modern else aiomqtt.ProtocolVersion.V311,
        clean_start=True
        if modern
        else MQTT_CLEAN_START_FIRST_ONLY,  # nothing is ever queued for us while we are away
        clean_session=None if modern else True,
        will=will,
        keepalive=settings.keepalive_seconds,
        timeout=settings.ack_timeout_seconds,
        tls_context=context,
        max_queued_incoming_messages=_MAX_INCOMING,
        logger=LOGGER,
    )
    try:
        await acked(client.__aenter__())
    except (aiomqtt.MqttError, asyncio.CancelledError):
        client.drop()
        raise
    return client


async def acked(call: Coroutine[Any, Any, T]) -> T:
    """Await a call that waits for the broker; a cancellation is never lost on the way.

    aiomqtt uses ``asyncio.wait_for``, which in Python 3.11 swallows a cancellation that comes together
    with the answer (cpython issue 86296): the task would go on as if nobody had cancelled it.
    """
    result = await call
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
    return result


async def close_client(client: BrokerClient, timeout_seconds: float) -> None:
    """Disconnect politely, at most for so long; never raises for a connection that is gone already."""
    try:
        async with asyncio.timeout(timeout_seconds):
            await client.__aexit__(None, None, None)
    except (aiomqtt.MqttError, OSError, TimeoutError) as error:
        LOGGER.debug("Closing the MQTT connection: %s", error)
        client.drop()


def tls_context(tls: MqttTls) -> ssl.SSLContext:
    """Build the TLS context from files. Raises OSError (ssl.SSLError is one) for a missing or bad file."""
    context = ssl.create_default_context(cafile=tls.ca)
    if tls.cert is not None:
        context.load_cert_chain(tls.cert, tls.key)
    if tls.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def expiry(seconds: float) -> Properties:
    """MQTT 5 properties that let the broker throw a message away that it could not deliver in time."""
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.MessageExpiryInterval = max(1, round(seconds))
    return properties
