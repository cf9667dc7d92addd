"""``homeface install``: the system service, with every step told before it is done."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from homeface.errors import ConfigError, HomefaceError

if TYPE_CHECKING:
    from homeface.adapters.installation import Step


_FAILURES = (OSError, HomefaceError, subprocess.SubprocessError)


@click.command("install")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--uninstall", is_flag=True, help="Take the service away again; configuration and faces stay.")
@click.option("--purge", is_flag=True, help="With --uninstall: delete configuration, faces and visits, too.")
@click.option("--enable", is_flag=True, help="Start the service now and with the system.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    default=Path("/"),
    show_default=True,
    help="Write below this folder instead, and run no commands (for packages).",
)
def install_command(dry_run: bool, uninstall: bool, purge: bool, enable: bool, yes: bool, root: Path) -> int:
    """Install this homeface as a service of systemd, or bring an installed one up to date.

    As root, from a virtual environment that other users can read, such as /opt/homeface. The units, a user of
    its own, its folders, and a configuration to edit. What is there already stays as it is; an existing
    database is copied and brought up to date. Running it again changes nothing.

    --dry-run ends with 1 when something is in the way, and installing would be refused.
    """
    from homeface.adapters.installation import (
        Target,
        left_behind,
        obstacles,
        plan_install,
        plan_uninstall,
        running_units,
    )
    from homeface.adapters.system_files import program

    if purge and not uninstall:
        raise click.UsageError("--purge goes with --uninstall.")
    target = Target(root.absolute())
    if uninstall:
        steps = plan_uninstall(target, purge=purge)
        _go(steps, dry_run=dry_run, ask=None if yes else _question(purge))
        for place in left_behind(target) if not purge else ():
            click.echo(f"Left behind: {place}")
        return 0
    ran = running_units() if target.live else []
    found = [*obstacles(program(), target), *_configurations(ran)]
    if found and not dry_run:
        raise HomefaceError("\n".join(["homeface cannot be installed like this:", *found]))
    _go(plan_install(program(), target, enable=enable), dry_run=dry_run, ask=None if yes else "Go on?")
    for sentence in found:
        click.echo(f"In the way: {sentence}")
    if not dry_run and target.live and not ran:
        return _first_run_checks(program())
    return 1 if found else 0


def _configurations(units: Sequence[str]) -> list[str]:
    """What runs now must go on after the update: its configuration has to fit this version, too.

    What the service alone has (credentials, environment) cannot be looked at from here, and counts as right.
    """
    from homeface import config
    from homeface.adapters.installation import config_of
    from homeface.service.wiring import known_names

    found = []
    for unit in units:
        try:
            config.load(config_of(unit), os.environ, known_names())
        except ConfigError as error:
            wrong = [
                str(p) for p in error.problems if "!file" not in p.message and "environment" not in p.message
            ]
            if wrong:
                told = "; ".join(wrong)
                found.append(
                    f"{unit} would not start with this version until its configuration is mended: {told}"
                )
    return found


def _go(steps: Sequence[Step], *, dry_run: bool, ask: str | None) -> None:
    """Tell every step, ask, do."""
    if not steps:
        click.echo("There is nothing to do.")
        return
    click.echo("Would do:" if dry_run else "This will be done:")
    for number, step in enumerate(steps, start=1):
        click.echo(f"{number:3}. {step.sentence}")
    if dry_run:
        return
    if ask is not None:
        click.confirm(ask, abort=True)
    begun: list[Step] = []
    for number, step in enumerate(steps, start=1):
        begun.append(step)
        try:
            step.do()
        except _FAILURES as error:
            _take_back(number, begun)
            told = "The steps before it are done; mend it and run this again."
            raise HomefaceError(f"Step {number} failed: {error}\n{told}") from error
        except BaseException:  # Ctrl-C: the house must not stay without its service
            _take_back(number, begun)
            raise
    click.echo("Done.")


def _take_back(number: int, begun: Sequence[Step]) -> None:
    """After a step that was not finished: what it and those before it would leave stopped runs again."""
    for undo in [step.undo for step in begun if step.undo is not None]:
        click.echo(f"Step {number} was not finished. {undo.sentence}", err=True)
        try:
            undo.do()
        except _FAILURES as error:
            click.echo(f"That failed, too; do it by hand: {error}", err=True)


def _question(purge: bool) -> str:
    return "Go on, and delete all faces?" if purge else "Go on?"


def _first_run_checks(command: Path) -> int:
    """As the service's own user, with the service's folders; tells what to do next."""
    from homeface.adapters.system_files import CACHE, CONFIG, STATE

    folders = {
        "HOME": STATE,
        "STATE_DIRECTORY": STATE,
        "CACHE_DIRECTORY": CACHE,
        "XDG_CACHE_HOME": CACHE.parent,
    }
    environ = {name: str(path) for name, path in folders.items()}
    done = subprocess.run(  # noqa: S603 - ourselves
        [str(command), "check", "-c", str(CONFIG), "--timeout", "5"],
        user="homeface",
        group="homeface",
        extra_groups=[],
        env={**environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        cwd=STATE,
        check=False,
    )
    if done.returncode:
        click.echo(
            f"Not everything is well yet (that is normal before {CONFIG} is edited). Next:\n"
            f"  edit {CONFIG}\n"
            f"  sudo -u homeface {command} models fetch\n"
            f"  sudo -u homeface {command} check\n"
            f"  sudo -u homeface {command} enrol NAME photos/*.jpg\n"
            "  systemctl enable --now homeface"
        )
    return 0
