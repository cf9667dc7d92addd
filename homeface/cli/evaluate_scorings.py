"""``homeface evaluate scorings``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from homeface.cli.evaluate_options import answer, asked_rates, folder_argument, work_of, work_options
from homeface.cli.options import print_table


@click.command("scorings", short_help="Ways of telling a score: who names more at as many false names?")
@folder_argument
@click.option("--households", default=300, show_default=True, type=click.IntRange(2, 10000))
@click.option("--subjects", default=4, show_default=True, type=click.IntRange(2, 20))
@click.option("--photos", default=5, show_default=True, type=click.IntRange(1, 20))
@click.option(
    "--ask", multiple=True, default=("1/100", "1/1000", "1/10000"), show_default=True, help="Rates of FPIR."
)
@click.option(
    "--most", default=20, show_default=True, type=click.IntRange(min=0), help="Pictures of one person."
)
@click.option("--seed", default=2, show_default=True)
@click.option(
    "--groups",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder named as UTKFace is: tell the spread of FPIR between groups too.",
)
@click.option(
    "--way", "ways", multiple=True, help="Only this way; may be repeated, the first is compared with."
)
@work_options
def scorings(folder: Path, ask: tuple[str, ...], **options: Any) -> None:
    """Ways of telling a score compared on the same searches.

    Beside the core's score: bare cosine, tails fitted by subject and by probe, the nearest of a crowd,
    within-class covariance, templates weighted by quality, likelihood ratios that depend on quality. Each
    learns from one half of the people and is told on the other: FNIR at the same FPIR (thresholds from these
    strangers), then both with thresholds set on the half that was learned from, and the 95 % interval of how
    many misses it saves against the first. Only scores decide here: no lead over a runner-up, no votes.
    Several embedders are told one by one and joined.
    """
    from homeface.lab.evaluation.scoring.comparing import WAYS, ScoringsRequest, evaluate_scorings
    from homeface.lab.evaluation.street import Protocol

    if options["report_path"] is not None:
        raise click.UsageError("--report draws no curves of this protocol; use --json.")
    unknown = [name for name in options["ways"] if name not in WAYS]
    if unknown:
        raise click.BadParameter(
            f"there is no way {unknown[0]!r}. Known: {'; '.join(WAYS)}.", param_hint="--way"
        )
    request = ScoringsRequest(
        folder=folder,
        groups=options["groups"],
        rates=asked_rates(ask),
        protocol=Protocol(
            households=options["households"],
            subjects=options["subjects"],
            photos=options["photos"],
            seed=options["seed"],
        ),
        most=options["most"],
        ways=options["ways"] or tuple(WAYS),
    )
    answer(evaluate_scorings(request, work_of(options)), show_scorings, options)


def show_scorings(told: dict[str, Any]) -> None:
    """One table, and one of the groups."""
    data = told["data"]
    click.echo(
        f"{told['model_id']}: {data['households']} households of {data['subjects']} with {data['photos']} "
        f"photos each, {data['people']} people. All figures in %; FNIR at FPIR "
        f"{' / '.join(told['rates'])}."
    )
    compared = told["compared_at"]
    rows = []
    for row in told["ways"]:
        probe, visit = row["probe"], row["visit"]
        low, high = probe["fewer_misses_than_the_first"]
        rows.append(
            (
                row["way"],
                _slashed(probe["fnir_at"]),
                _slashed(probe["fnir_without_suspects_at"]),
                _slashed(visit["fnir_at"]),
                _both(probe["set_beforehand"][compared]),
                _both(visit["set_beforehand"][compared]),
                f"{100 * low:+.2f} to {100 * high:+.2f}",
            )
        )
    print_table(
        (
            "way",
            "probe",
            "without suspects",
            "visit",
            f"set beforehand {compared}, probe: FPIR / FNIR",
            "visit",
            "misses saved",
        ),
        rows,
    )
    if "groups" in told:
        show_groups(told["groups"])


def show_groups(told: list[dict[str, Any]]) -> None:
    """Spread of FPIR between groups, by way."""
    rates = list(told[0]["at"])
    print_table(
        ("way", *(f"spread between groups at {rate} in all, %" for rate in rates)),
        [(row["way"], *(f"{100 * row['at'][rate]['spread']:.2f}" for rate in rates)) for row in told],
    )


def _slashed(rates: Mapping[str, float]) -> str:
    return " / ".join(f"{100 * value:.2f}" for value in rates.values())


def _both(rates: Mapping[str, float]) -> str:
    return f"{100 * rates['fpir']:.3f} / {100 * rates['fnir']:.2f}"
