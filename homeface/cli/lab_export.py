"""``homeface lab export``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from homeface.cli.lab_train_embedding import finding_options, found_by
from homeface.cli.options import print_json, print_table, read_config
from homeface.cli.progress import stage

if TYPE_CHECKING:
    from homeface.inference.manifest import ModelSpec
    from homeface.lab.export.run import Exported

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command("export")
@click.argument("model")
@click.option(
    "--format",
    "form",
    type=click.Choice(["onnx", "openvino", "torchscript", "tensorrt"]),
    default="onnx",
    show_default=True,
    help="The daemon takes onnx; tensorrt is made on the machine with the GPU.",
)
@click.option("--int8", is_flag=True, help="Products of eight-bit numbers; needs --faces.")
@click.option("--fp16", is_flag=True, help="Weights in half precision: half the size, the same speed.")
@click.option("--out", type=_FOLDER, required=True, help="Folder for the files.")
@click.option(
    "--faces",
    type=_FOLDER,
    help="Folder of people: ranges are learned from half of them, the others judge before and after.",
)
@click.option(
    "--calibration", default=100, show_default=True, type=click.IntRange(1), help="Faces for ranges."
)
@click.option("--households", default=60, show_default=True, type=click.IntRange(1), help="Random families.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
@finding_options
def export_command(model: str, **options: Any) -> None:
    """Write MODEL in another form, smaller or faster, and say what it lost.

    An embedder in eight bits is a model of its own: its vectors are not compared with those of the original.
    The entry for `models` is printed; after that: homeface evaluate calibrate, homeface people reembed.
    """
    from homeface.inference.models import Placement
    from homeface.lab.evaluation.looking import Recipe
    from homeface.lab.evaluation.running import Work
    from homeface.lab.evaluation.street import Protocol
    from homeface.lab.export.run import ExportRequest, export

    if options["int8"] and options["fp16"]:
        raise click.UsageError("--int8 or --fp16, not both.")
    detector, folders = found_by(options)
    spec = _wanted(model, options["config_path"])
    request = ExportRequest(
        spec=spec,
        detector=detector,
        form=options["form"],
        precision="int8" if options["int8"] else "fp16" if options["fp16"] else "float32",
        out=options["out"],
        faces=options["faces"],
        calibration=options["calibration"],
        protocol=Protocol(households=options["households"]),
    )
    work = Work(Recipe(detector, (), tuple(folders)), cache=options["out"] / "embeddings", stage=stage)
    made = export(request, Placement(tuple(folders), "cpu"), work)
    if options["as_json"]:
        print_json(_as_json(made))
    else:
        _show(made)


def _wanted(name: str, config_path: Path | None) -> ModelSpec:
    from homeface.service.wiring import known_models

    config = read_config(config_path) if config_path is not None else None
    known = {spec.name: spec for spec in reversed(known_models(config))}
    if name not in known:
        raise click.UsageError(f"There is no model {name}. Known: {', '.join(sorted(known))}.")
    return known[name]


def _as_json(made: Exported) -> dict[str, object]:
    judged = made.accuracy
    return {
        "files": [os.fspath(file) for file in made.files],
        "bytes": list(made.sizes),
        "smaller": round(made.sizes[0] / made.sizes[1], 3),
        "milliseconds_a_face": made.milliseconds and [round(value, 3) for value in made.milliseconds],
        "accuracy": judged
        and {
            "faces": judged.faces,
            "people": judged.people,
            "cosine_least": judged.alike[0],
            "cosine_median": judged.alike[1],
            "fnir_at_fpir_0.001": {kind: list(pair) for kind, pair in judged.misses.items()},
            "missing": judged.why_no_misses,
        },
        "entry": made.entry,
    }


def _show(made: Exported) -> None:
    click.echo(f"Written: {', '.join(map(str, made.files))}")
    rows = [("size, MB", *(f"{size / 1e6:.2f}" for size in made.sizes))]
    if made.milliseconds:
        rows.append(("processor time of a face, ms", *(f"{value:.2f}" for value in made.milliseconds)))
    judged = made.accuracy
    if judged:
        rows += [
            (f"misses at one false name in 1000, {kind}", f"{before:.2%}", f"{after:.2%}")
            for kind, (before, after) in judged.misses.items()
        ]
    print_table(["", "before", "after"], rows)
    if judged:
        least, median = judged.alike
        click.echo(
            f"{judged.faces} faces of {judged.people} people who taught no ranges; cosine of both vectors of "
            f"a face: median {median:.4f}, least {least:.4f}."
        )
        if judged.why_no_misses:
            click.echo(f"Misses were not measured: {judged.why_no_misses}")
    if made.entry:
        click.echo(
            f"\nFor the configuration (models_dir names {made.files[0].parent}):\nmodels:\n{made.entry}"
        )
