"""``homeface status``: what the running daemon says of itself, once or live."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from homeface.cli.options import config_option, json_option, print_json, read_config
from homeface.errors import HomefaceError

if TYPE_CHECKING:
    from rich.console import RenderableType

_REFRESH_SECONDS = 1.0


@click.command("status")
@config_option
@json_option
@click.option("--once", is_flag=True, help="Print it once, also on a terminal.")
@click.option("--alive", is_flag=True, help="Print one word; exit code 0 while the device makes progress.")
def status_command(config_path: Path | None, as_json: bool, once: bool, alive: bool) -> int:
    """Cameras, rooms, people, device, broker and storage of the running daemon.

    On a terminal the table stays and is renewed every second until Ctrl-C. Exit code 0 when the daemon does
    its whole job, 1 when it does not, or does not run. As root or the service's user.
    """
    from homeface.adapters.status_socket import ask_status

    folder = read_config(config_path).storage.folder
    status = ask_status(folder)
    if alive:
        click.echo("alive" if status["healthy"] else "hanging")
        return 0 if status["healthy"] else 1
    if as_json:
        print_json(status)
    elif once or not sys.stdout.isatty():
        _print(status)
    else:
        _live(folder, status)
    return 0 if status["ready"] and status["healthy"] else 1


def _print(status: Mapping[str, Any]) -> None:
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 160, highlight=False).print(_page(status, time.time()))


def _live(folder: Path, status: Mapping[str, Any]) -> None:
    from rich.live import Live

    from homeface.adapters.status_socket import ask_status

    with Live(_page(status, time.time()), screen=False, auto_refresh=False) as live:
        try:
            while True:
                time.sleep(_REFRESH_SECONDS)
                try:
                    live.update(_page(ask_status(folder), time.time()), refresh=True)
                except HomefaceError as error:
                    live.update(str(error), refresh=True)
        except KeyboardInterrupt:
            return


def _page(status: Mapping[str, Any], now: float) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    return Group(*map(Text, _head(status, now)), _cameras(status), _rooms(status, now), _people(status, now))


def _head(status: Mapping[str, Any], now: float) -> list[str]:
    device, storage, broker = status["device"], status["storage"], status["broker"]
    well = "does its whole job" if status["ready"] and status["healthy"] else "NOT everything works"
    visits = status["visits"]
    silent = f", NO PROGRESS for {device['silent_seconds']:.0f} s" if not status["healthy"] else ""
    copied = "never copied" if storage["copied_at"] is None else f"copied {_ago(now, storage['copied_at'])}"
    disk = "" if storage["writable"] else "CANNOT BE WRITTEN, "
    speed = f"{device['look_ms']:.0f} ms a frame, {device['embed_ms']:.0f} ms a face"
    waiting = f"{device['queued']} waiting, {device['failures']} failures{silent}"
    size = f"{storage['bytes'] / 2**20:.1f} MiB, {storage['free_bytes'] / 2**30:.1f} GiB free, {copied}"
    counts = f"{visits['named']} named, {visits['unknown']} unknown, {visits['undecided']} undecided"
    return [
        f"homeface {status['version']}, up {_span(now - status['started_at'])}: {well}",
        f"Broker    {'connected' if broker['connected'] else broker['reason'] or 'connecting'}",
        f"Device    {device['model']} in {device['runtime']} on {device['device']}: {speed}, {waiting}",
        f"Storage   {disk}{storage['people']} people, {storage['templates']} templates, {size}",
        f"Visits    {counts}{'; guest mode' if status['guest_mode'] else ''}",
    ]


def _cameras(status: Mapping[str, Any]) -> RenderableType:
    rows = [
        (
            camera["name"],
            camera["room"],
            "paused" if camera["paused"] else "pictures come" if camera["available"] else camera["reason"],
            f"{camera['stats']['fps']:.1f}",
            f"{camera['analysed_fps']:.1f}",
            camera["stats"]["dropped"],
            f"{camera['stats']['lag_seconds']:.1f} s",
            camera["stats"]["reconnects"],
            camera["visits"],
        )
        for camera in status["cameras"]
    ]
    heads = ("camera", "room", "state", "fps", "analysed", "dropped", "late", "reconnects", "visits")
    return _table(heads, rows)


def _rooms(status: Mapping[str, Any], now: float) -> RenderableType:
    rows = []
    for room in status["rooms"]:
        who = list(room["people"]) + ([f"{room['unknown']} unknown"] if room["unknown"] else [])
        who = who if room["available"] else []
        state = "cannot be known" if not room["available"] else "occupied" if room["occupied"] else "free"
        rows.append((room["room"], state, ", ".join(who) or "–", _ago(now, room["since"])))
    return _table(("room", "state", "who", "since"), rows)


def _people(status: Mapping[str, Any], now: float) -> RenderableType:
    rows = [
        (
            person["name"],
            _where(person),
            _ago(now, person["since"]),
        )
        for person in status["people"]
    ]
    return _table(("person", "where", "since"), rows)


def _where(person: Mapping[str, Any]) -> str:
    if not person["available"]:
        return "cannot be known"
    return (person["room"] or "at home") if person["home"] else "away"


def _table(heads: Sequence[str], rows: Sequence[tuple[object, ...]]) -> RenderableType:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    return table


def _ago(now: float, then: float) -> str:
    return "–" if not then else f"{_span(now - then)} ago"


def _span(seconds: float) -> str:
    seconds = max(0.0, seconds)
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172800 else f"{seconds / 86400:.0f} d"
