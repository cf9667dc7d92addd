"""``homeface models``: the weights on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from homeface.cli.options import (
    config_option,
    config_path_or_default,
    json_option,
    print_json,
    print_table,
    read_config,
)
from homeface.errors import ModelIntegrityError, WeightsUnavailableError

if TYPE_CHECKING:
    from homeface.config import Config
    from homeface.inference.weights import ModelSpec


@click.group("models")
def models_command() -> None:
    """List, fetch and verify model weights.

    Weights are looked for in HOMEFACE_MODELS, the config's models_dir, the XDG cache
    (~/.cache/homeface/models), /var/lib/homeface/models and torch's hub cache, in this order. A file is used
    only if its SHA-256 is one that homeface knows.
    """


@models_command.command("list")
@config_option
@json_option
def list_models(config_path: Path | None, as_json: bool) -> None:
    """Show every model homeface knows, its licence, and its weights.

    The table names the file; `homeface models verify` and --json also tell its folder.
    """
    rows = _survey(_config_if_any(config_path))
    if as_json:
        print_json(rows)
        return
    print_table(
        ("model", "kind", "weights", "licence"),
        [(row["model"], row["kind"], Path(row["file"]).name or row["state"], row["licence"]) for row in rows],
    )


@models_command.command("verify")
@config_option
@json_option
def verify_models(config_path: Path | None, as_json: bool) -> int:
    """Check the SHA-256 of every weight file on this machine. Exit code 1 when one is wrong."""
    rows = [row for row in _survey(_config_if_any(config_path)) if row["state"] != "not here"]
    if as_json:
        print_json(rows)
    else:
        print_table(("model", "state", "file"), [(row["model"], row["state"], row["file"]) for row in rows])
    return 1 if any(row["state"].startswith("wrong") for row in rows) else 0


@models_command.command("fetch")
@click.argument("names", nargs=-1)
@config_option
def fetch_models(names: tuple[str, ...], config_path: Path | None) -> None:
    """Download the weights of models.

    Download the weights of NAMES; without names, those that the configuration needs. Without a configuration:
    those of the default models.
    """
    from homeface.cli.progress import fetch_with_progress
    from homeface.service.wiring import known_models, model_folders, wanted_models

    config = _config_if_any(config_path)
    wanted = wanted_models(config)
    if names:
        known = {spec.name: spec for spec in reversed(known_models(config))}
        unknown = [name for name in names if name not in known]
        if unknown:
            raise click.UsageError(
                f"There is no model {', '.join(unknown)}. Known: {', '.join(sorted(known))}."
            )
        wanted = [known[name] for name in names]
    for spec in wanted:
        path = fetch_with_progress(spec, model_folders(config, os.environ))
        click.echo(f"{spec.name}: {path or 'comes inside its package, nothing to fetch'}")


def _config_if_any(path: Path | None) -> Config | None:
    return read_config(path) if config_path_or_default(path) is not None else None


def _survey(config: Config | None) -> list[dict[str, str]]:
    """One row a model: name, kind, state (ok, in package, not here, wrong hash), file, licence."""
    from homeface.service.wiring import known_models, model_folders

    folders = model_folders(config, os.environ)
    return [_survey_one(spec, folders) for spec in known_models(config)]


def _survey_one(spec: ModelSpec, folders: list[Path]) -> dict[str, str]:
    from homeface.inference.weights import locate

    state, file = "in package", ""
    if not spec.packaged:
        try:
            file = str(locate(spec, folders))
            state = "ok"
        except ModelIntegrityError as error:
            state = f"wrong: {error}"
        except WeightsUnavailableError:
            state = "not here"
    return {
        "model": spec.name,
        "kind": spec.kind.value,
        "state": state,
        "file": file,
        "licence": spec.licence,
    }
