"""``homeface lab align`` and ``homeface lab train-embedding``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from homeface.cli.lab_options import (
    another_process_speaks,
    require_lab,
    training_options,
    training_settings,
)
from homeface.cli.options import print_json, print_table, read_config
from homeface.cli.progress import bars, fetch_with_progress, stage

if TYPE_CHECKING:
    from homeface.inference.manifest import ModelSpec
    from homeface.lab.training.embedding.run import EmbeddingRequest, Lesson, Trained

_PATH = click.Path(path_type=Path)
_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)


def _options(command: Any, options: tuple[Any, ...]) -> Any:
    for option in reversed(options):
        command = option(command)
    return command


_FINDING = (
    click.option(
        "--detector", default="yunet_n", show_default=True, help="Finds the faces: yunet_n, mtcnn, …"
    ),
    click.option("--models", type=_FOLDER, multiple=True, help="Folder with weights; may be repeated."),
    click.option(
        "-c", "--config", "config_path", type=_PATH, help="Take models_dir from this configuration."
    ),
)


def finding_options(command: Any) -> Any:
    """``--detector``, ``--models``, ``--config``."""
    return _options(command, _FINDING)


@click.command("align")
@click.argument("folder", type=_FOLDER)
@click.option("--out", type=_FOLDER, required=True, help="Where the cut faces are kept.")
@finding_options
def align_command(folder: Path, out: Path, **options: Any) -> None:
    """Cut the faces out of DIR/<person>/<pictures> for training.

    Faces are cut wide, with their landmarks at the same places, and kept as pictures; faces.txt is the
    training list: a path and the number of the person, line by line. What was cut before is not cut again.
    """
    from homeface.lab.evaluation.running import folder_of_people
    from homeface.lab.training.embedding.aligned import align_folder

    detector, models = found_by(options)
    with stage("Faces") as progress:
        aligned = align_folder(folder_of_people(folder), out, detector, models, progress)
    click.echo(
        f"{len(aligned.faces)} faces of {len({face.person for face in aligned.faces})} people in {out}"
    )
    if aligned.missed:
        click.echo(
            f"No face in {len(aligned.missed)} pictures, such as {', '.join(aligned.missed[:3])}.", err=True
        )


def found_by(options: dict[str, Any], *, cut: bool = False) -> tuple[ModelSpec, tuple[Path, ...]]:
    """The detector and the folders of weights; weights that are missing are fetched. ``cut``: faces are."""
    from homeface.inference.manifest import Kind, find_spec

    if cut and options["config_path"] is None:  # nothing is looked for: no weights are needed
        return find_spec(options["detector"], Kind.DETECTOR), options["models"]
    from homeface.service.wiring import custom_models, model_folders

    config = read_config(options["config_path"]) if options["config_path"] is not None else None
    detector = find_spec(options["detector"], Kind.DETECTOR, custom_models(config))
    folders = (*options["models"], *model_folders(config, os.environ))
    fetch_with_progress(detector, folders)
    return detector, folders


@click.command("train-embedding")
@click.argument("folder", type=_FOLDER)
@click.option("--out", type=_FOLDER, required=True, help="Folder of the run.")
@click.option("--name", default="trained", show_default=True, help="Name of the model that is made.")
@click.option("--aligned", type=_FOLDER, help="Where cut faces are kept. Default: OUT/aligned.")
@click.option(
    "--list", "listed", type=_FILE, help="Training list of your own: 'path id' lines. Default: everybody."
)
@click.option("--least", default=2, show_default=True, help="Leave out people with fewer faces.")
@click.option(
    "--held-out", default=5, show_default=True, help="One person in so many judges and is not learned."
)
@click.option(
    "--households", default=20, show_default=True, help="Households asked after each epoch; 0: none."
)
@click.option("--repeat", default=1, show_default=True, help="An epoch shows every face so many times.")
@click.option("--backbone", default="mobilefacenet", show_default=True)
@click.option("--input-px", type=int, help="Side of the network's picture. Default: the backbone's own.")
@click.option("--dimension", type=int, help="Numbers of a vector. Default: the backbone's own.")
@click.option("--weights", type=_FILE, help="Start from these: our own, backbone.pth, facenet-pytorch's.")
@click.option("--loss", default="arcface", show_default=True, help="arcface, cosface, softmax or triplet.")
@click.option("--margin", type=float, help="Of the loss. Default: its paper's.")
@click.option("--scale", default=64.0, show_default=True, help="Of arcface and cosface.")
@click.option("--teacher", help="Distil this backbone, e.g. inception_resnet_v1, with --teacher-weights.")
@click.option("--teacher-weights", type=_FILE)
@click.option("--label-share", default=0.0, help="Weight of the labels' loss beside a teacher's.")
@click.option("--rate", default=1e-3, show_default=True, help="Learning rate of the last part.")
@click.option(
    "--fall", default=1.0, show_default=True, help="Each earlier part has so much of its successor's rate."
)
@click.option("--train-last", default=0, help="Train only so many parts from the end; 0: all.")
@click.option("--optimizer", default="adamw", show_default=True, type=click.Choice(["adamw", "sgd"]))
@click.option("--decay", "weight_decay", default=5e-4, show_default=True, help="Weight decay.")
@click.option(
    "--warm-up", default=0.05, show_default=True, help="Share of the steps in which the rate rises."
)
@click.option("--ema", default=0.999, show_default=True, help="Averaging of the weights; 0: none.")
@click.option("--no-augmentation", is_flag=True, help="Show the pictures as they are.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
@finding_options
@training_options(epochs=20, batch=128)
def train_embedding_command(folder: Path, out: Path, as_json: bool, **options: Any) -> int:
    """Train a network that turns a face into a vector.

    FOLDER holds <person>/<pictures>, or faces that `homeface lab align` cut. One person in five is kept
    apart: on these every epoch is judged, by pairs and by random households as in `homeface evaluate`. The
    best epoch is exported into OUT/product as ONNX, TorchScript and OpenVINO, compared with the network it
    was made of, and named by the lines that the configuration takes under `models`.

    Ctrl-C stops after the step; --resume goes on as if nothing had happened.
    """
    from homeface.lab.training.embedding.run import faces_of, train_embedding
    from homeface.lab.training.folder import RunFolder

    require_lab()
    request = _request(folder, out, options)
    with stage("Faces") as progress:
        aligned = faces_of(request.source, progress)
    with bars() as listener:
        trained = train_embedding(request, RunFolder(out), aligned, listener)
    if another_process_speaks():
        return 0
    figures = _figures(request, trained, out) if trained.product is not None and not trained.stopped else None
    _answer(trained, figures, as_json)
    return 1 if trained.stopped else 0


def _request(folder: Path, out: Path, options: dict[str, Any]) -> EmbeddingRequest:
    from homeface.lab.evaluation.running import folder_of_people
    from homeface.lab.training.embedding.aligned import is_aligned
    from homeface.lab.training.embedding.held_out import Examination
    from homeface.lab.training.embedding.product import check_name
    from homeface.lab.training.embedding.run import EmbeddingRequest, Source

    name = check_name(options["name"])
    lesson = _lesson(options)
    detector, models = found_by(options, cut=is_aligned(folder))
    source = Source(
        folder=folder if is_aligned(folder) else folder_of_people(folder),
        aligned=options["aligned"] or out / "aligned",
        detector=detector,
        models=models,
        listed=options["listed"],
        least=options["least"],
        held_out=options["held_out"],
    )
    return EmbeddingRequest(
        name=name,
        source=source,
        lesson=lesson,
        settings=training_settings(options),
        examination=Examination(households=options["households"]),
        resume=options["resume"],
    )


def _lesson(options: dict[str, Any]) -> Lesson:
    from homeface.lab.training.embedding.losses import LossSettings
    from homeface.lab.training.embedding.networks import backbone_named
    from homeface.lab.training.embedding.run import Lesson
    from homeface.lab.training.embedding.task import Course
    from homeface.lab.training.embedding.views import NOTHING, Augmentation

    teacher = None
    if (options["teacher"] is None) != (options["teacher_weights"] is None):
        raise click.UsageError("--teacher and --teacher-weights belong together.")
    if options["teacher"] is not None:
        teacher = (backbone_named(options["teacher"]).name, options["teacher_weights"])
    course = {key: options[key] for key in Course.__dataclass_fields__}
    return Lesson(
        backbone=backbone_named(options["backbone"]).sized(options["input_px"], options["dimension"]),
        weights=options["weights"],
        loss=LossSettings(options["loss"], options["margin"], options["scale"]),
        teacher=teacher,
        course=Course(**course),
        repeat=options["repeat"],
        augmentation=NOTHING if options["no_augmentation"] else Augmentation(),
    )


def _figures(request: EmbeddingRequest, trained: Trained, out: Path) -> str:
    """Thresholds of the product where there are pictures to measure them on, else what to do."""
    from homeface.errors import ImageError
    from homeface.lab.evaluation.looking import Look, Recipe
    from homeface.lab.evaluation.running import Work
    from homeface.lab.training.embedding.aligned import is_aligned
    from homeface.lab.training.embedding.calibrating import measure_figures
    from homeface.lab.training.embedding.held_out import held_out
    from homeface.lab.training.embedding.run import faces_of

    product, source = trained.product, request.source
    assert product is not None  # noqa: S101 - the caller has looked
    if is_aligned(source.folder):
        return (
            "No thresholds were measured, that needs the pictures themselves: homeface evaluate calibrate "
            f"DIR -c CONFIG --embedder {request.name} --out {product.folder}, on people it has not seen."
        )
    people = {face.person for face in held_out(faces_of(source), source.held_out)}
    recipe = Recipe(source.detector, (Look(product.spec),), (product.folder, *source.models))
    work = Work(recipe, cache=out / "embeddings", stage=stage)
    try:
        return f"Thresholds: {measure_figures(source.folder, people, product.spec, work, product.folder)}"
    except ImageError as error:
        return str(error)


def _answer(trained: Trained, figures: str | None, as_json: bool) -> None:
    product = trained.product
    if as_json:
        told: dict[str, Any] = {"before": trained.before, "best": trained.best, "stopped": trained.stopped}
        told |= {"notes": trained.notes, "thresholds": figures}
        if product is not None:
            told["files"] = {form: str(path) for form, path in product.files.items()}
            told["alike"] = dict(product.alike)
        print_json(told)
        return
    rows = [
        (name, f"{value:.4f}", f"{trained.best.get(name, float('nan')):.4f}")
        for name, value in trained.before.items()
    ]
    print_table(("on people kept apart", "as it began", "best epoch"), rows)
    for note in (*trained.notes, *((figures,) if figures else ())):
        click.echo(note, err=True)
    if trained.stopped:
        click.echo("Stopped; --resume goes on.", err=True)
    if product is not None:
        click.echo(f"Written: {', '.join(str(path) for path in product.files.values())}", err=True)
        click.echo(f"models:\n{product.entry}\nmodels_dir: {product.folder}")
