"""``homeface evaluate second-opinion``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from homeface.cli.evaluate_options import answer, asked_rates, folder_argument, work_of, work_options
from homeface.cli.evaluate_tables import with_interval
from homeface.cli.options import print_table


@click.command("second-opinion", short_help="Does a classifier of the household beat the gallery?")
@folder_argument
@click.option("--households", default=100, show_default=True, type=click.IntRange(1, 10000))
@click.option("--subjects", default=4, show_default=True, type=click.IntRange(1, 20))
@click.option("--photos", default=8, show_default=True, type=click.IntRange(2, 50), help="Of each member.")
@click.option(
    "--unknown", default=100, show_default=True, type=click.IntRange(10), help="Strangers learned from."
)
@click.option(
    "--ask", multiple=True, default=("1/100", "1/1000"), show_default=True, help="Rate of false names."
)
@click.option(
    "--most", default=20, show_default=True, type=click.IntRange(min=0), help="Pictures of one person."
)
@click.option("--seed", default=4, show_default=True)
@work_options
def second_opinion(folder: Path, ask: tuple[str, ...], most: int, **options: Any) -> None:
    """Does a classifier of the household beat the gallery at the same rate of false names?

    Random households are enrolled, and a classifier is trained on the same photos with a hundred strangers as
    "nobody of us" (what `homeface lab train-household` does over a frozen network). Then single pictures of
    members and of other strangers are met. Each rule is told at the threshold at which these strangers get a
    name at the asked rate; only misses (FNIR) differ.
    """
    from homeface.lab.evaluation.second_opinion import OpinionRequest, evaluate_second_opinion

    request = OpinionRequest(
        folder=folder,
        asked=asked_rates(ask),
        households=options["households"],
        subjects=options["subjects"],
        photos=options["photos"],
        unknown=options["unknown"],
        most=most,
        seed=options["seed"],
    )
    if options["report_path"] is not None:
        raise click.UsageError("--report draws no curves of this protocol; use --json.")
    answer(evaluate_second_opinion(request, work_of(options)), show_second_opinion, options)


def show_second_opinion(told: dict[str, Any]) -> None:
    """One table for all rates."""
    click.echo(
        f"{told['model_id']}: {told['households']} households of {told['subjects']} with {told['photos']} "
        f"photos each; {told['unknown']} strangers taught the classifier what 'nobody of us' is."
    )
    rows = [
        (
            entry["asked"],
            rule,
            with_interval(rates["fpir"]),
            with_interval(rates["fnir"]),
            rates.get("missed_by_it_alone"),
            rates.get("missed_by_the_gallery_alone"),
        )
        for entry in told["asked"]
        for rule, rates in entry["rules"].items()
    ]
    print_table(("asked", "rule", "FPIR", "FNIR", "missed by it alone", "missed by the gallery alone"), rows)
    for entry in told["asked"]:
        click.echo(f"At {entry['asked']} {entry['verdict']}.")
