"""``homeface key``: make, change, seal and unseal the key that opens faces."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from homeface.cli.options import (
    config_option,
    config_path_or_default,
    json_option,
    print_json,
    read_config,
    who_acts,
)
from homeface.errors import HomefaceError

if TYPE_CHECKING:
    from homeface.adapters.credentials import SealedBy

_UNIT = click.option(
    "--unit",
    help="The service. Default: homeface.service, or homeface@attic.service for -c /etc/homeface/attic.yaml; "
    "a configuration elsewhere needs it.",
)


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
    A sealed key is unsealed first: homeface key unseal
    Copies beside the database that the old key opens are deleted; backups keep the key they were made with.
    """
    from homeface.service.session import open_store

    config = read_config(config_path)
    if config.storage.key_file is None:
        _refuse_sealed(config_path)
    with closing(open_store(config)) as store:
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
def seal_key(config_path: Path | None, unit: str | None, sealed_by: str, yes: bool) -> None:
    """Let systemd keep the key, sealed by this machine; the plain file is deleted then.

    As root. A disk that is stolen, or an image of it, opens nothing any more (with the TPM). Make a backup
    first: without this machine only a backup brings the faces back. Commands of yours are then run by:
    homeface key run people list

    One of several nodes has a sealed key of its own: homeface key seal -c /etc/homeface/attic.yaml
    """
    from homeface.adapters import credentials
    from homeface.service.session import open_store

    config = read_config(config_path)
    unit, target = _meant(config_path, unit)
    with closing(open_store(config)) as store:
        file, key = store.key_file, store.key()
        plain = key.hex().encode() + b"\n"
        credentials.check_place(target, plain)
        store.note_act(who_acts(), "key seal")
    credentials.seal(credentials.KEY, plain, target, cast("SealedBy", sealed_by))
    _write_drop_in(unit, f"[Service]\nLoadCredentialEncrypted={credentials.KEY}:{target}\n")
    click.echo(f"Sealed as {target}; {_drop_in(unit)} passes it on. {_next(unit)}")
    if config.storage.key_file is not None:
        click.echo("Take storage.key_file out of the configuration: it goes before the credential.")
    if yes or click.confirm(f"Delete the plain key {file}? (Is there a backup that opens?)"):
        with closing(open_store(config)) as store:
            if not store.drop_key_file(key):
                raise HomefaceError(
                    f"The key was changed meanwhile: {file} stays, and {target} is not the key any more. "
                    f"Delete {target}, and seal again."
                )
        click.echo(f"{file} is deleted.")


@key_command.command("unseal")
@config_option
@_UNIT
def unseal_key(config_path: Path | None, unit: str | None) -> None:
    """Write the sealed key into a plain file again, e.g. to change it. As root."""
    from homeface.adapters import credentials
    from homeface.adapters.vault import write_private
    from homeface.service.wiring import database_path

    file = database_path(read_config(config_path)).with_suffix(".key")
    unit, sealed = _meant(config_path, unit)
    if not sealed.exists():
        raise HomefaceError(f"There is no sealed key {sealed}: nothing to unseal.")
    plain = credentials.unseal(credentials.KEY, sealed)
    try:
        write_private(file, plain)
    except FileExistsError as error:
        if file.read_bytes() != plain:
            raise HomefaceError(f"{file} is there already; move it away first.") from error
    except OSError as error:
        raise HomefaceError(f"{file} cannot be written: {error.strerror}.") from error
    sealed.unlink(missing_ok=True)
    _drop_in(unit).unlink(missing_ok=True)
    click.echo(f"The key is {file} again. {_next(unit)}")


@key_command.command(
    "run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@_UNIT
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run_with_key(unit: str | None, command: tuple[str, ...]) -> None:
    """Run another homeface command with the sealed key, as the service's user: homeface key run people list

    As root. With the key of one of several nodes: homeface key run people list -c /etc/homeface/attic.yaml
    """
    from homeface.adapters import credentials, system_files

    program = shutil.which("systemd-run")
    if program is None:
        raise HomefaceError("systemd-run is not there: this needs systemd.")
    _, sealed = _meant(_config_in(command), unit)
    if not sealed.is_file():
        raise HomefaceError(f"There is no sealed key {sealed}: commands run without this.")
    told = ["--quiet", "--wait", "--collect", "--pipe", "--uid=homeface", "--gid=homeface"]
    told += ["--setenv=HOME=/var/lib/homeface"]
    told += ["-p", f"LoadCredentialEncrypted={credentials.KEY}:{sealed}", "-p", "UMask=0077"]
    told += ["-p", f"WorkingDirectory=-{Path.cwd()}"]  # where that user may enter it
    told += [f"--setenv={name}={os.environ[name]}" for name in ("HOMEFACE_CONFIG",) if name in os.environ]
    os.execv(program, [program, *told, str(system_files.program()), *command])  # noqa: S606


def _refuse_sealed(config_path: Path | None) -> None:
    """A service that hears a sealed key would not hear of a new one, and could not start any more.

    Raises HomefaceError.
    """
    from homeface.adapters.credentials import sealed_key
    from homeface.adapters.system_files import unit_of
    from homeface.config.environment import SYSTEM_CONFIG

    found, node = _found(config_path)
    sealed = sealed_key(node)
    # Root alone may look for a sealed key; everybody sees the drop-in of a service.
    ours = found is not None and found.parent == SYSTEM_CONFIG and _drop_in(unit_of(node)).exists()
    if ours or os.path.exists(sealed):  # noqa: PTH110 - False, not an error, where one may not look
        raise HomefaceError(
            f"The key is sealed ({sealed}); a new one would lock the service out. "
            "First: homeface key unseal, then change it, and seal it again. "
            "(Another gallery? Name its key in storage.key_file.)"
        )


def _meant(config_path: Path | None, unit: str | None) -> tuple[str, Path]:
    """The unit, and where its sealed key lies: those of the node that the configuration belongs to."""
    from homeface.adapters.credentials import sealed_key
    from homeface.adapters.system_files import unit_of
    from homeface.config.environment import SYSTEM_CONFIG

    found, node = _found(config_path)
    if unit is None:
        if found is not None and found.parent != SYSTEM_CONFIG:
            raise click.UsageError(f"{found} is not in {SYSTEM_CONFIG}: say which service it is for, --unit.")
        return unit_of(node), sealed_key(node)
    unit = unit if "." in unit else f"{unit}.service"
    whose = unit.removesuffix(".service")
    if (whose == "homeface" or whose.startswith("homeface@")) and unit != unit_of(node):
        wanted = SYSTEM_CONFIG / f"{whose.removeprefix('homeface').removeprefix('@') or 'config'}.yaml"
        raise click.UsageError(f"{unit} has another configuration than {found}: say -c {wanted}.")
    return unit, sealed_key(node)


def _found(config_path: Path | None) -> tuple[Path | None, str | None]:
    """The configuration, and the node that it belongs to."""
    from homeface.config import service_node

    found = config_path_or_default(config_path)
    found = None if found is None else found.absolute()
    return found, service_node(found)


def _next(unit: str) -> str:
    """What to do: a drop-in that systemd has not read leaves the service without its key."""
    return f"Next: systemctl daemon-reload && systemctl restart {unit}"


def _config_in(command: tuple[str, ...]) -> Path | None:
    """The configuration that a command names; as there, the last one counts."""
    named = os.environ.get("HOMEFACE_CONFIG")
    for word, following in zip(command, (*command[1:], ""), strict=True):
        if word == "--":
            break
        if word in {"-c", "--config"}:
            named = following or named
        elif word.startswith("--config="):
            named = word.removeprefix("--config=")
        elif word.startswith("-c"):
            named = word.removeprefix("-c")
    return Path(named) if named else None


def _drop_in(unit: str) -> Path:
    from homeface.adapters.system_files import UNITS

    return UNITS / f"{unit}.d" / "key.conf"


def _write_drop_in(unit: str, text: str) -> None:
    path = _drop_in(unit)
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)
    except OSError as error:
        raise HomefaceError(f"{path} cannot be written: {error.strerror}.") from error
