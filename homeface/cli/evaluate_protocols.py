"""``homeface evaluate degraded``, ``verify``, ``fairness`` and ``embedders``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from homeface.cli.evaluate_options import (
    answer,
    asked_rates,
    folder_argument,
    looks_of,
    require_report,
    work_of,
    work_options,
)

_households = click.option("--households", default=150, show_default=True, type=click.IntRange(1, 10000))
_subjects = click.option("--subjects", default=4, show_default=True, type=click.IntRange(1, 20))
_photos = click.option("--photos", default=5, show_default=True, type=click.IntRange(1, 20))
_most = click.option(
    "--most", default=15, show_default=True, type=click.IntRange(min=0), help="Pictures used of one person."
)


@click.command("degraded", short_help="Small, blurred, dark, infra-red, compressed faces.")
@folder_argument
@_subjects
@_photos
@_households
@_most
@click.option(
    "--ask", multiple=True, default=("1/1000",), show_default=True, help="Asked rate; may be repeated."
)
@click.option("--pictures", default=1500, show_default=True, help="Pictures that are degraded.")
@click.option(
    "--condition", "conditions", multiple=True, help="Only this condition; may be repeated. Default: all."
)
@click.option(
    "--tune",
    type=click.Choice(["shipped", "cross", "half"]),
    default="shipped",
    show_default=True,
    help="Figures behind the thresholds; see `evaluate household --help`.",
)
@work_options
def degraded(folder: Path, **options: Any) -> None:
    """What home cameras do to faces: FPIR and FNIR per condition, at one and the same promise.

    Members enrol clean pictures and are met, as strangers are, with faces of 24, 32, 48, 64 and 96 px,
    blurred by motion, noisy, dimly lit, grey as under infra-red light, and after a real H.264 encoder. Turned
    heads are not made but chosen by the yaw measured. A face that is refused as too poor gives no name: it
    counts as a miss of a member.
    """
    from homeface.cli.evaluate_tables import show_degraded
    from homeface.lab.evaluation.degraded import DegradedRequest, evaluate_degraded
    from homeface.lab.evaluation.street import Protocol
    from homeface.lab.evaluation.tuning import Tune
    from homeface.lab.evaluation.views import CONDITIONS

    known = {view.name: view for view in CONDITIONS}
    unknown = [name for name in options["conditions"] if name not in known]
    if unknown:
        raise click.BadParameter(
            f"there is no condition {unknown[0]!r}. Known: {', '.join(known)}.", param_hint="--condition"
        )
    request = DegradedRequest(
        folder=folder,
        asked=asked_rates(options["ask"]),
        protocol=Protocol(
            households=options["households"], subjects=options["subjects"], photos=options["photos"]
        ),
        tune=Tune(options["tune"]),
        most=options["most"],
        pictures=options["pictures"],
        conditions=tuple(known[name] for name in options["conditions"]) or CONDITIONS,
    )
    require_report(options)
    answer(evaluate_degraded(request, work_of(options)), show_degraded, options)


@click.command("verify", short_help="1:1 accuracy over pairs, as in publications.")
@folder_argument
@click.option(
    "--pairs",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="List of pairs in the format of LFW's pairs.txt.",
)
@work_options
def verify(folder: Path, pairs: Path, **options: Any) -> None:
    """1:1 accuracy over pairs of pictures, for comparison with published figures.

    The threshold of each fold is the best one of the other folds. Told are the accuracy with its standard
    deviation over the folds, FMR and FNMR. This says little about a household: 1:1 at an FMR of a percent is
    far from one false name in a thousand visits.
    """
    from homeface.cli.evaluate_tables import show_verification
    from homeface.lab.evaluation.verification import evaluate_verification

    require_report(options)
    answer(evaluate_verification(folder, pairs, work_of(options)), show_verification, options)


@click.command("fairness", short_help="False names per group of people.")
@folder_argument
@click.option(
    "--by",
    type=click.Choice(["race", "gender", "age", "race-gender"]),
    default="race",
    show_default=True,
    help="What makes a group, where file names or the CSV file tell it.",
)
@click.option(
    "--labels",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV file with the columns file, age, gender, race (FairFace's).",
)
@click.option("--ask", multiple=True, default=("1/10", "1/100", "1/1000"), show_default=True)
@click.option("--households", default=300, show_default=True, type=click.IntRange(1, 10000))
@_subjects
@click.option("--least", default=20, show_default=True, help="Leave out groups with fewer usable pictures.")
@work_options
def fairness(folder: Path, **options: Any) -> None:
    """False names per group of people, at one setting, beside one global threshold.

    DIR holds pictures named age_gender_race_date (UTKFace), or one folder a group, or --labels tells. Every
    picture is taken for a person of its own: households of one group enrol one photo each, the others of the
    group are strangers. Told are the FPIR of each group and its spread, the within-group sum of squares per
    picture, and the mean distances between groups.
    """
    from homeface.cli.evaluate_tables import show_fairness
    from homeface.lab.evaluation.fairness import FairnessRequest, evaluate_fairness

    request = FairnessRequest(
        folder=folder,
        by=options["by"],
        labels=options["labels"],
        asked=asked_rates(options["ask"]),
        households=options["households"],
        subjects=options["subjects"],
        least=options["least"],
    )
    require_report(options)
    answer(evaluate_fairness(request, work_of(options)), show_fairness, options)


@click.command("embedders", short_help="Networks and cuts: FNIR at one FPIR, and cost.")
@folder_argument
@_subjects
@_photos
@click.option("--households", default=200, show_default=True, type=click.IntRange(2, 10000))
@_most
@click.option("--ask", multiple=True, default=("1/100", "1/1000"), show_default=True)
@click.option("--pictures", default=2500, show_default=True, help="Pictures used: of whom there are most.")
@work_options
def embedders(folder: Path, **options: Any) -> None:
    """Networks, cuts and mirror averaging compared: FNIR at the same FPIR, and what a face costs.

    By default every embedder whose weights are on this machine is compared: as it is, with a plain box cut
    where it knows one, averaged with its mirror image, and two together. A wish of one's own:
    --embedder mobilefacenet,mobilefacenet+mirror,facenet_vggface2:plain. All are told with the same plain
    score, thresholds from the other half of the people.
    """
    from homeface.cli.evaluate_tables import show_alternatives
    from homeface.lab.evaluation.alternatives import AlternativesRequest, evaluate_alternatives
    from homeface.lab.evaluation.street import Protocol

    request = AlternativesRequest(
        folder=folder,
        asked=asked_rates(options["ask"]),
        protocol=Protocol(
            households=options["households"], subjects=options["subjects"], photos=options["photos"]
        ),
        most=options["most"],
        pictures=options["pictures"],
    )
    require_report(options)
    if not options["embedders"]:
        options["embedders"] = _all_here(options)
    answer([evaluate_alternatives(request, work_of(options))], show_alternatives, options)


def _all_here(options: dict[str, Any]) -> str:
    """Names of the looks worth comparing whose weights lie on this machine."""
    import os

    from homeface.errors import ModelError
    from homeface.inference.manifest import Kind
    from homeface.inference.weights import locate
    from homeface.service.wiring import known_models, model_folders

    folders = [*options["models"], *model_folders(None, os.environ)]
    names = []
    for spec in known_models(None):
        if spec.kind is not Kind.EMBEDDER:
            continue
        try:
            locate(spec, folders)
        except ModelError:
            continue
        names += [spec.name, f"{spec.name}+mirror"]
        names += [f"{spec.name}:plain"] if spec.template == "stretched" else []
    if not names:
        raise click.UsageError("There are no weights of an embedder here: homeface models fetch.")
    looks_of(",".join(names), ())
    return ",".join(names)
