"""Checkpoints: written whole or not at all, read without running anything that is in them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from homeface.errors import TrainingError
from homeface.lab.training.files import replace_file

VERSION = 1


@dataclass(slots=True)
class Progress:
    """How far a training is. ``step`` counts within ``epoch``; ``sums`` of the losses of its steps so far.

    ``history``: one dict of figures an epoch. ``best``: the judged figure of ``best_epoch``.
    """

    epoch: int = 0
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    best: float | None = None
    best_epoch: int = -1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All that a training needs to go on as if it had never stopped."""

    kind: str
    progress: Progress
    states: Mapping[str, Any]


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Replace the file at ``path``. Raises ``TrainingError``; the file that was there is then still whole."""
    content = {
        "version": VERSION,
        "kind": checkpoint.kind,
        "progress": asdict(checkpoint.progress),
        "states": dict(checkpoint.states),
    }
    write_tensors(path, content)


def write_tensors(path: Path, content: object) -> None:
    """``torch.save`` that replaces ``path`` as a whole. Raises ``TrainingError``."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    replace_file(path, buffer.getbuffer())


def read_checkpoint(path: Path, kind: str) -> Checkpoint:
    """Raises ``TrainingError`` for a file that is missing, broken, or of another kind of training."""
    content = read_tensors(path)
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise TrainingError(f"{path} is no checkpoint of this version of homeface.")
    if content["kind"] != kind:
        raise TrainingError(f"{path} is a checkpoint of {content['kind']}, not of {kind}.")
    return Checkpoint(content["kind"], Progress(**content["progress"]), content["states"])


def read_tensors(path: Path) -> Any:
    """Tensors, numbers and texts of a file; nothing else is unpickled. Raises ``TrainingError``."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise TrainingError(f"There is no file {path}.") from error
    except UnpicklingError as error:
        raise TrainingError(f"{path} holds more than weights and is not loaded: {error}") from error
    except (RuntimeError, ValueError, EOFError, KeyError, OSError) as error:
        raise TrainingError(f"{path} cannot be read, it is broken or of another kind: {error}") from error
