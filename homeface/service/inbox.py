"""What comes in from the broker: recognition switches and external occupancy sensors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from homeface.adapters import homeassistant as ha
from homeface.adapters.mqtt import MqttLink
from homeface.config import Config, OccupancySensor
from homeface.service.hub import Hub
from homeface.service.watch import CameraWatch


@dataclass(frozen=True, slots=True)
class _SensorSays:
    room: str
    occupied: bool | None


_Message: TypeAlias = ha.SetRecognition | ha.SetGuestMode | _SensorSays


class Inbox:
    """Takes messages in the order in which they came; one that cannot be understood hurts nobody.

    Of several that wait about the same thing only the newest counts, so that a flood neither fills memory nor
    leaves an old answer standing.
    """

    def __init__(
        self,
        config: Config,
        link: MqttLink,
        hub: Hub,
        watches: Mapping[str, CameraWatch],
        view: Callable[[], ha.HouseView],
        note: Callable[[str, str], Awaitable[None]] | None = None,
    ) -> None:
        """``note``: called with what was done by command, and to which camera, for the log of acts."""
        self._note = note
        self._hub = hub
        self._watches = watches
        self._view = view
        self._waiting: dict[tuple[type, str | None], _Message] = {}
        self._said: dict[str, _SensorSays] = {}
        self._arrived = asyncio.Event()
        for topic_filter in ha.command_filters(view()):
            link.subscribe(topic_filter, self._command)
        for slug, room in config.rooms.items():
            if room.occupancy_sensor is not None:
                link.subscribe(room.occupancy_sensor.topic, self._sensor(slug, room.occupancy_sensor))

    async def run(self) -> None:
        """Carry out what came in; runs for ever."""
        while True:
            await self._arrived.wait()
            message = self._waiting.pop(next(iter(self._waiting)))
            if not self._waiting:
                self._arrived.clear()
            if isinstance(message, _SensorSays):
                await self._hub.set_sensor(message.room, message.occupied)
                continue
            if isinstance(message, ha.SetGuestMode):
                changed = message.enabled != self._hub.guest_mode
                await self._hub.set_guest_mode(message.enabled)
                await self._noted(changed, "guest mode on" if message.enabled else "guest mode off", "")
                continue
            for name, watch in self._watches.items():
                if message.camera in {None, name}:
                    changed = watch.paused == message.enabled
                    await watch.set_paused(not message.enabled)
                    await self._noted(changed, "resume" if message.enabled else "pause", name)
            await self._hub.refresh()

    async def _noted(self, changed: bool, what: str, camera: str) -> None:
        if changed and self._note is not None:
            await self._note(what, camera)

    def _command(self, topic: str, payload: bytes, retained: bool) -> None:
        command = ha.parse_command(self._view(), topic, payload, retained=retained)
        if command is not None:
            self._enqueue(command, command.camera if isinstance(command, ha.SetRecognition) else None)

    def _sensor(self, room: str, sensor: OccupancySensor) -> Callable[[str, bytes, bool], None]:
        def hear(_topic: str, payload: bytes, retained: bool) -> None:
            says = _SensorSays(room, ha.parse_occupancy(payload, sensor.occupied, sensor.json_key))
            if retained and self._said.get(room) == says:
                return  # handed over again after a reconnect: no news of a sensor that may be dead
            self._said[room] = says
            self._enqueue(says, room)

        return hear

    def _enqueue(self, message: _Message, about: str | None) -> None:
        key = type(message), about
        self._waiting.pop(key, None)  # the newest goes to the end: order matters between camera and house
        self._waiting[key] = message
        self._arrived.set()
