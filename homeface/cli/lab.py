"""``homeface lab``: the workshop, in which models are made. One module a command."""

from __future__ import annotations

import click

from homeface.cli import LazyGroup

_COMMANDS: dict[str, tuple[str, str]] = {
    "train-detector": ("homeface.cli.lab_train_detector", "Train a face detector from labelled pictures."),
    "align": ("homeface.cli.lab_train_embedding", "Cut the faces out of a folder of people, for training."),
    "convert-tf": ("homeface.cli.lab_convert_tf", "Weights of FaceNet out of a TensorFlow checkpoint."),
    "export": ("homeface.cli.lab_export", "A model in another form, smaller or faster, and what it lost."),
    "train-embedding": ("homeface.cli.lab_train_embedding", "Train the network that tells faces apart."),
    "train-household": ("homeface.cli.lab_train_household", "Train a classifier of your own household."),
}


@click.group("lab", cls=LazyGroup, table=_COMMANDS)
def lab_command() -> None:
    """Train, convert and export models (offline).

    The daemon needs nothing of this. Training needs: pip install 'homeface[lab]'. What is made here is one
    entry under `models` in the configuration; each command prints it.
    """
