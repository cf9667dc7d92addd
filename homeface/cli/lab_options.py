"""What the training commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from homeface.lab.training.settings import TrainingSettings

_Command = TypeVar("_Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--seed", default=0, show_default=True, help="Begins all random choices."),
    click.option("--device", default="auto", show_default=True, type=click.Choice(["auto", "cpu", "cuda"])),
    click.option("--devices", default=0, help="How many GPUs; 0: all there are.", type=click.IntRange(0)),
    click.option(
        "--precision",
        default="auto",
        show_default=True,
        type=click.Choice(["auto", "32-true", "16-mixed", "bf16-mixed"]),
        help="auto: 16-mixed on a GPU, 32-true on a processor.",
    ),
    click.option(
        "--clip", "clip_norm", default=10.0, show_default=True, help="Longest gradient; 0: any length."
    ),
    click.option(
        "--workers", default=0, help="Processes that prepare pictures.", type=click.IntRange(0, 256)
    ),
    click.option(
        "--save-steps", default=0, help="A checkpoint every so many steps besides each epoch's.",
        type=click.IntRange(0),
    ),
    click.option("--patience", default=0, help="End after so many epochs without a better one; 0: never."),
    click.option("--resume", is_flag=True, help="Go on with the run in OUT, begun with the same options."),
)  # fmt: skip


def training_options(command: _Command) -> _Command:
    """Options of the engine, whatever is trained."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def training_settings(options: dict[str, Any], epochs: int, batch: int) -> TrainingSettings:
    """Take the engine's options out of ``options``; ``resume`` stays."""
    from homeface.lab.training.settings import TrainingSettings

    names = ("seed", "device", "devices", "precision", "clip_norm", "workers", "save_steps", "patience")
    return TrainingSettings(epochs=epochs, batch=batch, **{name: options.pop(name) for name in names})


def require_lab() -> None:
    """Raises ``TrainingError`` when what trains is not installed."""
    from importlib.util import find_spec

    from homeface.errors import TrainingError

    if find_spec("lightning_fabric") is None:
        raise TrainingError(
            "Training needs more packages: uv sync --extra lab (or pip install 'homeface[lab]')."
        )
