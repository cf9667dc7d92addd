"""The command line. Each command's module is imported only when that command runs."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from homeface import __version__
from homeface.errors import HomefaceError

_COMMANDS = {
    "demo": ("homeface.cli.demo", "See the main job on this machine, without a camera or a broker."),
    "check": ("homeface.cli.running", "Look at config, cameras, broker, weights and device; change nothing."),
    "run": ("homeface.cli.running", "Run the daemon (what the systemd service does)."),
    "enrol": ("homeface.cli.people", "Enrol a person from photos."),
    "people": ("homeface.cli.people", "List, show, rename, remove, export enrolled people; health, report."),
    "identify": ("homeface.cli.people", "Who is in these pictures, and why not?"),
    "replay": ("homeface.cli.replay", "Send recordings through the very same pipeline."),
    "annotate": ("homeface.cli.annotate", "Draw recognition into a recording."),
    "status": ("homeface.cli.status", "How the running daemon does: a live table."),
    "watch": ("homeface.cli.watch", "Watch a running homeface's messages and their latency."),
    "web": ("homeface.cli.web", "The page's password and tokens."),
    "homeassistant": (
        "homeface.cli.homeassistant",
        "The companion for Home Assistant: put it in, take it out.",
    ),
    "models": ("homeface.cli.models", "List, fetch and verify model weights."),
    "config": ("homeface.cli.config", "Check a configuration; print its JSON schema."),
    "install": ("homeface.cli.install", "Install as a system service, update it, or take it away (root)."),
    "backup": ("homeface.cli.safety", "Write everything that is stored into one file under a password."),
    "restore": ("homeface.cli.safety", "Bring everything back from a backup."),
    "key": ("homeface.cli.keys", "Change the gallery's key; hand it to systemd, sealed by the TPM."),
    "acts": ("homeface.cli.safety", "Who enrolled, renamed, removed, exported whom, and when."),
    "bench": ("homeface.cli.bench", "Measure speed on this machine, beside other face recognition."),
    "evaluate": ("homeface.cli.evaluate", "Measure recognition on a folder of identities (offline)."),
    "lab": ("homeface.cli.lab", "Train, convert and export models (offline)."),
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports them when they are asked for.

    ``table``: module and one line of help of each command, in the order in which a new user meets them. The
    command ``do-it`` is ``do_it_command`` in its module.
    """

    def __init__(self, *arguments: Any, table: Mapping[str, tuple[str, str]], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Command names."""
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one command, or None when there is no such command."""
        if cmd_name not in self._table:
            return None
        module = importlib.import_module(self._table[cmd_name][0])
        command = getattr(module, f"{cmd_name.replace('-', '_')}_command")
        assert isinstance(command, click.Command)  # noqa: S101 - a broken table is a bug, not an input
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands with their one-line help, without importing any of them."""
        if not self._table:
            return
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self._table.items()])


@click.group(cls=LazyGroup, table=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="homeface")
def cli() -> None:
    """homeface tells a home who is in which room.

    It watches RTSP cameras, recognises the people you enrolled, says "unknown" when it is not sure,
    and publishes presence per room over MQTT for Home Assistant. Nothing leaves the house.

    \b
    First steps:
      homeface demo                            see it work, without any camera
      cp config.example.yaml config.yaml       describe rooms, cameras and the broker
      homeface check -c config.yaml            is everything reachable?
      homeface enrol Ada photos/ada/*.jpg      enrol somebody (five photos are good)
      homeface run -c config.yaml              go

    \b
    Exit codes: 0 done, 1 failed (the text says why), 2 wrong configuration or usage,
    130 stopped by you (Ctrl-C, or no to a question).
    "homeface COMMAND --help" explains each command; most know --json.
    """


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def run_cli(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code; expected errors become one text on stderr."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")  # a camera's trouble is told once, by us
    try:
        result = cli.main(args=arguments, prog_name="homeface", standalone_mode=False)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.Abort:
        click.echo("Stopped.", err=True)
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except HomefaceError as error:
        click.secho(str(error), fg="red" if sys.stderr.isatty() else None, err=True)
        return error.exit_code
    except OSError as error:
        return _output_failed(error)
    return result if isinstance(result, int) else 0


def _output_failed(error: OSError) -> int:
    """The exit code when nobody reads on, or the disk behind a redirection is full. Raises all else."""
    if isinstance(error, BrokenPipeError):
        sys.stderr.close()
        return 0
    if error.errno not in _FULL:
        raise error
    click.echo(f"The output could not be written: {error.strerror}.", err=True)
    return 1
