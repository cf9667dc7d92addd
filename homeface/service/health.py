"""The health of a household's gallery: from the store and the configuration to figures and sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from homeface.adapters.store import SightingRecord, Store
from homeface.config import Config
from homeface.core.gallery import Gallery
from homeface.core.health import Asked, Health, examine_health
from homeface.core.health_findings import CameraRecord, Finding, findings
from homeface.core.templates import limits_for
from homeface.inference.calibration import calibration_for
from homeface.service import wiring
from homeface.service.recognition import asked_rate, recognition_of
from homeface.service.settings import effective

_REMEMBERED_SECONDS = 30 * 86400.0


@dataclass(frozen=True, slots=True, eq=False)
class HouseholdHealth:
    """Figures, what to say about them, and the gallery they are about (everything stored)."""

    health: Health
    findings: tuple[Finding, ...]
    gallery: Gallery
    model_id: str

    @property
    def broken(self) -> tuple[Finding, ...]:
        """Where the promise cannot be kept, or somebody cannot be named."""
        return tuple(finding for finding in self.findings if not finding.promise)


def household_health(store: Store, config: Config, now: float) -> HouseholdHealth:
    """Examine everybody enrolled. Blocks; loads no model. Raises StoreError and ModelError.

    ``now``: seconds since the epoch; cameras are judged by the visits of the last thirty days.
    """
    config = effective(config, store)
    model_id = wiring.wanted_models(config)[1].model_id
    stored = store.gallery(model_id)
    recognition = recognition_of(stored, config)
    calibration = calibration_for(model_id, config.models_dir)
    asked = Asked(asked_rate(config), recognition.policy, calibration, limits_for(calibration))
    eyes = {
        template.template_id: quality.interocular_px
        for template in stored.templates
        if not template.adapted and (quality := store.quality(template.template_id)) is not None
    }
    health = examine_health(stored, recognition.gallery, asked, eyes)
    seen = cameras_of(store.sightings(since=now - _REMEMBERED_SECONDS, limit=-1))
    return HouseholdHealth(health, findings(health, seen), stored, model_id)


def cameras_of(sightings: Sequence[SightingRecord]) -> list[CameraRecord]:
    """What each camera's visits came to, by camera."""
    records: dict[str, CameraRecord] = {}
    for sighting in sightings:
        record = records.setdefault(sighting.camera, CameraRecord(sighting.camera, 0, 0, {}))
        unnamed = sighting.subject_id is None
        for reason in sighting.reasons if unnamed else ():
            record.reasons[reason] = record.reasons.get(reason, 0) + 1
        records[sighting.camera] = CameraRecord(
            record.camera, record.visits + 1, record.unnamed + unnamed, record.reasons
        )
    return [records[camera] for camera in sorted(records)]
