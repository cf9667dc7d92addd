"""What comes in from the broker: recognition switches and external occupancy sensors."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from homeface.adapters import homeassistant as ha
from homeface.adapters.mqtt import MqttLink
from homeface.config import Config, OccupancySensor
from homeface.service.hub import Hub
from homeface.service.watch import CameraWatch

_LOG = logging.getLogger(__name__)
_MAX_WAITING = 100


@dataclass(frozen=True, slots=True)
class _SensorSays:
    room: str
    occupied: bool | None


class Inbox:
    """Takes messages in the order in which they came; one that cannot be understood hurts nobody."""

    def __init__(
        self,
        config: Config,
        link: MqttLink,
        hub: Hub,
        watches: Mapping[str, CameraWatch],
        view: Callable[[], ha.HouseView],
    ) -> None:
        self._hub = hub
        self._watches = watches
        self._view = view
        self._waiting: asyncio.Queue[ha.SetRecognition | _SensorSays] = asyncio.Queue(_MAX_WAITING)
        for topic_filter in ha.command_filters(view()):
            link.subscribe(topic_filter, self._command)
        for slug, room in config.rooms.items():
            if room.occupancy_sensor is not None:
                link.subscribe(room.occupancy_sensor.topic, self._sensor(slug, room.occupancy_sensor))

    async def run(self) -> None:
        """Carry out what came in; runs for ever."""
        while True:
            message = await self._waiting.get()
            if isinstance(message, _SensorSays):
                await self._hub.set_sensor(message.room, message.occupied)
                continue
            for name, watch in self._watches.items():
                if message.camera in {None, name}:
                    await watch.set_paused(not message.enabled)
            await self._hub.refresh()

    def _command(self, topic: str, payload: bytes, retained: bool) -> None:
        command = ha.parse_command(self._view(), topic, payload, retained=retained)
        if command is not None:
            self._enqueue(command)

    def _sensor(self, room: str, sensor: OccupancySensor) -> Callable[[str, bytes, bool], None]:
        def hear(_topic: str, payload: bytes, _retained: bool) -> None:
            self._enqueue(_SensorSays(room, ha.parse_occupancy(payload, sensor.occupied, sensor.json_key)))

        return hear

    def _enqueue(self, message: ha.SetRecognition | _SensorSays) -> None:
        try:
            self._waiting.put_nowait(message)
        except asyncio.QueueFull:
            _LOG.warning("Too many MQTT messages at once; one was dropped.")
