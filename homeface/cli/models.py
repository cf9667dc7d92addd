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
from homeface.errors import BackendUnavailableError, ModelIntegrityError, WeightsUnavailableError

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

    The table names the file; `homeface models verify` and --json also tell its folder. Below it: what runs
    the models that are in use, see recognition.runtime and recognition.device.
    """
    from homeface.service.wiring import wanted_models

    config = _config_if_any(config_path)
    rows = _survey(config)
    if as_json:
        print_json(rows)
        return
    print_table(
        ("model", "kind", "weights", "licence"),
        [(row["model"], row["kind"], Path(row["file"]).name or row["state"], row["licence"]) for row in rows],
    )
    for spec in wanted_models(config):
        click.echo(f"{spec.name} runs in {_runtime(spec, config)}.")


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
    wanted = _named(names, known_models(config)) if names else wanted_models(config)
    for spec in wanted:
        path = fetch_with_progress(spec, model_folders(config, os.environ))
        click.echo(f"{spec.name}: {path or 'comes inside its package, nothing to fetch'}")


@models_command.command("compile")
@click.argument("names", nargs=-1)
@config_option
def compile_models_command(names: tuple[str, ...], config_path: Path | None) -> None:
    """Prepare models for this machine, so that the next start is quick.

    Prepares NAMES; without names, the models in use. Their weights must be here, see `homeface models fetch`.
    `homeface run` does the same at its first start: this command is for whoever does not want to wait then.
    """
    from homeface.inference.compiling import compile_models
    from homeface.service.wiring import engine_settings, known_models, wanted_models

    config = _config_if_any(config_path)
    settings = engine_settings(config, os.environ)
    wanted = _named(names, known_models(config)) if names else wanted_models(config)
    click.echo(f"Preparing {', '.join(spec.name for spec in wanted)} in {settings.cache or 'memory alone'}")
    for done in compile_models(settings, wanted):
        click.echo(f"{done.name}: {done.runtime}, {done.seconds:.1f} s")


def _named(names: tuple[str, ...], specs: list[ModelSpec]) -> list[ModelSpec]:
    known = {spec.name: spec for spec in reversed(specs)}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise click.UsageError(f"There is no model {', '.join(unknown)}. Known: {', '.join(sorted(known))}.")
    return [known[name] for name in names]


def _runtime(spec: ModelSpec, config: Config | None) -> str:
    """What runs a model, or why nothing does."""
    from homeface.inference.devices import runtime_of

    wish = ("auto", "auto") if config is None else (config.recognition.runtime, config.recognition.device)
    try:
        return str(runtime_of(spec, *wish))
    except BackendUnavailableError as error:
        return f"nothing: {error}"


def _config_if_any(path: Path | None) -> Config | None:
    return read_config(path) if config_path_or_default(path) is not None else None


def _survey(config: Config | None) -> list[dict[str, str]]:
    """One row a model: name, kind, state (ok, in package, not here, wrong hash), file, licence."""
    from homeface.service.wiring import known_models, model_folders

    folders = model_folders(config, os.environ)
    return [_survey_one(spec, folders) | {"runtime": _runtime(spec, config)} for spec in known_models(config)]


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
