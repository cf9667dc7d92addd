"""Repairs: what somebody has to do something about. Each goes away by itself when it is no longer so."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.loader import async_get_integration
from homeassistant.util import dt as dt_util

from .const import CAMERA_DEAD_SECONDS, DOMAIN, PEOPLE_INTERVAL_SECONDS, WATCH_INTERVAL_SECONDS

if TYPE_CHECKING:
    from . import HomefaceConfigEntry
    from .coordinator import HomefaceCoordinator

ADDRESS_CHANGED = "address_changed"
_ALIKE = frozenset({"too_alike", "looks_like"})
_OTHER_MODEL = "other_model"
_OWN = ("camera_dead", "look_alike", "reembed", "version_mismatch")


class Watch:
    """Raises and withdraws the issues of one homeface."""

    def __init__(self, coordinator: HomefaceCoordinator, version: str) -> None:
        """``version``: of this integration."""
        self._coordinator = coordinator
        self._version = version
        self._dead_since: dict[str, dt.datetime] = {}
        self._raised: set[str] = set()

    @callback
    def look(self, now: dt.datetime | None = None) -> None:
        """Compare what is wrong now with what was told."""
        wanted = {**self._cameras(now or dt_util.utcnow()), **self._people(), **self._versions()}
        for issue_id in self._raised - set(wanted):
            ir.async_delete_issue(self._coordinator.hass, DOMAIN, issue_id)
        entry_id = self._coordinator.config_entry.entry_id
        for issue_id, placeholders in wanted.items():
            ir.async_create_issue(
                self._coordinator.hass,
                DOMAIN,
                issue_id,
                is_fixable=False,
                severity=ir.IssueSeverity.WARNING,
                translation_key=issue_id.split(f"_{entry_id}")[0],
                translation_placeholders=dict(placeholders),
            )
        self._raised = set(wanted)
        if self._coordinator.connected:
            ir.async_delete_issue(self._coordinator.hass, DOMAIN, _issue_id(ADDRESS_CHANGED, entry_id))

    def _cameras(self, now: dt.datetime) -> dict[str, Mapping[str, str]]:
        if not self._coordinator.connected:
            self._dead_since.clear()  # what cannot be seen is not counted
            return {}
        dead = {
            camera.id: camera
            for camera in self._coordinator.data.cameras.values()
            if not camera.available and not camera.paused
        }
        self._dead_since = {name: self._dead_since.get(name, now) for name in dead}
        entry_id = self._coordinator.config_entry.entry_id
        return {
            _issue_id("camera_dead", entry_id, name): {
                "camera": dead[name].name,
                "reason": dead[name].reason or "?",
            }
            for name, since in self._dead_since.items()
            if (now - since).total_seconds() >= CAMERA_DEAD_SECONDS
        }

    def _people(self) -> dict[str, Mapping[str, str]]:
        entry_id = self._coordinator.config_entry.entry_id
        pairs: dict[str, list[str]] = {}
        told: dict[str, Mapping[str, str]] = {}
        outdated: list[str] = []
        for person in self._coordinator.people:
            for finding in person.findings:
                if finding.key == _OTHER_MODEL:
                    outdated.append(person.name)
                elif finding.key in _ALIKE:
                    pairs.setdefault(finding.sentence, []).append(person.id)  # both of a pair say the same
                    placeholders = {"name": person.name, "sentence": finding.sentence, "help": finding.help}
                    told.setdefault(finding.sentence, placeholders)
        found = {  # by who they are: what is ignored stays ignored, whoever else comes or goes
            _issue_id("look_alike", entry_id, "_".join(sorted(pairs[sentence]))): placeholders
            for sentence, placeholders in told.items()
        }
        if outdated:
            found[_issue_id("reembed", entry_id)] = {"names": ", ".join(sorted(set(outdated)))}
        return found

    def _versions(self) -> dict[str, Mapping[str, str]]:
        info = self._coordinator.info
        if info is None or _same_series(info.version, self._version):
            return {}
        entry_id = self._coordinator.config_entry.entry_id
        return {
            _issue_id("version_mismatch", entry_id): {"daemon": info.version, "integration": self._version}
        }


async def watch(coordinator: HomefaceCoordinator) -> None:
    """Look now, at every change, and once a minute, until the entry is unloaded."""
    hass, entry = coordinator.hass, coordinator.config_entry
    integration = await async_get_integration(hass, DOMAIN)
    looker = Watch(coordinator, str(integration.version or ""))

    async def refresh(_now: dt.datetime) -> None:
        await coordinator.refresh_people()

    entry.async_on_unload(coordinator.async_add_listener(looker.look))
    minute, hour = (dt.timedelta(seconds=s) for s in (WATCH_INTERVAL_SECONDS, PEOPLE_INTERVAL_SECONDS))
    entry.async_on_unload(async_track_time_interval(hass, looker.look, minute))
    entry.async_on_unload(async_track_time_interval(hass, refresh, hour))
    looker.look()


@callback
def clear(hass: HomeAssistant, entry: HomefaceConfigEntry) -> None:
    """Withdraw every issue of an entry that is unloaded."""
    for domain, issue_id in list(ir.async_get(hass).issues):
        if domain == DOMAIN and any(issue_id.startswith(_issue_id(key, entry.entry_id)) for key in _OWN):
            ir.async_delete_issue(hass, DOMAIN, issue_id)


@callback
def tell_address_changed(hass: HomeAssistant, entry: HomefaceConfigEntry, url: str) -> None:
    """homeface announces itself elsewhere while it cannot be reached where it was: a person decides."""
    ir.async_create_issue(
        hass,
        DOMAIN,
        _issue_id(ADDRESS_CHANGED, entry.entry_id),
        is_fixable=True,
        severity=ir.IssueSeverity.WARNING,
        translation_key=ADDRESS_CHANGED,
        translation_placeholders={"url": url, "name": entry.title},
        data={"entry_id": entry.entry_id, "url": url},
    )


def _issue_id(key: str, entry_id: str, item: str = "") -> str:
    return "_".join(part for part in (key, entry_id, item) if part)


def _same_series(one: str, other: str) -> bool:
    """The same major and minor version; what cannot be compared counts as the same."""
    found = [re.match(r"(\d+)\.(\d+)", text) for text in (one, other)]
    return None in found or len({match.groups() for match in found if match is not None}) == 1
