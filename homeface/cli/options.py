"""What the commands share: options, where the config is looked for, tables and JSON."""

from __future__ import annotations

import getpass
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from homeface.errors import ConfigError, ConfigProblem, HomefaceError

if TYPE_CHECKING:
    from homeface.config import Config

_Command = TypeVar("_Command", bound=Callable[..., Any])

DEFAULT_CONFIGS = (Path("config.yaml"), Path("/etc/homeface/config.yaml"))


def config_option(command: _Command) -> _Command:
    """``-c/--config``: by default HOMEFACE_CONFIG, ./config.yaml or /etc/homeface/config.yaml."""
    return click.option(
        "-c",
        "--config",
        "config_path",
        type=click.Path(path_type=Path),
        envvar="HOMEFACE_CONFIG",
        show_envvar=True,
        help="Configuration file. Without it: ./config.yaml, then /etc/homeface/config.yaml.",
    )(command)


def json_option(command: _Command) -> _Command:
    """``--json``: output for scripts."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")(command)


def check_output(path: Path, *, force: bool, picture: bool = False) -> None:
    """Raise ``click.UsageError`` for a file that must not be written over, or a picture that is no PNG."""
    if picture and path.suffix.lower() != ".png":
        raise click.UsageError(f"{path} is to be a picture: give it a name that ends in .png.")
    if path.exists() and not force:
        raise click.UsageError(f"{path} is there already: name another file, or say --force.")


def password_option(command: _Command) -> _Command:
    """``--password-file``: where a password comes from when nobody can be asked."""
    return click.option(
        "--password-file",
        type=click.Path(path_type=Path),
        help="Read the password from the first line of this file (- is standard input) instead of asking.",
    )(command)


def ask_password(what: str, file: Path | None, *, twice: bool) -> str:
    """From the file's first line, or from the person at the terminal. Raises HomefaceError."""
    if file is None:
        if not sys.stdin.isatty():
            raise HomefaceError("There is nobody to ask for the password: use --password-file FILE.")
        text: str = click.prompt(what, hide_input=True, confirmation_prompt=twice)
        return text
    try:
        text = sys.stdin.readline() if str(file) == "-" else file.read_text(encoding="utf-8")
    except OSError as error:
        raise HomefaceError(f"The password file {file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise HomefaceError(f"The password file {file} is not UTF-8 text.") from error
    return text.partition("\n")[0].rstrip("\r")


def config_path_or_default(path: Path | None) -> Path | None:
    """The given path, else the first default that exists, else None."""
    if path is not None:
        return path
    return next((candidate for candidate in DEFAULT_CONFIGS if candidate.is_file()), None)


def read_config(path: Path | None) -> Config:
    """Load the configuration. Raises ``ConfigError`` when there is none or it is wrong."""
    from homeface import config
    from homeface.service.wiring import known_names

    found = config_path_or_default(path)
    if found is None:
        places = " or ".join(str(candidate) for candidate in DEFAULT_CONFIGS)
        raise ConfigError(
            [
                ConfigProblem(
                    places,
                    None,
                    "",
                    "there is no configuration; copy config.example.yaml and name it with -c",
                )
            ]
        )
    return config.load(found, os.environ, known_names())


def who_acts() -> str:
    """``cli:NAME`` for the log of acts: the person behind sudo, else the user of this process."""
    name = os.environ.get("SUDO_USER", "")
    if not name:
        try:
            name = getpass.getuser()
        except (OSError, KeyError):
            name = str(os.getuid())
    return f"cli:{name}"


def print_json(value: object) -> None:
    """One JSON document on stdout."""
    click.echo(json.dumps(value, ensure_ascii=False, default=str))


def print_table(headers: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> None:
    """A table on stdout; plain text when stdout is not a terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(
        title=title or None, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False, padding=(0, 1, 0, 0)
    )
    for header in headers:
        table.add_column(header, overflow="fold")
    for row in rows:
        table.add_row(*("–" if cell is None else str(cell) for cell in row))
    width = None if sys.stdout.isatty() else 160
    Console(width=width, highlight=False).print(table)


def latency_text(summary: Mapping[str, object]) -> str:
    """``latency_ms`` of a summary in words; empty when nothing was measured."""
    latency = summary["latency_ms"]
    if not isinstance(latency, Mapping) or latency["p50"] is None:
        return ""
    return f"{latency['p50']:.0f} ms (median), {latency['p95']:.0f} ms (95th percentile)"
