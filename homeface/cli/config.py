"""``homeface config``: is it right, and what may stand in it?"""

from __future__ import annotations

from pathlib import Path

import click

from homeface.cli.options import config_option, json_option, print_json, read_config
from homeface.errors import ConfigError


@click.group("config")
def config_command() -> None:
    """Check a configuration; print its JSON schema for editors."""


@config_command.command("schema")
def schema() -> None:
    """Print the JSON schema, for editors.

    Write it to a file, and name that in the first line of the configuration:
    # yaml-language-server: $schema=FILE
    """
    from homeface import config

    print_json(config.json_schema())


@config_command.command("check")
@config_option
@json_option
def check(config_path: Path | None, as_json: bool) -> int:
    """Tell everything that is wrong with a configuration.

    Each problem with its file, line and key. Exit code 2 when there is one.
    """
    try:
        found = read_config(config_path)
    except ConfigError as error:
        if not as_json:
            raise
        problems = [
            {"file": p.file, "line": p.line, "key": p.key, "message": p.message} for p in error.problems
        ]
        print_json({"ok": False, "problems": problems})
        return error.exit_code
    if as_json:
        print_json({"ok": True, "problems": []})
    else:
        click.echo(f"The configuration is right: {found.size_text()}.")
    return 0
