"""The household report as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np

from homeface.core.gallery import Gallery
from homeface.core.gallery_map import GalleryMap, map_of
from homeface.core.health import Health, PersonHealth
from homeface.core.health_findings import Finding, in_one, miss_words

MARK = "<!-- homeface household report -->"
"""Second line of every report: what carries it may be overwritten by the next one."""


@dataclass(frozen=True, slots=True)
class Report:
    """The page, and its pictures as (name, caption, PNG)."""

    html: str
    pictures: Sequence[tuple[str, str, bytes]]


def report_of(
    gallery: Gallery, health: Health, findings: Sequence[Finding], model_id: str, now: float
) -> Report:
    """Draw and write everything. Raises ImportError without matplotlib or jinja2.

    ``gallery``: everything stored; ``now``: seconds since the epoch.
    """
    from jinja2 import Environment, StrictUndefined

    from homeface.lab.report.drawing import pictures

    mapped = map_of(gallery)
    aside = {outlier.template_id for person in health.people for outlier in person.outliers}
    drawn = pictures(gallery, mapped, aside)
    source = resources.files(__package__).joinpath("page.html.j2").read_text(encoding="utf-8")
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    html = page.from_string(source).render(
        when=time.strftime("%Y-%m-%d %H:%M", time.localtime(now)),
        model=model_id,
        asked=in_one(health.asked),
        expected=in_one(health.false_names),
        people=[_row(person, health, gallery, mapped) for person in health.people],
        findings=findings,
        templates=len(gallery.templates),
        explained=f"{mapped.explained.sum():.0%}",
        pictures=[(name, caption, base64.b64encode(png).decode()) for name, caption, png in drawn],
    )
    head, _, rest = html.partition("\n")
    return Report(f"{head}\n{MARK}\n{rest}\n", drawn)


def _row(person: PersonHealth, health: Health, gallery: Gallery, mapped: GalleryMap) -> dict[str, str]:
    """One person in words."""
    own = np.array([t.subject_id == person.subject_id for t in gallery.templates], dtype=bool)
    farthest = float(mapped.mahalanobis[own].max()) if own.any() else None
    near = person.nearest
    return {
        "name": person.name,
        "photos": f"{person.day} + {person.infrared}",
        "adapted": str(person.adapted),
        "resting": str(person.resting),
        "spread": f"{person.spread:.2f}" if person.photos else "–",
        "farthest": "–" if farthest is None else f"{farthest:.1f}",
        "fit": "–" if person.fit is None else f"{person.fit:.2f}",
        "threshold": f"{person.threshold:.2f}",
        "near": "–" if near is None else f"{health.name(near.subject_id)} ({near.score:.2f})",
        "kept": "" if near is None or near.kept else "no",
        "false_names": in_one(person.false_names),
        "misses": miss_words(person),
    }
