"""What leaves the house for the broker: discovery, states, events, and what must disappear."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from homeface import __version__
from homeface.adapters import homeassistant as ha
from homeface.adapters.mqtt import MqttLink
from homeface.config import Config
from homeface.core.gallery import Subject
from homeface.core.presence import HouseState, PresenceEvent

_LOG = logging.getLogger(__name__)
_SCAN_SECONDS = 3.0

Figures = Callable[[], tuple[Mapping[str, ha.CameraFigures], ha.HubFigures]]
"""How cameras and daemon do right now."""


def view_of(config: Config, subjects: Sequence[Subject] = ()) -> ha.HouseView:
    """The house as Home Assistant is told of it."""
    return ha.HouseView(
        node_id=config.home.node_id,
        version=__version__,
        name=config.home.name,
        rooms=tuple(
            ha.RoomView(slug, config.room_name(slug), room.area) for slug, room in config.rooms.items()
        ),
        people=tuple(ha.PersonView(one.subject_id, one.name, one.paused) for one in subjects),
        cameras=tuple(
            ha.CameraView(slug, f"Camera {slug}", camera.room)
            for slug, camera in config.cameras.items()
            if camera.enabled
        ),
        base_topic=config.mqtt.base_topic,
        discovery_prefix=config.mqtt.discovery_prefix,
    )


class Publisher:
    """The hub's outlet. Keeps the broker's retained messages equal to what is true now."""

    def __init__(self, config: Config, link: MqttLink, figures: Figures) -> None:
        self.view = view_of(config)
        self._config = config
        self._link = link
        self._figures = figures
        self._state = HouseState()
        self._known: dict[str, str | bytes] = {}
        self._scanned = False
        self._born = asyncio.Event()
        self._connected = asyncio.Event()
        link.on_connected = self._note_connected

    async def publish(self, state: HouseState, events: Sequence[PresenceEvent]) -> None:
        """States that changed, then events."""
        self._state = state
        self.publish_states()
        view = self.view
        for event in events:
            render = partial(ha.render_event, view, event)
            for topic in ha.event_topics(view, event):
                self._link.publish_event(topic, render, event.captured_at)

    def publish_states(self) -> None:
        """Every state as it is now; the link sends only what changed."""
        cameras, hub = self._figures()
        for topic, payload in ha.state_messages(self.view, self._state, cameras, hub).items():
            self._link.set_state(topic, payload)

    def set_subjects(self, subjects: Sequence[Subject]) -> None:
        """Who is enrolled now: announce the new ones, clear away those who are gone."""
        old, page = self.view, (self.view.configuration_url, self.view.instance_id)
        self.view = replace(view_of(self._config, subjects), configuration_url=page[0], instance_id=page[1])
        for topic in ha.removals(old, self.view):
            self._link.clear_state(topic)
            self._known.pop(topic, None)
        if self._scanned:
            self.announce()

    def set_page(self, url: str, instance_id: str) -> None:
        """Where the web page is: a link on the home's device, and what the companion integration needs."""
        self.view = replace(self.view, configuration_url=url, instance_id=instance_id)
        for topic, payload in ha.announcement(self.view).items():
            self._link.set_state(topic, payload)
        if self._scanned:
            self.announce()

    def announce(self) -> None:
        """Discovery of every device, when the configuration wants it."""
        if not self._config.mqtt.discovery:
            return
        for topic, wanted in ha.discovery_messages(self.view).items():
            before = self._known.get(topic)
            payload = wanted if before is None else ha.with_removals(before, wanted)
            self._known[topic] = payload
            self._link.set_state(topic, payload)

    async def clean_up(self) -> None:
        """Once, at the start: clear what an earlier run with another configuration left at the broker.

        Discovery is sent only after that: what it no longer has must be told as removed, and our own message
        would hide what there was.
        """

        def note(topic: str, payload: bytes, retained: bool) -> None:
            if retained and payload:
                self._known[topic] = payload

        for topic_filter in ha.scan_filters(self.view):
            self._link.subscribe(topic_filter, note)
        await self._connected.wait()
        await asyncio.sleep(_SCAN_SECONDS)
        for topic_filter in ha.scan_filters(self.view):
            self._link.unsubscribe(topic_filter, note)
        for topic in ha.orphans(self._known, self.view):
            _LOG.info("Clearing %s, which an earlier run left at the broker.", topic)
            self._link.clear_state(topic)
            del self._known[topic]
        if not self._config.mqtt.discovery:
            for topic in [t for t in self._known if t in ha.discovery_messages(self.view)]:
                self._link.clear_state(topic)
        self._scanned = True
        self.announce()

    async def _note_connected(self) -> None:
        self._connected.set()

    async def greet_newborns(self) -> None:
        """Home Assistant has started: tell it everything again, after a little while. Runs for ever."""

        def hear(_topic: str, payload: bytes, retained: bool) -> None:
            if not retained and ha.is_birth(payload):
                self._born.set()

        self._link.subscribe(ha.birth_topic(self.view), hear)
        while True:
            await self._born.wait()
            self._born.clear()
            await asyncio.sleep(random.uniform(*ha.REDISCOVERY_JITTER_SECONDS))  # noqa: S311 - not a secret
            self._link.republish()
