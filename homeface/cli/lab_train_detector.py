"""``homeface lab train-detector``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from homeface.cli.lab_options import (
    another_process_speaks,
    require_lab,
    training_options,
    training_settings,
)
from homeface.cli.options import json_option, print_json
from homeface.cli.progress import bars

if TYPE_CHECKING:
    from homeface.lab.training.detector.run import DetectorRequest, Trained

_PATH = click.Path(path_type=Path)


@click.command("train-detector")
@click.argument("data", type=_PATH)
@click.option("-o", "--out", type=_PATH, required=True, help="Folder of the run.")
@click.option("--val", "held_out", type=_PATH, help="Labels to validate on. Without: a fifth of DATA.")
@click.option("--images", type=_PATH, help="Folder of DATA's pictures, where it is not the usual one.")
@click.option("--val-images", "held_out_images", type=_PATH, help="The same for --val.")
@click.option(
    "--class",
    "classes",
    multiple=True,
    default=("face",),
    show_default=True,
    help="Class that means a face in XML; may be given again.",
)
@click.option(
    "--variant",
    type=click.Choice(["single", "fpn"]),
    default="fpn",
    show_default=True,
    help="single: one map at stride 32; fpn: a pyramid, for small faces.",
)
@click.option("--pyramid", default=128, show_default=True, help="Channels of the pyramid.")
@click.option("--head", default=1024, show_default=True, help="Width of the layers that judge a region.")
@click.option("--width", default=1.0, show_default=True, help="Width of MobileNetV2, 1 as published.")
@click.option("--regions", default=128, show_default=True, help="Regions of a picture to learn from.")
@click.option("--side", "side_px", default=640, show_default=True, help="Side of a training picture, in px.")
@click.option(
    "--zoom",
    nargs=2,
    type=float,
    default=(0.3, 1.2),
    show_default=True,
    help="Smallest and largest part of a picture's longer side that is cut out.",
)
@click.option(
    "--backbone-weights", type=_PATH, help="torchvision's MobileNetV2 (a state dict) to begin with."
)
@click.option(
    "--repeat",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="Draw each picture so often in an epoch: for few pictures.",
)
@click.option("--rate", default=1e-3, show_default=True, help="Learning rate.")
@click.option(
    "--schedule",
    type=click.Choice(["plateau", "cosine"]),
    default="plateau",
    show_default=True,
    help="How the rate falls: when the validation loss no longer does, or step by step to the last epoch.",
)
@click.option(
    "--plateau", default=8, show_default=True, help="Epochs without a lower validation loss before it halves."
)
@click.option("--warm-up", "warm_up_steps", default=50, show_default=True, help="Steps of a rising rate.")
@click.option("--name", default="faster_rcnn", show_default=True, help="Name of the model that is made.")
@click.option("--export/--no-export", "exports", default=True, help="Write ONNX and TorchScript at the end.")
@training_options(epochs=60, batch=8, least=(1, 1), clip_norm=10.0)
@json_option
def train_detector_command(as_json: bool, **options: Any) -> int:
    """Train a face detector from DATA and export it.

    Faster R-CNN on MobileNetV2. DATA is a WIDER FACE list (wider_face_train_bbx_gt.txt) or its folder, a
    folder of PASCAL VOC files (*.xml), or a folder with annotations.json and images/. Pictures without faces
    are kept as examples of nothing; boxes and pictures that cannot be used are told and left out.

    OUT gets the checkpoints, the history, its curves, a TensorBoard log (tensorboard --logdir OUT) and, at
    the end, the best epoch as ONNX and TorchScript with the lines for your configuration. Ctrl-C saves and
    stops; --resume goes on as if nothing had been. Exit code 130 when it was stopped.
    """
    require_lab()
    from homeface.lab.training.detector.run import train_detector

    request = _request(options)
    with bars() as listener:
        trained = train_detector(request, listener)
    if another_process_speaks():
        return 0
    if trained.outcome.stopped:
        click.echo(f"Stopped; {request.out} holds everything. Go on with --resume.", err=True)
        return 130
    _tell(trained, as_json)
    return 0


def _request(options: dict[str, Any]) -> DetectorRequest:
    from homeface.lab.training.detector.augmentation import Augmentation
    from homeface.lab.training.detector.network import Shape
    from homeface.lab.training.detector.run import DetectorRequest
    from homeface.lab.training.detector.task import Learning

    take = options.pop
    low, high = take("zoom")
    if not 0 < low <= high:
        raise click.UsageError("--zoom: two numbers above 0, the smaller one first.")
    return DetectorRequest(
        training=training_settings(options),
        shape=Shape(
            **{key: take(key) for key in ("variant", "pyramid", "head", "width", "regions")},
        ),
        how=Augmentation(side_px=take("side_px"), zoom=(low, high)),
        learning=Learning(
            rate=take("rate"),
            schedule=take("schedule"),
            patience=take("plateau"),
            warm_up_steps=take("warm_up_steps"),
            repeat=take("repeat"),
        ),
        **options,
    )


def _tell(trained: Trained, as_json: bool) -> None:
    progress, product = trained.outcome.progress, trained.product
    best = progress.history[progress.best_epoch]
    if as_json:
        print_json(
            {
                "untrained": trained.before,
                "best": best,
                "epochs": len(progress.history),
                "files": {form: str(path) for form, path in product.files.items()} if product else {},
                "compared_boxes": product.compared if product else 0,
            }
        )
        return
    figures = ", ".join(f"{name} {value:.3f}" for name, value in best.items() if name.startswith("ap"))
    click.echo(f"Best epoch {int(best['epoch'])} of {len(progress.history)}: {figures}.")
    if product is None:
        return
    click.echo(f"ONNX and TorchScript see what the network sees ({product.compared} boxes compared):")
    for path in product.files.values():
        click.echo(f"  {path}")
    click.echo(
        "Put the .onnx file into one of the model folders (homeface models --help names them) and add to "
        f"the configuration:\n\n{product.entry}"
    )
