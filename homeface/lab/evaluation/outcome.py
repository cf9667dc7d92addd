"""From trials to what is told: one mapping of plain values, the same for JSON, tables and the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from homeface.core.metrics import Rate, wilson
from homeface.lab.evaluation.judging import Judge
from homeface.lab.evaluation.simulation import Result
from homeface.lab.evaluation.trials import (
    Resampling,
    Trials,
    det_points,
    false_names,
    misses,
    threshold_of,
)
from homeface.lab.peers.rules import FACE_RECOGNITION, Rule, rules_for

KINDS = ("probe", "visit")
Told = dict[str, Any]
_NO_THRESHOLD = 1e9
"""Beyond this a threshold is the mark that anything is named, or nothing."""


def told_rate(rate: Rate, threshold: float | None = None, people: int | None = None) -> Told:
    """A rate as plain values; None where nothing was counted."""
    told: Told = {
        "value": rate.hits / rate.total if rate.total else None,
        "low": rate.low if rate.total else None,
        "high": rate.high if rate.total else None,
        "hits": rate.hits,
        "total": rate.total,
    }
    if threshold is not None:
        told["threshold"] = round(threshold, 4) if abs(threshold) < _NO_THRESHOLD else None
    if people is not None:
        told["people"] = people
    return told


def in_words(rate: float) -> str:
    """``1/1000`` where that is what it is, else the number."""
    fraction = Fraction(rate).limit_denominator(10_000_000)
    return f"1/{fraction.denominator}" if fraction.numerator == 1 else f"{rate:g}"


def told_promises(
    result: Result, judges: Sequence[Judge], asked: Sequence[float], resampling: Resampling
) -> list[Told]:
    """What each asked rate gave. ``judges``: one a fold, for the thresholds."""
    return [_promise(result, judges, rate, resampling) for rate in asked]


def _promise(result: Result, judges: Sequence[Judge], rate: float, resampling: Resampling) -> Told:
    step = judges[0].step(rate)
    policies = [judge.policies[step] for judge in judges]
    thresholds = {
        "visit": float(np.mean([policy.threshold for policy in policies])),
        "probe": float(np.mean([policy.single_threshold or 1.0 for policy in policies])),
    }
    waits = np.array(result.waits.get(rate, []), np.int64)
    told: Told = {
        "asked": in_words(rate),
        "rate": rate,
        "threshold": {kind: round(value, 4) for kind, value in thresholds.items()},
    }
    told |= _rates(result.own, dict.fromkeys(KINDS, float(step + 1)), thresholds, resampling)
    for kind in KINDS:
        measured = told["fpir_measured"][kind]
        measured["keeps_promise"] = bool(
            measured["total"] and (measured["value"] <= 2 * rate or measured["low"] <= rate)
        )
        measured["within_a_factor_of_2_or_covered"] = bool(
            measured["total"]
            and (rate / 2 <= measured["value"] <= 2 * rate or measured["low"] <= rate <= measured["high"])
        )
    clean = _without_doubtful(result.own)
    told["without_suspects"] = _rates(clean, dict.fromkeys(KINDS, float(step + 1)), thresholds, resampling)
    named = waits[waits > 0]
    told["time_to_name"] = {
        "looks_median": float(np.median(named)) if len(named) else None,
        "looks_mean": round(float(named.mean()), 3) if len(named) else None,
        "looks_95th": float(np.quantile(named, 0.95)) if len(named) else None,
        "not_named_on_the_way": round(float((waits == 0).mean()), 5) if len(waits) else None,
        "visits": len(waits),
    }
    return told


def _rates(
    trials: Mapping[str, Trials],
    at: Mapping[str, float],
    thresholds: Mapping[str, float],
    resampling: Resampling,
) -> Told:
    return {
        "fpir_measured": {
            kind: told_rate(
                resampling.fpir(trials[kind], at[kind]), thresholds[kind], trials[kind].different_strangers
            )
            for kind in KINDS
        },
        "fnir": {
            kind: told_rate(
                resampling.fnir(trials[kind], at[kind]), thresholds[kind], trials[kind].different_members
            )
            for kind in KINDS
        },
        "wrong_names_of_members": {
            kind: told_rate(resampling.wrong(trials[kind], at[kind])) for kind in KINDS
        },
    }


def told_det(result: Result, ladder: Sequence[float]) -> Told:
    """The curve of the core along the asked rates: (asked rate, FPIR, FNIR)."""
    steps = [float(number + 1) for number in range(len(ladder))]
    return {
        kind: [
            [ladder[round(step) - 1], fpir, fnir] for step, fpir, fnir in det_points(result.own[kind], steps)
        ]
        for kind in KINDS
    }


def told_at_measured(
    result: Result, ladder: Sequence[float], rates: Sequence[float], resampling: Resampling
) -> list[Told]:
    """The core at the loosest promise that these very strangers hold it to: as the peers are told."""
    told = []
    clean = _without_doubtful(result.own)
    for rate in rates:
        at = {kind: _loosest(result.own[kind], rate, len(ladder)) for kind in KINDS}
        clean_at = {kind: _loosest(clean[kind], rate, len(ladder)) for kind in KINDS}
        both = _both(result.own, at, resampling)
        for kind in KINDS:
            step = round(at[kind]) - 1
            for rates_of_kind in (both["fpir"][kind], both["fnir"][kind]):
                rates_of_kind.pop("threshold", None)
                rates_of_kind["asked"] = ladder[step] if step < len(ladder) else None
        told.append(
            {
                "asked": in_words(rate),
                "rate": rate,
                **both,
                "without_suspects": _both(clean, clean_at, resampling),
            }
        )
    return told


def _without_doubtful(trials: Mapping[str, Trials]) -> dict[str, Trials]:
    """Only searches whose labels are beyond doubt."""
    return {kind: part.only(~part.doubtful) for kind, part in trials.items()}


def _loosest(trials: Trials, rate: float, steps: int) -> float:
    """The first step at which these strangers get a name at most at this rate."""
    total = max(1, trials.strangers)
    for step in range(1, steps + 1):
        if false_names(trials, step).sum() <= rate * total:
            return float(step)
    return float(steps + 1)


def told_rank1(result: Result) -> Told:
    """Share of members' pictures whose best candidate is right, whatever the score."""
    return told_rate(wilson(*result.first_is_right))


def told_peers(
    result: Result,
    model_id: str,
    ladder: Sequence[float],
    asked: Sequence[float],
    resampling: Resampling,
) -> Told:
    """Every peer at its own threshold and at the asked rates, and the core at the same misses and names."""
    known = {rule.key: rule for rule in (*rules_for(model_id), FACE_RECOGNITION)}
    return {
        key: _peer(known[key], trials, result, model_id, (ladder, asked, resampling))
        for key, trials in result.peers.items()
        if trials["probe"].strangers
    }


def _peer(
    rule: Rule,
    trials: Mapping[str, Trials],
    result: Result,
    model_id: str,
    how: tuple[Sequence[float], Sequence[float], Resampling],
) -> Told:
    ladder, asked, resampling = how
    own = _both(trials, dict.fromkeys(KINDS, rule.threshold), resampling)
    at_rates = []
    clean = _without_doubtful(trials)
    for rate in asked:
        at = {kind: threshold_of(trials[kind], rate) for kind in KINDS}
        told: Told = {"asked": in_words(rate), "rate": rate, **_both(trials, at, resampling)}
        if all(clean[kind].strangers for kind in KINDS):
            clean_at = {kind: threshold_of(clean[kind], rate) for kind in KINDS}
            told["without_suspects"] = _both(clean, clean_at, resampling)
        at_rates.append(told)
    return {
        "title": rule.title,
        "embedding": "dlib" if rule is FACE_RECOGNITION else model_id,
        "unit": rule.unit,
        "visit_rule": rule.visit_rule,
        "own_threshold": own,
        "at_the_asked_rates": at_rates,
        "at_the_asked_rates_note": "thresholds taken from these very strangers, which flatters the peer",
        "homeface_at_the_same_misses": {
            kind: _at_same_misses(result.own[kind], trials[kind], rule.threshold, ladder) for kind in KINDS
        },
        "homeface_at_the_same_false_names": {
            kind: _at_same_names(result.own[kind], trials[kind], rule.threshold, ladder) for kind in KINDS
        },
    }


def _both(trials: Mapping[str, Trials], at: Mapping[str, float], resampling: Resampling) -> Told:
    told: Told = {"fpir": {}, "fnir": {}}
    for kind in KINDS:
        part, threshold = trials[kind], at[kind]
        told["fpir"][kind] = told_rate(resampling.fpir(part, threshold), threshold, part.different_strangers)
        told["fnir"][kind] = told_rate(resampling.fnir(part, threshold), threshold, part.different_members)
    return told


def _shares(trials: Trials, threshold: float) -> tuple[float, float]:
    strangers, members = max(1, trials.strangers), max(1, int(trials.member.sum()))
    return (
        float(false_names(trials, threshold).sum() / strangers),
        float(misses(trials, threshold).sum() / members),
    )


def _at_same_misses(own: Trials, peer: Trials, threshold: float, ladder: Sequence[float]) -> Told:
    """The strictest promise under which the core misses no more than the peer does."""
    their_fpir, their_fnir = _shares(peer, threshold)
    best: Told = {"reached": False}
    for number, rate in enumerate(ladder):
        fpir, fnir = _shares(own, number + 1)
        if fnir <= their_fnir:
            best = {"reached": True, "asked": rate, "fpir": fpir, "fnir": fnir}
    if not best["reached"]:  # the loosest promise there is
        fpir, fnir = _shares(own, 1)
        best |= {"asked": ladder[0], "fpir": fpir, "fnir": fnir}
    best["peer_fpir"], best["peer_fnir"] = their_fpir, their_fnir
    best["fewer_false_names"] = bool(best["reached"] and best["fpir"] < their_fpir)
    return best


def _at_same_names(own: Trials, peer: Trials, threshold: float, ladder: Sequence[float]) -> Told:
    """The loosest promise under which the core gives no more false names than the peer does."""
    their_fpir, their_fnir = _shares(peer, threshold)
    for number, rate in enumerate(ladder):
        fpir, fnir = _shares(own, number + 1)
        if fpir <= their_fpir:
            return {
                "asked": rate,
                "fpir": fpir,
                "fnir": fnir,
                "peer_fpir": their_fpir,
                "peer_fnir": their_fnir,
                "fewer_misses": fnir < their_fnir,
            }
    return {"asked": None, "peer_fpir": their_fpir, "peer_fnir": their_fnir}
