"""``homeface lab convert-tf``."""

from __future__ import annotations

from pathlib import Path

import click

from homeface.cli.options import print_json

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("convert-tf")
@click.argument("checkpoint", type=_FILE)
@click.option("--out", type=_FILE, required=True, help="Weight file to write, such as facenet.pt.")
@click.option(
    "--expected", type=_FILE, help="An .npz of TensorFlow's own pictures and embeddings, see below."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
def convert_tf_command(checkpoint: Path, out: Path, expected: Path | None, as_json: bool) -> None:
    """Turn a FaceNet checkpoint of TensorFlow into weights for homeface.

    CHECKPOINT is one of the files model-*.index, model-*.data-*, or their common beginning; the network is
    Inception-ResNet V1 with 512 numbers a face. TensorFlow is not needed. Before the file is written the
    network is compared with the checkpoint, calculated anew in numpy from TensorFlow's variables; with
    --expected also with what TensorFlow itself gave: an .npz file with `pictures` (N, 160, 160, 3) and
    `embeddings` (N, 512).

    The file serves `homeface lab train-embedding --backbone inception_resnet_v1 --weights FILE`, also with
    --epochs 0: that makes it a model that the daemon takes by name.
    """
    from homeface.lab.conversion.convert import convert

    done = convert(checkpoint, out, expected)
    if as_json:
        print_json(
            {
                "file": str(done.file),
                "sha256": done.sha256,
                "variables": done.variables,
                "alike": done.alike,
                "compared_with": done.compared_with,
            }
        )
        return
    click.echo(f"{done.variables} tensors in {done.file}, sha256 {done.sha256}")
    click.echo(f"The same vectors as {done.compared_with}: cosine {done.alike:.7f} or more.")
