"""``homeface run`` and ``homeface check``."""

from __future__ import annotations

import asyncio
import faulthandler
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from homeface.cli.options import (
    config_option,
    config_path_or_default,
    json_option,
    print_json,
    print_table,
    read_config,
)

if TYPE_CHECKING:
    from homeface.adapters.telemetry import LogFormat, RedactingFilter
    from homeface.config import Config


@click.command("run")
@config_option
@click.option(
    "--log-format",
    type=click.Choice(["auto", "text", "json"]),
    help="Override logging.format: text for people, json one object a line.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="Override logging.level.",
)
def run_command(config_path: Path | None, log_format: str | None, log_level: str | None) -> None:
    """Run the daemon until SIGTERM or Ctrl-C. SIGHUP reads the configuration again.

    Exit codes: 0 stopped, 1 failed, 2 wrong configuration (systemd does not restart it then).
    """
    with suppress(OSError, RuntimeError):  # standard error is closed, or no file
        faulthandler.enable()  # the watchdog's SIGABRT then says in the journal where every thread hung
    config = read_config(config_path)
    mask = set_up_logging(config, log_format, log_level)
    from homeface.service.daemon import Daemon

    path = config_path_or_default(config_path)
    assert path is not None  # noqa: S101 - read_config has found it
    daemon = Daemon(config, path, os.environ, on_config=lambda new: mask.set_secrets(new.secret_values()))
    asyncio.run(daemon.run())


@click.command("check")
@config_option
@json_option
@click.option(
    "--timeout",
    default=10.0,
    show_default=True,
    help="Longest wait for one camera or the broker, in seconds.",
)
def check_command(config_path: Path | None, as_json: bool, timeout: float) -> int:
    """Look at everything the daemon will need, and change nothing.

    Config, storage, weights, device, broker, and every camera. Exit code 0 when all is well, 1 when
    something is not, 2 when the configuration itself is wrong.
    """
    config = read_config(config_path)
    from homeface.service.checks import check_all

    results = asyncio.run(check_all(config, os.environ, timeout))
    if as_json:
        print_json([{"what": r.what, "ok": r.ok, "text": r.text} for r in results])
    else:
        print_table(("", "what", "result"), [("ok" if r.ok else "FAIL", r.what, r.text) for r in results])
    return 0 if all(result.ok for result in results) else 1


def set_up_logging(config: Config, log_format: str | None, log_level: str | None) -> RedactingFilter:
    """Logging as configured, with every configured secret masked."""
    from homeface.adapters.telemetry import setup_logging
    from homeface.config import systemd_environment

    return setup_logging(
        log_level or config.logging.level,
        cast("LogFormat", log_format or config.logging.format),
        journal_stream=systemd_environment(os.environ, os.getpid()).journal_stream,
        secrets=config.secret_values(),
    )
