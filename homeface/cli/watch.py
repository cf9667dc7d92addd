"""``homeface watch``: what a running homeface tells the broker, and how long after the picture."""

from __future__ import annotations

import asyncio
import json
import math
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from homeface.cli.options import config_option, json_option, latency_text, read_config

if TYPE_CHECKING:
    from homeface.config import Config

_TIMED = ("arrived", "unknown", "seen_again")


@dataclass(slots=True)
class Heard:
    """Events so far, and the milliseconds from picture to subscriber of those that a picture causes."""

    events: int = 0
    latencies_ms: list[float] = field(default_factory=list)

    def summary(self) -> dict[str, object]:
        """Counts and percentiles."""
        ordered = sorted(self.latencies_ms)
        return {
            "kind": "summary",
            "events": self.events,
            "timed": len(ordered),
            "latency_ms": {"p50": _percentile(ordered, 0.5), "p95": _percentile(ordered, 0.95)},
        }


@click.command("watch")
@config_option
@json_option
@click.option(
    "--seconds", type=click.FloatRange(min=0), help="End after so long; without it, end with Ctrl-C."
)
def watch_command(config_path: Path | None, as_json: bool, seconds: float | None) -> None:
    """Watch a running homeface's events, and how long after the picture each is heard.

    Connects to the broker of the configuration as a subscriber, like Home Assistant does. Ends with the
    median and the 95th percentile of the time from picture to message. Both machines' clocks must agree.
    """
    config = read_config(config_path)
    heard = Heard()
    try:
        asyncio.run(_listen(config, heard, as_json, seconds))
    except KeyboardInterrupt:
        click.echo("", err=True)
    summary = heard.summary()
    if as_json:
        click.echo(json.dumps(summary))
    else:
        latency = latency_text(summary)
        count = f"{heard.events} event" if heard.events == 1 else f"{heard.events} events"
        click.echo(f"{count}; from picture to subscriber {latency}." if latency else f"{count}.")


async def _listen(config: Config, heard: Heard, as_json: bool, seconds: float | None) -> None:
    import uuid

    import aiomqtt

    from homeface.adapters.homeassistant import status_topic
    from homeface.adapters.mqtt_connection import close_client, open_client
    from homeface.adapters.mqtt_trouble import describe
    from homeface.errors import BrokerError
    from homeface.service import wiring
    from homeface.service.publisher import view_of

    settings = wiring.mqtt_settings(config)
    base = status_topic(view_of(config)).rpartition("/")[0]
    name = f"homeface-watch-{uuid.uuid4().hex[:8]}"
    try:
        client = await open_client(settings, name, aiomqtt.Will(f"{base}/watch", b"", qos=0))
        try:
            await client.subscribe(f"{base}/room/+/event", qos=1)
            async with asyncio.timeout(seconds):
                async for message in client.messages:
                    if isinstance(message.payload, bytes):
                        _hear(message.payload, heard, as_json)
        except TimeoutError:
            return
        finally:
            await close_client(client, 1.0)
    except (OSError, aiomqtt.MqttError) as error:
        raise BrokerError(describe(error, settings, name).text) from error


def _hear(payload: bytes, heard: Heard, as_json: bool) -> None:
    now = time.time()
    try:
        event = json.loads(payload)
        latency = (now - datetime.fromisoformat(event["captured_at"]).timestamp()) * 1000
        kind = str(event["event_type"])
    except (ValueError, KeyError, TypeError):
        return
    heard.events += 1
    if kind in _TIMED:
        heard.latencies_ms.append(latency)
    if as_json:
        click.echo(
            json.dumps({"kind": "event", **event, "latency_ms": round(latency, 1)}, ensure_ascii=False)
        )
        return
    person = event.get("person") or "somebody unknown"
    score = "" if event.get("score") is None else f", score {event['score']:.2f}"
    click.echo(
        f"{time.strftime('%H:%M:%S')}  {kind:<10} {event.get('room')}: {person}{score}, {latency:.0f} ms"
    )


def _percentile(ordered: list[float], share: float) -> float | None:
    """The smallest value that at least ``share`` of all do not exceed (nearest rank)."""
    if not ordered:
        return None
    rank = max(1, math.ceil(len(ordered) * share))
    return round(ordered[rank - 1], 1)
