"""``homeface homeassistant``: the companion integration, blueprints, sentences and a dashboard."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from homeface.cli.options import json_option, print_json

_NEXT = """
Next:
  1. Restart Home Assistant.
  2. Settings, Devices & services: homeface is found there when its web page is on (web.enabled).
     A token for it:
       homeface web token home-assistant --scope read --scope control --scope enrol --scope admin
  3. Settings, Automations & scenes, Blueprints: seven that begin with "homeface:".
  4. The dashboard, if you want it, in configuration.yaml:
       lovelace:
         dashboards:
           homeface-rooms:
             mode: yaml
             title: homeface
             icon: mdi:home-account
             filename: dashboards/homeface.yaml"""


@click.group("homeassistant")
def homeassistant_command() -> None:
    """The companion for Home Assistant: integration, blueprints, dashboard."""


@homeassistant_command.command("install")
@click.option(
    "--config",
    "folder",
    type=click.Path(path_type=Path),
    required=True,
    help="Home Assistant's configuration folder, the one with configuration.yaml.",
)
@click.option("--undo", is_flag=True, help="Take it away again; what you changed stays.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@json_option
def install(folder: Path, undo: bool, dry_run: bool, as_json: bool) -> None:
    """Copy the companion into a Home Assistant folder, or bring it up to date.

    The integration, seven blueprints, sentences for Assist and a dashboard. Nothing that is yours is written
    over: a blueprint that you changed stays, and the new one is put beside it. Running it again changes
    nothing.
    """
    from homeface.adapters import homeassistant_files as files

    files.check_folder(folder)
    wanted = {} if undo else files.source_files()
    steps = files.plan_undo(folder) if undo else files.plan_install(folder, wanted)
    if not dry_run:
        files.carry_out(folder, steps, wanted)
    if as_json:
        told = [{"path": s.path, "act": s.act.name.lower(), "beside": s.beside} for s in steps]
        print_json({"done": not dry_run, "files": told})
        return
    for step in steps:
        if step.act is not files.Act.SAME:
            click.echo(f"{step.act}: {step.path}" + (f" ({step.beside})" if step.beside else ""))
    counts = Counter(step.act for step in steps)
    if undo and not steps:
        click.echo(f"Nothing of homeface is installed in {folder}.")
        return
    summary = ", ".join(f"{count} {act}" for act, count in counts.items())
    click.echo(f"{'Would be done' if dry_run else 'Done'} in {folder}: {summary}.")
    if dry_run:
        return
    click.echo("Restart Home Assistant." if undo else _NEXT.strip())
