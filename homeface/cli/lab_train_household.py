"""``homeface lab train-household``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from homeface.cli.evaluate_tables import percent
from homeface.cli.lab_options import (
    another_process_speaks,
    require_lab,
    training_options,
    training_settings,
)
from homeface.cli.lab_train_embedding import finding_options, found_by
from homeface.cli.options import print_json, print_table, read_config
from homeface.cli.progress import bars, stage

if TYPE_CHECKING:
    from homeface.lab.training.household.run import HouseholdLesson, HouseholdTrained, Judged

_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("train-household")
@click.argument("members", type=_FOLDER)
@click.option("--strangers", type=_FOLDER, required=True, help="Folder of other people: <person>/<pictures>.")
@click.option("--out", type=_FOLDER, required=True, help="Folder of the run.")
@click.option("--weights", type=_FILE, required=True, help="The embedder's network as a PyTorch weight file.")
@click.option("--embedder", default="mobilefacenet", show_default=True, help="Whose vectors are judged.")
@click.option("--backbone", default="mobilefacenet", show_default=True, help="What the weights belong to.")
@click.option("--unknown", default=100, show_default=True, type=click.IntRange(20), help="Strangers' faces.")
@click.option("--views", default=8, show_default=True, type=click.IntRange(1), help="Looks at each photo.")
@click.option(
    "--train-last", default=3, show_default=True, help="Parts that are fine-tuned afterwards; 0: none."
)
@click.option("--rate", default=2e-4, show_default=True, help="Learning rate of the fine-tuning.")
@click.option("--repeat", default=4, show_default=True, help="An epoch shows every photo so many times.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
@finding_options
@training_options(epochs=10, batch=32, patience=3)
def train_household_command(members: Path, strangers: Path, out: Path, as_json: bool, **options: Any) -> int:
    """Train a classifier of your household: its members, and everybody else.

    MEMBERS holds <name>/<photos>, twenty to thirty photos of each, under the names by which they are
    enrolled. Over the frozen network a layer learns them and, as one class more, a hundred strangers and
    pieces of pictures without a face; every photo is seen turned, mirrored, in other light, blurred, lying
    and bent. Then the last blocks of the network are fine-tuned, and stopped early. A quarter of the photos
    and other strangers judge both. OUT/household.json is what `recognition.second_opinion` takes; the
    pictures beside it show who is taken for whom and whether its probabilities are borne out.

    Whether it is worth having: homeface evaluate second-opinion.
    """
    from homeface.lab.evaluation.running import folder_of_people
    from homeface.lab.training.embedding.aligned import align_folder, is_aligned, read_aligned
    from homeface.lab.training.household.data import household_data, some_strangers
    from homeface.lab.training.household.run import train_household

    require_lab()
    lesson = _lesson(options)
    detector, models = found_by(options)
    with stage("Faces") as progress:
        family = align_folder(folder_of_people(members), out / "members", detector, models, progress)
        if is_aligned(strangers):
            others, pictures = read_aligned(strangers), None
        else:
            pictures = folder_of_people(strangers)
            wanted, seed = 2 * options["unknown"], options["seed"]
            others = align_folder(
                pictures,
                out / "strangers",
                detector,
                models,
                progress,
                lambda found: some_strangers(found, wanted, seed),
            )
    data = household_data(family, others, pictures, options["unknown"], options["seed"])
    with bars() as listener:
        trained = train_household(
            lesson, data, training_settings(options), out, listener, resume=options["resume"]
        )
    if another_process_speaks():
        return 0
    _answer(trained, data.names, as_json)
    return 1 if trained.stopped else 0


def _lesson(options: dict[str, Any]) -> HouseholdLesson:
    import os

    from homeface.inference.manifest import Kind, find_spec
    from homeface.lab.training.embedding.networks import backbone_named
    from homeface.lab.training.household.run import HouseholdLesson
    from homeface.service.wiring import custom_models, model_folders

    config = read_config(options["config_path"]) if options["config_path"] is not None else None
    return HouseholdLesson(
        backbone=backbone_named(options["backbone"]),
        weights=options["weights"],
        embedder=find_spec(options["embedder"], Kind.EMBEDDER, custom_models(config)),
        models=(*options["models"], *model_folders(config, os.environ)),
        views=options["views"],
        train_last=options["train_last"],
        rate=options["rate"],
        repeat=options["repeat"],
    )


def _answer(trained: HouseholdTrained, names: tuple[str, ...], as_json: bool) -> None:
    product = trained.product
    if as_json:
        told = asdict(trained) if product is None else asdict(trained) | {"product": product.entry}
        print_json(told | {"names": names})
        return
    both = {"frozen": trained.transfer, "fine-tuned": trained.finetuned}
    rows = [_row(name, judged) for name, judged in both.items() if judged is not None]
    heads = ("network", "loss", "right", "members found", "strangers named", "calibration error")
    print_table(heads, rows, "On photos and people that nothing was learned from")
    click.echo(f"recognition:\n  second_opinion: {trained.file}")
    for note in trained.notes:
        click.echo(note, err=True)
    if trained.stopped:
        click.echo("Stopped; --resume goes on.", err=True)
    if product is not None:
        click.echo(
            "The fine-tuned network is better on them. It is an embedder of its own, and wants thresholds of "
            f"its own (homeface evaluate calibrate) before the daemon takes it:\nmodels:\n{product.entry}"
        )


def _row(name: str, judged: Judged) -> tuple[str, ...]:
    shares = (judged.accuracy, judged.members_found, judged.strangers_named)
    return (
        name,
        f"{judged.loss:.3f}",
        *(percent(share) for share in shares),
        f"{judged.calibration_error:.3f}",
    )
