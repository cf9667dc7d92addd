"""Tables of ``homeface evaluate`` for people."""

from __future__ import annotations

from typing import Any

import click

from homeface.cli.options import print_table

Told = dict[str, Any]


def percent(value: float | None) -> str:
    """A share in percent, with as many digits as it needs."""
    if value is None:
        return "–"
    if value == 0:
        return "0 %"
    if value < 0.001:
        return f"{100 * value:.4f} %"
    return f"{100 * value:.2f} %" if value < 0.1 else f"{100 * value:.1f} %"


def with_interval(rate: Told) -> str:
    """``0.10 % [0.05, 0.2 %]``."""
    if rate["value"] is None:
        return "–"
    return f"{percent(rate['value'])} [{percent(rate['low'])}, {percent(rate['high'])}]"


def show_household(told: Told) -> None:
    """The household protocol."""
    data = told["data"]
    click.echo(
        f"{told['model_id']}: {data['households']} households of {data['subjects']} with {data['photos']} "
        f"photos each, {data['people']} people, {data['pictures']} pictures; visits of "
        f"{data['looks_of_a_visit']} looks."
    )
    if data["looks_of_a_visit"] < data["looks_asked_for"]:
        click.echo(
            f"Visits of {data['looks_asked_for']} looks were asked for; too few people have so many pictures."
        )
    if told["condition"] != "clean":
        click.echo(f"Enrolled from clean pictures, met as {told['condition']}.")
    click.echo(f"Thresholds: {told['tuning']['text']}.")
    print_table(
        ("asked", "of", "FPIR measured", "FNIR", "threshold", "wrong names", "looks to a name"),
        [
            (
                entry["asked"],
                kind,
                with_interval(entry["fpir_measured"][kind]),
                with_interval(entry["fnir"][kind]),
                entry["threshold"][kind],
                entry["wrong_names_of_members"][kind]["hits"],
                entry["time_to_name"]["looks_median"] if kind == "visit" else None,
            )
            for entry in told["asked"]
            for kind in ("probe", "visit")
        ],
    )
    click.echo(
        f"Rank 1: the best candidate is the right one, whatever the score, for "
        f"{with_interval(told['rank1'])} of the {told['rank1']['total']} pictures of members."
    )
    if told["suspects"]["list"] and not told["suspects"]["excluded"]:
        print_table(
            ("asked", "of", "FPIR without suspects", "FNIR without suspects"),
            [
                (
                    entry["asked"],
                    kind,
                    with_interval(entry["without_suspects"]["fpir_measured"][kind]),
                    with_interval(entry["without_suspects"]["fnir"][kind]),
                )
                for entry in told["asked"]
                for kind in ("probe", "visit")
            ],
        )
    show_peers(told)
    show_suspects(told["suspects"])


def show_peers(told: Told) -> None:
    """Other projects' rules beside ours."""
    for reason in told.get("peers_left_out", {}).items():
        click.echo(f"Without {reason[0]}: {reason[1]}.")
    if not told["peers"]:
        return
    print_table(
        (
            "peer, own threshold",
            "of",
            "FPIR",
            "FNIR",
            "homeface at those misses: FPIR",
            "at those names: FNIR",
        ),
        [
            (
                f"{peer['title']} {peer['own_threshold']['fpir'][kind]['threshold']}",
                kind,
                percent(peer["own_threshold"]["fpir"][kind]["value"]),
                percent(peer["own_threshold"]["fnir"][kind]["value"]),
                _same(peer["homeface_at_the_same_misses"][kind], "fpir"),
                _same(peer["homeface_at_the_same_false_names"][kind], "fnir"),
            )
            for peer in told["peers"].values()
            for kind in ("probe", "visit")
        ],
    )
    print_table(
        ("FNIR at the same FPIR; without suspects", "of", *(entry["asked"] for entry in told["asked"])),
        [
            (title, kind, *(_with_and_without(entry, kind) for entry in rates))
            for title, rates in (
                ("homeface, threshold set beforehand", told["asked"]),
                ("homeface, set on these strangers", told["at_measured_rates"]),
                *((peer["title"], peer["at_the_asked_rates"]) for peer in told["peers"].values()),
            )
            for kind in ("probe", "visit")
        ],
    )
    click.echo(
        "Thresholds in that table are taken from these very strangers, which flatters; "
        "but for the first two rows."
    )


def _with_and_without(entry: Told, kind: str) -> str:
    """``0.58 %; 0.23 %``: of all, and without suspicious labels."""
    clean = entry.get("without_suspects", {}).get("fnir", {}).get(kind, {}).get("value")
    return f"{percent(entry['fnir'][kind]['value'])}; {percent(clean)}"


def _same(told: Told, what: str) -> str:
    if what not in told:
        return "–"
    return percent(told[what]) + ("" if told.get("reached", True) else " (with more misses)")


def show_suspects(told: Told) -> None:
    """Labels that look wrong."""
    if not told["list"]:
        return
    click.echo("Left out:" if told["excluded"] else "Labels that look wrong:")
    for line in told["list"]:
        click.echo(f"  {line}")


def show_degraded(told: Told) -> None:
    """Conditions of home cameras."""
    data = told["data"]
    click.echo(
        f"{told['model_id']}: {data['households']} households of {data['subjects']} with {data['photos']} "
        f"photos each; {data['pictures']} pictures. {told['tuning']['text']}."
    )
    click.echo(told["note"])
    print_table(
        ("condition", "found", "usable", "asked", "FPIR probe", "FPIR visit", "FNIR probe", "FNIR visit"),
        [
            (
                f"{row['condition']} ({row['text']})",
                percent(row["faces_found"]),
                percent(row["faces_usable"]),
                entry["asked"],
                percent(entry["fpir_measured"]["probe"]["value"]),
                percent(entry["fpir_measured"]["visit"]["value"]),
                percent(entry["fnir"]["probe"]["value"]),
                f"{with_interval(entry['fnir']['visit'])} of {row['looks_of_a_visit']} looks",
            )
            for row in told["conditions"]
            for entry in row["asked"]
        ],
    )
    for row in told["conditions"]:
        if "why_not" in row:
            click.echo(f"{row['condition']}: {row['why_not']}")


def show_verification(told: Told) -> None:
    """1:1."""
    click.echo(
        f"{told['model_id']}: accuracy {percent(told['accuracy'])} ± "
        f"{percent(told['accuracy_standard_deviation'])} over {told['folds']} folds ({told['pairs']} pairs), "
        f"threshold {told['threshold']}, FMR {percent(told['fmr'])}, FNMR {percent(told['fnmr'])}."
    )
    for target in ("0.01", "0.001"):
        missed = told.get(f"fnmr_at_fmr_{target}")
        if missed is not None:
            click.echo(f"FNMR at an FMR of {percent(float(target))}: {percent(missed)}.")
    if told["pairs_without_a_face"] or told["pairs_without_pictures"]:
        click.echo(
            f"{told['pairs_without_a_face']} pairs with a picture without a face (taken for two people), "
            f"{told['pairs_without_pictures']} pairs whose pictures are not here (left out)."
        )


def show_fairness(told: Told) -> None:
    """Groups of people."""
    data = told["data"]
    sizes = ", ".join(f"{name} {count}" for name, count in data["groups"].items())
    click.echo(f"{told['model_id']}, groups by {told['by']}: {sizes}.")
    if data["groups_too_small"]:
        small = ", ".join(f"{name} {count}" for name, count in data["groups_too_small"].items())
        click.echo(f"Too small to be told: {small}.")
    names = list(data["groups"])
    rows = []
    for entry in told["asked"]:
        for key, title in (
            ("homeface", "homeface"),
            ("global_threshold_same_total", "one threshold, as many in all"),
            ("global_threshold_at_the_asked_rate", "one threshold, at the asked rate"),
        ):
            if key in entry:
                found = entry[key]
                rows.append(
                    (
                        entry["asked"],
                        title,
                        *(percent(found["groups"][name]["value"]) for name in names),
                        percent(found["spread"]),
                        "–" if found["highest_to_mean"] is None else f"{found['highest_to_mean']:.2f}",
                    )
                )
    print_table(("asked", "FPIR of", *names, "spread", "highest / mean"), rows)
    print_table(
        ("distance", *told["distances"]["groups"], "sum of squares a picture"),
        [
            (name, *(f"{value:.3f}" for value in line), told["within_group_sum_of_squares"][name])
            for name, line in zip(
                told["distances"]["groups"], told["distances"]["mean_cosine_distance"], strict=True
            )
        ],
    )


def show_alternatives(told: Told) -> None:
    """Networks and cuts."""
    data = told["data"]
    click.echo(
        f"{data['households']} households of {data['subjects']} with {data['photos']} photos each, "
        f"{data['pictures']} pictures. {told['note']}"
    )
    asked = [entry["asked"] for entry in told["embedders"][0]["asked"]]
    print_table(
        (
            "embedder",
            "ms a face",
            *(f"{kind} at {rate}" for rate in asked for kind in ("probe", "visit")),
            "figures shipped",
        ),
        [
            (
                row["model_id"],
                row["cpu_ms_per_face"],
                *(
                    percent(entry["fnir"][kind]["value"])
                    for entry in row["asked"]
                    for kind in ("probe", "visit")
                ),
                "yes" if row["calibrated"] else "no",
            )
            for row in told["embedders"]
        ],
    )
