"""Is the broker there, and does it let us in? For ``homeface check``; disturbs no running daemon."""

from __future__ import annotations

import uuid

import aiomqtt

from homeface.adapters.mqtt_connection import MqttSettings, close_client, open_client
from homeface.adapters.mqtt_trouble import describe
from homeface.errors import BrokerError


async def try_connection(settings: MqttSettings) -> None:
    """Connect under another client id and leave. Raises ``BrokerError`` that says what is wrong."""
    client_id = f"homeface-check-{uuid.uuid4().hex[:8]}"
    unused_will = aiomqtt.Will(f"{settings.base_topic}/check", b"", qos=0, retain=False)
    try:
        client = await open_client(settings, client_id, unused_will)
    except (OSError, aiomqtt.MqttError) as error:
        raise BrokerError(describe(error, settings, client_id).text) from error
    await close_client(client, 1.0)
