"""``homeface evaluate``: the lab's measurements, offline. Nothing the daemon runs imports them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from homeface.cli.evaluate_options import (
    answer,
    asked_rates,
    folder_argument,
    require_report,
    span_option,
    with_protocol,
    work_of,
    work_options,
)
from homeface.cli.evaluate_protocols import degraded, embedders, fairness, verify
from homeface.cli.evaluate_scorings import scorings
from homeface.cli.evaluate_second_opinion import second_opinion


@click.group("evaluate")
def evaluate_command() -> None:
    """Measure recognition on folders of people.

    \b
    DIR/<person>/<pictures>   (the layout of LFW; your own photos will do)

    Identification answers "who of the family is this, or nobody?". It errs in two ways, always told together
    and with the threshold (ISO/IEC 19795-1):

    \b
    FPIR  false-positive identification rate: of the searches for people who are not
          enrolled, the share that returned a name. A stranger called family.
    FNIR  false-negative identification rate: of the searches for enrolled people, the
          share that did not return the right name. Family called unknown.

    A stricter threshold lowers the one and raises the other; the DET curve draws both. A probe is one
    picture, a visit is what a camera's track delivers: several pictures of one person, one answer. Comparing
    two pictures only (1:1, "verify") has its own words: FMR, the share of pairs of two people taken for one,
    and FNMR, the share of pairs of one person taken for two.

    Intervals are 95 %, from drawing the people anew: a thousand visits of ten strangers are ten strangers.
    """


@evaluate_command.command("household", short_help="Is the promise kept, and who is missed? Peers too.")
@folder_argument
@with_protocol
@click.option("--condition", help="Members and strangers are met under it; see `evaluate degraded --help`.")
@click.option(
    "--suspects",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File of labels to leave out: two people, or person/picture.jpg, a line.",
)
@click.option("--no-peers", is_flag=True, help="Without the rules of other projects.")
@click.option(
    "--no-dlib", is_flag=True, help="Without face_recognition, whose own embedding takes most of the time."
)
@click.option(
    "--dlib-pictures",
    default=2000,
    show_default=True,
    type=click.IntRange(min=0),
    help="Pictures that dlib is shown: first of those who can be enrolled.",
)
@work_options
def household(folder: Path, **options: Any) -> None:
    """Random households: is the promise kept, and who is missed?

    Each household enrols some people with some photos. Then their other pictures are shown, and strangers:
    one by one (probe) and as visits. At each asked rate the thresholds that homeface would use are taken, and
    the share of false names among strangers is measured beside it; the same for the rules of Frigate,
    CompreFace, FaceID and face_recognition, on the same pictures, at their own thresholds and at the same
    FPIR. No threshold of ours has seen the strangers it is told on (--tune).

    Labels that look wrong (one person under two names, a picture in the wrong folder) are listed by a rule
    from the data; every figure is also told without them.
    """
    from homeface.cli.evaluate_tables import show_household
    from homeface.lab.evaluation.household_run import HouseholdRequest, evaluate_household
    from homeface.lab.evaluation.street import Protocol
    from homeface.lab.evaluation.tuning import Tune

    request = HouseholdRequest(
        folder=folder,
        asked=asked_rates(options["ask"]),
        protocol=Protocol(
            households=options["households"],
            looks=options["looks"],
            seed=options["seed"],
        ),
        subjects=span_option(options["subjects"], "--subjects"),
        photos=span_option(options["photos"], "--photos"),
        tune=Tune(options["tune"]),
        most=options["most"],
        peers=not options["no_peers"],
        dlib_pictures=0 if options["no_dlib"] else options["dlib_pictures"],
        suspects=options["suspects"],
        **({} if options["condition"] is None else {"condition": _condition(options["condition"])}),
    )
    require_report(options)
    told = evaluate_household(request, work_of(options))
    answer(told, show_household, options)


def _condition(name: str) -> Any:
    from homeface.lab.evaluation.views import CLEAN_VIEW, CONDITIONS

    known = {view.name: view for view in (CLEAN_VIEW, *CONDITIONS)}
    if name not in known:
        raise click.BadParameter(
            f"there is no condition {name!r}. Known: {', '.join(known)}.", param_hint="--condition"
        )
    return known[name]


@evaluate_command.command("calibrate", short_help="Measure the figures behind the thresholds.")
@folder_argument
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for the figures file.")
@click.option("--everybody", is_flag=True, help="Use all people, not only one half (by a hash of the name).")
@click.option("--looks", default=1, show_default=True, help="Random looks of a home camera at each picture.")
@click.option("--least", default=3, show_default=True, help="Leave out people with fewer pictures.")
@click.option("--most", default=9, show_default=True, help="Pictures used of one person.")
@click.option("--set", "set_name", help="Name of the set, for the record.")
@work_options
def calibrate(folder: Path, out: Path | None, everybody: bool, set_name: str | None, **options: Any) -> None:
    """Measure the figures that thresholds come from, for an embedding model.

    How like a subject do strangers look? The file holds figures only, no face and no template; homeface
    finds it in the folder that `models_dir` names. A few hundred people with three pictures or more are
    needed.
    """
    from homeface.core.calibration import calibration_as_json, calibration_file
    from homeface.lab.evaluation.calibrating import CalibrateRequest, evaluate_calibrate

    request = CalibrateRequest(
        folder=folder,
        everybody=everybody,
        looks=options["looks"],
        least=options["least"],
        most=options["most"],
        set_name=set_name or folder.resolve().name,
    )
    for calibration, twins in evaluate_calibrate(request, work_of(options)):
        text = json.dumps(calibration_as_json(calibration), indent=2) + "\n"
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            path = out / calibration_file(calibration.model_id)
            path.write_text(text, encoding="utf-8")
            click.echo(f"Written: {path}", err=True)
        click.echo(text, nl=False)
        click.echo(f"Left out, likely one person under two names: {twins} pairs of folders.", err=True)


for _command in (degraded, verify, fairness, embedders, scorings, second_opinion):
    evaluate_command.add_command(_command)
