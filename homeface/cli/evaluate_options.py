"""Options of ``homeface evaluate``, and what they become: models, folders, processes, progress bars."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from homeface.cli.options import print_json, read_config
from homeface.cli.progress import fetch_with_progress, stage

if TYPE_CHECKING:
    from homeface.inference.weights import ModelSpec
    from homeface.lab.evaluation.looking import Look
    from homeface.lab.evaluation.running import Work
    from homeface.lab.evaluation.sizes import Span

_Command = TypeVar("_Command", bound=Callable[..., Any])

folder_argument = click.argument("folder", type=click.Path(path_type=Path))


def work_options(command: _Command) -> _Command:
    """What every protocol takes: models, cache, processes, output."""
    for option in reversed(_WORK):
        command = option(command)
    return command


_WORK = (
    click.option(
        "--embedder",
        "embedders",
        help="One or several, with commas: facenet_vggface2,mobilefacenet. Default: the configuration's.",
    ),
    click.option("--detector", help="Finds the faces. Default: the configuration's."),
    click.option(
        "--models",
        type=click.Path(path_type=Path, file_okay=False),
        multiple=True,
        help="Folder with weights, searched first; may be repeated.",
    ),
    click.option(
        "-c",
        "--config",
        "config_path",
        type=click.Path(path_type=Path),
        help="Take models (your own too) and models_dir from this configuration.",
    ),
    click.option(
        "--cache",
        type=click.Path(path_type=Path, file_okay=False),
        help="Embeddings are kept here, by the content of the pictures, and taken up again.",
    ),
    click.option(
        "--jobs", type=click.IntRange(min=1), help="Processes that work at the same time. Default: the cores."
    ),
    click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts."),
    click.option(
        "--report",
        "report_path",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Write one HTML page with tables and curves (needs the extra homeface[report]).",
    ),
)

protocol_options = (
    click.option(
        "--subjects",
        default="4",
        show_default=True,
        help="People enrolled in each household: a number up to 20, or a range such as 2-8.",
    ),
    click.option(
        "--photos",
        default="5",
        show_default=True,
        help="Enrolment photos of each: a number up to 20, or a range such as 1-10.",
    ),
    click.option("--households", default=300, show_default=True, type=click.IntRange(1, 10000)),
    click.option(
        "--looks", default=5, show_default=True, type=click.IntRange(1, 20), help="Pictures of one visit."
    ),
    click.option(
        "--ask",
        multiple=True,
        default=("1/100", "1/1000", "1/10000"),
        show_default=True,
        help="Asked rate of false names a visit, such as 1/1000; may be repeated.",
    ),
    click.option(
        "--tune",
        type=click.Choice(["auto", "shipped", "cross", "half"]),
        default="auto",
        show_default=True,
        help="Figures behind the thresholds: those shipped; measured on half of these people and told on the "
        "other half; both halves in turn. auto: shipped, or cross where these very people were measured.",
    ),
    click.option(
        "--most",
        default=20,
        show_default=True,
        type=click.IntRange(min=0),
        help="Pictures used of one person (0: all).",
    ),
    click.option("--seed", default=2, show_default=True, help="Another seed draws other households."),
)


def with_protocol(command: _Command) -> _Command:
    """``--subjects``, ``--photos``, ``--households``, ``--ask`` and what belongs to them."""
    for option in reversed(protocol_options):
        command = option(command)
    return command


def span_option(text: str, option: str) -> Span:
    """``--subjects`` or ``--photos`` as a span; refused before any work is begun."""
    from homeface.lab.evaluation.sizes import span_of

    try:
        return span_of(text, 1, 20)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from error


def asked_rates(texts: tuple[str, ...]) -> tuple[float, ...]:
    """``--ask`` as numbers; refused before any work is begun."""
    from homeface.lab.evaluation.household_run import rates_of

    try:
        return rates_of(texts)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--ask") from error


def work_of(options: dict[str, Any]) -> Work:
    """The models and folders that the options name. Raises the ``ModelError`` and ``ConfigError`` trees."""
    from homeface.inference.manifest import Kind, find_spec
    from homeface.lab.evaluation.cache import default_folder
    from homeface.lab.evaluation.faces import cores
    from homeface.lab.evaluation.looking import Recipe
    from homeface.lab.evaluation.running import Work
    from homeface.service.wiring import custom_models, model_folders, wanted_models

    path = options["config_path"]
    config = read_config(path) if path is not None else None
    extra = custom_models(config)
    detector, embedder = wanted_models(config)
    if options["detector"]:
        detector = find_spec(options["detector"], Kind.DETECTOR, extra)
    looks = looks_of(options["embedders"] or embedder.name, extra)
    folders = (*options["models"], *model_folders(config, os.environ))
    _weights_are_here((detector, *(look.spec for look in looks)), folders)
    return Work(
        recipe=Recipe(detector, looks, folders),
        cache=options["cache"] or default_folder(),
        jobs=options["jobs"] or cores(),
        stage=stage,
        calibrations=None if config is None else config.models_dir,
    )


def looks_of(names: str, extra: tuple[ModelSpec, ...]) -> tuple[Look, ...]:
    """The looks of ``a,b:plain,c+mirror``."""
    from homeface.lab.evaluation.looking import look_of

    return tuple(look_of(name.strip(), extra) for name in dict.fromkeys(names.split(",")) if name.strip())


def _weights_are_here(specs: tuple[ModelSpec, ...], folders: tuple[Path, ...]) -> None:
    """Fetch what is missing, or say so, before hours of work begin."""
    for spec in dict.fromkeys(specs):
        fetch_with_progress(spec, folders)


def require_report(options: dict[str, Any]) -> None:
    """A page that cannot be drawn is told before the work, not after it."""
    if options["report_path"] is not None:
        from homeface.lab.evaluation.report import require_drawing

        require_drawing(options["report_path"])


def answer(
    told: list[dict[str, Any]], show: Callable[[dict[str, Any]], None], options: dict[str, Any]
) -> None:
    """JSON (the first embedder at the top, the others beside it) or tables, and the page if one is wished."""
    if options["report_path"] is not None:
        from homeface.lab.evaluation.report import write_report

        write_report(told, options["report_path"])
        click.echo(f"Written: {options['report_path']}", err=True)
    if options["as_json"]:
        first, *others = told
        print_json({**first, **({"others": others} if others else {})})
        return
    for part in told:
        show(part)
