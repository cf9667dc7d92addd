"""``homeface web``: the owner's password, and tokens of programs. The daemon may run meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

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
from homeface.errors import HomefaceError

if TYPE_CHECKING:
    from homeface.adapters.web.accounts import Accounts

_T = TypeVar("_T")


@click.group("web")
def web_command() -> None:
    """The page's password and tokens."""


@web_command.command("password")
@config_option
@password_option
def password_command(config_path: Path | None, password_file: Path | None) -> None:
    """Set the owner's password, also when it is forgotten.

    Everybody who was logged in as the owner is logged out, and wrong tries are forgotten.
    """
    password = ask_password("Password of the page's owner", password_file, twice=True)
    _run(config_path, "set password", lambda accounts: accounts.reset_owner(password))
    click.echo("The owner's password is set; whoever was logged in as the owner is logged out.")


@web_command.command("token")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(["read", "control", "enrol", "admin"]),
    help="What it may do; several are possible: read (see rooms and people), control (pause, guest mode), "
    "enrol (photos, naming visits), admin (all of it, and settings).",
)
@config_option
@json_option
def token_command(name: str, scopes: tuple[str, ...], config_path: Path | None, as_json: bool) -> None:
    """Make a token for a program called NAME. It is printed this once."""
    from homeface.adapters.web.access import Scope

    wanted = [Scope(scope) for scope in scopes]
    token, secret = _run(config_path, "add token", lambda accounts: accounts.add_token(name, wanted))
    if as_json:
        print_json({"id": token.token_id, "name": token.name, "scopes": token.scopes, "secret": secret})
    else:
        click.echo(secret)


@web_command.command("tokens")
@config_option
@json_option
def tokens_command(config_path: Path | None, as_json: bool) -> None:
    """List the tokens, without their secrets."""
    tokens = _run(config_path, "", lambda accounts: accounts.tokens())
    if as_json:
        print_json(
            [
                {
                    "id": token.token_id,
                    "name": token.name,
                    "scopes": token.scopes,
                    "created_at": token.created_at,
                    "last_used": token.last_used,
                }
                for token in tokens
            ]
        )
        return
    rows = [
        (token.name, ", ".join(token.scopes), _day(token.created_at), _day(token.last_used))
        for token in tokens
    ]
    print_table(("name", "may", "made", "last used"), rows)


@web_command.command("revoke")
@click.argument("name")
@config_option
def revoke_command(name: str, config_path: Path | None) -> None:
    """Take back the token called NAME; it opens nothing any more."""

    async def revoke(accounts: Accounts) -> None:
        for token in await accounts.tokens():
            if token.name == name:
                await accounts.remove_token(token.token_id)
                return
        raise HomefaceError(f"There is no token called {name!r}; homeface web tokens lists them.")

    _run(config_path, "remove token", revoke)
    click.echo(f"The token {name} is taken back.")


def _run(config_path: Path | None, act: str, work: Callable[[Accounts], Awaitable[_T]]) -> _T:
    """Do it over the store; ``act`` goes into the log of acts."""
    config = read_config(config_path)
    from homeface.adapters.web.accounts import Accounts
    from homeface.service.session import open_store

    with closing(open_store(config)) as store:

        async def run() -> _T:
            return await work(Accounts(store))

        done = asyncio.run(run())
        if act:
            store.note_act(who_acts(), act)
    return done


def _day(at: float | None) -> str:
    return "never" if at is None else time.strftime("%Y-%m-%d", time.localtime(at))
