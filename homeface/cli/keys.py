"""``homeface key``: make, change, seal and unseal the key that opens faces."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from homeface.cli.options import config_option, json_option, print_json, read_config, who_acts
from homeface.errors import HomefaceError

if TYPE_CHECKING:
    from homeface.adapters.credentials import SealedBy

CREDENTIAL = "homeface.key"
_UNIT_FOLDER = Path("/etc/systemd/system")
_UNIT = click.option("--unit", default="homeface.service", show_default=True, help="The service.")


@click.group("key")
def key_command() -> None:
    """The key that opens face templates and photos.

    It is a file beside the database, unless storage.key_file names another one, or systemd passes on a
    credential named homeface.key. Whoever has the key and the database has the faces: keep the key apart
    from copies of the database. "homeface backup" needs no key kept by hand.
    """


@key_command.command("new")
def new_key() -> None:
    """Print a new key."""
    click.echo(secrets.token_bytes(32).hex())


@key_command.command("rotate")
@config_option
@json_option
def rotate_key(config_path: Path | None, as_json: bool) -> None:
    """Seal everything with a new key.

    For a key that others may have seen. The service may run: it follows. An interruption harms nothing.
    Copies beside the database that the old key opens are deleted; backups keep the key they were made with.
    """
    from homeface.service.session import open_store

    with closing(open_store(read_config(config_path))) as store:
        done, broken = store.rotate_key()
        store.note_act(who_acts(), "key rotate")
        file = store.key_file
    if as_json:
        print_json({"sealed": done, "broken": broken, "key_file": str(file)})
        return
    click.echo(f"{done} values are sealed with a new key in {file}.")
    if broken:
        click.echo(f"{broken} did not open with the old key either: damaged. They stay as they are.")


@key_command.command("seal")
@config_option
@_UNIT
@click.option(
    "--with",
    "sealed_by",
    type=click.Choice(["auto", "host", "tpm2", "host+tpm2"]),
    default="auto",
    show_default=True,
    help="What opens it: auto (the TPM too, when there is one), this system's own secret, the TPM, or both.",
)
@click.option("--yes", is_flag=True, help="Do not ask before the plain key file is deleted.")
def seal_key(config_path: Path | None, unit: str, sealed_by: str, yes: bool) -> None:
    """Let systemd keep the key, sealed by this machine; the plain file is deleted then.

    As root. A disk that is stolen, or an image of it, opens nothing any more (with the TPM). Make a backup
    first: without this machine only a backup brings the faces back. Commands of yours are then run by:
    homeface key run people list
    """
    from homeface.adapters import credentials
    from homeface.service.session import open_store

    config = read_config(config_path)
    with closing(open_store(config)) as store:
        file, plain = store.key_file, store.key()
        store.note_act(who_acts(), "key seal")
    target = credentials.SEALED_FOLDER / CREDENTIAL
    credentials.seal(CREDENTIAL, plain.hex().encode() + b"\n", target, cast("SealedBy", sealed_by))
    _write_drop_in(unit, f"[Service]\nLoadCredentialEncrypted={CREDENTIAL}:{target}\n")
    click.echo(f"Sealed as {target}; {_drop_in(unit)} passes it on. Next: systemctl restart {unit}")
    if config.storage.key_file is not None:
        click.echo("Take storage.key_file out of the configuration: it goes before the credential.")
    if yes or click.confirm(f"Delete the plain key {file}? (Is there a backup that opens?)"):
        file.unlink(missing_ok=True)
        click.echo(f"{file} is deleted.")


@key_command.command("unseal")
@config_option
@_UNIT
def unseal_key(config_path: Path | None, unit: str) -> None:
    """Write the sealed key into a plain file again, e.g. to change it. As root."""
    from homeface.adapters import credentials
    from homeface.adapters.vault import write_private
    from homeface.service.wiring import database_path

    sealed = credentials.SEALED_FOLDER / CREDENTIAL
    file = database_path(read_config(config_path)).with_suffix(".key")
    if not sealed.exists():
        raise HomefaceError(f"There is no sealed key {sealed}: nothing to unseal.")
    plain = credentials.unseal(CREDENTIAL, sealed)
    try:
        write_private(file, plain)
    except FileExistsError as error:
        raise HomefaceError(f"{file} is there already; move it away first.") from error
    except OSError as error:
        raise HomefaceError(f"{file} cannot be written: {error.strerror}.") from error
    sealed.unlink(missing_ok=True)
    _drop_in(unit).unlink(missing_ok=True)
    click.echo(f"The key is {file} again. Next: systemctl daemon-reload && systemctl restart {unit}")


@key_command.command("run", context_settings={"ignore_unknown_options": True})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run_with_key(command: tuple[str, ...]) -> None:
    """Run another homeface command with the sealed key, as the service's user: homeface key run people list

    As root.
    """
    from homeface.adapters import credentials, system_files

    program = shutil.which("systemd-run")
    if program is None:
        raise HomefaceError("systemd-run is not there: this needs systemd.")
    sealed = credentials.SEALED_FOLDER / CREDENTIAL
    if not sealed.is_file():
        raise HomefaceError(f"There is no sealed key {sealed}: commands run without this.")
    told = ["--quiet", "--wait", "--collect", "--pipe", "--uid=homeface", "--gid=homeface"]
    told += ["--setenv=HOME=/var/lib/homeface"]
    told += ["-p", f"LoadCredentialEncrypted={CREDENTIAL}:{sealed}", "-p", "UMask=0077"]
    told += [f"--setenv={name}={os.environ[name]}" for name in ("HOMEFACE_CONFIG",) if name in os.environ]
    os.execv(program, [program, *told, str(system_files.program()), *command])  # noqa: S606


def _drop_in(unit: str) -> Path:
    return _UNIT_FOLDER / f"{unit}.d" / "key.conf"


def _write_drop_in(unit: str, text: str) -> None:
    path = _drop_in(unit)
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)
    except OSError as error:
        raise HomefaceError(f"{path} cannot be written: {error.strerror}.") from error
