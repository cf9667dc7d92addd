"""Unknown visits as media: one folder for each likeness, the newest first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import TYPE_CHECKING

from homeassistant.components.media_player import BrowseError, MediaClass, MediaType
from homeassistant.components.media_source import (
    BrowseMediaSource,
    MediaSource,
    MediaSourceItem,
    PlayMedia,
    Unresolvable,
)
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .coordinator import picture_path
from .models import UnknownVisit

if TYPE_CHECKING:
    from .coordinator import HomefaceCoordinator


async def async_get_media_source(hass: HomeAssistant) -> UnknownVisitSource:
    """The source of all homefaces that are set up."""
    return UnknownVisitSource(hass)


class UnknownVisitSource(MediaSource):
    """Identifiers: nothing, ``ENTRY``, ``ENTRY/group/GROUP`` or ``ENTRY/visit/VISIT``."""

    name = "homeface"

    def __init__(self, hass: HomeAssistant) -> None:
        """Everything is looked up when it is asked for."""
        super().__init__(DOMAIN)
        self.hass = hass

    async def async_resolve_media(self, item: MediaSourceItem) -> PlayMedia:
        """A visit's picture."""
        entry_id, kind, visit_id = _parts(item.identifier)
        visit = next((v for v in self._visits(entry_id) if v.id == visit_id), None)
        if kind != "visit" or visit is None or not visit.has_picture:
            raise Unresolvable(f"there is no such visit (any more): {item.identifier}")
        return PlayMedia(picture_path(entry_id, visit.id), "image/jpeg")

    async def async_browse_media(self, item: MediaSourceItem) -> BrowseMediaSource:
        """The folder of this identifier."""
        entry_id, kind, group_id = _parts(item.identifier)
        if not entry_id:
            found = self._coordinators()
            if len(found) != 1:
                folders = [_folder(entry, one.config_entry.title, ()) for entry, one in found.items()]
                return _folder(None, self.name, folders)
            entry_id = next(iter(found))
        if entry_id not in self._coordinators():
            raise BrowseError(f"there is no such homeface: {item.identifier}")
        visits = self._visits(entry_id)
        if kind == "group":
            inside = [visit for visit in visits if visit.group_id == group_id]
            if not inside:
                raise BrowseError(f"there are no such visits (any more): {item.identifier}")
            children = [self._picture(entry_id, visit) for visit in inside]
            return _folder(item.identifier, self._group_title(entry_id, inside), children)
        groups: dict[str, list[UnknownVisit]] = {}
        for visit in visits:
            groups.setdefault(visit.group_id, []).append(visit)
        return _folder(
            item.identifier or None, self.name, [self._group(entry_id, group) for group in groups.values()]
        )

    def _coordinators(self) -> dict[str, HomefaceCoordinator]:
        return {
            entry.entry_id: entry.runtime_data
            for entry in self.hass.config_entries.async_loaded_entries(DOMAIN)
        }

    def _visits(self, entry_id: str) -> tuple[UnknownVisit, ...]:
        found = self._coordinators().get(entry_id)
        return () if found is None else found.unknown_visits

    def _group(self, entry_id: str, visits: list[UnknownVisit]) -> BrowseMediaSource:
        if len(visits) == 1:
            return self._picture(entry_id, visits[0])
        folder = _folder(f"{entry_id}/group/{visits[0].group_id}", self._group_title(entry_id, visits), ())
        shown = next((visit for visit in visits if visit.has_picture), None)
        folder.thumbnail = None if shown is None else picture_path(entry_id, shown.id)
        return folder

    def _group_title(self, entry_id: str, visits: list[UnknownVisit]) -> str:
        return f"{self._title(entry_id, visits[0])} (+{len(visits) - 1})"

    def _title(self, entry_id: str, visit: UnknownVisit) -> str:
        room = self._coordinators()[entry_id].data.rooms.get(visit.room)
        seen = dt_util.as_local(dt.datetime.fromtimestamp(visit.last_seen, dt.UTC))
        return f"{room.name if room is not None else visit.room}, {seen:%Y-%m-%d %H:%M}"

    def _picture(self, entry_id: str, visit: UnknownVisit) -> BrowseMediaSource:
        return BrowseMediaSource(
            domain=DOMAIN,
            identifier=f"{entry_id}/visit/{visit.id}",
            media_class=MediaClass.IMAGE,
            media_content_type=MediaType.IMAGE,
            title=self._title(entry_id, visit),
            can_play=visit.has_picture,
            can_expand=False,
            thumbnail=picture_path(entry_id, visit.id) if visit.has_picture else None,
        )


def _parts(identifier: str) -> tuple[str, str, str]:
    entry_id, _, rest = (identifier or "").partition("/")
    kind, _, item = rest.partition("/")
    return entry_id, kind, item


def _folder(identifier: str | None, title: str, children: Iterable[BrowseMediaSource]) -> BrowseMediaSource:
    folder = BrowseMediaSource(
        domain=DOMAIN,
        identifier=identifier,
        media_class=MediaClass.DIRECTORY,
        media_content_type=MediaType.IMAGE,
        title=title,
        can_play=False,
        can_expand=True,
        children_media_class=MediaClass.IMAGE,
    )
    folder.children = list(children)
    return folder
