"""The health of a household's gallery: from the store and the configuration to figures and sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from homeface.adapters.store import SightingRecord, Store
from homeface.config import Config
from homeface.core.gallery import Gallery
from homeface.core.health import Asked, Health, PersonHealth, examine_health
from homeface.core.health_findings import CameraRecord, Finding, findings
from homeface.core.templates import limits_for
from homeface.inference.calibration import calibration_for
from homeface.service import wiring
from homeface.service.recognition import asked_rate, recognition_of
from homeface.service.settings import effective

_REMEMBERED_SECONDS = 30 * 86400.0


@dataclass(frozen=True, slots=True, eq=False)
class HouseholdHealth:
    """Figures, what to say about them, and the gallery they are about (everything stored).

    ``used``: the templates that are compared with.
    """

    health: Health
    findings: tuple[Finding, ...]
    gallery: Gallery
    model_id: str
    used: frozenset[str]

    @property
    def broken(self) -> tuple[Finding, ...]:
        """Where the promise cannot be kept, or somebody cannot be named."""
        return tuple(finding for finding in self.findings if not finding.promise)


def household_health(
    store: Store, config: Config, now: float, model_id: str | None = None
) -> HouseholdHealth:
    """Examine everybody enrolled. Blocks; loads no model. Raises StoreError and ModelError.

    ``model_id``: the embedder in use (None: the one that the configuration names). ``now``: seconds since the
    epoch; cameras are judged by the visits of the last thirty days.
    """
    config = effective(config, store)
    model_id = model_id or wiring.wanted_models(config)[1].model_id
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
    used = frozenset(template.template_id for template in recognition.gallery.templates)
    return HouseholdHealth(health, findings(health, seen), stored, model_id, used)


def as_data(found: HouseholdHealth) -> dict[str, object]:
    """The figures and findings in JSON types, for ``--json`` and the API."""
    health = found.health
    return {
        "model": found.model_id,
        "asked_false_names": health.asked,
        "expected_false_names": health.false_names,
        "promise_kept": not found.broken,
        "people": [_person(person, health) for person in health.people],
        "findings": [
            {
                "topic": str(finding.topic),
                "promise_kept": finding.promise,
                "text": finding.text,
                "help": finding.help,
                "people": [health.name(subject_id) for subject_id in finding.subjects],
                "photos": list(finding.templates),
                "figures": finding_figures(finding),
            }
            for finding in found.findings
        ],
    }


def finding_figures(finding: Finding) -> dict[str, float | str]:
    """The figures of a sentence, rounded as nobody reads more of them."""
    return {
        name: round(value, 5) if isinstance(value, float) else value
        for name, value in finding.figures.items()
    }


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


def _person(person: PersonHealth, health: Health) -> dict[str, object]:
    near = person.nearest
    return {
        "id": person.subject_id,
        "name": person.name,
        "photos_day": person.day,
        "photos_infrared": person.infrared,
        "photos_resting": person.resting,
        "photos_of_other_model": person.other_model,
        "learned": person.adapted,
        "spread": round(person.spread, 4),
        "fit": None if person.fit is None else round(person.fit, 4),
        "score_needed": round(person.threshold, 4),
        "expected_false_names": person.false_names,
        "expected_misses": person.misses,
        "photos_disagree": person.mixed,
        "outliers": [
            {
                "photo": outlier.template_id,
                "fit": round(outlier.fit, 4),
                "needed": round(outlier.needed, 4),
                "like": None if outlier.like is None else health.name(outlier.like),
                "used": not outlier.aside,
            }
            for outlier in person.outliers
        ],
        "nearest": None
        if near is None
        else {
            "name": health.name(near.subject_id),
            "score": round(near.score, 4),
            "expected_mistaken": near.mistaken,
            "expected_undecided": near.undecided,
            "promise_kept": near.kept,
        },
    }
