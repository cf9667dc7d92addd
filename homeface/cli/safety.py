"""``homeface backup``, ``restore`` and ``acts``: what is stored is neither lost nor changed unseen."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from homeface.cli.options import (
    ask_password,
    config_option,
    json_option,
    password_option,
    print_json,
    print_table,
    read_config,
    who_acts,
)
from homeface.errors import HomefaceError, StoreDamagedError, StoreKeyError

if TYPE_CHECKING:
    from homeface.adapters.store import BackupInfo, Store
    from homeface.config import Config


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
@config_option
@json_option
@password_option
def backup_command(file: Path, config_path: Path | None, as_json: bool, password_file: Path | None) -> None:
    """Write people, photos, templates, visits and acts into FILE, encrypted with a password.

    The gallery's key is in it: the file and its password are all that a restore needs, on any machine. The
    configuration is not in it. The service may run meanwhile. Without the password nobody can read it.
    """
    from homeface.service.session import open_store
    from homeface.service.wiring import database_path

    config = read_config(config_path)
    if not database_path(config).exists():
        raise HomefaceError(
            f"There is nothing to back up: {database_path(config)} is not there. Is it the right "
            "user, and the right configuration (-c)?"
        )
    password = _password(password_file, twice=True)
    with closing(open_store(config)) as store:
        info = store.back_up(file, password)
        store.note_act(who_acts(), "backup", file.name)
    if as_json:
        print_json({"file": str(file), **_described(info)})
    else:
        click.echo(f"{file}: {_sentence(info)}. Keep the password apart from it.")


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path))
@config_option
@json_option
@password_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--list", "only_list", is_flag=True, help="Only say what is in the backup; change nothing.")
def restore_command(
    file: Path,
    config_path: Path | None,
    as_json: bool,
    password_file: Path | None,
    yes: bool,
    only_list: bool,
) -> None:
    """Replace everything that is stored by what FILE holds: all of it, or nothing.

    Who was removed on this machine since stays removed. What was there before is copied beside the database.
    A service that runs goes on with what was restored. A damaged database, or one whose key is lost, is set
    aside.
    """
    from homeface.adapters.store import read_backup

    password = _password(password_file, twice=False)
    info = read_backup(file, password)
    if only_list:
        print_json(_described(info)) if as_json else click.echo(f"{file}: {_sentence(info)}.")
        return
    config = read_config(config_path)
    if not yes:
        click.confirm(f"{_sentence(info)}. Replace everything that is stored now?", abort=True)
    with closing(_store_for_restore(config)) as store:
        report = store.restore(file, password)
        store.note_act(who_acts(), "restore", file.name)
    if as_json:
        print_json({"people": report.people, "left_out": report.left_out, "broken": report.broken})
        return
    click.echo(f"Restored: {', '.join(report.people) or 'nobody was enrolled'}.")
    if report.left_out:
        click.echo(f"{report.left_out} who had been removed here since were left out.")
    if report.broken:
        click.echo(f"{report.broken} pictures or templates were damaged already when the backup was made.")


@click.command("acts")
@config_option
@json_option
@click.option(
    "--days", type=click.FloatRange(min=0), default=30.0, show_default=True, help="How far back to look."
)
def acts_command(config_path: Path | None, as_json: bool, days: float) -> None:
    """Administrative acts, newest first.

    People are told by id: the log outlives a person who was removed, the name does not.
    """
    from homeface.service.session import open_store

    with closing(open_store(read_config(config_path))) as store:
        acts = store.acts(since=time.time() - days * 86400, limit=-1)
        names = {subject.subject_id: subject.name for subject in store.subjects()}
    if as_json:
        print_json([{"at": a.at, "who": a.who, "what": a.what, "subject": a.subject} for a in acts])
        return
    if not acts:
        click.echo(f"Nothing was noted in the last {days:g} days.")
        return
    rows = [
        (
            time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(act.at)),
            act.who,
            act.what,
            f"{names[act.subject]} ({act.subject})" if act.subject in names else act.subject,
        )
        for act in acts
    ]
    print_table(("when", "who", "what", "about"), rows)


def _store_for_restore(config: Config) -> Store:
    """The store; one that cannot be opened (damaged, key lost) is set aside and a new one begun."""
    from homeface.adapters.store import set_aside
    from homeface.service.session import only_daemon, open_store
    from homeface.service.wiring import database_path

    try:
        return open_store(config)
    except (StoreDamagedError, StoreKeyError) as error:
        with only_daemon(config):  # nobody may have it open
            aside = set_aside(database_path(config))
            click.echo(f"{error}\nIt was set aside as {aside}.", err=True)
            return open_store(config)


def _password(file: Path | None, *, twice: bool) -> str:
    return ask_password("Password of the backup", file, twice=twice)


def _described(info: BackupInfo) -> dict[str, object]:
    return {
        "created_at": info.created_at,
        "version": info.version,
        "people": info.people,
        "templates": info.templates,
        "sightings": info.sightings,
    }


def _sentence(info: BackupInfo) -> str:
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime(info.created_at))
    who = ", ".join(info.people) or "nobody"
    return f"Backup of {made}: {who}; {info.templates} templates, {info.sightings} visits"
