"""From a wished rate of false names to a policy, by figures measured once per embedding model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import NormalDist
from types import MappingProxyType
from typing import Any

from homeface.core.identification import Policy
from homeface.core.strangers import Strangers, strangers_as_json, strangers_from
from homeface.errors import ModelError

STRICTNESS: Mapping[str, float] = MappingProxyType(
    {"relaxed": 1 / 100, "normal": 1 / 1000, "strict": 1 / 10000}
)
"""Words for the false names allowed per visit of a stranger."""

SAFETY, VISIT_SAFETY = 1.25, 2.0
"""Thresholds aim this many times below the asked rate: the world has more strangers than a test set.

For visits, where a promise is made and misses are rare, more than for single pictures.
"""
SUPPORT_SHARE = 0.65
"""A look speaks for a subject from this share of the visit's threshold on."""
EARLY_SHARE = 0.1
"""Share of the asked rate that visits may use up before they have ``min_votes`` looks."""

Quantiles = tuple[tuple[float, float], ...]
"""(rate, threshold) pairs, rates falling, thresholds rising."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was measured about one embedding model. Figures only: no face and no template is in it.

    ``visit`` and ``single``: share of (stranger, subject) pairs whose score reaches the threshold, for the
    mean face at any moment of a visit from its third look on (where the looks agree), and for one picture;
    ``support``: score that 0.3 % of strangers' looks reach at one subject. Scores are those of
    ``identification.comparable`` with these ``strangers``.
    The other fields become those of ``Policy``. ``provenance`` says from what and when it was measured;
    its ``people_digest`` is the fingerprint of the names of the people it was measured on.
    """

    model_id: str
    visit: Quantiles
    single: Quantiles
    support: float
    margin: float = 0.08
    few_templates_extra: tuple[float, ...] = ()
    small_px: float = 16.0
    small_extra: float = 0.0
    infrared_extra: float = 0.0
    crowd_share: float = 0.0
    crowd_free: float = 0.0
    kin_share: float = 0.0
    kin_free: float = 0.25
    strangers: Strangers | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises ModelError for tables that are empty or not monotone."""
        for name, table in (("visit", self.visit), ("single", self.single)):
            rates = [rate for rate, _ in table]
            thresholds = [threshold for _, threshold in table]
            if (
                len(table) < 2
                or sorted(rates, reverse=True) != rates
                or len(set(rates)) != len(rates)
                or sorted(thresholds) != thresholds
                or not all(0 < rate < 1 for rate in rates)
            ):
                raise ModelError(
                    f"The calibration of {self.model_id} has no usable {name!r} table: it needs at least two "
                    "pairs of a falling rate in (0, 1) and a rising threshold."
                )


def calibration_from(data: Mapping[str, Any]) -> Calibration:
    """A calibration from its JSON form. Raises ModelError when figures are missing or malformed.

    Files of earlier versions have no figures of strangers: their scores are bare cosines.
    """
    try:
        return Calibration(
            model_id=str(data["model_id"]),
            visit=_pairs(data["visit"]),
            single=_pairs(data["single"]),
            support=float(data["support"]),
            margin=float(data["margin"]),
            few_templates_extra=tuple(float(value) for value in data["few_templates_extra"]),
            small_px=float(data["small_px"]),
            small_extra=float(data["small_extra"]),
            infrared_extra=float(data["infrared_extra"]),
            crowd_share=float(data.get("crowd_share", 0.0)),
            crowd_free=float(data.get("crowd_free", 0.0)),
            kin_share=float(data.get("kin_share", 0.0)),
            kin_free=float(data.get("kin_free", 0.25)),
            strangers=strangers_from(data["strangers"]) if data.get("strangers") else None,
            provenance={str(key): str(value) for key, value in data["provenance"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"A calibration file is damaged ({error!r}): install homeface again.") from error


def calibration_as_json(calibration: Calibration) -> dict[str, Any]:
    """The form ``calibration_from`` reads."""
    strangers = calibration.strangers
    return {
        "model_id": calibration.model_id,
        "provenance": dict(calibration.provenance),
        "visit": [list(row) for row in calibration.visit],
        "single": [list(row) for row in calibration.single],
        "support": calibration.support,
        "margin": calibration.margin,
        "few_templates_extra": list(calibration.few_templates_extra),
        "small_px": calibration.small_px,
        "small_extra": calibration.small_extra,
        "infrared_extra": calibration.infrared_extra,
        "crowd_share": calibration.crowd_share,
        "crowd_free": calibration.crowd_free,
        "kin_share": calibration.kin_share,
        "kin_free": calibration.kin_free,
        "strangers": None if strangers is None else strangers_as_json(strangers),
    }


def calibration_file(model_id: str) -> str:
    """Name of the file in which the figures of a model are kept."""
    return model_id.replace("/", "__") + ".json"


def policy_for(
    calibration: Calibration,
    false_names_per_visit: float,
    *,
    subjects: int = 4,
    min_votes: int = 3,
) -> Policy:
    """The policy that names at most that share of strangers' visits, with so many people in the gallery.

    Each subject is one more chance for a false name: the rate is split between them (union bound), and
    part of it is kept in reserve (``SAFETY``). Of the rest, a visit may use ``EARLY_SHARE`` before it has
    ``min_votes`` looks. For ``identify_one`` the rate holds for each picture.
    Raises ValueError for a rate outside (0, 1) or fewer than one subject.
    """
    if not 0 < false_names_per_visit < 1:
        raise ValueError(f"a rate of false names lies between 0 and 1, not {false_names_per_visit}")
    if subjects < 1:
        raise ValueError(f"a policy needs at least one subject, not {subjects}")
    rate = false_names_per_visit / subjects
    threshold = threshold_for(calibration.visit, rate / VISIT_SAFETY)
    single = threshold_for(calibration.single, rate / SAFETY)
    return Policy(
        threshold=threshold,
        single_threshold=single,
        early_extra=threshold_for(calibration.single, rate * EARLY_SHARE / VISIT_SAFETY) - single,
        margin=calibration.margin,
        min_votes=min_votes,
        support=SUPPORT_SHARE * threshold,
        rival=calibration.support,
        few_templates_extra=calibration.few_templates_extra,
        small_px=calibration.small_px,
        small_extra=calibration.small_extra,
        infrared_extra=calibration.infrared_extra,
        crowd_share=calibration.crowd_share,
        crowd_free=calibration.crowd_free,
        kin_share=calibration.kin_share,
        kin_free=calibration.kin_free,
        strangers=calibration.strangers,
    )


def threshold_for(table: Sequence[tuple[float, float]], rate: float) -> float:
    """Threshold of a rate: linear in the rate's normal quantile, beyond the table's end straight on.

    The slope beyond is the steeper of the last step and the last two together. Strangers' cosines are
    close to normal and have an end at 1, so their far tail lies below this line (checked in
    docs/recognition-figures.md). A rate above the table's first one gets that one's threshold.
    """
    points = [(_quantile(r), threshold) for r, threshold in table]
    wanted = _quantile(rate)
    if wanted <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in pairwise(points):
        if wanted <= x1:
            return y0 + (y1 - y0) * (wanted - x0) / (x1 - x0)
    x1, y1 = points[-1]
    slope = max((y1 - y0) / (x1 - x0) for x0, y0 in points[-3:-1])
    return min(1.0, y1 + slope * (wanted - x1))


def _quantile(rate: float) -> float:
    """Standard normal value that is exceeded at this rate."""
    return -NormalDist().inv_cdf(rate)


def _pairs(rows: Sequence[Sequence[float]]) -> Quantiles:
    return tuple((float(rate), float(threshold)) for rate, threshold in rows)
