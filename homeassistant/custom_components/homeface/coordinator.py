"""Follows one homeface: the house as it is now, and each thing that happens, once.

States and events are different things. What is true now comes with each ``now``, also after a reconnect. What
happened is told to Home Assistant's event bus when it happens and never later: nothing is repeated after a
restart of homeface, of Home Assistant or of the connection, and what is too old is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import TYPE_CHECKING

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed, ConfigEntryError
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util

from . import devices, happenings
from .api import (
    ApiError,
    CannotConnect,
    HomefaceClient,
    InvalidAuth,
    StreamEvent,
    decision_of,
    house_of,
)
from .const import CONF_NODE_ID, DOMAIN, EVENT_UNKNOWN_VISIT, MAX_VISIT_AGE_SECONDS
from .models import Enrolled, House, Info, UnknownVisit

if TYPE_CHECKING:
    from . import HomefaceConfigEntry

_LOGGER = logging.getLogger(__name__)
_FIRST_DELAY_SECONDS = 1.0
_LONGEST_DELAY_SECONDS = 60.0
_SHORT_STREAM_SECONDS = 30.0


class HomefaceCoordinator(DataUpdateCoordinator[House]):
    """``data`` is the house; ``last_update_success`` says whether it is true now."""

    config_entry: HomefaceConfigEntry

    def __init__(self, hass: HomeAssistant, entry: HomefaceConfigEntry, client: HomefaceClient) -> None:
        """Nothing is asked yet: ``async_config_entry_first_refresh`` does."""
        super().__init__(hass, _LOGGER, config_entry=entry, name=f"homeface {entry.title}")
        self.client = client
        self.info: Info | None = None
        self.people: tuple[Enrolled, ...] = ()
        self.unknown_visits: tuple[UnknownVisit, ...] = ()
        self.connected = False
        """The stream of events is open: ``data`` follows every change."""
        self._known_visits: frozenset[str] | None = None
        self._visits = _Errand(self, self.refresh_visits, "visits")
        self._people = _Errand(self, self.refresh_people, "people")
        self._baseline: House | None = None
        self._listing = asyncio.Lock()

    @property
    def node_id(self) -> str:
        """The node id, part of every MQTT device's identifier."""
        return str(self.config_entry.data[CONF_NODE_ID])

    async def _async_setup(self) -> None:
        """Once, before the first refresh."""
        await self._guarded_info()

    async def _async_update_data(self) -> House:
        with _as_home_assistant_tells_it():
            return await self.client.now()

    async def _guarded_info(self) -> None:
        with _as_home_assistant_tells_it():
            info = await self.client.info()
        if info.instance_id != self.config_entry.unique_id:
            raise ConfigEntryError(translation_domain=DOMAIN, translation_key="wrong_instance")
        self._learn(info)

    @callback
    def _learn(self, info: Info) -> None:
        self.info = info
        if info.node_id != self.node_id:  # somebody has changed it in homeface's configuration
            data = {**self.config_entry.data, CONF_NODE_ID: info.node_id}
            self.hass.config_entries.async_update_entry(self.config_entry, data=data)

    # -- the stream -----------------------------------------------------------------------------------

    async def follow(self) -> None:
        """Keep the stream open until cancelled, or until the token is refused."""
        delay = _FIRST_DELAY_SECONDS
        while True:
            started = self.hass.loop.time()
            try:
                await self._follow_once()
            except InvalidAuth:
                self._lose(InvalidAuth("the token is not valid any more"))
                self.config_entry.async_start_reauth(self.hass)
                return
            except ApiError as error:
                delay = _FIRST_DELAY_SECONDS if self.connected else min(delay * 2, _LONGEST_DELAY_SECONDS)
                self._lose(error)
            else:
                if not self.connected:
                    self._lose(CannotConnect("homeface says nothing"))
                elif self.hass.loop.time() - started > _SHORT_STREAM_SECONDS:
                    continue  # homeface ends each stream after some minutes, so that it sees who listens
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 - not a secret

    async def _follow_once(self) -> None:
        info = await self.client.info()
        if info.instance_id != self.config_entry.unique_id:
            raise CannotConnect("another homeface answers at this address")
        self._learn(info)
        silent = True
        async with contextlib.aclosing(self.client.events()) as events:
            async for event in events:
                self._take(event)
                if silent and self._known_visits is not None:
                    self._visits.soon()  # what came while nobody listened
                silent = False
        if silent:
            self.connected = False

    @callback
    def _lose(self, error: ApiError) -> None:
        """What was true is not known to be true any more."""
        self.connected = False
        self._baseline = None
        self.async_set_update_error(error)

    @callback
    def _take(self, event: StreamEvent) -> None:
        if event.name == "now":
            self._take_house(house_of(event))
        elif event.name == "decision" and self.connected:
            happenings.tell_decision(self, decision_of(event))
        elif event.name == "visits":
            self._visits.soon()
        elif event.name == "people":
            self._people.soon()

    @callback
    def _take_house(self, house: House) -> None:
        before, self._baseline = self._baseline, house
        self.connected = True
        self.async_set_updated_data(house)
        devices.adopt(self)
        if before is not None:  # after an outage ``now`` says what is, not what has happened
            happenings.tell_homecomings(self, before, house)

    # -- lists that are asked for when they change ------------------------------------------------------

    async def refresh_people(self) -> None:
        """Who is enrolled, and what is known about their photos."""
        try:
            self.people = await self.client.people()
        except ApiError as error:
            _LOGGER.debug("The list of people cannot be had: %s", error)
        else:
            self.async_update_listeners()

    async def refresh_visits(self) -> None:
        """Unknown visits; those that are new and fresh are told. The first list only says what there is."""
        async with self._listing:  # an older list must never follow a newer one
            await self._refresh_visits()

    async def _refresh_visits(self) -> None:
        try:
            visits = await self.client.unknown_visits()
        except ApiError as error:
            _LOGGER.debug("The list of unknown visits cannot be had: %s", error)
            return
        known, self._known_visits = self._known_visits, frozenset(visit.id for visit in visits)
        self.unknown_visits = visits
        if known is None:
            return
        for visit in reversed(visits):
            age = dt_util.utcnow().timestamp() - visit.last_seen
            if visit.id not in known and age <= MAX_VISIT_AGE_SECONDS:
                self.hass.bus.async_fire(EVENT_UNKNOWN_VISIT, self._visit_data(visit, visits))

    def _visit_data(self, visit: UnknownVisit, visits: tuple[UnknownVisit, ...]) -> Mapping[str, object]:
        room = self.data.rooms.get(visit.room)
        return {
            "config_entry_id": self.config_entry.entry_id,
            "visit_id": visit.id,
            "room": visit.room,
            "room_name": room.name if room is not None else visit.room,
            "camera": visit.camera,
            "first_seen": happenings.iso(visit.first_seen),
            "last_seen": happenings.iso(visit.last_seen),
            "picture": picture_path(self.config_entry.entry_id, visit.id) if visit.has_picture else None,
            "similar": sum(other.group_id == visit.group_id for other in visits) - 1,
            "device_id": devices.device_id(self, "room", visit.room),
        }


def picture_path(entry_id: str, visit_id: str) -> str:
    """Where Home Assistant serves the picture of an unknown visit to people who are logged in."""
    return f"/api/{DOMAIN}/{entry_id}/visits/{visit_id}"


@contextlib.contextmanager
def _as_home_assistant_tells_it() -> Iterator[None]:
    """A refused token leads to the question for another one, everything else to another try."""
    try:
        yield
    except InvalidAuth as error:
        raise ConfigEntryAuthFailed(translation_domain=DOMAIN, translation_key="invalid_auth") from error
    except ApiError as error:
        raise UpdateFailed(
            translation_domain=DOMAIN,
            translation_key="cannot_connect",
            translation_placeholders={"error": str(error)},
        ) from error


class _Errand:
    """Something to ask for beside the stream, which must not wait. Asked again when it changes meanwhile."""

    def __init__(
        self, coordinator: HomefaceCoordinator, work: Callable[[], Coroutine[None, None, None]], name: str
    ) -> None:
        self._coordinator = coordinator
        self._work = work
        self._name = f"homeface {name}"
        self._wanted = False
        self._task: asyncio.Task[None] | None = None

    @callback
    def soon(self) -> None:
        """Go, or go once more."""
        self._wanted = True
        if self._task is None or self._task.done():
            entry, hass = self._coordinator.config_entry, self._coordinator.hass
            self._task = entry.async_create_background_task(hass, self._run(), self._name)

    async def _run(self) -> None:
        while self._wanted:
            self._wanted = False
            await self._work()
