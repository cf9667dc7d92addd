"""The household's health for the page: examined in a thread, kept until people or photos change."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from homeface.adapters.web import models_house as shown
from homeface.adapters.web.models_people import Level, PersonFinding, PersonHealth
from homeface.core.gallery import Gallery
from homeface.core.gallery_map import map_of
from homeface.core.health_findings import Finding, Topic, lacks_infrared
from homeface.service.health import HouseholdHealth, as_data, finding_figures, household_health

if TYPE_CHECKING:
    from homeface.service.life import Life

_FRESH_SECONDS = 300.0
_HARMLESS = frozenset({Topic.RESTING, Topic.NO_INFRARED})
"""Worth telling, but nothing is wrong with a person whom nothing else is said about."""
_HELP = {
    Topic.NOBODY: "Add the first person.",
    Topic.NO_PHOTOS: "Add some photos, or make the guided round.",
    Topic.OTHER_MODEL: "Add new photos, or have the old ones read anew (homeface people reembed).",
    Topic.OUTLIER: "If it is somebody else, remove that photo.",
    Topic.MIXED: "Remove the photos of somebody else, or add more good ones.",
    Topic.COPY: "Remove one of the two.",
}
"""Instead of sentences that name a command."""


class Figures:
    """What can be promised for the household."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._examining = asyncio.Lock()
        self._found: HouseholdHealth | None = None
        self._for: object = None
        self._at = 0.0
        life.gallery_listeners.append(self._forget)

    def _forget(self) -> None:
        """Who was removed must not live on in here."""
        self._found = None

    async def found(self) -> HouseholdHealth:
        """The figures of what the store holds now. Raises StoreError and ModelError."""
        async with self._examining:
            version = await asyncio.to_thread(self._life.store.gallery_version)
            fresh = 0 <= time.time() - self._at < _FRESH_SECONDS
            what = (version, self._life.config)  # settings that a person changes make a new one
            if self._found is None or what != self._for or not fresh:
                self._at = time.time()
                life = self._life
                found = await asyncio.to_thread(
                    household_health, life.store, life.config, self._at, life.engine.model_id
                )
                self._found, self._for = found, what
            return self._found

    async def household(self) -> shown.HouseholdHealth:
        """Everything for the page's charts and tables."""
        return await asyncio.to_thread(_drawn, await self.found())


def about(subject_id: str, found: HouseholdHealth) -> PersonHealth:
    """What there is to say about one person."""
    mine = [_of(one, subject_id, found) for one in found.findings if subject_id in one.subjects]
    return PersonHealth(
        level=_level(mine),
        findings=[
            PersonFinding(
                key=str(one.topic),
                sentence=one.text,
                help=_HELP.get(one.topic, one.help),
                serious=one.topic not in _HARMLESS,
                people=[found.health.name(subject) for subject in one.subjects],
                figures=finding_figures(one),
            )
            for one in mine
        ],
    )


def _of(finding: Finding, subject_id: str, found: HouseholdHealth) -> Finding:
    """What is said of several people at once, of one of them."""
    if finding.topic is not Topic.NO_INFRARED:
        return finding
    return lacks_infrared([one for one in found.health.people if one.subject_id == subject_id])


def _level(findings: Sequence[Finding]) -> Level:
    if any(not finding.promise for finding in findings):
        return "poor"
    return "good" if all(finding.topic in _HARMLESS for finding in findings) else "fair"


def _drawn(found: HouseholdHealth) -> shown.HouseholdHealth:
    """Blocks for as long as the figures of a household take (milliseconds)."""
    report = shown.HouseholdHealth.model_validate(as_data(found))
    findings = [
        told.model_copy(update={"help": _HELP.get(finding.topic, finding.help)})
        for told, finding in zip(report.findings, found.findings, strict=True)
    ]
    gallery = found.gallery
    changes: dict[str, object] = {"findings": findings}
    if len(gallery.templates) > 1:
        mapped = map_of(gallery)
        changes["explained"] = [round(float(share), 4) for share in mapped.explained]
        changes["pca"] = [
            shown.PhotoPoint(
                name=gallery.name(template.subject_id),
                x=round(float(x), 5),
                y=round(float(y), 5),
                aside=template.template_id not in found.used,
            )
            for template, (x, y) in zip(gallery.templates, mapped.points, strict=True)
        ]
    if len(gallery.candidate_ids) > 1:
        changes["distances"] = _distances(gallery)
    return report.model_copy(update=changes)


def _distances(gallery: Gallery) -> shown.Distances:
    """Mean cosine of the photos of each two people, by name; of one person's among themselves."""
    owners = np.array([template.subject_id for template in gallery.templates])
    cosines = gallery.matrix @ gallery.matrix.T
    people = sorted(
        gallery.candidate_ids, key=lambda subject_id: (gallery.name(subject_id).casefold(), subject_id)
    )
    scores = []
    for one in people:
        row = []
        for other in people:
            part = cosines[np.ix_(owners == one, owners == other)]
            if one == other and len(part) > 1:
                part = part[~np.eye(len(part), dtype=bool)]
            row.append(round(float(np.clip(part.mean(), -1.0, 1.0)), 4))
        scores.append(row)
    return shown.Distances(names=[gallery.name(one) for one in people], scores=scores)
