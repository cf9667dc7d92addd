"""What the training commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from homeface.lab.training.settings import TrainingSettings

_Command = TypeVar("_Command", bound=Callable[..., Any])

_PRECISIONS = click.Choice(["auto", "32-true", "16-mixed", "bf16-mixed"])


def training_options(
    *, epochs: int, batch: int, least: tuple[int, int] = (0, 2), clip_norm: float = 5.0, patience: int = 0
) -> Callable[[_Command], _Command]:
    """Options of the engine, whatever is trained; what differs are the defaults, and of how many epochs and
    pictures of a step there must be ``least``.
    """
    least_epochs, least_batch = least
    nothing = "" if least_epochs else " 0: nothing is trained step by step."
    options = (
        click.option("--epochs", default=epochs, show_default=True, type=click.IntRange(least_epochs),
                     help=f"How often everything is gone through.{nothing}"),
        click.option("--batch", default=batch, show_default=True, type=click.IntRange(least_batch),
                     help="Pictures of one step."),
        click.option("--seed", default=0, show_default=True, help="Begins all random choices."),
        click.option("--device", default="auto", show_default=True,
                     type=click.Choice(["auto", "cpu", "cuda"])),
        click.option("--devices", default=0, type=click.IntRange(0),
                     help="How many GPUs (or processes, with --device cpu); 0: all GPUs there are."),
        click.option("--precision", default="auto", show_default=True, type=_PRECISIONS,
                     help="auto: 16-mixed on a GPU, 32-true on a processor."),
        click.option("--clip", "clip_norm", default=clip_norm, show_default=True,
                     help="Longest gradient; 0: any length."),
        click.option("--workers", default=0, type=click.IntRange(0, 256),
                     help="Processes that read and prepare pictures."),
        click.option("--save-steps", default=0, type=click.IntRange(0),
                     help="A checkpoint every so many steps besides each epoch's."),
        click.option("--patience", default=patience, show_default=True, type=click.IntRange(0),
                     help="End after so many epochs without a better one; 0: never."),
        click.option("--resume", is_flag=True,
                     help="Go on with the run in OUT, begun with the same options."),
    )  # fmt: skip

    def with_options(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return with_options


def training_settings(options: dict[str, Any]) -> TrainingSettings:
    """Take the engine's options out of ``options``; ``resume`` stays."""
    from dataclasses import fields

    from homeface.lab.training.settings import TrainingSettings

    return TrainingSettings(**{field.name: options.pop(field.name) for field in fields(TrainingSettings)})


def another_process_speaks() -> bool:
    """With several devices the command runs in as many processes; all but the first are silent."""
    return bool(int(os.environ.get("LOCAL_RANK", "0")))


def require_lab() -> None:
    """Raises ``TrainingError`` when what trains is not installed."""
    from importlib.util import find_spec

    from homeface.errors import TrainingError

    if find_spec("lightning_fabric") is None:
        raise TrainingError(
            "Training needs more packages: uv sync --extra lab (or pip install 'homeface[lab]')."
        )
